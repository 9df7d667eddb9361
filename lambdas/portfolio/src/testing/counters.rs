//! The counters of sign-in routes, as DynamoDB keeps them: four operations and the conditions that they use.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The prefix of the counters' partition keys.
const PREFIX: &str = "LIMIT#";

/// The items, by primary key.
#[derive(Debug, Default)]
pub(crate) struct CounterItems {
    items: BTreeMap<(String, String), Value>,
    pub(crate) is_down: bool,
}

impl CounterItems {
    /// Answers a call that is about a counter; `None` for other calls.
    pub(crate) fn answer(&mut self, operation: &str, input: &Value) -> Option<(u16, Value)> {
        let part = |name: &str| input["Key"][name]["S"].as_str().or_else(|| input["Item"][name]["S"].as_str());
        let key = (part("PK")?.to_owned(), part("SK")?.to_owned());
        if !key.0.starts_with(PREFIX) {
            return None;
        }
        if self.is_down {
            return Some((500, json!({"__type": "InternalServerError"})));
        }
        let refused = || Some((400, json!({"__type": "ConditionalCheckFailedException"})));
        let values = &input["ExpressionAttributeValues"];
        match operation {
            "UpdateItem" => {
                let item = self.items.entry(key).or_insert_with(|| json!({"Requests": {"N": "0"}}));
                if item["Requests"] == values[":most"] {
                    return refused();
                }
                let count: u64 = item["Requests"]["N"].as_str().and_then(|text| text.parse().ok()).expect("a number");
                item["Requests"]["N"] = json!((count + 1).to_string());
                item["ExpiresAt"] = values[":expires"].clone();
            }
            "PutItem" => {
                let old = self.items.get(&key);
                let is_unchanged = match values {
                    Value::Null => old.is_none(),
                    values => old.is_some_and(|old| {
                        old["Failures"] == values[":failures"] && old["RetryAt"] == values[":retry"]
                    }),
                };
                if !is_unchanged {
                    return refused();
                }
                self.items.insert(key, input["Item"].clone());
            }
            "GetItem" => {
                return Some((200, self.items.get(&key).map_or_else(|| json!({}), |item| json!({"Item": item}))));
            }
            "DeleteItem" => {
                self.items.remove(&key);
            }
            other => panic!("counters do not use {other}"),
        }
        Some((200, json!({})))
    }
}
