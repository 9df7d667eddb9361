//! The tags of resources whose IDs AWS generates. The permissions of deploys are bound to them, because no ARN is known in advance.
//!
//! CloudFormation propagates a stack's tags, but not to every type and not always when the resource is created (CloudFormation template
//! reference, "Resource tag"). So the templates of a stage with a pipeline contain these tags.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::scope::service_of;
use crate::{
    rendered::{RenderedStack, RenderedSystem},
    stage::Stage,
    template::json::sorted,
};

/// How a type writes its tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A list of `Key` and `Value`.
    List,
    /// An object.
    Map,
}

/// Types with generated IDs whose actions support `aws:ResourceTag`, or whose creation supports `aws:RequestTag` (Service Authorization
/// Reference), with the property of their tags. Their handlers tag them on creation (`tagOnCreate` in the types' schemas).
const TYPES: &[(&str, &str, Form)] = &[
    ("AWS::ApiGateway::ApiKey", "Tags", Form::List),
    ("AWS::ApiGateway::RestApi", "Tags", Form::List),
    ("AWS::ApiGateway::UsagePlan", "Tags", Form::List),
    ("AWS::ApiGatewayV2::Api", "Tags", Form::Map),
    ("AWS::ApiGatewayV2::Stage", "Tags", Form::Map),
    ("AWS::CertificateManager::Certificate", "Tags", Form::List),
    ("AWS::CloudFront::Distribution", "Tags", Form::List),
    ("AWS::Cognito::IdentityPool", "IdentityPoolTags", Form::List),
    ("AWS::Cognito::UserPool", "UserPoolTags", Form::Map),
    ("AWS::EC2::VPCEndpoint", "Tags", Form::List),
    ("AWS::KMS::Key", "Tags", Form::List),
    ("AWS::ResourceGroups::Group", "Tags", Form::List),
];

/// Returns the types with generated IDs and tags.
pub(super) fn types() -> impl Iterator<Item = &'static str> {
    TYPES.iter().map(|(name, ..)| *name)
}

/// Adds the stage's tags to all resources of these systems whose type is one of [`TYPES`]. Other tags are kept.
pub(super) fn add(systems: &mut [RenderedSystem], stage: &Stage) {
    for stack in systems.iter_mut().flat_map(|system| &mut system.stacks) {
        let own = own_tags(stack, &stage.name);
        let resources = stack.template["Resources"].as_object_mut().into_iter().flatten();
        for (_, resource) in resources {
            let Some((property, form)) = property_of(resource) else { continue };
            let tags = &mut resource["Properties"][property];
            for (key, value) in &own {
                if tag(tags, key).is_none() {
                    insert(tags, form, key, value);
                }
            }
        }
        stack.template = sorted(std::mem::take(&mut stack.template));
    }
}

/// Returns the tags property that lacks a tag of the stage; `None` if it lacks none, or if the type is not one of [`TYPES`].
pub(crate) fn incomplete(resource: &Value, stack: &RenderedStack, stage: &str) -> Option<&'static str> {
    let (property, _) = property_of(resource)?;
    let tags = &resource["Properties"][property];
    let is_complete = own_tags(stack, stage).iter().all(|(key, value)| tag(tags, key) == Some(value.as_str()));
    (!is_complete).then_some(property)
}

/// Returns the services with a resource in these stacks that lacks a tag: one that was deployed before templates contained the tags.
pub(super) fn untagged_services(stacks: &[&RenderedStack], stage: &str) -> BTreeSet<String> {
    let mut services = BTreeSet::new();
    for stack in stacks {
        let resources = stack.template["Resources"].as_object().into_iter().flatten();
        for (_, resource) in resources.filter(|(_, resource)| incomplete(resource, stack, stage).is_some()) {
            services.insert(service_of(resource["Type"].as_str().unwrap_or_default().trim_start_matches("AWS::")));
        }
    }
    services
}

fn own_tags(stack: &RenderedStack, stage: &str) -> [(&'static str, String); 3] {
    [("stack", stack.stack.clone()), ("stage", stage.to_owned()), ("system", stack.system.clone())]
}

fn property_of(resource: &Value) -> Option<(&'static str, Form)> {
    let (_, property, form) = TYPES.iter().find(|(name, ..)| resource["Type"] == *name)?;
    Some((property, *form))
}

fn tag<'a>(tags: &'a Value, key: &str) -> Option<&'a str> {
    let in_list = tags.as_array().into_iter().flatten().find(|tag| tag["Key"] == key).map(|tag| &tag["Value"]);
    in_list.or_else(|| tags.get(key))?.as_str()
}

fn insert(tags: &mut Value, form: Form, key: &str, value: &str) {
    match form {
        Form::Map => tags[key] = json!(value),
        Form::List => {
            let tag = json!({ "Key": key, "Value": value });
            match tags.as_array_mut() {
                Some(items) => items.push(tag),
                None => *tags = json!([tag]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{Resource, Stack, System};

    fn tagged(resource_type: &str, properties: Value) -> (RenderedStack, Value) {
        let stage = Stage::example("dev");
        let mut stack = Stack::new("api", "Api.");
        stack.resource("A", Resource::new(resource_type, properties));
        let mut systems = [System::new("shop", [stack]).render(&stage).expect("rendered")];
        add(&mut systems, &stage);
        let stack = systems[0].stacks[0].clone();
        let properties = stack.template["Resources"]["A"]["Properties"].clone();
        (stack, properties)
    }

    #[test]
    fn tags_have_the_form_of_their_type_and_keep_others() {
        let own = json!({ "stack": "api", "stage": "dev", "system": "shop" });
        assert_eq!(tagged("AWS::Cognito::UserPool", json!({})).1["UserPoolTags"], own);
        let api = tagged("AWS::ApiGateway::RestApi", json!({ "Tags": [{ "Key": "team", "Value": "a" }] })).1;
        let keys: Vec<_> = api["Tags"].as_array().expect("a list").iter().map(|tag| tag["Key"].clone()).collect();
        assert_eq!(keys, ["team", "stack", "stage", "system"]);
        assert_eq!(tagged("AWS::SQS::Queue", json!({})).1["Tags"], Value::Null);
    }

    #[test]
    fn a_resource_with_all_tags_is_complete() {
        let (stack, _) = tagged("AWS::Cognito::IdentityPool", json!({}));
        assert_eq!(incomplete(&stack.template["Resources"]["A"], &stack, "dev"), None);
        assert!(untagged_services(&[&stack], "dev").is_empty());
        let bare = json!({ "Type": "AWS::Cognito::IdentityPool", "Properties": {} });
        assert_eq!(incomplete(&bare, &stack, "dev"), Some("IdentityPoolTags"));
        assert_eq!(untagged_services(&[&stack], "prod"), BTreeSet::from(["cognito-identity".to_owned()]));
    }
}
