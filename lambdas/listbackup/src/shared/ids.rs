//! Identifiers: `<kind>:<uuid>`. Clients may omit the kind.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The kind of an identified object: the prefix of its ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A user; the UUID is the user pool's.
    User,
    /// An account.
    Account,
    /// A source.
    Source,
    /// A job.
    Job,
    /// A run of a job.
    Run,
    /// A file: the ID is derived from source and path.
    File,
    /// An API key.
    Key,
    /// A report.
    Report,
}

impl Kind {
    /// Returns the prefix, without its colon.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Account => "account",
            Self::Source => "source",
            Self::Job => "job",
            Self::Run => "run",
            Self::File => "file",
            Self::Key => "key",
            Self::Report => "report",
        }
    }

    /// Returns the code of the response about an unknown object.
    #[must_use]
    pub const fn not_found(self) -> &'static str {
        match self {
            Self::User => "USER_NOT_FOUND",
            Self::Account => "ACCOUNT_NOT_FOUND",
            Self::Source => "SOURCE_NOT_FOUND",
            Self::Job => "JOB_NOT_FOUND",
            Self::Run => "RUN_NOT_FOUND",
            Self::File => "FILE_NOT_FOUND",
            Self::Key => "KEY_NOT_FOUND",
            Self::Report => "REPORT_NOT_FOUND",
        }
    }

    /// Generates an ID.
    #[must_use]
    pub fn generate(self) -> String {
        self.with(&Uuid::new_v4().hyphenated().to_string())
    }

    /// Returns the ID with this UUID.
    #[must_use]
    pub fn with(self, uuid: &str) -> String {
        format!("{}:{uuid}", self.prefix())
    }

    /// Parses an ID that a client sent, with or without its prefix. Any other text is `None` and is never looked up.
    #[must_use]
    pub fn parse(self, text: &str) -> Option<String> {
        let bare = text.strip_prefix(self.prefix()).and_then(|rest| rest.strip_prefix(':')).unwrap_or(text);
        let is_valid = match self {
            Self::File => bare.len() == 32 && bare.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')),
            _ => Uuid::try_parse(bare).is_ok_and(|uuid| uuid.hyphenated().to_string() == bare),
        };
        is_valid.then(|| self.with(bare))
    }
}

/// Returns an ID without its prefix.
#[must_use]
pub fn bare(id: &str) -> &str {
    id.split_once(':').map_or(id, |(_, bare)| bare)
}

/// Returns the key of a file within a run: the first 32 hexadecimal digits of the path's SHA-256.
#[must_use]
pub fn file_key(path: &str) -> String {
    digest(path)
}

/// Returns the ID of a source's file.
#[must_use]
pub fn file_id(source_id: &str, path: &str) -> String {
    Kind::File.with(&digest(&format!("{source_id}\n{path}")))
}

/// Returns the key of a file in the bucket of backups.
#[must_use]
pub fn object_key(account_id: &str, source_id: &str, path: &str) -> String {
    format!("{}{}/{}/{path}", listbackup_contract::storage::DATA, bare(account_id), bare(source_id))
}

fn digest(text: &str) -> String {
    hex::encode(&Sha256::digest(text)[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_accepted_with_and_without_its_kind() {
        let id = Kind::Source.generate();
        assert_eq!(Kind::Source.parse(&id).as_deref(), Some(id.as_str()));
        assert_eq!(Kind::Source.parse(bare(&id)).as_deref(), Some(id.as_str()));
        for other in ["", "x", "job:1", &id.to_uppercase(), &id.replace("source", "job"), "source:"] {
            assert_eq!(Kind::Source.parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_files_ids_are_derived_from_its_path() {
        let source = "source:6f1c1c5e-5a0a-4c55-8b0b-0f6a3f0d7f10";
        assert_eq!(file_key("b/c.json").len(), 32);
        assert_ne!(file_id(source, "a"), file_id(source, "b"));
        assert_eq!(Kind::File.parse(&file_id(source, "a")), Some(file_id(source, "a")));
        let key = object_key("account:1", source, "b/c.json");
        assert_eq!(key, "data/1/6f1c1c5e-5a0a-4c55-8b0b-0f6a3f0d7f10/b/c.json");
    }
}
