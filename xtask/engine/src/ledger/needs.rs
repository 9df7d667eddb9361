//! What code needs of its stacks, as the ledger keeps it.

use std::collections::BTreeMap;

use plan::stateful::is_stateful;
use serde_json::Value;

/// Types that carry data without keeping it.
const CARRIES_DATA: &[&str] = &["AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::Events::EventBus"];
/// Properties that name such things.
const NAMES: &[&str] = &["BucketName", "TableName", "QueueName", "TopicName", "Name", "LogGroupName"];

/// What of a stack's template holds or carries data: `stack/logical ID`, and the name it has there.
///
/// A resource that CloudFormation names is told by its logical ID alone.
#[must_use]
pub fn needs(stack: &str, template: &Value) -> BTreeMap<String, String> {
    let resources = template["Resources"].as_object().into_iter().flatten();
    resources
        .filter(|(_, resource)| {
            let kind = resource["Type"].as_str().unwrap_or_default();
            kind != "AWS::Logs::LogGroup" && (is_stateful(kind) || CARRIES_DATA.contains(&kind))
        })
        .map(|(id, resource)| {
            let name = NAMES.iter().find_map(|name| resource["Properties"].get(*name));
            let name = name.map_or_else(String::new, |name| match name.as_str() {
                Some(text) => text.to_owned(),
                None => name["Fn::Sub"].as_str().map_or_else(|| name.to_string(), str::to_owned),
            });
            (format!("{stack}/{id}"), name)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_holds_or_carries_data_is_needed_by_its_name() {
        let template = json!({ "Resources": {
            "Table": { "Type": "AWS::DynamoDB::Table", "Properties": { "TableName": "t" } },
            "Bucket": { "Type": "AWS::S3::Bucket", "Properties": { "BucketName": { "Fn::Sub": "b-${AWS::AccountId}" } } },
            "Queue": { "Type": "AWS::SQS::Queue" },
            "Logs": { "Type": "AWS::Logs::LogGroup", "Properties": { "LogGroupName": "l" } },
            "Role": { "Type": "AWS::IAM::Role" },
        } });
        let found = needs("data", &template);
        assert_eq!(found.keys().collect::<Vec<_>>(), ["data/Bucket", "data/Queue", "data/Table"]);
        assert_eq!(found["data/Bucket"], "b-${AWS::AccountId}");
        assert_eq!(found["data/Table"], "t");
    }
}
