//! Accounts: the customers.

use serde::{Deserialize, Serialize};

/// An account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// `account:<uuid>`.
    pub account_id: String,
    /// The name that its owner entered.
    pub name: String,
    /// The user that registered the account.
    pub owner_user_id: String,
    /// The plan, `free` after registration.
    pub plan: String,
    /// The status, `trial` after registration.
    pub status: String,
    /// The owner's e-mail address.
    pub billing_email: String,
    /// Limits and switches.
    pub settings: AccountSettings,
    /// What the account uses now.
    pub usage: Usage,
    /// When the account was registered.
    pub created_at: String,
    /// The last change.
    pub updated_at: String,
}

/// Limits and switches of an account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountSettings {
    /// The most sources.
    pub max_sources: u32,
    /// The most stored bytes, in GB.
    #[serde(rename = "maxStorageGB")]
    pub max_storage_gb: u32,
    /// The most jobs.
    pub max_backup_jobs: u32,
    /// The days for which old versions of files are kept.
    pub retention_days: u32,
    /// Whether files are encrypted.
    pub encryption_enabled: bool,
    /// Whether every user needs a second factor.
    pub two_factor_required: bool,
}

impl Default for AccountSettings {
    /// The settings of the plan `free`.
    fn default() -> Self {
        Self {
            max_sources: 3,
            max_storage_gb: 5,
            max_backup_jobs: 5,
            retention_days: 30,
            encryption_enabled: true,
            two_factor_required: false,
        }
    }
}

/// What an account uses now. The counters are guarded by the transactions that insert and delete rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Sources.
    pub sources: i64,
    /// Jobs.
    pub backup_jobs: i64,
    /// Runs that were started.
    pub monthly_backups: i64,
    /// Stored bytes, in GB.
    #[serde(rename = "storageUsedGB")]
    pub storage_used_gb: f64,
}
