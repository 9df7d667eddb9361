//! Expressions of DynamoDB: conditions and updates, in the forms that this crate and `common::limits` write.

use std::cmp::Ordering;

use serde_json::{Value, json};

/// The placeholders of a request.
pub(super) struct Names<'a> {
    names: &'a Value,
    values: &'a Value,
}

impl<'a> Names<'a> {
    pub(super) fn new(body: &'a Value) -> Self {
        Self { names: &body["ExpressionAttributeNames"], values: &body["ExpressionAttributeValues"] }
    }

    /// The segments of a path: `#a.#b`.
    fn path(&self, text: &str) -> Vec<&'a str> {
        let name = |segment| self.names[segment].as_str().unwrap_or_else(|| panic!("{segment} has no name"));
        text.split('.').map(name).collect()
    }

    /// The attribute of a path or a value.
    fn operand(&self, text: &str, item: &Value) -> Option<Value> {
        if text.starts_with(':') {
            return Some(self.values.get(text).unwrap_or_else(|| panic!("{text} has no value")).clone());
        }
        let mut path = self.path(text).into_iter();
        let first = item.get(path.next()?)?;
        path.try_fold(first, |at, segment| at.get("M")?.get(segment)).cloned()
    }
}

/// Orders two attributes of the same type.
pub(super) fn compare(a: &Value, b: &Value) -> Ordering {
    let number = |value: &Value| value["N"].as_str().and_then(|text| text.parse::<f64>().ok());
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => a["S"].as_str().cmp(&b["S"].as_str()),
    }
}

fn is_equal(a: &Value, b: &Value) -> bool {
    if a.get("N").is_some() && b.get("N").is_some() { compare(a, b).is_eq() } else { a == b }
}

/// Evaluates a condition.
pub(super) fn condition(text: &str, names: &Names<'_>, item: &Value) -> bool {
    let spaced = text.replace('(', " ( ").replace(')', " ) ").replace(',', " ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser { tokens: &tokens, at: 0, names, item };
    let result = parser.any();
    assert_eq!(parser.at, tokens.len(), "the whole condition: {text}");
    result
}

struct Parser<'a> {
    tokens: &'a [&'a str],
    at: usize,
    names: &'a Names<'a>,
    item: &'a Value,
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> &'a str {
        self.at += 1;
        self.tokens[self.at - 1]
    }

    fn takes(&mut self, token: &str) -> bool {
        let is_next = self.tokens.get(self.at) == Some(&token);
        self.at += usize::from(is_next);
        is_next
    }

    fn any(&mut self) -> bool {
        let mut result = self.all();
        while self.takes("OR") {
            result |= self.all();
        }
        result
    }

    fn all(&mut self) -> bool {
        let mut result = self.one();
        while self.takes("AND") {
            result &= self.one();
        }
        result
    }

    fn one(&mut self) -> bool {
        if self.takes("(") {
            let result = self.any();
            assert!(self.takes(")"), "a closing parenthesis");
            return result;
        }
        match self.next() {
            "attribute_exists" => self.argument().is_some(),
            "attribute_not_exists" => self.argument().is_none(),
            "begins_with" => {
                assert!(self.takes("("), "an argument");
                let (value, prefix) = (self.operand(), self.operand());
                assert!(self.takes(")"), "an argument");
                let text =
                    |value: &Option<Value>| value.as_ref().and_then(|value| value["S"].as_str().map(str::to_owned));
                text(&value).is_some_and(|value| value.starts_with(&text(&prefix).unwrap_or_default()))
            }
            "contains" => {
                assert!(self.takes("("), "an argument");
                let (value, part) = (self.operand(), self.operand());
                assert!(self.takes(")"), "an argument");
                let text = |value: Option<Value>| value.and_then(|value| value["S"].as_str().map(str::to_owned));
                text(value).is_some_and(|value| value.contains(&text(part).unwrap_or_default()))
            }
            "size" => {
                let size = self.argument().and_then(|value| Some(value.get("M")?.as_object()?.len()));
                let operator = self.next();
                let value = self.operand();
                compared(size.map(|size| json!({ "N": size.to_string() })), operator, value)
            }
            first => {
                let left = self.names.operand(first, self.item);
                match self.next() {
                    "BETWEEN" => {
                        let low = self.operand();
                        assert!(self.takes("AND"), "two ends");
                        let high = self.operand();
                        compared(left.clone(), ">=", low) && compared(left, "<=", high)
                    }
                    "IN" => {
                        assert!(self.takes("("), "values");
                        let mut is_one = false;
                        while !self.takes(")") {
                            let value = self.operand();
                            is_one |= compared(left.clone(), "=", value);
                        }
                        is_one
                    }
                    operator => {
                        let right = self.operand();
                        compared(left, operator, right)
                    }
                }
            }
        }
    }

    fn operand(&mut self) -> Option<Value> {
        let token = self.next();
        self.names.operand(token, self.item)
    }

    fn argument(&mut self) -> Option<Value> {
        assert!(self.takes("("), "an argument");
        let value = self.operand();
        assert!(self.takes(")"), "an argument");
        value
    }
}

fn compared(left: Option<Value>, operator: &str, right: Option<Value>) -> bool {
    let (Some(left), Some(right)) = (left, right) else { return false };
    let order = compare(&left, &right);
    match operator {
        "=" => is_equal(&left, &right),
        "<>" => !is_equal(&left, &right),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        other => panic!("{other} is no operator"),
    }
}

/// Applies an update to an item.
pub(super) fn update(text: &str, names: &Names<'_>, item: &mut Value) {
    let before = item.clone();
    let (mut verb, mut clause) = ("", Vec::new());
    for word in text.split_whitespace().chain(["SET"]) {
        if matches!(word, "SET" | "REMOVE" | "ADD") {
            apply(verb, &clause.join(" "), names, (&before, &mut *item));
            (verb, clause) = (word, Vec::new());
        } else {
            clause.push(word);
        }
    }
}

fn apply(verb: &str, clause: &str, names: &Names<'_>, (before, item): (&Value, &mut Value)) {
    // Commas inside of a function have no `#` or `:` of another assignment after them.
    let parts = clause.replace(", :", "\u{1}:");
    for part in parts.split(", ").filter(|part| !part.is_empty()) {
        let part = part.replace('\u{1}', ", ");
        match verb {
            "SET" => {
                let (path, value) = part.split_once(" = ").expect("an assignment");
                set(item, &names.path(path), Some(sum(value, names, before)));
            }
            "REMOVE" => set(item, &names.path(&part), None),
            "ADD" => {
                let (path, value) = part.split_once(' ').expect("a number");
                let zero = json!({ "N": "0" });
                let old = names.operand(path, before).unwrap_or(zero);
                let new = added(&old, &names.operand(value, before).expect("a value"));
                set(item, &names.path(path), Some(new));
            }
            other => panic!("{other} is no verb"),
        }
    }
}

fn sum(text: &str, names: &Names<'_>, item: &Value) -> Value {
    if let Some((left, right)) = text.split_once(" + ") {
        return added(&sum(left, names, item), &sum(right, names, item));
    }
    match text.strip_prefix("if_not_exists(").and_then(|rest| rest.strip_suffix(')')) {
        Some(arguments) => {
            let (path, value) = arguments.split_once(", ").expect("two arguments");
            names.operand(path, item).or_else(|| names.operand(value, item)).expect("a value")
        }
        None => names.operand(text, item).unwrap_or_else(|| panic!("{text} is absent")),
    }
}

fn added(a: &Value, b: &Value) -> Value {
    let number = |value: &Value| value["N"].as_str().and_then(|text| text.parse::<f64>().ok()).expect("a number");
    json!({ "N": (number(a) + number(b)).to_string() })
}

fn set(item: &mut Value, path: &[&str], value: Option<Value>) {
    let [parents @ .., last] = path else { panic!("a path") };
    let mut at = item;
    for parent in parents {
        at = at.get_mut(*parent).and_then(|parent| parent.get_mut("M")).unwrap_or_else(|| panic!("{parent} is a map"));
    }
    let map = at.as_object_mut().expect("a map");
    match value {
        Some(value) => map.insert((*last).to_owned(), value),
        None => map.remove(*last),
    };
}
