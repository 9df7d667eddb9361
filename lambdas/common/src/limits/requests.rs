//! The inputs of DynamoDB's operations, as JSON.

use serde_json::{Map, Value, json};

use super::{Subject, backoff::Failures, table::CounterTable, window::Window};

/// The attribute with the number of requests.
const REQUESTS: &str = "Requests";
/// The attribute with the number of failures.
const FAILURES: &str = "Failures";
/// The attribute with the time of the next allowed attempt.
const RETRY_AT: &str = "RetryAt";
/// The sort key of failures.
const ATTEMPTS: &str = "ATTEMPTS";

fn number(number: impl ToString) -> Value {
    json!({ "N": number.to_string() })
}

/// Values of expressions.
fn values<const N: usize>(values: [(&str, Value); N]) -> Map<String, Value> {
    values.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

fn key(table: &CounterTable, subject: &Subject, sort: &str) -> Value {
    match table.sort {
        Some(name) => json!({ table.partition: { "S": subject.0 }, name: { "S": sort } }),
        None => json!({ table.partition: { "S": format!("{}#{sort}", subject.0) } }),
    }
}

/// Counts a request unless there were `most` in the window.
pub(super) fn count(table: &CounterTable, subject: &Subject, window: Window, most: u32) -> Value {
    json!({
        "TableName": table.name,
        "Key": key(table, subject, &window.start.to_string()),
        "UpdateExpression": "ADD #requests :one SET #expires = :expires",
        "ConditionExpression": "attribute_not_exists(#requests) OR #requests < :most",
        "ExpressionAttributeNames": { "#requests": REQUESTS, "#expires": table.expires },
        "ExpressionAttributeValues":
            values([(":one", number(1)), (":most", number(most)), (":expires", number(window.expires()))]),
    })
}

/// Reads the failures of a subject.
pub(super) fn read(table: &CounterTable, subject: &Subject) -> Value {
    json!({ "TableName": table.name, "Key": key(table, subject, ATTEMPTS), "ConsistentRead": true })
}

/// Replaces the failures that were read.
pub(super) fn record(table: &CounterTable, subject: &Subject, before: Option<Failures>, after: Failures) -> Value {
    let mut item = key(table, subject, ATTEMPTS);
    item[FAILURES] = number(after.count);
    item[RETRY_AT] = number(after.retry_at);
    item[table.expires] = number(after.expires());
    let mut input = json!({ "TableName": table.name, "Item": item });
    match before {
        None => {
            input["ConditionExpression"] = json!("attribute_not_exists(#failures)");
            input["ExpressionAttributeNames"] = json!({ "#failures": FAILURES });
        }
        Some(before) => {
            input["ConditionExpression"] = json!("#failures = :failures AND #retry = :retry");
            input["ExpressionAttributeNames"] = json!({ "#failures": FAILURES, "#retry": RETRY_AT });
            let before = values([(":failures", number(before.count)), (":retry", number(before.retry_at))]);
            input["ExpressionAttributeValues"] = before.into();
        }
    }
    input
}

/// Deletes the failures of a subject.
pub(super) fn clear(table: &CounterTable, subject: &Subject) -> Value {
    json!({ "TableName": table.name, "Key": key(table, subject, ATTEMPTS) })
}

/// Reads the failures in the output of `GetItem`. A damaged item counts as none.
pub(super) fn failures(output: &Value) -> Option<Failures> {
    let field = |name: &str| output["Item"][name]["N"].as_str()?.parse::<i64>().ok();
    Some(Failures { count: u32::try_from(field(FAILURES)?).ok()?, retry_at: field(RETRY_AT)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Subjects;

    fn table() -> CounterTable {
        CounterTable { name: "notes".to_owned(), partition: "pk", sort: Some("sk"), expires: "ttl" }
    }

    #[test]
    fn a_request_is_counted_up_to_the_limit_and_its_counter_expires() {
        let subject = Subjects::new(b"").address("192.0.2.1");
        let input = count(&table(), &subject, Window::at(90), 10);
        assert_eq!(input["Key"], json!({ "pk": { "S": subject.0 }, "sk": { "S": "60" } }));
        assert_eq!(input["ExpressionAttributeNames"], json!({ "#requests": "Requests", "#expires": "ttl" }));
        let values = json!({ ":one": { "N": "1" }, ":most": { "N": "10" }, ":expires": { "N": "180" } });
        assert_eq!(input["ExpressionAttributeValues"], values);
    }

    #[test]
    fn a_table_without_a_sort_key_has_an_item_per_window() {
        let subject = Subjects::new(b"").address("192.0.2.1");
        let table = CounterTable { sort: None, ..table() };
        let keys = [0, 60].map(|now| count(&table, &subject, Window::at(now), 10)["Key"].clone());
        assert_eq!(keys[0], json!({ "pk": { "S": format!("{}#0", subject.0) } }));
        assert_ne!(keys[0], keys[1]);
        assert_ne!(clear(&table, &subject)["Key"], keys[0]);
    }

    #[test]
    fn recorded_failures_are_read_again_and_guard_the_next_write() {
        let subject = Subjects::new(b"").account_at("ana", "192.0.2.1");
        let failures = Failures { count: 4, retry_at: 1030 };
        let first = record(&table(), &subject, None, failures);
        assert_eq!(first["ConditionExpression"], "attribute_not_exists(#failures)");
        assert_eq!(first["Item"]["ttl"], json!({ "N": "4630" }));
        assert_eq!(super::failures(&json!({ "Item": first["Item"] })), Some(failures));
        let second = record(&table(), &subject, Some(failures), Failures { count: 5, retry_at: 1090 });
        assert_eq!(second["ConditionExpression"], "#failures = :failures AND #retry = :retry");
        let values = json!({ ":failures": { "N": "4" }, ":retry": { "N": "1030" } });
        assert_eq!(second["ExpressionAttributeValues"], values);
        for damaged in [json!({}), json!({ "Item": {} }), json!({ "Item": { "Failures": { "N": "x" } } })] {
            assert_eq!(super::failures(&damaged), None, "{damaged}");
        }
    }
}
