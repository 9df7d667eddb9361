//! Routes calls to the services of the account.

use crate::{
    account::Account,
    api_gateway, cloudformation, cloudfront, cloudwatch, cognito, ec2, iam, lambda, logs, s3, secrets_manager, sns,
    sts,
    wire::{Call, Handled, Refusal},
};

/// Carries out a call on the account, without latency, faults and record: also one that a person makes in the console.
///
/// # Errors
///
/// The refusal of the service.
pub fn handle(account: &mut Account, call: &Call) -> Handled {
    match call.service.as_str() {
        "lambda" => lambda::handle(account, call),
        "logs" => logs::handle(account, call),
        "monitoring" => cloudwatch::handle(account, call),
        "apigateway" => api_gateway::handle(account, call),
        "cloudformation" => cloudformation::handle(account, call),
        "cloudfront" => cloudfront::handle(account, call),
        "cognito-idp" => cognito::handle(account, call),
        "ec2" => ec2::handle(account, call),
        "iam" => iam::handle(account, call),
        "s3" => s3::handle(account, call),
        "secretsmanager" => secrets_manager::handle(account, call),
        "sns" => sns::handle(account, call),
        "sts" => sts::handle(account, call),
        // Clients of the account's own endpoints do not sign.
        "" if api_gateway::is_host(&call.host) => Ok(api_gateway::serve(account, call)),
        "" if cloudfront::is_host(&call.host) => Ok(cloudfront::serve(account, call)),
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
