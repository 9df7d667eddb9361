//! Calls of DynamoDB (Service Authorization Reference, "Amazon DynamoDB"). `dynamodb:LeadingKeys` is unknown: a call does not show
//! which of its attributes is the partition key.

use model::statements::Request;
use serde_json::Value;

use super::Place;

/// Returns the requests of an operation; `None` where it is not known.
pub(super) fn requests(operation: &str, body: &Value, place: &Place) -> Option<Vec<Request>> {
    let table = |name: &str| place.arn_of("dynamodb", "table/", name);
    let of = |request: &Value| request["TableName"].as_str().map(table);
    match operation {
        "GetItem" | "PutItem" | "UpdateItem" | "DeleteItem" | "DescribeTable" => {
            Some(vec![Request::new(format!("dynamodb:{operation}"), of(body)?)])
        }
        "Query" | "Scan" => {
            let resource = match body["IndexName"].as_str() {
                Some(index) => format!("{}/index/{index}", of(body)?),
                None => of(body)?,
            };
            Some(vec![reading(Request::new(format!("dynamodb:{operation}"), resource), body)])
        }
        "BatchGetItem" | "BatchWriteItem" => {
            let tables = body["RequestItems"].as_object()?.keys();
            Some(tables.map(|name| Request::new(format!("dynamodb:{operation}"), table(name))).collect())
        }
        // A transaction needs the permissions of its parts and none of its own (DynamoDB developer guide, "Using IAM with DynamoDB
        // transactions").
        "TransactWriteItems" | "TransactGetItems" => {
            let parts = body["TransactItems"].as_array()?.iter();
            let parts = parts.flat_map(|part| part.as_object().into_iter().flatten());
            let part = |(kind, request): (&String, &Value)| {
                let action = match kind.as_str() {
                    "ConditionCheck" => "ConditionCheckItem",
                    "Delete" => "DeleteItem",
                    "Get" => "GetItem",
                    "Put" => "PutItem",
                    "Update" => "UpdateItem",
                    _ => return None,
                };
                Some(Request::new(format!("dynamodb:{action}"), of(request)?))
            };
            parts.map(part).collect()
        }
        _ => None,
    }
}

/// Words of expressions that name no attribute.
const WORDS: [&str; 5] = ["AND", "BETWEEN", "IN", "NOT", "OR"];

/// Adds what a query or scan reads (DynamoDB developer guide, "Using IAM policy conditions for fine-grained access control"): the top-level
/// attributes of its expressions, and whether it returns others.
fn reading(request: Request, body: &Value) -> Request {
    let select = body["Select"].as_str().unwrap_or(match body["ProjectionExpression"].as_str() {
        Some(_) => "SPECIFIC_ATTRIBUTES",
        None => "ALL_ATTRIBUTES",
    });
    let request = request.with("dynamodb:Select", select).knowing("dynamodb:Attributes");
    let expressions = ["FilterExpression", "KeyConditionExpression", "ProjectionExpression"];
    let named = expressions.iter().filter_map(|name| body[*name].as_str()).flat_map(attributes);
    let named: std::collections::BTreeSet<_> = named
        .map(|name| body["ExpressionAttributeNames"][&name].as_str().map_or_else(|| name.clone(), str::to_owned))
        .collect();
    named.into_iter().fold(request, |request, name| request.with("dynamodb:Attributes", name))
}

/// Returns the top-level attributes, or their placeholders, in an expression.
fn attributes(expression: &str) -> Vec<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "_#:.[]".contains(letter);
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(start) = rest.find(is_part) {
        let word = &rest[start..];
        let end = word.find(|letter| !is_part(letter)).unwrap_or(word.len());
        let (path, after) = word.split_at(end);
        let name = path.split(['.', '[']).next().unwrap_or_default();
        let is_function = after.trim_start().starts_with('(') && !WORDS.contains(&name.to_uppercase().as_str());
        let is_value = name.starts_with(':') || name.is_empty();
        if !is_value && !is_function && !WORDS.contains(&name.to_uppercase().as_str()) {
            found.push(name.to_owned());
        }
        rest = after;
    }
    found
}
