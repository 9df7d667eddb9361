//! Routes calls to the services of the account.

use crate::{
    account::Account,
    cloudformation, sts,
    wire::{Call, Handled, Refusal},
};

/// Carries out a call.
pub(crate) fn handle(account: &mut Account, call: &Call) -> Handled {
    match call.service.as_str() {
        "cloudformation" => cloudformation::handle(account, call),
        "sts" => sts::handle(account, call),
        _ => Err(Refusal::unknown(call)),
    }
}

/// Whether a call changes nothing.
pub(crate) fn is_read(call: &Call) -> bool {
    let operation = call.operation.as_str();
    let reads = ["Describe", "List", "Get", "Detect", "Simulate"];
    match operation {
        "" => call.method == "GET" || call.method == "HEAD",
        _ => reads.iter().any(|verb| operation.starts_with(verb)),
    }
}

/// Whether a read may show an earlier state. S3 is strongly consistent (S3 user guide, "Amazon S3 data consistency model"); the
/// descriptions of CloudFormation, Lambda, IAM and CloudWatch are not promised to be.
pub(crate) fn is_eventually_consistent(call: &Call) -> bool {
    matches!(call.service.as_str(), "cloudformation" | "lambda" | "iam" | "monitoring" | "logs" | "apigateway")
        && is_read(call)
        // It starts a detection, whose ID later calls name.
        && call.operation != "DetectStackDrift"
}
