//! Expressions of DynamoDB, as far as they are used: conditions, filters and updates.

use serde_json::{Map, Value, json};

/// An item in DynamoDB's JSON.
pub(super) type Item = Map<String, Value>;

/// An expression's tokens and placeholders.
pub(super) struct Expression<'a> {
    tokens: Vec<String>,
    next: usize,
    request: &'a Value,
}

impl<'a> Expression<'a> {
    pub(super) fn new(text: &str, request: &'a Value) -> Self {
        let mut spaced = text.to_owned();
        for symbol in ["(", ")", ",", "+"] {
            spaced = spaced.replace(symbol, &format!(" {symbol} "));
        }
        Self { tokens: spaced.split_whitespace().map(str::to_owned).collect(), next: 0, request }
    }

    fn peek(&self) -> &str {
        self.tokens.get(self.next).map_or("", String::as_str)
    }

    fn take(&mut self) -> String {
        let token = self.peek().to_owned();
        self.next += 1;
        token
    }

    fn expect(&mut self, token: &str) {
        assert_eq!(self.take(), token, "in {:?}", self.tokens);
    }

    fn eat(&mut self, token: &str) -> bool {
        let is_next = self.peek() == token;
        self.next += usize::from(is_next);
        is_next
    }

    /// The attribute path behind a placeholder such as `#stats.#filesAdded`.
    fn path(&self, token: &str) -> Vec<String> {
        let names = &self.request["ExpressionAttributeNames"];
        token.split('.').map(|name| names[name].as_str().expect("a name").to_owned()).collect()
    }

    fn operand(&mut self, item: &Item) -> Option<Value> {
        let token = self.take();
        match token.as_str() {
            "size" => {
                self.expect("(");
                let value = self.operand(item);
                self.expect(")");
                let length = value?["L"].as_array().map_or(0, Vec::len);
                Some(json!({ "N": length.to_string() }))
            }
            "if_not_exists" => {
                self.expect("(");
                let present = self.operand(item);
                self.expect(",");
                let other = self.operand(item);
                self.expect(")");
                present.or(other)
            }
            "list_append" => {
                self.expect("(");
                let first = self.operand(item).expect("a list");
                self.expect(",");
                let second = self.operand(item).expect("a list");
                self.expect(")");
                let lists = [&first, &second].map(|list| list["L"].as_array().expect("a list").clone());
                Some(json!({ "L": lists.concat() }))
            }
            _ if token.starts_with(':') => Some(self.request["ExpressionAttributeValues"][&token].clone()),
            _ => get(item, &self.path(&token)).cloned(),
        }
    }

    /// Evaluates a condition.
    pub(super) fn holds(&mut self, item: &Item) -> bool {
        let mut result = self.all(item);
        while self.eat("OR") {
            let next = self.all(item);
            result |= next;
        }
        result
    }

    fn all(&mut self, item: &Item) -> bool {
        let mut result = self.one(item);
        while self.eat("AND") {
            let next = self.one(item);
            result &= next;
        }
        result
    }

    fn one(&mut self, item: &Item) -> bool {
        if self.eat("(") {
            let result = self.holds(item);
            self.expect(")");
            return result;
        }
        for (function, expected) in [("attribute_exists", true), ("attribute_not_exists", false)] {
            if self.eat(function) {
                self.expect("(");
                let path = self.take();
                let exists = get(item, &self.path(&path)).is_some();
                self.expect(")");
                return exists == expected;
            }
        }
        let left = self.operand(item);
        let operator = self.take();
        if operator == "IN" {
            self.expect("(");
            let mut is_member = false;
            loop {
                let value = self.operand(item);
                is_member |= left.is_some() && left == value;
                if !self.eat(",") {
                    break;
                }
            }
            self.expect(")");
            return is_member;
        }
        let right = self.operand(item);
        compare(left.as_ref(), &operator, right.as_ref())
    }

    /// Carries an update out. All operands are read before the first change, as DynamoDB does.
    pub(super) fn update(&mut self, item: &mut Item) {
        let before = item.clone();
        while self.next < self.tokens.len() {
            match self.take().as_str() {
                "SET" => self.each(|expression| {
                    let path = expression.take();
                    let path = expression.path(&path);
                    expression.expect("=");
                    let mut value = expression.operand(&before).expect("a value");
                    if expression.eat("+") {
                        value = sum(&value, &expression.operand(&before).expect("a number"));
                    }
                    set(item, &path, value);
                }),
                "ADD" => self.each(|expression| {
                    let path = expression.take();
                    let path = expression.path(&path);
                    let value = expression.operand(&before).expect("a number");
                    let present = get(&before, &path).cloned().unwrap_or_else(|| json!({ "N": "0" }));
                    set(item, &path, sum(&present, &value));
                }),
                "REMOVE" => self.each(|expression| {
                    let path = expression.take();
                    let path = expression.path(&path);
                    assert_eq!(path.len(), 1, "only attributes are removed");
                    item.remove(&path[0]);
                }),
                other => panic!("the clause {other}"),
            }
        }
    }

    fn each(&mut self, mut part: impl FnMut(&mut Self)) {
        part(self);
        while self.eat(",") {
            part(self);
        }
    }
}

fn get<'i>(item: &'i Item, path: &[String]) -> Option<&'i Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(item.get(first)?, |value, name| value.get("M")?.get(name))
}

fn set(item: &mut Item, path: &[String], value: Value) {
    let (last, folders) = path.split_last().expect("a path");
    let map = folders.iter().fold(item, |map, name| {
        map.get_mut(name).and_then(|value| value["M"].as_object_mut()).expect("the maps on the way exist")
    });
    map.insert(last.clone(), value);
}

fn number(value: &Value) -> Option<i128> {
    value["N"].as_str()?.parse().ok()
}

fn sum(left: &Value, right: &Value) -> Value {
    let sum = number(left).expect("a number") + number(right).expect("a number");
    json!({ "N": sum.to_string() })
}

fn compare(left: Option<&Value>, operator: &str, right: Option<&Value>) -> bool {
    let (Some(left), Some(right)) = (left, right) else { return operator == "<>" && left != right };
    let order = match (number(left), number(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        _ => left["S"].as_str().cmp(&right["S"].as_str()),
    };
    match operator {
        "=" => left == right,
        "<>" => left != right,
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        other => panic!("the operator {other}"),
    }
}
