//! Takes a stage down: stacks in reverse order. What holds data stays unless it is asked for.

use std::time::Duration;

use model::rendered::{RenderedStack, RenderedSystem};
use serde_json::Value;

use super::{DeployError, PATIENCE, aws};
use crate::{
    aws::{Clients, documents::Documents},
    interruption::Interruption,
    lock::HeldLocks,
    poll::{Progress, Schedule},
    ui::Ui,
};

/// Deletes every stack of these systems, last deployed first.
///
/// # Errors
///
/// When a call fails or a stack cannot be deleted; running it again goes on.
pub(crate) async fn stacks(
    systems: &[RenderedSystem],
    locks: &HeldLocks<Documents>,
    clients: &Clients,
    interruption: &Interruption,
    ui: &Ui,
) -> Result<usize, DeployError> {
    let mut deleted = 0;
    for stack in systems.iter().rev().flat_map(|system| system.stacks.iter().rev()) {
        deleted += usize::from(delete(stack, locks, clients, interruption, ui).await?);
    }
    Ok(deleted)
}

const SCHEDULE: Schedule = Schedule::doubling(Duration::from_millis(100), Duration::from_secs(3)).within(PATIENCE);

async fn delete(
    stack: &RenderedStack,
    locks: &HeldLocks<Documents>,
    clients: &Clients,
    interruption: &Interruption,
    ui: &Ui,
) -> Result<bool, DeployError> {
    let cloudformation = clients.cloudformation(stack.region.as_deref());
    let name = &stack.name;
    if cloudformation.describe(name).await.map_err(aws(name))?.is_none() {
        return Ok(false);
    }
    let step = ui.step(format!("Delete {name}"));
    locks.ensure_held(&stack.system).await?;
    let _continuing = interruption.continuing(format!("CloudFormation continues to delete {name}"));
    cloudformation.delete(name).await.map_err(aws(name))?;
    let deleted = SCHEDULE.poll(async || match cloudformation.describe(name).await.map_err(aws(name))? {
        None => Ok(Progress::Done(())),
        Some(state) if state.status == "DELETE_FAILED" => {
            let cause = state.reason.unwrap_or_else(|| "CloudFormation gives no reason".to_owned());
            Err(DeployError::Stack { stack: name.clone(), status: state.status, cause, others: Vec::new() })
        }
        Some(state) => Ok(Progress::Pending(state.status)),
    });
    if let Progress::Pending(status) = deleted.await? {
        return Err(DeployError::Busy { what: name.clone(), status });
    }
    step.done("deleted");
    Ok(true)
}

/// What holds data, by its name, which does not change when its stack goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// A bucket.
    Bucket {
        /// Its name.
        name: String,
        /// Its region, where that is not the stage's.
        region: Option<String>,
    },
    /// A user pool.
    UserPool(String),
    /// A table: whoever wants it away says so to DynamoDB.
    Table(String),
    /// A secret: whoever wants it away says so to Secrets Manager.
    Secret(String),
}

impl Data {
    /// Can it be deleted here? Tables and secrets are kept, whatever is asked.
    #[must_use]
    pub const fn is_deletable(&self) -> bool {
        matches!(self, Self::Bucket { .. } | Self::UserPool(_))
    }

    /// What its being kept means for the next deploy. CloudFormation takes back what has a static name and is found by it
    /// (CloudFormation user guide, "Import AWS resources into a CloudFormation stack automatically"): no name with the account's
    /// number in it, and no secret, whose ARN ends as Secrets Manager likes.
    #[must_use]
    pub const fn when_kept(&self) -> &'static str {
        match self {
            Self::Table(_) => "kept; the next deploy takes it back",
            Self::UserPool(_) => "kept; the next deploy makes another",
            Self::Bucket { .. } | Self::Secret(_) => {
                "kept; before the next deploy it must be deleted, or imported with a change set of type IMPORT"
            }
        }
    }
}

impl std::fmt::Display for Data {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bucket { name, .. } => write!(formatter, "bucket {name}"),
            Self::UserPool(name) => write!(formatter, "user pool {name}"),
            Self::Table(name) => write!(formatter, "table {name}"),
            Self::Secret(name) => write!(formatter, "secret {name}"),
        }
    }
}

/// Everything in these systems' templates that holds data and stays when its stack goes.
#[must_use]
pub fn data(systems: &[RenderedSystem], account: &str, region: &str) -> Vec<Data> {
    // Foundation's bucket holds the locks, so it goes last.
    systems.iter().rev().flat_map(|system| &system.stacks).flat_map(|stack| of_stack(stack, account, region)).collect()
}

fn of_stack(stack: &RenderedStack, account: &str, region: &str) -> Vec<Data> {
    let resources = stack.template["Resources"].as_object().into_iter().flatten();
    let staying = resources.filter(|(_, resource)| resource["DeletionPolicy"].is_string());
    let region = stack.region.as_deref().unwrap_or(region);
    let found = staying.filter_map(|(_, resource)| {
        let name = |property: &str| known(&resource["Properties"][property], account, region);
        match resource["Type"].as_str()? {
            "AWS::S3::Bucket" => name("BucketName").map(|name| Data::Bucket { name, region: stack.region.clone() }),
            "AWS::Cognito::UserPool" => name("UserPoolName").map(Data::UserPool),
            "AWS::DynamoDB::Table" => name("TableName").map(Data::Table),
            "AWS::SecretsManager::Secret" => name("Name").map(Data::Secret),
            _ => None,
        }
    });
    found.collect()
}

/// A name that is text, or text with the account and region in it.
fn known(value: &Value, account: &str, region: &str) -> Option<String> {
    let text = value.as_str().or_else(|| value["Fn::Sub"].as_str())?;
    let name = text.replace("${AWS::AccountId}", account).replace("${AWS::Region}", region);
    (!name.contains("${")).then_some(name)
}

/// Deletes what holds data and can be deleted, with everything in it; returns what was there.
///
/// # Errors
///
/// When a call fails; running it again goes on.
pub async fn delete_data(data: &[Data], clients: &Clients, ui: &Ui) -> Result<Vec<Data>, DeployError> {
    let mut deleted = Vec::new();
    for thing in data {
        let step = ui.step(format!("Delete {thing}"));
        let there = match thing {
            Data::Bucket { name, region } => clients.s3_in(region.as_deref()).delete_bucket(name).await,
            Data::UserPool(name) => clients.cognito().delete_pools(name).await.map(|count| count > 0),
            Data::Table(_) | Data::Secret(_) => {
                step.done("kept");
                continue;
            }
        };
        if there.map_err(aws(thing.to_string()))? {
            step.done("deleted");
            deleted.push(thing.clone());
        }
    }
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use model::example::Example;

    use super::*;

    fn data_of(name: &str) -> Vec<String> {
        let stage = Example::stage_named(name);
        data(&Example::systems(&stage), &stage.account, &stage.region).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn everything_that_holds_data_is_known_by_name() {
        assert_eq!(
            data_of("local"),
            [
                "bucket notes-web-local-000000000000",
                "user pool notes-users-local",
                "bucket artifacts-local-000000000000-us-east-1",
            ]
        );
    }

    #[test]
    fn only_what_has_a_static_name_is_taken_back() {
        let bucket = Data::Bucket { name: "b".to_owned(), region: None };
        assert!(Data::Table("t".to_owned()).when_kept().contains("takes it back"));
        assert!(bucket.when_kept().contains("IMPORT") && Data::Secret("s".to_owned()).when_kept().contains("IMPORT"));
    }

    #[test]
    fn tables_and_secrets_are_told_and_kept() {
        let names = data_of("prod");
        for kept in ["table notes-prod", "secret notes/prod/salt"] {
            assert!(names.iter().any(|name| name == kept), "{kept} is not in {names:?}");
        }
        assert!(!Data::Table("any".to_owned()).is_deletable());
    }
}
