//! Folding events of ended runs into the buckets of their account: one transaction for each event, guarded by the event's ID. The bus
//! may deliver an event twice, and in any order.

use aws_config::SdkConfig;
use jiff::Timestamp;
use listbackup_contract::{
    analytics::AggregateEvents,
    events::{JOB_AMENDED, JOB_COMPLETED, JOB_FAILED},
    tables::{ACCOUNTS, TTL},
};
use serde::Deserialize;
use serde_json::Value;
use tables::{AwsError, Change, Database, TransactionOutcome, Write, from_item, number};

use super::{
    buckets::{DAY, EVENT, SOURCE, TOTAL, TYPE, key},
    range::date,
};
use crate::{
    mail::{Mail, Mailer},
    runs::report::Report,
    shared::{
        events::Detail,
        rows::{Account, run::RunStatus},
        store, time,
    },
};

/// How long the ID of a counted event is kept, in seconds. The bus delivers an event again for at most 24 hours (EventBridge user
/// guide, "Retrying event delivery"); a run that stalls is reported again within days.
const EVENT_SECONDS: i64 = 7 * 24 * 3600;
/// The place of the account's change in a transaction.
const ACCOUNT_WRITE: usize = 1;
/// The bytes of a GB.
const GB: f64 = 1e9;

/// An event of the bus.
#[derive(Debug, Deserialize)]
pub(super) struct BusEvent {
    #[serde(rename = "detail-type")]
    detail_type: String,
    detail: Detail,
}

/// Why an event could not be counted. The bus delivers it again.
#[derive(Debug, thiserror::Error)]
pub(super) enum AggregationError {
    #[error("the detail of an event has another form")]
    Detail(#[from] serde_json::Error),
    #[error("failed to count events of type `{0}`: only ends and amendments of runs are counted")]
    Kind(String),
    #[error("the time of an event cannot be read")]
    Time(#[from] jiff::Error),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// The function's state.
#[derive(Debug)]
pub(super) struct Aggregation {
    database: Database,
    aggregates: String,
    accounts: String,
    mailer: Mailer,
}

/// What an event adds to a bucket. Zeros are left out.
#[derive(Debug, Clone, Copy, Default)]
struct Amounts {
    runs: i64,
    completed: i64,
    failed: i64,
    files: i64,
    bytes: i64,
    stored: i64,
    added: i64,
    changed: i64,
}

impl Aggregation {
    pub(super) fn new(environment: AggregateEvents, aws: &SdkConfig) -> Self {
        Self {
            database: Database::new(aws_sdk_dynamodb::Client::new(aws)),
            aggregates: environment.analytics_aggregates_table,
            accounts: environment.accounts_table,
            mailer: Mailer::new(aws.clone(), environment.ses_from_email),
        }
    }

    /// Counts an event, once.
    pub(super) async fn add(&self, event: BusEvent) -> Result<(), AggregationError> {
        let BusEvent { detail_type, detail } = event;
        let is_end = [JOB_COMPLETED, JOB_FAILED].iter().any(|kind| kind.detail_type == detail_type);
        if !is_end && detail_type != JOB_AMENDED.detail_type {
            return Err(AggregationError::Kind(detail_type));
        }
        let report: Report = serde_json::from_value(Value::Object(detail.fields.clone()))?;
        let is_new = self.count(&detail, &report, is_end).await?;
        if is_end {
            self.record_last_run(&detail.account_id, &report.completed_at).await?;
        }
        if is_new && detail_type == JOB_FAILED.detail_type {
            self.send_mail(&detail, &report).await;
        }
        Ok(())
    }

    /// Writes the transaction; returns false if the event was counted already.
    async fn count(&self, detail: &Detail, report: &Report, is_end: bool) -> Result<bool, AggregationError> {
        let day = date(detail.at.parse::<Timestamp>()?);
        let mut writes = vec![self.event(detail), self.usage(&detail.account_id, report.stats.delta_stored)];
        writes.extend(self.buckets(&detail.account_id, &day, report, is_end));
        loop {
            match self.database.transact(writes.clone()).await? {
                TransactionOutcome::Committed => return Ok(true),
                TransactionOutcome::ConditionsFailed(failed) if failed.contains(&0) => return Ok(false),
                // The account is gone; its aggregates are still correct.
                TransactionOutcome::ConditionsFailed(failed) if failed == [ACCOUNT_WRITE] => {
                    writes.remove(ACCOUNT_WRITE);
                }
                TransactionOutcome::ConditionsFailed(_) => {
                    return Err(AwsError::unexpected("count an event", "an unconditional write failed").into());
                }
            }
        }
    }

    fn event(&self, detail: &Detail) -> Write {
        let mut item = key(&detail.account_id, &format!("{EVENT}{}", detail.event_id));
        item.insert(TTL.to_owned(), number(time::ttl(EVENT_SECONDS)));
        // Items are deleted late, so an expired one counts as absent.
        let absent =
            Change::new().when(|at| format!("{} OR {}", at.absent("bucket"), at.compare(TTL, "<", time::ttl(0))));
        Write::Put(self.aggregates.clone(), item, absent)
    }

    #[expect(clippy::cast_precision_loss, reason = "a difference of less than 9 PB is exact")]
    fn usage(&self, account_id: &str, stored: i64) -> Write {
        let change =
            Change::new().add("usage.storageUsedGB", stored as f64 / GB).when(|at| at.exists(ACCOUNTS.partition));
        Write::Change(self.accounts.clone(), store::key(ACCOUNTS, account_id), change)
    }

    fn buckets(&self, account_id: &str, day: &str, report: &Report, is_end: bool) -> Vec<Write> {
        let ended = |status| i64::from(is_end && report.status == status);
        let stats = &report.stats;
        let all = Amounts {
            runs: i64::from(is_end),
            completed: ended(RunStatus::Completed),
            failed: ended(RunStatus::Failed),
            files: stats.files_added,
            bytes: stats.delta_bytes,
            stored: stats.delta_stored,
            added: stats.delta_bytes,
            changed: stats.files_added.saturating_add(stats.files_updated),
        };
        let of_type = |delta: &crate::shared::rows::run::TypeDelta| Amounts {
            files: delta.files,
            bytes: delta.bytes,
            stored: delta.stored_bytes,
            ..Amounts::default()
        };
        let types = report.type_deltas.iter().map(|(name, delta)| (format!("{TYPE}{name}"), of_type(delta)));
        let fixed = [TOTAL.to_owned(), format!("{DAY}{day}"), format!("{SOURCE}{}", report.source_id)];
        let buckets = fixed.into_iter().map(|bucket| (bucket, all)).chain(types);
        buckets
            .filter_map(|(bucket, amounts)| {
                Some(Write::Change(self.aggregates.clone(), key(account_id, &bucket), amounts.change()?))
            })
            .collect()
    }

    /// Records when the last run ended, unless a later end is recorded already.
    async fn record_last_run(&self, account_id: &str, at: &str) -> Result<(), AwsError> {
        let change = Change::new()
            .set("lastRunAt", at)
            .when(|names| format!("{} OR {}", names.absent("lastRunAt"), names.compare("lastRunAt", "<", at)));
        self.database.update(&self.aggregates, key(account_id, TOTAL), change).await.map(|_| ())
    }

    /// Sends a mail about a failed run to the owner. A failure is logged.
    async fn send_mail(&self, detail: &Detail, report: &Report) {
        if !self.mailer.is_enabled() {
            return;
        }
        match self.database.get(&self.accounts, store::key(ACCOUNTS, &detail.account_id)).await {
            Ok(Some(item)) => match from_item::<Account>(item) {
                Ok(account) => {
                    let reason = report.error.as_deref().unwrap_or("the cause is unknown");
                    let text = format!("Backup {} of account \"{}\" failed: {reason}.\n", report.run_id, account.name);
                    self.mailer
                        .send(Mail { to: &account.billing_email, subject: "A backup failed", text: &text })
                        .await;
                }
                Err(error) => tracing::error!(%error, "failed to read an account"),
            },
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "failed to read an account"),
        }
    }
}

impl Amounts {
    /// The update of a bucket; `None` if nothing is added.
    fn change(self) -> Option<Change> {
        let amounts = [
            ("runs", self.runs),
            ("runsCompleted", self.completed),
            ("runsFailed", self.failed),
            ("files", self.files),
            ("bytes", self.bytes),
            ("storedBytes", self.stored),
            ("addedBytes", self.added),
            ("changedFiles", self.changed),
        ];
        let counted: Vec<_> = amounts.into_iter().filter(|(_, amount)| *amount != 0).collect();
        let add = |change: Change, (name, amount): &(&str, i64)| change.add(name, *amount);
        (!counted.is_empty()).then(|| counted.iter().fold(Change::new(), add))
    }
}
