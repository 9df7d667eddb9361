//! The messages of the two queues. They name objects; the functions read these again and compare the account.

use serde::{Deserialize, Serialize};

use crate::{
    connectors::Origin,
    shared::{ids, rows::Run},
};

/// The only version of both messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct V1;

impl From<V1> for u32 {
    fn from(_: V1) -> Self {
        1
    }
}

impl TryFrom<u32> for V1 {
    type Error = &'static str;

    fn try_from(version: u32) -> Result<Self, Self::Error> {
        if version == 1 { Ok(Self) } else { Err("a message of another version") }
    }
}

/// The type of a message about a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunTag {
    /// The only one.
    Run,
}

/// The type of a message about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileTag {
    /// The only one.
    File,
}

/// A run to list, on the queue of runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunMessage {
    /// The version.
    pub v: V1,
    /// The type.
    #[serde(rename = "type")]
    pub tag: RunTag,
    /// The run.
    pub run_id: String,
    /// Its job.
    pub job_id: String,
    /// Its account.
    pub account_id: String,
    /// Its source.
    pub source_id: String,
}

/// A file to store, on the queue of files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileMessage {
    /// The version.
    pub v: V1,
    /// The type.
    #[serde(rename = "type")]
    pub tag: FileTag,
    /// The run.
    pub run_id: String,
    /// Its job.
    pub job_id: String,
    /// Its account.
    pub account_id: String,
    /// Its source.
    pub source_id: String,
    /// See [`file_key`](ids::file_key).
    pub file_key: String,
    /// The path within the source.
    pub path: String,
    /// Where the connector fetches it.
    pub origin: Origin,
    /// The size, if the source lists it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The last change, if the source lists it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_at: Option<String>,
    /// The source's own tag of this version, if it lists one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin_tag: Option<String>,
}

impl RunMessage {
    /// Names a run.
    #[must_use]
    pub fn new(run: &Run) -> Self {
        Self {
            v: V1,
            tag: RunTag::Run,
            run_id: run.run_id.clone(),
            job_id: run.job_id.clone(),
            account_id: run.account_id.clone(),
            source_id: run.source_id.clone(),
        }
    }

    /// Whether the message names the run that was read for it.
    #[must_use]
    pub fn is_of(&self, run: &Run) -> bool {
        (&self.run_id, &self.job_id, &self.account_id, &self.source_id)
            == (&run.run_id, &run.job_id, &run.account_id, &run.source_id)
    }
}

impl FileMessage {
    /// Whether the message names the run that was read for it, and its key is the path's.
    #[must_use]
    pub fn is_of(&self, run: &Run) -> bool {
        (&self.run_id, &self.job_id, &self.account_id, &self.source_id)
            == (&run.run_id, &run.job_id, &run.account_id, &run.source_id)
            && self.file_key == ids::file_key(&self.path)
    }
}
