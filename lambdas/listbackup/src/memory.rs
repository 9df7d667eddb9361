//! Tables in memory, for tests: they answer requests of DynamoDB as the service does, with conditions and transactions.
//!
//! Only the expressions that this crate sends are understood; any other makes a test panic.

mod expression;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use listbackup_contract::tables::{ALL, CONNECTIONS, Table};
use serde_json::{Map, Value, json};
use tables::testing::{Reply, Request, item, json_reply};

use self::expression::{Names, condition, update};

/// Items by table and key.
type Items = BTreeMap<(String, String), Value>;

/// The tables of the contract. Their names end with those of the contract.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<Items>>);

impl Memory {
    /// Stores an item, given as plain JSON.
    pub(crate) fn insert(&self, table: &str, data: Value) {
        let data = item(data);
        let key = key(table, &data);
        self.0.lock().expect("no panic").insert((table.to_owned(), key), data);
    }

    /// Removes an item.
    pub(crate) fn remove(&self, table: &str, key: &[&str]) {
        self.0.lock().expect("no panic").remove(&(table.to_owned(), key.join("\n")));
    }

    /// Returns an item as plain JSON.
    pub(crate) fn get(&self, table: &str, key: &[&str]) -> Option<Value> {
        let items = self.0.lock().expect("no panic");
        items.get(&(table.to_owned(), key.join("\n"))).map(|item| plain(&json!({ "M": item })))
    }

    /// Returns all items of a table as plain JSON.
    pub(crate) fn all(&self, table: &str) -> Vec<Value> {
        let items = self.0.lock().expect("no panic");
        let of_table = items.iter().filter(|((name, _), _)| name == table);
        of_table.map(|(_, item)| plain(&json!({ "M": item }))).collect()
    }

    /// Answers a request of DynamoDB; `None` if it is of another service.
    pub(crate) fn answer(&self, request: &Request) -> Option<Reply> {
        let mut items = self.0.lock().expect("no panic");
        let body = &request.body;
        match request.action.strip_prefix("DynamoDB.")? {
            "GetItem" => json_reply(match items.get(&place(body)) {
                Some(found) => json!({ "Item": found }),
                None => json!({}),
            }),
            "PutItem" => write(&mut items, body, |_| Some(body["Item"].clone())),
            "DeleteItem" => write(&mut items, body, |_| None),
            "UpdateItem" => write(&mut items, body, |old| Some(updated(body, old))),
            "TransactWriteItems" => transact(&mut items, body),
            "Query" => json_reply(query(&items, body)),
            other => panic!("{other} is not known"),
        }
    }
}

fn schema(table: &str) -> &'static Table {
    let mut known = ALL.iter().chain([&CONNECTIONS]);
    known.find(|known| table.ends_with(known.name)).unwrap_or_else(|| panic!("{table} is no table"))
}

fn key(table: &str, item: &Value) -> String {
    let Table { partition, sort, .. } = schema(table);
    let text = |name: &str| item[name]["S"].as_str().unwrap_or_else(|| panic!("{name} is a text: {item}")).to_owned();
    std::iter::once(*partition).chain(*sort).map(text).collect::<Vec<_>>().join("\n")
}

fn place(body: &Value) -> (String, String) {
    let table = body["TableName"].as_str().expect("a table").to_owned();
    let of = if body["Key"].is_object() { &body["Key"] } else { &body["Item"] };
    let key = key(&table, of);
    (table, key)
}

fn write(items: &mut Items, body: &Value, change: impl FnOnce(Option<&Value>) -> Option<Value>) -> Option<Reply> {
    let place = place(body);
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

fn transact(items: &mut Items, body: &Value) -> Option<Reply> {
    let writes: Vec<(&str, &Value)> = body["TransactItems"]
        .as_array()
        .expect("writes")
        .iter()
        .flat_map(|write| write.as_object().expect("a write").iter().map(|(verb, body)| (verb.as_str(), body)))
        .collect();
    let is_met = |(_, body): &(&str, &Value)| holds(body, items.get(&place(body)));
    let met: Vec<bool> = writes.iter().map(is_met).collect();
    if met.contains(&false) {
        let reason = |is_met: &bool| json!({ "Code": if *is_met { "None" } else { "ConditionalCheckFailed" } });
        let reasons: Vec<_> = met.iter().map(reason).collect();
        let error = json!({
            "__type": "com.amazonaws#TransactionCanceledException", "message": "no", "CancellationReasons": reasons,
        });
        return Some((400, error.to_string()));
    }
    for (verb, body) in writes {
        let place = place(body);
        let old = items.get(&place).cloned();
        match verb {
            "Put" => items.insert(place, body["Item"].clone()),
            "Update" => items.insert(place, updated(body, old.as_ref())),
            "Delete" => items.remove(&place),
            "ConditionCheck" => None,
            other => panic!("{other} is not known"),
        };
    }
    json_reply(json!({}))
}

fn query(items: &Items, body: &Value) -> Value {
    let names = Names::new(body);
    let table = body["TableName"].as_str().expect("a table");
    let sort = match body["IndexName"].as_str() {
        Some(index) => schema(table).indexes.iter().find(|known| known.name == index).and_then(|index| index.sort),
        None => schema(table).sort,
    };
    let is_selected = |name: &str, item: &Value| body[name].as_str().is_none_or(|text| condition(text, &names, item));
    let of_table = items.iter().filter(|((name, _), _)| name == table).map(|(_, item)| item);
    let mut found: Vec<&Value> = of_table.filter(|item| is_selected("KeyConditionExpression", item)).collect();
    if let Some(sort) = sort {
        found.sort_by(|a, b| expression::compare(&a[sort], &b[sort]));
    }
    if body["ScanIndexForward"] == false {
        found.reverse();
    }
    if body["ExclusiveStartKey"].is_object() {
        let start = key(table, &body["ExclusiveStartKey"]);
        let at = found.iter().position(|item| key(table, item) == start).expect("the item of the key");
        found.drain(..=at);
    }
    let limit = body["Limit"].as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let has_more = found.len() > limit;
    found.truncate(limit);
    // The limit counts items before they are filtered.
    let last = found.last().filter(|_| has_more).map(|item| key_of(body, table, item));
    found.retain(|item| is_selected("FilterExpression", item));
    let mut page = json!({ "Items": found, "Count": found.len() });
    if let Some(last) = last {
        page["LastEvaluatedKey"] = last;
    }
    page
}

/// The attributes of an item that are keys of the table or of the queried index.
fn key_of(body: &Value, table: &str, item: &Value) -> Value {
    let Table { partition, sort, indexes, .. } = schema(table);
    let index = body["IndexName"].as_str().and_then(|name| indexes.iter().find(|index| index.name == name));
    let of_index = index.into_iter().flat_map(|index| [Some(index.partition), index.sort]);
    let names = [Some(*partition), *sort].into_iter().chain(of_index).flatten();
    names.map(|name| (name.to_owned(), item[name].clone())).collect::<Map<_, _>>().into()
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
