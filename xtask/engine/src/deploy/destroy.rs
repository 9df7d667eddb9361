//! Destroys a stage: deletes the stacks in reverse order, and stateful resources on request.

use std::time::Duration;

use model::rendered::{RenderedStack, RenderedSystem};
use serde_json::Value;

use super::{DeployContext, DeployError, PATIENCE, error::aws};
use crate::poll::{Progress, Schedule};

const SCHEDULE: Schedule = Schedule::doubling(Duration::from_millis(100), Duration::from_secs(3)).within(PATIENCE);

/// Deletes every stack of these systems, the last deployed one first; returns their number. After a failure the next run continues.
pub(crate) async fn delete_stacks(
    context: DeployContext<'_>,
    systems: &[RenderedSystem],
) -> Result<usize, DeployError> {
    let mut deleted = 0;
    for stack in systems.iter().rev().flat_map(|system| system.stacks.iter().rev()) {
        deleted += usize::from(delete_stack(context, stack).await?);
    }
    Ok(deleted)
}

async fn delete_stack(context: DeployContext<'_>, stack: &RenderedStack) -> Result<bool, DeployError> {
    let cloudformation = context.clients.cloudformation(stack.region.as_deref());
    let name = &stack.name;
    if cloudformation.describe(name).await.map_err(aws(name))?.is_none() {
        return Ok(false);
    }
    let step = context.ui.step(format!("Delete {name}"));
    context.locks.ensure_held(&stack.system).await?;
    let _continuing = context.interruption.continuing(format!("CloudFormation continues to delete {name}"));
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

/// A stateful resource with its name, which does not depend on its stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatefulResource {
    /// A bucket.
    Bucket {
        /// Its name.
        name: String,
        /// Its region; `None` is the stage's.
        region: Option<String>,
    },
    /// A user pool.
    UserPool(String),
    /// A table, which is only deleted in DynamoDB.
    Table(String),
    /// A secret, which is only deleted in Secrets Manager.
    Secret(String),
}

impl StatefulResource {
    /// Returns whether `destroy` can delete it. Tables and secrets are always kept.
    pub(crate) const fn is_deletable(&self) -> bool {
        matches!(self, Self::Bucket { .. } | Self::UserPool(_))
    }

    /// The consequence of keeping it for the next deploy.
    ///
    /// CloudFormation imports resources with a static name (CloudFormation user guide, "Import AWS resources into a CloudFormation stack
    /// automatically"): none whose name contains the account's number, and no secrets, whose ARNs end in random characters.
    pub(crate) const fn when_kept(&self) -> &'static str {
        match self {
            Self::Table(_) => "kept; the next deploy imports it",
            Self::UserPool(_) => "kept; the next deploy creates a new one",
            Self::Bucket { .. } | Self::Secret(_) => {
                "kept; delete it before the next deploy, or import it with a change set of type IMPORT"
            }
        }
    }
}

impl std::fmt::Display for StatefulResource {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bucket { name, .. } => write!(formatter, "bucket {name}"),
            Self::UserPool(name) => write!(formatter, "user pool {name}"),
            Self::Table(name) => write!(formatter, "table {name}"),
            Self::Secret(name) => write!(formatter, "secret {name}"),
        }
    }
}

/// Lists the stateful resources of these systems' templates, which stay when their stacks are deleted.
#[must_use]
pub fn stateful_resources(systems: &[RenderedSystem], account: &str, region: &str) -> Vec<StatefulResource> {
    // Foundation's bucket has the locks, so it is last.
    systems.iter().rev().flat_map(|system| &system.stacks).flat_map(|stack| of_stack(stack, account, region)).collect()
}

fn of_stack(stack: &RenderedStack, account: &str, region: &str) -> Vec<StatefulResource> {
    let resources = stack.template["Resources"].as_object().into_iter().flatten();
    let staying = resources.filter(|(_, resource)| resource["DeletionPolicy"].is_string());
    let region = stack.region.as_deref().unwrap_or(region);
    let found = staying.filter_map(|(_, resource)| {
        let name = |property: &str| known(&resource["Properties"][property], account, region);
        match resource["Type"].as_str()? {
            "AWS::S3::Bucket" => {
                name("BucketName").map(|name| StatefulResource::Bucket { name, region: stack.region.clone() })
            }
            "AWS::Cognito::UserPool" => name("UserPoolName").map(StatefulResource::UserPool),
            "AWS::DynamoDB::Table" => name("TableName").map(StatefulResource::Table),
            "AWS::SecretsManager::Secret" => name("Name").map(StatefulResource::Secret),
            _ => None,
        }
    });
    found.collect()
}

/// A name that is text, or text with only the account and region to substitute.
fn known(value: &Value, account: &str, region: &str) -> Option<String> {
    let text = value.as_str().or_else(|| value["Fn::Sub"].as_str())?;
    let name = text.replace("${AWS::AccountId}", account).replace("${AWS::Region}", region);
    (!name.contains("${")).then_some(name)
}

/// Deletes the resources that `destroy` can delete, with their contents; returns those that existed. After a failure the next run
/// continues.
pub(crate) async fn delete_resources(
    context: DeployContext<'_>,
    resources: &[StatefulResource],
) -> Result<Vec<StatefulResource>, DeployError> {
    let mut deleted = Vec::new();
    for resource in resources {
        let step = context.ui.step(format!("Delete {resource}"));
        let existed = match resource {
            StatefulResource::Bucket { name, region } => {
                context.clients.s3_in(region.as_deref()).delete_bucket(name).await
            }
            StatefulResource::UserPool(name) => {
                context.clients.cognito().delete_pools(name).await.map(|count| count > 0)
            }
            StatefulResource::Table(_) | StatefulResource::Secret(_) => {
                step.done("kept");
                continue;
            }
        };
        if existed.map_err(aws(resource.to_string()))? {
            step.done("deleted");
            deleted.push(resource.clone());
        }
    }
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use model::example::Example;

    use super::*;

    fn names_of(name: &str) -> Vec<String> {
        let stage = Example::stage_named(name);
        stateful_resources(&Example::systems(&stage), &stage.account, &stage.region)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn stateful_resources_are_listed_by_name() {
        assert_eq!(
            names_of("local"),
            [
                "user pool notes-users-local",
                "bucket notes-web-local-000000000000",
                "bucket artifacts-local-000000000000-us-east-1",
            ]
        );
    }

    #[test]
    fn only_resources_with_a_static_name_are_imported() {
        let bucket = StatefulResource::Bucket { name: "b".to_owned(), region: None };
        assert!(StatefulResource::Table("t".to_owned()).when_kept().contains("imports it"));
        assert!(
            bucket.when_kept().contains("IMPORT")
                && StatefulResource::Secret("s".to_owned()).when_kept().contains("IMPORT")
        );
    }

    #[test]
    fn tables_and_secrets_are_listed_and_kept() {
        let names = names_of("prod");
        for kept in ["table notes-prod", "secret notes/prod/salt"] {
            assert!(names.iter().any(|name| name == kept), "{kept} is not in {names:?}");
        }
        assert!(!StatefulResource::Table("any".to_owned()).is_deletable());
    }
}
