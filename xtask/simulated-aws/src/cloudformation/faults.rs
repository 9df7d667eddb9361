//! Planned faults of resources, and how long resources take.

use std::{ops::Range, time::Duration};

use crate::account::Account;

/// An action of CloudFormation on a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceAction {
    /// It is created, or imported.
    Create,
    /// It is updated in place or replaced.
    Update,
    /// It is deleted, with its stack or in a cleanup.
    Delete,
    /// It is restored after a failed update, or deleted after a failed creation.
    Rollback,
}

/// The effect of a fault on a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResourceEffect {
    /// The action fails for this reason: before or after the service has carried it out, except a deletion, which is not carried out.
    Fails(String),
    /// The action takes so long.
    Takes(Duration),
    /// The action never ends, until the operation is cancelled.
    Hangs,
}

/// A planned fault, used up by the first action that it applies to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceFault {
    /// The stack's name; `*` for any.
    pub stack: String,
    /// The logical ID or the type; `*` for any.
    pub resource: String,
    /// The action.
    pub action: ResourceAction,
    /// The effect.
    pub effect: ResourceEffect,
}

impl ResourceFault {
    fn applies(&self, stack: &str, logical_id: &str, resource_type: &str, action: ResourceAction) -> bool {
        let is = |pattern: &str, names: &[&str]| pattern == "*" || names.contains(&pattern);
        self.action == action && is(&self.stack, &[stack]) && is(&self.resource, &[logical_id, resource_type])
    }
}

/// Takes the fault of an action from the account's plan.
pub(super) fn take(
    account: &mut Account,
    stack: &str,
    logical_id: &str,
    resource_type: &str,
    action: ResourceAction,
) -> Option<ResourceEffect> {
    let faults = &mut account.resource_faults;
    let at = faults.iter().position(|fault| fault.applies(stack, logical_id, resource_type, action))?;
    Some(faults.remove(at).effect)
}

/// How long CloudFormation takes for a resource, after the service has accepted the request. AWS publishes no durations; these are of
/// the order that the pages of the slow services name (CloudFront developer guide, "Creating a distribution": minutes).
pub(super) fn duration(account: &mut Account, resource_type: &str) -> Duration {
    let seconds: Range<u64> = match resource_type {
        "AWS::CloudFront::Distribution" => 60..300,
        "AWS::CertificateManager::Certificate" | "AWS::OpenSearchService::Domain" | "AWS::RDS::DBInstance" => 60..240,
        "AWS::DynamoDB::Table" | "AWS::KMS::Key" => 8..40,
        "AWS::IAM::Role" | "AWS::IAM::ManagedPolicy" | "AWS::S3::Bucket" => 10..22,
        "AWS::Lambda::Function" => 3..15,
        _ => 1..5,
    };
    account.chance.duration(Duration::from_secs(seconds.start)..Duration::from_secs(seconds.end)).mul_f64(account.pace)
}

/// The time between two of CloudFormation's own steps.
pub(super) fn pause(account: &mut Account) -> Duration {
    account.chance.duration(Duration::from_millis(100)..Duration::from_millis(900)).mul_f64(account.pace)
}
