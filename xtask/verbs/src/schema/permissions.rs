//! The table of the actions that CloudFormation needs to create, read, change and delete a resource, for all resource
//! types. The execution role is built from it.
//!
//! Each type is a line, so that the changes of new schemas can be reviewed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use serde_json::Value;

/// The first lines of the table.
const HEADER: &str = "# Written by `cargo xtask schema` from AWS's resource schemas; do not edit.\n\
    # type <tab> actions of its handlers for create, read, update and delete\n";

/// The handlers that operations on stacks call. `list` is used by other tools.
const HANDLERS: [&str; 4] = ["create", "read", "update", "delete"];

/// Returns the table of all schemas that name their handlers' permissions.
#[must_use]
pub(crate) fn table(schemas: &BTreeMap<String, Value>) -> String {
    let mut table = HEADER.to_owned();
    for (type_name, schema) in schemas {
        let permissions = HANDLERS.iter().flat_map(|handler| {
            schema["handlers"][handler]["permissions"].as_array().into_iter().flatten().filter_map(Value::as_str)
        });
        let actions: BTreeSet<_> = permissions.filter(|action| is_action(action)).collect();
        if !actions.is_empty() {
            let actions = actions.into_iter().collect::<Vec<_>>().join(",");
            // Writing to a string cannot fail.
            let _never = writeln!(table, "{type_name}\t{actions}");
        }
    }
    table
}

/// Returns whether a policy can name the action. A few schemas contain `s3:*`, which is too general, and
/// `s3:REST.PUT.OBJECT`, a name in S3's access logs.
fn is_action(text: &str) -> bool {
    text.split_once(':').is_some_and(|(service, action)| {
        let is_word = |word: &str, extra: char| {
            !word.is_empty() && word.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == extra)
        };
        is_word(service, '-') && action != "*" && is_word(action, '*')
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_type_is_a_line_of_its_handlers_actions() {
        let schema = json!({ "handlers": {
            "create": { "permissions": ["sqs:CreateQueue", "s3:*", "s3:REST.PUT.OBJECT"] },
            "delete": { "permissions": ["sqs:DeleteQueue", "sqs:CreateQueue"] },
            "list": { "permissions": ["sqs:ListQueues"] },
        }});
        let schemas = [("AWS::SQS::Queue".to_owned(), schema), ("AWS::CDK::Metadata".to_owned(), json!({}))];
        let table = table(&BTreeMap::from(schemas));
        assert!(table.ends_with("delete\nAWS::SQS::Queue\tsqs:CreateQueue,sqs:DeleteQueue\n"), "{table}");
    }
}
