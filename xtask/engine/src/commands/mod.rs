//! One file per verb: its arguments, and the steps it is made of. No logic lives here.

pub mod artifacts;
pub mod bootstrap;
pub mod build;
pub mod check_live;
pub mod ci;
pub mod completions;
pub mod deploy;
pub mod destroy;
pub mod docs;
pub mod doctor;
pub mod graph;
mod guarded;
pub mod local;
pub mod lock;
pub mod man;
pub mod notify;
pub mod plan;
pub mod pr_comment;
pub mod prune;
pub mod release;
pub mod render;
pub mod rollback;
mod sites;
pub mod status;
pub mod summary;
pub mod toolchain;

use ::plan::allow::Allowances;
use clap::Args;

/// The refused findings that the caller accepts.
#[derive(Debug, Clone, Default, Args)]
pub struct AllowanceArgs {
    /// Accept that this stateful resource is replaced by an empty one.
    #[arg(long = "allow-replace", value_name = "STACK/ID")]
    replace: Vec<String>,
    /// Accept that this stateful resource is deleted or leaves its stack.
    #[arg(long = "allow-delete", value_name = "STACK/ID")]
    delete: Vec<String>,
    /// Accept what the stage file refuses for this resource: wider IAM policies, public access, a removed alarm.
    #[arg(long = "allow", value_name = "STACK/ID")]
    other: Vec<String>,
}

impl AllowanceArgs {
    /// The findings that are accepted, as plans take them.
    pub(crate) fn allowances(&self) -> Allowances {
        Allowances { replace: self.replace.clone(), delete: self.delete.clone(), other: self.other.clone() }
    }
}

impl From<Allowances> for AllowanceArgs {
    fn from(allowances: Allowances) -> Self {
        Self { replace: allowances.replace, delete: allowances.delete, other: allowances.other }
    }
}
