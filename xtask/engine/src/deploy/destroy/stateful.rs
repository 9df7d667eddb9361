//! Stateful resources, and those that templates define. Pure.

use model::rendered::{RenderedStack, RenderedSystem};
use serde_json::Value;

/// A kind of stateful resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StatefulKind {
    /// A bucket.
    Bucket,
    /// A user pool.
    UserPool,
    /// A table, which is only deleted in DynamoDB.
    Table,
    /// A secret, which is only deleted in Secrets Manager.
    Secret,
    /// A key, which is only deleted in KMS.
    Key,
}

impl StatefulKind {
    /// The kind of a resource type.
    pub(super) fn of(resource_type: &str) -> Option<Self> {
        match resource_type {
            "AWS::S3::Bucket" => Some(Self::Bucket),
            "AWS::Cognito::UserPool" => Some(Self::UserPool),
            "AWS::DynamoDB::Table" => Some(Self::Table),
            "AWS::SecretsManager::Secret" => Some(Self::Secret),
            "AWS::KMS::Key" => Some(Self::Key),
            _ => None,
        }
    }

    /// The property with its name. A key has none: only its stack knows its ID.
    const fn name_property(self) -> Option<&'static str> {
        match self {
            Self::Bucket => Some("BucketName"),
            Self::UserPool => Some("UserPoolName"),
            Self::Table => Some("TableName"),
            Self::Secret => Some("Name"),
            Self::Key => None,
        }
    }
}

/// A stateful resource, which stays when its stack is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatefulResource {
    /// What it is.
    pub kind: StatefulKind,
    /// Its name.
    pub name: String,
    /// The ID of a user pool, whose name is not unique; `None` where only the name is known.
    pub id: Option<String>,
    /// Its region; `None` is the stage's.
    pub region: Option<String>,
    /// The system that defines it.
    pub system: String,
}

impl StatefulResource {
    /// Returns whether `destroy` can delete it. Tables, secrets and keys are always kept.
    pub(crate) const fn is_deletable(&self) -> bool {
        matches!(self.kind, StatefulKind::Bucket | StatefulKind::UserPool)
    }

    /// The consequence of keeping it for the next deploy.
    ///
    /// CloudFormation imports resources with a static name (CloudFormation user guide, "Import AWS resources into a CloudFormation stack
    /// automatically"): none whose name contains the account's number, and neither secrets, whose ARNs end in random characters, nor keys.
    pub(crate) const fn when_kept(&self) -> &'static str {
        match self.kind {
            StatefulKind::Table => "kept; the next deploy imports it",
            StatefulKind::UserPool => "kept; the next deploy creates a new one",
            StatefulKind::Key => {
                "kept; the next deploy creates a new key, which cannot decrypt the data of this one; to use this one again, import it with a change set of type IMPORT"
            }
            StatefulKind::Bucket | StatefulKind::Secret => {
                "kept; delete it before the next deploy, or import it with a change set of type IMPORT"
            }
        }
    }
}

impl std::fmt::Display for StatefulResource {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.kind {
            StatefulKind::Bucket => "bucket",
            StatefulKind::UserPool => "user pool",
            StatefulKind::Table => "table",
            StatefulKind::Secret => "secret",
            StatefulKind::Key => "key",
        };
        write!(formatter, "{kind} {}", self.name)?;
        self.id.as_ref().map_or(Ok(()), |id| write!(formatter, " ({id})"))
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
    let region = stack.region.as_deref().unwrap_or(region);
    let found = resources.filter(|(_, resource)| is_retained(resource)).filter_map(|(_, resource)| {
        let kind = StatefulKind::of(resource["Type"].as_str()?)?;
        let name = known(&resource["Properties"][kind.name_property()?], account, region)?;
        let (system, region) = (stack.system.clone(), stack.region.clone());
        Some(StatefulResource { kind, name, id: None, region, system })
    });
    found.collect()
}

/// Returns whether a resource of a template stays when its stack is deleted.
pub(super) fn is_retained(resource: &Value) -> bool {
    matches!(resource["DeletionPolicy"].as_str(), Some("Retain" | "RetainExceptOnCreate" | "Snapshot"))
}

/// A name that is text, or text with only the account and region to substitute.
fn known(value: &Value, account: &str, region: &str) -> Option<String> {
    let text = value.as_str().or_else(|| value["Fn::Sub"].as_str())?;
    let name = text.replace("${AWS::AccountId}", account).replace("${AWS::Region}", region);
    (!name.contains("${")).then_some(name)
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

    fn resource(kind: StatefulKind) -> StatefulResource {
        StatefulResource { kind, name: "n".to_owned(), id: None, region: None, system: "notes".to_owned() }
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
        assert!(resource(StatefulKind::Table).when_kept().contains("imports it"));
        for kind in [StatefulKind::Bucket, StatefulKind::Secret, StatefulKind::Key] {
            assert!(resource(kind).when_kept().contains("IMPORT"));
        }
    }

    #[test]
    fn tables_and_secrets_are_listed_and_kept() {
        let names = names_of("prod");
        for kept in ["table notes-prod", "secret notes/prod/salt"] {
            assert!(names.iter().any(|name| name == kept), "{kept} is not in {names:?}");
        }
        for kept in [StatefulKind::Table, StatefulKind::Secret, StatefulKind::Key] {
            assert!(!resource(kept).is_deletable(), "{kept:?}");
        }
    }
}
