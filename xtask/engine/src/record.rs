//! What the commands of one job did, one JSON object a line, for the job's summary: `--record FILE` on every command.

use std::{io::Write, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};
use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

/// A record cannot be used.
#[derive(Debug, Error, Diagnostic)]
pub enum RecordError {
    /// The file cannot be read or written.
    #[error("failed to access record {path}")]
    Access {
        /// The file.
        path: Utf8PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A line is none.
    #[error("line {line} of {path} is no record: {reason}")]
    #[diagnostic(help("commands write it with --record {path}; delete it and run them again"))]
    NoRecord {
        /// The file.
        path: Utf8PathBuf,
        /// The line.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

/// What one command did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    /// The command, for example `deploy`.
    pub command: String,
    /// Did it do what was asked?
    pub succeeded: bool,
    /// Why not: what happened, and what caused it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failure: Vec<String>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// What it says of itself; every command has its own.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub notes: Map<String, Value>,
}

impl Done {
    /// How long it took.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::try_from_secs_f64(self.seconds).unwrap_or_default()
    }

    /// The items of a note that is a list; none where there is no such note.
    pub fn list<'a>(&'a self, note: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
        self.notes.get(note).and_then(Value::as_array).into_iter().flatten()
    }
}

/// Adds what a command did.
///
/// # Errors
///
/// When the operating system refuses.
pub fn append(path: &Utf8Path, done: &Done) -> Result<(), RecordError> {
    let access = |source| RecordError::Access { path: path.to_owned(), source };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_str().is_empty()) {
        fs_err::create_dir_all(folder).map_err(access)?;
    }
    let line = serde_json::to_string(done).map_err(std::io::Error::other).map_err(access)?;
    let mut file = fs_err::OpenOptions::new().append(true).create(true).open(path).map_err(access)?;
    writeln!(file, "{line}").map_err(access)
}

/// What the commands did so far, in order; nothing where there is no file.
///
/// # Errors
///
/// When the file cannot be read or understood.
pub fn read(path: &Utf8Path) -> Result<Vec<Done>, RecordError> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = fs_err::read_to_string(path).map_err(|source| RecordError::Access { path: path.to_owned(), source })?;
    let parse = |(line, text): (usize, &str)| {
        serde_json::from_str(text).map_err(|error| RecordError::NoRecord {
            path: path.to_owned(),
            line,
            reason: error.to_string(),
        })
    };
    (1..).zip(text.lines()).map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_read_and_a_line_that_is_none_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = Utf8PathBuf::from_path_buf(folder.path().join("below/record.jsonl")).expect("UTF-8");
        assert_eq!(read(&path).expect("nothing yet"), []);
        let notes = Map::from_iter([("pruned".to_owned(), Value::from(3))]);
        let prune = Done { command: "prune".to_owned(), succeeded: true, failure: Vec::new(), seconds: 1.5, notes };
        let deploy =
            Done { command: "deploy".to_owned(), succeeded: false, failure: vec!["no".to_owned()], ..prune.clone() };
        append(&path, &prune).expect("written");
        append(&path, &deploy).expect("written");
        assert_eq!(read(&path).expect("read"), [prune, deploy]);
        fs_err::write(&path, "{}\n").expect("written");
        assert!(read(&path).expect_err("no record").to_string().starts_with("line 1 of "));
    }
}
