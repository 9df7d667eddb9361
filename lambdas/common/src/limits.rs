//! Limits of sign-in routes, so that one client cannot keep others from signing in: requests of each address, and failed
//! attempts of each account.
//!
//! A gateway's throttle is shared by all clients. These limits are counted in a DynamoDB table that all instances share, with
//! conditional writes, so that concurrent requests cannot exceed them. Items expire by time to live.
//!
//! **When the table does not answer**, requests are admitted and an error is logged: signing in must not depend on the counters.
//! The gateway's throttle, a web ACL and the user pool's own lockout still apply then.

mod backoff;
mod requests;
mod subject;
mod table;
mod window;

use std::time::Duration;

use aws_config::SdkConfig;
use jiff::Timestamp;

use self::{
    backoff::Failures,
    table::{Stored, TableError},
    window::Window,
};
pub use self::{subject::Subjects, table::CounterTable};

/// The most time that one counter may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// The most attempts to record a failure while other requests of the same account and address do.
const TRIES: u32 = 6;

/// What is counted, by a pseudonym: see [`Subjects`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject(String);

/// A refused request. The client may try again after this many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many requests; the next one is allowed in {seconds} s")]
pub struct Refused {
    /// At least 1.
    pub seconds: u32,
}

impl Refused {
    /// Refuses until a time in seconds since 1970.
    fn until(end: i64, now: i64) -> Self {
        let seconds = end.saturating_sub(now).max(1);
        Self { seconds: u32::try_from(seconds).unwrap_or(u32::MAX) }
    }
}

/// An attempt that counts as failed until [`Counters::succeed`] or [`Counters::forgive`].
#[derive(Debug)]
pub struct Attempt {
    subject: Subject,
    before: Option<Failures>,
    /// `None` if it could not be recorded.
    after: Option<Failures>,
}

impl Attempt {
    /// Checks the subject.
    #[must_use]
    pub fn is_of(&self, subject: &Subject) -> bool {
        self.subject == *subject
    }
}

/// The counters of one function.
#[derive(Debug, Clone)]
pub struct Counters {
    table: CounterTable,
    aws: SdkConfig,
    per_minute: u32,
}

impl Counters {
    /// Creates counters that admit this many requests of each subject in a minute.
    #[must_use]
    pub fn new(table: CounterTable, aws: SdkConfig, per_minute: u32) -> Self {
        Self { table, aws, per_minute }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// When its subject has made too many in this minute.
    pub async fn admit(&self, subject: &Subject, now: Timestamp) -> Result<(), Refused> {
        let window = Window::at(now.as_second());
        let counted = self.table.count(&self.aws, subject, window, self.per_minute);
        match checked("count a request", counted).await {
            Some(false) => Err(Refused::until(window.end(), now.as_second())),
            Some(true) | None => Ok(()),
        }
    }

    /// Records an attempt to sign in as failed, before it is made: concurrent attempts count, too.
    ///
    /// # Errors
    /// When earlier attempts of the subject failed and the pause after them has not passed.
    pub async fn attempt(&self, subject: Subject, now: Timestamp) -> Result<Attempt, Refused> {
        let now = now.as_second();
        for _ in 0..TRIES {
            let read = checked("read failed attempts", self.table.failures(&self.aws, &subject)).await;
            let Some(before) = read else { return Ok(Attempt { subject, before: None, after: None }) };
            let after = Failures::add(before, now)?;
            let stored = self.table.record(&self.aws, &subject, before, after);
            match checked("record an attempt", stored).await {
                Some(Stored::Yes) => return Ok(Attempt { subject, before, after: Some(after) }),
                Some(Stored::Contended) => {}
                None => return Ok(Attempt { subject, before, after: None }),
            }
        }
        Err(Refused { seconds: 1 })
    }

    /// Forgets the failures of an attempt's subject, because the attempt succeeded.
    pub async fn succeed(&self, attempt: Attempt) {
        self.forget(&attempt.subject).await;
    }

    /// Forgets the failures of a subject that has signed in.
    pub async fn forget(&self, subject: &Subject) {
        let _ = checked("forget failed attempts", self.table.clear(&self.aws, subject)).await;
    }

    /// Takes back an attempt that neither succeeded nor failed: the service that decides was not available.
    pub async fn forgive(&self, attempt: Attempt) {
        let Some(after) = attempt.after else { return };
        // A deletion would also forget the attempts that were recorded meanwhile.
        let before = attempt.before.unwrap_or_else(|| after.forgiven());
        let restored = self.table.record(&self.aws, &attempt.subject, Some(after), before);
        let _ = checked("forgive an attempt", restored).await;
    }
}

/// Limits a call's time, and logs its failure. `None` is a failure.
async fn checked<T>(what: &'static str, call: impl Future<Output = Result<T, TableError>>) -> Option<T> {
    checked_within(PATIENCE, what, call).await
}

async fn checked_within<T>(
    patience: Duration,
    what: &'static str,
    call: impl Future<Output = Result<T, TableError>>,
) -> Option<T> {
    let error = match tokio::time::timeout(patience, call).await {
        Ok(Ok(value)) => return Some(value),
        Ok(Err(error)) => crate::telemetry::chain(&error),
        Err(_) => format!("the table did not answer within {patience:?}"),
    };
    tracing::error!(error, "failed to {what}; the request is not limited");
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_at_least_a_second() {
        assert_eq!(Refused::until(100, 40), Refused { seconds: 60 });
        assert_eq!(Refused::until(100, 100), Refused { seconds: 1 });
        assert_eq!(Refused::until(100, 200), Refused { seconds: 1 });
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_table_that_does_not_answer_is_not_waited_for() {
        let silent = std::future::pending::<Result<(), TableError>>();
        assert_eq!(checked_within(Duration::from_millis(1), "wait", silent).await, None);
    }
}
