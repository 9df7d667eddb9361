//! The record of a job: one JSON line for each of its commands, written by `--record FILE`.

use std::{io::Write, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};
use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::report::JobReport;

/// The version of the lines' format.
const VERSION: u32 = 1;

/// A record cannot be used.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum RecordError {
    /// The file cannot be read or written.
    #[error("failed to access record {path}")]
    #[diagnostic(help("check the path and its permissions"))]
    Access { path: Utf8PathBuf, source: std::io::Error },
    /// A line is not a record.
    #[error("failed to read line {line} of record {path}: {reason}")]
    #[diagnostic(help("delete {path}, then run the job's commands again with `--record {path}`"))]
    Line { path: Utf8PathBuf, line: usize, reason: String },
}

/// One command of a job: a line of its record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobRecord {
    version: u32,
    /// The command, for example `deploy`.
    pub(crate) command: String,
    /// Whether the command succeeded.
    pub(crate) succeeded: bool,
    /// The error and its causes, outermost first; empty for a command that succeeded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) failure: Vec<String>,
    /// How long the command took, in seconds.
    seconds: f64,
    /// What the command did, as far as it came.
    pub(crate) report: JobReport,
}

impl JobRecord {
    /// The record of a command that ended; `failure` is empty where it succeeded.
    pub(crate) fn new(command: String, report: JobReport, failure: Vec<String>, elapsed: Duration) -> Self {
        let (succeeded, seconds) = (failure.is_empty(), elapsed.as_secs_f64());
        Self { version: VERSION, command, succeeded, failure, seconds, report }
    }

    /// How long the command took.
    pub(crate) fn elapsed(&self) -> Duration {
        Duration::try_from_secs_f64(self.seconds).unwrap_or_default()
    }
}

/// Appends the record of a command to a file.
///
/// # Errors
///
/// When the file cannot be written.
pub(crate) fn append(path: &Utf8Path, record: &JobRecord) -> Result<(), RecordError> {
    let access = |source| RecordError::Access { path: path.to_owned(), source };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_str().is_empty()) {
        fs_err::create_dir_all(folder).map_err(access)?;
    }
    let line = serde_json::to_string(record).map_err(std::io::Error::other).map_err(access)?;
    let mut file = fs_err::OpenOptions::new().append(true).create(true).open(path).map_err(access)?;
    writeln!(file, "{line}").map_err(access)
}

/// Reads the records of a job's commands, in order. A file that does not exist has none.
///
/// # Errors
///
/// When the file cannot be read, or a line is not a record of this version.
pub(crate) fn read(path: &Utf8Path) -> Result<Vec<JobRecord>, RecordError> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = fs_err::read_to_string(path).map_err(|source| RecordError::Access { path: path.to_owned(), source })?;
    let parse = |(line, text): (usize, &str)| {
        parse(text).map_err(|reason| RecordError::Line { path: path.to_owned(), line, reason })
    };
    (1..).zip(text.lines()).map(parse).collect()
}

fn parse(line: &str) -> Result<JobRecord, String> {
    let record: JobRecord = serde_json::from_str(line).map_err(|error| error.to_string())?;
    if record.version == VERSION {
        Ok(record)
    } else {
        Err(format!("its format has version {} instead of {VERSION}", record.version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        release::Traffic,
        report::{DeployReport, PruneReport, ReleaseFailure, ReleaseProgress},
    };

    #[test]
    fn appended_records_are_read_in_order_and_a_line_that_is_none_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = Utf8PathBuf::from_path_buf(folder.path().join("below/record.jsonl")).expect("UTF-8");
        assert_eq!(read(&path).expect("nothing yet"), []);
        let elapsed = Duration::from_millis(1_500);
        let report = JobReport::Prune(PruneReport { pruned: 3 });
        let prune = JobRecord::new("prune".to_owned(), report, Vec::new(), elapsed);
        let failed = ReleaseFailure {
            system: "notes".to_owned(),
            traffic: Traffic::Reverted,
            untried: vec!["feeds".to_owned()],
        };
        let report = DeployReport {
            planned: Some(vec!["notes".to_owned()]),
            progress: ReleaseProgress::Failed(failed),
            ..DeployReport::default()
        };
        let deploy = JobRecord::new("deploy".to_owned(), JobReport::Deploy(report), vec!["no".to_owned()], elapsed);
        assert!(prune.succeeded && !deploy.succeeded);
        append(&path, &prune).expect("written");
        append(&path, &deploy).expect("written");
        assert_eq!(read(&path).expect("read"), [prune.clone(), deploy]);
        fs_err::write(&path, "{}\n").expect("written");
        let error = read(&path).expect_err("no record").to_string();
        assert!(error.starts_with("failed to read line 1 of record "), "{error}");
        let newer = serde_json::to_string(&JobRecord { version: 2, ..prune }).expect("JSON");
        fs_err::write(&path, newer).expect("written");
        let error = read(&path).expect_err("another version").to_string();
        assert!(error.ends_with("its format has version 2 instead of 1"), "{error}");
    }
}
