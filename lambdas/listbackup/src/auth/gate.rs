//! The limits of sign-in routes: requests of each address and account, and failed passwords and codes of each account.
//!
//! The counters are items of the table of users, with pseudonyms as keys, and expire.

use aws_config::SdkConfig;
use axum::http::StatusCode;
use common::limits::{Attempt, CounterTable, Counters, Refused, Subjects};
use jiff::Timestamp;
use listbackup_contract::tables::{TTL, USERS};

use super::pool::PoolError;
use crate::shared::envelope::Problem;

/// The prefix of an account whose codes are counted, in contrast to its passwords. No e-mail address has it.
const CODES: &str = "codes of ";

/// Counts requests and attempts.
#[derive(Debug)]
pub(crate) struct Gate {
    counters: Counters,
    subjects: Subjects,
}

/// A limit that is not a positive number.
#[derive(Debug, thiserror::Error)]
#[error("SIGN_IN_PER_MINUTE must be a positive number")]
pub(crate) struct LimitError;

impl Gate {
    /// Counts in the table of users. Pseudonyms are derived from `key`, which all instances share.
    pub(crate) fn new(aws: &SdkConfig, users_table: &str, per_minute: &str, key: &str) -> Result<Self, LimitError> {
        let per_minute = per_minute.parse().ok().filter(|most: &u32| *most > 0).ok_or(LimitError)?;
        let name = users_table.to_owned();
        let table = CounterTable { name, partition: USERS.partition, sort: USERS.sort, expires: TTL };
        Ok(Self { counters: Counters::new(table, aws.clone(), per_minute), subjects: Subjects::new(key.as_bytes()) })
    }

    /// Counts a request of an address.
    pub(crate) async fn admit_address(&self, address: &str, now: Timestamp) -> Result<(), Problem> {
        self.counters.admit(&self.subjects.address(address), now).await.map_err(too_many)
    }

    /// Counts a request that names an account.
    pub(crate) async fn admit_account(&self, account: &str, now: Timestamp) -> Result<(), Problem> {
        self.counters.admit(&self.subjects.account(account), now).await.map_err(too_many)
    }

    /// Records that an address tries a password of an account.
    pub(crate) async fn try_password(&self, account: &str, address: &str, now: Timestamp) -> Result<Attempt, Problem> {
        self.counters.attempt(self.subjects.account_at(account, address), now).await.map_err(too_many)
    }

    /// Records that a client which knows the password tries a code. Attempts of all addresses count together: otherwise a million
    /// codes could be tried from many addresses.
    pub(crate) async fn try_code(&self, account: &str, now: Timestamp) -> Result<Attempt, Problem> {
        self.counters.attempt(self.subjects.account(&format!("{CODES}{account}")), now).await.map_err(too_many)
    }

    /// Forgets the failures before a successful attempt.
    pub(crate) async fn succeed(&self, attempt: Attempt) {
        self.counters.succeed(attempt).await;
    }

    /// Takes back an attempt that the pool did not judge; a wrong password or code stays counted.
    pub(crate) async fn fail(&self, attempt: Attempt, error: &PoolError) {
        if matches!(error, PoolError::Other(_) | PoolError::TooMany) {
            self.counters.forgive(attempt).await;
        }
    }
}

fn too_many(refused: Refused) -> Problem {
    let message = "too many attempts; please wait before you try again";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS", message).with("retryAfter", refused.seconds)
}
