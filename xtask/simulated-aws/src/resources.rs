//! Resources as CloudFormation manages them: one provider per type that has behaviour of its own, and property bags for all others.
//!
//! CloudFormation resolves the properties and decides what to create, update, replace and delete; a provider carries that out on the
//! account. A provider is synchronous: how long a step takes, and whether it fails, is decided by the stack's operation.

pub mod ids;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{account::Account, api_gateway, bags, cloudfront, cloudwatch, cognito, lambda, logs, s3, secrets_manager};

/// A resource as a template asks for it.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The region of the stack.
    pub region: &'a str,
    /// The stack's name.
    pub stack: &'a str,
    /// The logical ID.
    pub logical_id: &'a str,
    /// The type, for example `AWS::S3::Bucket`.
    pub resource_type: &'a str,
    /// The properties, without intrinsic functions.
    pub properties: &'a Value,
}

/// A resource that exists.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Provided {
    /// The physical ID, which `Ref` returns.
    pub physical_id: String,
    /// The attributes, which `Fn::GetAtt` returns.
    pub attributes: BTreeMap<String, Value>,
}

/// Creates, updates and deletes the resources of a type. The errors are the reasons that CloudFormation's events show.
#[derive(Debug, Clone, Copy)]
pub struct Provider {
    /// Creates a resource.
    pub create: fn(&mut Account, Wanted<'_>) -> Result<Provided, String>,
    /// Updates a resource in place, by its physical ID.
    pub update: fn(&mut Account, &str, Wanted<'_>) -> Result<Provided, String>,
    /// Deletes a resource, by its physical ID. One that does not exist is deleted.
    pub delete: fn(&mut Account, &str, Wanted<'_>) -> Result<(), String>,
}

/// Returns the provider of a type.
#[must_use]
pub fn provider(resource_type: &str) -> Provider {
    match resource_type {
        // One line per type with behaviour of its own.
        "AWS::CloudWatch::Alarm" => cloudwatch::ALARM,
        "AWS::CloudWatch::CompositeAlarm" => cloudwatch::COMPOSITE_ALARM,
        "AWS::Lambda::Alias" => lambda::resources::ALIAS,
        "AWS::Lambda::Function" => lambda::resources::FUNCTION,
        "AWS::Lambda::LayerVersion" => lambda::resources::LAYER_VERSION,
        "AWS::Lambda::Version" => lambda::resources::VERSION,
        "AWS::Lambda::EventInvokeConfig"
        | "AWS::Lambda::EventSourceMapping"
        | "AWS::Lambda::Permission"
        | "AWS::Lambda::Url" => lambda::resources::ATTACHED,
        "AWS::Logs::LogGroup" => logs::LOG_GROUP,
        s3::resource::TYPE => s3::resource::BUCKET,
        cloudfront::TYPE => cloudfront::DISTRIBUTION,
        cognito::TYPE => cognito::USER_POOL,
        secrets_manager::TYPE => secrets_manager::SECRET,
        api if api_gateway::is_part(api) => api_gateway::PART,
        _ => bags::BAG,
    }
}

/// Lets a resource that was just created or updated become ready later, as if CloudFormation had not waited for it (CloudFormation user guide, "Deploy CloudFormation stacks
/// faster with express mode": functions and distributions). The others of the model are ready at once.
pub(crate) fn linger(account: &mut Account, region: &str, resource_type: &str, physical_id: &str, is_new: bool) {
    match resource_type {
        "AWS::Lambda::Function" | "AWS::Lambda::Version" => lambda::resources::linger(account, region, physical_id),
        // A distribution serves its earlier configuration while it is updated.
        cloudfront::TYPE if is_new => cloudfront::linger(account, physical_id),
        _ => {}
    }
}

/// A resource as its service has it now, for drift detection and imports.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Inspected<'a> {
    /// It does not exist.
    Missing,
    /// It exists; the model does not compare its properties.
    Exists,
    /// It exists, with these properties.
    Has(&'a Value),
}

/// Reads a resource as its service has it now, by its physical ID.
#[must_use]
pub fn inspect<'a>(account: &'a Account, region: &str, resource_type: &str, physical_id: &str) -> Inspected<'a> {
    let exists = |exists: bool| if exists { Inspected::Exists } else { Inspected::Missing };
    match resource_type {
        s3::resource::TYPE => exists(account.buckets.get(physical_id).is_some()),
        cloudfront::TYPE => exists(account.distributions.contains_key(physical_id)),
        cognito::TYPE => exists(account.user_pools.contains_key(physical_id)),
        secrets_manager::TYPE => exists(account.secrets.values().any(|secret| secret.arn == physical_id)),
        "AWS::Lambda::Function" => exists(account.lambda.function(region, physical_id).is_some()),
        "AWS::Logs::LogGroup" => exists(account.logs.group(region, physical_id).is_some()),
        "AWS::CloudWatch::Alarm" | "AWS::CloudWatch::CompositeAlarm" => {
            exists(cloudwatch::alarm_state(account, region, physical_id).is_some())
        }
        other if is_part_of_another(other) => Inspected::Exists,
        _ => {
            let region = bags::region_of(resource_type, region).to_owned();
            let key = (region, resource_type.to_owned(), physical_id.to_owned());
            account.bags.get(&key).map_or(Inspected::Missing, Inspected::Has)
        }
    }
}

/// Whether a resource is kept with another one, which the model does not compare.
fn is_part_of_another(resource_type: &str) -> bool {
    let parts = ["AWS::Lambda::", "AWS::Cognito::UserPool", "AWS::Route53::", "AWS::Events::Rule"];
    api_gateway::is_part(resource_type) || parts.iter().any(|part| resource_type.starts_with(part))
}

/// Deletes a resource with all its content, as a person does in the console.
pub fn delete_by_hand(account: &mut Account, region: &str, resource_type: &str, physical_id: &str) {
    account.buckets.remove(physical_id);
    account.record_deletion(region, resource_type, physical_id);
    let properties = Value::Null;
    let wanted = Wanted { region, stack: "", logical_id: "", resource_type, properties: &properties };
    // A resource that refuses to be deleted stays, as in the console.
    let _ = (provider(resource_type).delete)(account, physical_id, wanted);
}

/// Returns the properties of a resource with the tags of its stack, which CloudFormation adds to the resource's own (CloudFormation user guide,
/// "Resource tags"). Only types whose tags the model keeps are changed. A tag of the template wins.
#[must_use]
pub fn with_stack_tags(resource_type: &str, properties: &Value, tags: &BTreeMap<String, String>) -> Value {
    let mut properties = properties.clone();
    match resource_type {
        cognito::TYPE => {
            for (key, value) in tags {
                let own = &mut properties["UserPoolTags"][key];
                if own.is_null() {
                    *own = value.as_str().into();
                }
            }
        }
        s3::resource::TYPE => {
            let own = properties["Tags"].as_array().cloned().unwrap_or_default();
            let added = tags.iter().filter(|(key, _)| own.iter().all(|tag| tag["Key"] != key.as_str()));
            let added = added.map(|(key, value)| serde_json::json!({ "Key": key, "Value": value }));
            let all = own.iter().cloned().chain(added).collect::<Vec<_>>();
            properties["Tags"] = all.into();
        }
        _ => {}
    }
    properties
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tags_of_the_stack_are_added_and_those_of_the_template_win() {
        let tags = BTreeMap::from([("stage".to_owned(), "dev".to_owned()), ("stack".to_owned(), "api".to_owned())]);
        let bucket = json!({ "Tags": [{ "Key": "stage", "Value": "own" }] });
        assert_eq!(
            with_stack_tags(s3::resource::TYPE, &bucket, &tags),
            json!({ "Tags": [{ "Key": "stage", "Value": "own" }, { "Key": "stack", "Value": "api" }] })
        );
        let pool = with_stack_tags(cognito::TYPE, &json!({}), &tags);
        assert_eq!(pool, json!({ "UserPoolTags": { "stage": "dev", "stack": "api" } }));
        assert_eq!(with_stack_tags("AWS::KMS::Alias", &json!({}), &tags), json!({}));
    }
}
