//! Tables with items.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    Reply,
    expressions::{Expression, Item},
};

/// Items by table and key.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct Items(BTreeMap<String, BTreeMap<String, Item>>);

/// The partition keys of the tables in tests, whose names are those of the contract.
fn partition(table: &str) -> &'static str {
    let tables = listbackup_contract::tables::ALL;
    tables.into_iter().find(|known| known.name == table).map_or("id", |table| table.partition)
}

/// Converts DynamoDB's JSON to plain JSON.
fn plain(item: &Item) -> Value {
    item.iter().map(|(name, value)| (name.clone(), plain_value(value))).collect::<Map<_, _>>().into()
}

fn plain_value(value: &Value) -> Value {
    let (kind, value) = value.as_object().and_then(|value| value.iter().next()).expect("an attribute");
    match kind.as_str() {
        "N" => json!(value.as_str().expect("text").parse::<i64>().expect("an integer")),
        "M" => plain(value.as_object().expect("a map")),
        "L" => value.as_array().expect("a list").iter().map(plain_value).collect(),
        "NULL" => Value::Null,
        _ => value.clone(),
    }
}

impl Items {
    /// Puts an item of plain data.
    pub(in super::super) fn put(&mut self, table: &str, data: &impl serde::Serialize) {
        let data = serde_json::to_value(data).expect("plain data");
        let item = tables::testing::item(data).as_object().expect("an item").clone();
        self.insert(table, item);
    }

    /// All items of a table as plain data, by key.
    pub(in super::super) fn all(&self, table: &str) -> BTreeMap<String, Value> {
        let items = self.0.get(table).into_iter().flatten();
        items.map(|(key, item)| (key.clone(), plain(item))).collect()
    }

    pub(in super::super) fn get(&self, table: &str, key: &str) -> Option<Value> {
        self.0.get(table)?.get(key).map(plain)
    }

    pub(in super::super) fn remove(&mut self, table: &str, key: &str) {
        self.0.entry(table.to_owned()).or_default().remove(key);
    }

    fn insert(&mut self, table: &str, item: Item) {
        let key = key(table, &item);
        self.0.entry(table.to_owned()).or_default().insert(key, item);
    }

    pub(super) fn answer(&mut self, operation: &str, body: &Value) -> Reply {
        match operation {
            "GetItem" => {
                let item = self.find(body, &body["Key"]);
                Reply::json(200, &item.map_or_else(|| json!({}), |item| json!({ "Item": item })))
            }
            "PutItem" | "UpdateItem" => {
                let kind = if operation == "PutItem" { "Put" } else { "Update" };
                if !self.holds(body, kind) {
                    return Reply::error("ConditionalCheckFailedException");
                }
                let item = self.write(body, kind);
                Reply::json(200, &json!({ "Attributes": item }))
            }
            "TransactWriteItems" => self.transact(body),
            "Query" => self.query(body),
            other => panic!("the operation {other}"),
        }
    }

    fn transact(&mut self, body: &Value) -> Reply {
        let writes = body["TransactItems"].as_array().expect("writes");
        let writes: Vec<(&String, &Value)> =
            writes.iter().map(|write| write.as_object().expect("a write").iter().next().expect("a write")).collect();
        let held: Vec<bool> = writes.iter().map(|(kind, write)| self.holds(write, kind)).collect();
        if held.contains(&false) {
            let reasons =
                held.iter().map(|held| json!({ "Code": if *held { "None" } else { "ConditionalCheckFailed" } }));
            let reasons: Vec<Value> = reasons.collect();
            let kind = "com.amazonaws#TransactionCanceledException";
            return Reply::json(400, &json!({ "__type": kind, "CancellationReasons": reasons }));
        }
        for (kind, write) in writes {
            self.write(write, kind);
        }
        Reply::json(200, &json!({}))
    }

    fn query(&self, body: &Value) -> Reply {
        let table = body["TableName"].as_str().expect("text");
        let condition = body["KeyConditionExpression"].as_str().expect("text");
        let filter = body["FilterExpression"].as_str();
        let items = self.0.get(table).into_iter().flat_map(BTreeMap::values).filter(|item| {
            Expression::new(condition, body).holds(item)
                && filter.is_none_or(|filter| Expression::new(filter, body).holds(item))
        });
        let items: Vec<&Item> = items.collect();
        Reply::json(200, &json!({ "Items": items, "Count": items.len() }))
    }

    fn find(&self, request: &Value, of: &Value) -> Option<&Item> {
        let table = request["TableName"].as_str().expect("text");
        self.0.get(table)?.get(&key(table, of.as_object().expect("a key")))
    }

    /// The item that a write is about, before it.
    fn target(&self, request: &Value, kind: &str) -> Option<&Item> {
        self.find(request, if kind == "Put" { &request["Item"] } else { &request["Key"] })
    }

    fn holds(&self, request: &Value, kind: &str) -> bool {
        let Some(condition) = request["ConditionExpression"].as_str() else { return true };
        let absent = Item::new();
        Expression::new(condition, request).holds(self.target(request, kind).unwrap_or(&absent))
    }

    fn write(&mut self, request: &Value, kind: &str) -> Item {
        let table = request["TableName"].as_str().expect("text");
        let item = match kind {
            "Put" => request["Item"].as_object().expect("an item").clone(),
            "Update" => {
                let key = request["Key"].as_object().expect("a key").clone();
                let mut item = self.target(request, kind).cloned().unwrap_or(key);
                Expression::new(request["UpdateExpression"].as_str().expect("text"), request).update(&mut item);
                item
            }
            "ConditionCheck" => return Item::new(),
            other => panic!("the write {other}"),
        };
        self.insert(table, item.clone());
        item
    }
}

fn key(table: &str, item: &Item) -> String {
    item[partition(table)]["S"].as_str().expect("a key").to_owned()
}
