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
            Some(vec![Request::new(format!("dynamodb:{operation}"), resource)])
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
