//! Tables in memory, for tests: they answer requests of DynamoDB as the service does, with conditions and transactions.
//!
//! Only the expressions that this crate sends are understood; any other makes a test panic.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use serde_json::{Map, Value, json};

use super::{
    Reply, Request,
    expression::{Names, compare, condition, update},
    item, json_reply,
};
use crate::Index;

/// A table.
#[derive(Debug, Clone)]
pub struct Schema {
    /// The name.
    pub table: &'static str,
    /// The attribute of the partition key.
    pub partition: &'static str,
    /// The attribute of the sort key.
    pub sort: Option<&'static str>,
    /// The indexes.
    pub indexes: Vec<Index>,
}

/// Items by table and key.
type Items = BTreeMap<(String, String), Value>;

/// Tables whose items are shared by clones.
#[derive(Debug, Clone)]
pub struct Memory {
    schemas: Arc<[Schema]>,
    items: Arc<Mutex<Items>>,
}

impl Memory {
    /// Creates empty tables.
    #[must_use]
    pub fn new(schemas: impl IntoIterator<Item = Schema>) -> Self {
        Self { schemas: schemas.into_iter().collect(), items: Arc::default() }
    }

    /// Stores an item, given as plain JSON.
    pub fn insert(&self, table: &str, data: Value) {
        let data = item(data);
        let key = self.schema(table).key(&data);
        self.items.lock().expect("no panic").insert((table.to_owned(), key), data);
    }

    /// Returns an item as plain JSON. Numbers of its key are given as text.
    #[must_use]
    pub fn get(&self, table: &str, key: &[&str]) -> Option<Value> {
        let items = self.items.lock().expect("no panic");
        items.get(&(table.to_owned(), key.join("\n"))).map(|item| plain(&json!({ "M": item })))
    }

    /// Changes an item, given as DynamoDB writes it.
    pub fn change(&self, table: &str, key: &[&str], change: impl FnOnce(&mut Value)) {
        let mut items = self.items.lock().expect("no panic");
        change(items.get_mut(&(table.to_owned(), key.join("\n"))).expect("an item"));
    }

    /// Returns all items of a table as plain JSON, in the order of their keys.
    #[must_use]
    pub fn all(&self, table: &str) -> Vec<Value> {
        let items = self.items.lock().expect("no panic");
        let of_table = items.iter().filter(|((name, _), _)| name == table);
        of_table.map(|(_, item)| plain(&json!({ "M": item }))).collect()
    }

    /// Answers a request of DynamoDB; `None` if it is of another service.
    #[must_use]
    pub fn answer(&self, request: &Request) -> Option<Reply> {
        let operation = request.action.strip_prefix("DynamoDB.")?;
        let body = &request.body;
        let mut items = self.items.lock().expect("no panic");
        match operation {
            "GetItem" => json_reply(match items.get(&self.place(body)) {
                Some(found) => json!({ "Item": found }),
                None => json!({}),
            }),
            "PutItem" => self.write(&mut items, body, |_| Some(body["Item"].clone())),
            "DeleteItem" => self.write(&mut items, body, |_| None),
            "UpdateItem" => self.write(&mut items, body, |old| Some(updated(body, old))),
            "TransactWriteItems" => self.transact(&mut items, body),
            "Query" => json_reply(self.query(&items, body)),
            other => panic!("{other} is not known"),
        }
    }

    fn schema(&self, table: &str) -> &Schema {
        self.schemas.iter().find(|known| known.table == table).unwrap_or_else(|| panic!("{table} is no table"))
    }

    /// The table and the key of a request.
    fn place(&self, body: &Value) -> (String, String) {
        let table = body["TableName"].as_str().expect("a table");
        let of = if body["Key"].is_object() { &body["Key"] } else { &body["Item"] };
        (table.to_owned(), self.schema(table).key(of))
    }

    fn write(
        &self,
        items: &mut Items,
        body: &Value,
        change: impl FnOnce(Option<&Value>) -> Option<Value>,
    ) -> Option<Reply> {
        let place = self.place(body);
        let old = items.get(&place).cloned();
        if !holds(body, old.as_ref()) {
            let mut error = json!({ "__type": "com.amazonaws#ConditionalCheckFailedException", "message": "no" });
            if let Some(old) = old {
                error["Item"] = old;
            }
            return Some((400, error.to_string()));
        }
        let new = change(old.as_ref());
        let attributes = match body["ReturnValues"].as_str() {
            Some("ALL_NEW") => new.clone(),
            Some("ALL_OLD") => old,
            _ => None,
        };
        match new {
            Some(new) => items.insert(place, new),
            None => items.remove(&place),
        };
        json_reply(attributes.map_or(json!({}), |attributes| json!({ "Attributes": attributes })))
    }

    fn transact(&self, items: &mut Items, body: &Value) -> Option<Reply> {
        let writes = body["TransactItems"].as_array().expect("writes").iter();
        let writes: Vec<(&String, &Value)> = writes.flat_map(|write| write.as_object().expect("a write")).collect();
        let met: Vec<bool> = writes.iter().map(|(_, body)| holds(body, items.get(&self.place(body)))).collect();
        if met.contains(&false) {
            let reason = |is_met: &bool| json!({ "Code": if *is_met { "None" } else { "ConditionalCheckFailed" } });
            let error = json!({
                "__type": "com.amazonaws#TransactionCanceledException", "message": "no",
                "CancellationReasons": met.iter().map(reason).collect::<Vec<_>>(),
            });
            return Some((400, error.to_string()));
        }
        for (verb, body) in writes {
            let place = self.place(body);
            let old = items.get(&place).cloned();
            match verb.as_str() {
                "Put" => items.insert(place, body["Item"].clone()),
                "Update" => items.insert(place, updated(body, old.as_ref())),
                "Delete" => items.remove(&place),
                "ConditionCheck" => None,
                other => panic!("{other} is not known"),
            };
        }
        json_reply(json!({}))
    }

    fn query(&self, items: &Items, body: &Value) -> Value {
        let names = Names::new(body);
        let table = body["TableName"].as_str().expect("a table");
        let schema = self.schema(table);
        let index = body["IndexName"].as_str().map(|name| schema.index(name));
        let is_selected =
            |name: &str, item: &Value| body[name].as_str().is_none_or(|text| condition(text, &names, item));
        let of_table = items.iter().filter(|((name, _), _)| name == table).map(|(_, item)| item);
        let mut found: Vec<&Value> = of_table.filter(|item| is_selected("KeyConditionExpression", item)).collect();
        if let Some(sort) = index.map_or(schema.sort, |index| index.sort) {
            found.sort_by(|a, b| compare(&a[sort], &b[sort]));
        }
        if body["ScanIndexForward"] == false {
            found.reverse();
        }
        if body["ExclusiveStartKey"].is_object() {
            let start = schema.key(&body["ExclusiveStartKey"]);
            let at = found.iter().position(|item| schema.key(item) == start).expect("the item of the key");
            found.drain(..=at);
        }
        let limit = body["Limit"].as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        let has_more = found.len() > limit;
        found.truncate(limit);
        // The limit counts items before they are filtered.
        let last = found.last().filter(|_| has_more).map(|item| schema.keys(index, item));
        found.retain(|item| is_selected("FilterExpression", item));
        let mut page = json!({ "Items": found, "Count": found.len() });
        if let Some(last) = last {
            page["LastEvaluatedKey"] = last;
        }
        page
    }
}

impl Schema {
    /// The values of the key, one per line.
    fn key(&self, item: &Value) -> String {
        let text = |name: &str| {
            let value = item[name]["S"].as_str().or_else(|| item[name]["N"].as_str());
            value.unwrap_or_else(|| panic!("{name} is a text or a number: {item}")).to_owned()
        };
        std::iter::once(self.partition).chain(self.sort).map(text).collect::<Vec<_>>().join("\n")
    }

    fn index(&self, name: &str) -> &Index {
        self.indexes.iter().find(|index| index.name == name).unwrap_or_else(|| panic!("{name} is no index"))
    }

    /// The attributes of an item that are keys of the table or of the queried index.
    fn keys(&self, index: Option<&Index>, item: &Value) -> Value {
        let of_index = index.into_iter().flat_map(|index| [Some(index.partition), index.sort]);
        let names = [Some(self.partition), self.sort].into_iter().chain(of_index).flatten();
        names.map(|name| (name.to_owned(), item[name].clone())).collect::<Map<_, _>>().into()
    }
}

fn holds(body: &Value, old: Option<&Value>) -> bool {
    let names = Names::new(body);
    let empty = json!({});
    body["ConditionExpression"].as_str().is_none_or(|text| condition(text, &names, old.unwrap_or(&empty)))
}

fn updated(body: &Value, old: Option<&Value>) -> Value {
    let mut new = old.unwrap_or(&body["Key"]).clone();
    update(body["UpdateExpression"].as_str().expect("an update"), &Names::new(body), &mut new);
    new
}

/// Converts an attribute to plain JSON.
fn plain(attribute: &Value) -> Value {
    let (kind, value) = attribute.as_object().and_then(|kinds| kinds.iter().next()).expect("an attribute");
    match kind.as_str() {
        "M" => value
            .as_object()
            .expect("a map")
            .iter()
            .map(|(name, value)| (name.clone(), plain(value)))
            .collect::<Map<_, _>>()
            .into(),
        "L" => value.as_array().expect("a list").iter().map(plain).collect(),
        "N" => serde_json::from_str(value.as_str().expect("a number")).expect("a number"),
        "NULL" => Value::Null,
        _ => value.clone(),
    }
}
