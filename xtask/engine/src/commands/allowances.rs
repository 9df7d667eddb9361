//! The options that accept refused findings of a plan.

use clap::Args;
use plan::allow::Allowances;

/// The refused findings that the caller accepts.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct AllowanceArgs {
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
    /// The accepted findings, as plans take them.
    pub(super) fn allowances(&self) -> Allowances {
        Allowances { replace: self.replace.clone(), delete: self.delete.clone(), other: self.other.clone() }
    }
}

impl From<Allowances> for AllowanceArgs {
    fn from(allowances: Allowances) -> Self {
        Self { replace: allowances.replace, delete: allowances.delete, other: allowances.other }
    }
}
