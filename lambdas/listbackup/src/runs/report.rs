//! The events of a run: its start, its end, and the amendments of an ended run.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::figures;
use crate::shared::{
    events::Detail,
    rows::{
        Run,
        run::{RunStats, RunStatus, RunType, TypeDelta},
    },
    time,
};

/// The fields of the events Job Completed, Job Failed and Job Amended. An amendment has the differences that one file makes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The run.
    pub run_id: String,
    /// Its job.
    pub job_id: String,
    /// Its source.
    pub source_id: String,
    /// What started it.
    #[serde(rename = "type")]
    pub run_type: RunType,
    /// `completed` or `failed`. An amendment does not change it.
    pub status: RunStatus,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it ended.
    pub completed_at: String,
    /// The seconds between both.
    pub duration_seconds: i64,
    /// The number of listed files.
    pub files_total: i64,
    /// The files that were processed.
    pub files_processed: i64,
    /// The counters.
    pub stats: RunStats,
    /// The differences by category; categories without one are left out.
    #[serde(default)]
    pub type_deltas: BTreeMap<String, TypeDelta>,
    /// The file of an amendment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_key: Option<String>,
}

/// The ID of the event that reports a run's end.
pub(super) fn finished_id(run_id: &str) -> String {
    format!("{run_id}:finished")
}

/// Builds the detail of an event about a run.
pub(super) fn detail(run: &Run, event_id: String, at: &str, fields: Map<String, Value>) -> Detail {
    Detail {
        event_id,
        account_id: run.account_id.clone(),
        user_id: run.user_id.clone(),
        resource_id: run.run_id.clone(),
        at: at.to_owned(),
        fields,
    }
}

/// The detail of Job Queued and Job Started.
pub(super) fn progressed(run: &Run, what: &str, at: &str) -> Detail {
    let run_type = serde_json::to_value(run.run_type).unwrap_or_default();
    let fields = [
        ("runId", Value::from(run.run_id.clone())),
        ("jobId", Value::from(run.job_id.clone())),
        ("sourceId", Value::from(run.source_id.clone())),
        ("type", run_type),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
    detail(run, format!("{}:{what}", run.run_id), at, fields)
}

impl Report {
    /// Reports the end of a run with its present counters.
    pub(super) fn of(run: &Run, status: RunStatus, error: Option<&str>, now: Timestamp) -> Self {
        let type_deltas = run.type_deltas.iter().filter(|(_, delta)| **delta != TypeDelta::default());
        Self {
            run_id: run.run_id.clone(),
            job_id: run.job_id.clone(),
            source_id: run.source_id.clone(),
            run_type: run.run_type,
            status,
            error: error.map(str::to_owned),
            started_at: run.started_at.clone(),
            completed_at: time::text(now),
            duration_seconds: figures::seconds(run, now),
            files_total: run.files_total,
            files_processed: run.files_processed,
            stats: run.stats.clone(),
            type_deltas: type_deltas.map(|(name, delta)| (name.clone(), *delta)).collect(),
            file_key: None,
        }
    }

    /// Reads the report of a run whose end is decided.
    pub(super) fn read(detail: &Detail) -> Option<Self> {
        serde_json::from_value(Value::Object(detail.fields.clone())).ok()
    }

    pub(super) fn into_fields(self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        }
    }
}
