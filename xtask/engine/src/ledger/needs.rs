//! The resources that code depends on, as the ledger records them.

use std::collections::BTreeMap;

use plan::stateful::is_stateful;
use serde_json::Value;

/// Resources that pass data on without storing it.
const CARRIES_DATA: &[&str] = &["AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::Events::EventBus"];
/// Properties that name such resources.
const NAME_PROPERTIES: &[&str] = &["BucketName", "TableName", "QueueName", "TopicName", "Name", "LogGroupName"];

/// Returns the resources of a stack's template that store or carry data: `stack/logical ID`, and the resource's name.
///
/// A resource that CloudFormation names has an empty name here.
pub(crate) fn needs_of_stack(stack: &str, template: &Value) -> BTreeMap<String, String> {
    let resources = template["Resources"].as_object().into_iter().flatten();
    resources
        .filter(|(_, resource)| {
            let resource_type = resource["Type"].as_str().unwrap_or_default();
            resource_type != "AWS::Logs::LogGroup"
                && (is_stateful(resource_type) || CARRIES_DATA.contains(&resource_type))
        })
        .map(|(id, resource)| {
            let name = NAME_PROPERTIES.iter().find_map(|name| resource["Properties"].get(*name));
            let name = name.map_or_else(String::new, |name| match name.as_str() {
                Some(text) => text.to_owned(),
                None => name["Fn::Sub"].as_str().map_or_else(|| name.to_string(), str::to_owned),
            });
            (format!("{stack}/{id}"), name)
        })
        .collect()
}

/// Describes the needs of an earlier release that the present stacks do not meet. A version contains its environment and its
/// role, but not the resources that they name.
pub(crate) fn unmet_needs(needs: &BTreeMap<String, String>, present: &BTreeMap<String, String>) -> Vec<String> {
    needs
        .iter()
        .filter_map(|(resource, name)| match present.get(resource) {
            None => Some(format!("{resource} no longer exists")),
            Some(other) if other != name => Some(format!("{resource} was {name} and is now {other}")),
            Some(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn resources_that_store_or_carry_data_are_needed_by_name() {
        let template = json!({ "Resources": {
            "Table": { "Type": "AWS::DynamoDB::Table", "Properties": { "TableName": "t" } },
            "Bucket": { "Type": "AWS::S3::Bucket", "Properties": { "BucketName": { "Fn::Sub": "b-${AWS::AccountId}" } } },
            "Queue": { "Type": "AWS::SQS::Queue" },
            "Logs": { "Type": "AWS::Logs::LogGroup", "Properties": { "LogGroupName": "l" } },
            "Role": { "Type": "AWS::IAM::Role" },
        } });
        let needs = needs_of_stack("data", &template);
        assert_eq!(needs.keys().collect::<Vec<_>>(), ["data/Bucket", "data/Queue", "data/Table"]);
        assert_eq!(needs["data/Bucket"], "b-${AWS::AccountId}");
        assert_eq!(needs["data/Table"], "t");
    }

    #[test]
    fn unmet_needs_name_the_resource() {
        let needs = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let old = needs(&[("data/Table", "a"), ("data/Queue", "q")]);
        let more = needs(&[("data/Table", "a"), ("data/Queue", "q"), ("data/More", "m")]);
        assert_eq!(unmet_needs(&old, &more), [""; 0]);
        let other = needs(&[("data/Table", "b")]);
        assert_eq!(unmet_needs(&old, &other), ["data/Queue no longer exists", "data/Table was a and is now b"]);
    }
}
