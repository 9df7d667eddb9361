//! What a stage allows sources to read.

use crate::shared::ids;

/// The rules of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Whether sources may be at private addresses.
    pub allow_private_sources: bool,
    /// The buckets that may be read without a role.
    pub source_buckets: SourceBuckets,
    /// The bucket of backups, which is never a source.
    pub data_bucket: String,
}

/// The rules of a stage for a source of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The stage's rules.
    pub rules: Rules,
    /// The source's account.
    pub account_id: String,
}

/// Buckets that accounts may read without a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceBuckets {
    /// Every bucket: for the local stage only.
    Every,
    /// Pairs of bucket and account.
    Pairs(Vec<(String, String)>),
}

impl Rules {
    /// Reads the rules from the variables of a function.
    #[must_use]
    pub fn new(allow_private_sources: &str, source_buckets: &str, data_bucket: &str) -> Self {
        Self {
            allow_private_sources: allow_private_sources == "true",
            source_buckets: SourceBuckets::parse(source_buckets),
            data_bucket: data_bucket.to_owned(),
        }
    }
}

impl SourceBuckets {
    /// Parses comma-separated `bucket:accountId`, or `*`. Entries without an account allow nothing.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text.trim() == "*" {
            return Self::Every;
        }
        let pairs = text.split(',').filter_map(|entry| entry.trim().split_once(':'));
        let known = pairs.filter(|(bucket, account)| !bucket.is_empty() && !account.is_empty());
        Self::Pairs(known.map(|(bucket, account)| (bucket.to_owned(), bare_account(account).to_owned())).collect())
    }

    /// Whether an account may read a bucket.
    #[must_use]
    pub fn allow(&self, bucket: &str, account_id: &str) -> bool {
        match self {
            Self::Every => true,
            Self::Pairs(pairs) => {
                pairs.iter().any(|(known, account)| known == bucket && account == bare_account(account_id))
            }
        }
    }
}

/// An account's ID without its prefix.
fn bare_account(account_id: &str) -> &str {
    ids::bare(account_id)
}
