//! A property's value: known now, or an expression that CloudFormation resolves.

use serde::{Serialize, Serializer};
use serde_json::json;

/// The key that marks a reference to a resource in JSON until the stack is rendered, when it becomes a `Ref` or
/// `Fn::GetAtt` in the resource's own stack and a parameter in any other.
pub(crate) const REFERENCE: &str = "Fn::Reference";

/// A value of type `T`, or an expression that CloudFormation resolves to one.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<T> {
    /// Known now.
    Literal(T),
    /// Resolved by CloudFormation.
    Expression(Expression),
}

/// An intrinsic function or a reference, in CloudFormation's JSON form.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression(serde_json::Value);

impl Expression {
    /// What a resource's `Ref` (no attribute) or `Fn::GetAtt` gives, from whichever stack it is used.
    pub(crate) fn reference(stack: &str, logical_id: &str, attribute: Option<&str>) -> Self {
        Self(json!({ REFERENCE: { "stack": stack, "logicalId": logical_id, "attribute": attribute } }))
    }

    /// A pseudo parameter, for example `AWS::Region`.
    #[must_use]
    pub fn pseudo(name: &str) -> Self {
        Self(json!({ "Ref": name }))
    }

    /// `Fn::Sub`: `${Name}` in `text` is one of `variables` or a pseudo parameter; `${!Name}` stays as `${Name}`.
    ///
    /// Variables that are plain text, or a `Fn::Sub` without variables, are written into the text.
    #[must_use]
    pub fn sub<'a>(text: &str, variables: impl IntoIterator<Item = (&'a str, Value<String>)>) -> Self {
        let mut text = text.to_owned();
        let mut left = serde_json::Map::new();
        for (name, value) in variables {
            let inline = match &value {
                Value::Literal(literal) => Some(literal.replace("${", "${!")),
                Value::Expression(Self(json)) => json.get("Fn::Sub").and_then(|sub| sub.as_str()).map(str::to_owned),
            };
            match inline {
                Some(inline) => text = text.replace(&format!("${{{name}}}"), &inline),
                None => {
                    left.insert(name.to_owned(), value.to_json());
                }
            }
        }
        if left.is_empty() { Self(json!({ "Fn::Sub": text })) } else { Self(json!({ "Fn::Sub": [text, left] })) }
    }

    /// Any intrinsic, in CloudFormation's JSON form. An escape hatch.
    #[must_use]
    pub fn raw(json: serde_json::Value) -> Self {
        Self(json)
    }

    /// The expression in CloudFormation's JSON form, references still marked.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        self.0.clone()
    }
}

impl<T: Serialize> Value<T> {
    /// The value in JSON, references still marked.
    ///
    /// # Panics
    ///
    /// When `T` cannot be JSON (a map with keys that are no strings), which no property's type is.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("a property's value is JSON")
    }
}

impl<T: Serialize> Serialize for Value<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Literal(literal) => literal.serialize(serializer),
            Self::Expression(expression) => expression.0.serialize(serializer),
        }
    }
}

impl Serialize for Expression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// Text, the most common kind of value.
pub type Text = Value<String>;

impl Text {
    /// Text in which pseudo parameters such as `${AWS::AccountId}` are filled in, if it has any.
    #[must_use]
    pub fn filled(text: &str) -> Self {
        if text.contains("${") { Expression::sub(text, []).into() } else { text.into() }
    }
}

/// A property that is set, from anything its value can be made of.
pub fn set<T, V: Into<Value<T>>>(value: V) -> Option<Value<T>> {
    Some(value.into())
}

/// A list property that is set, from anything its items can be made of.
pub fn list<T, V: Into<Value<T>>>(values: impl IntoIterator<Item = V>) -> Option<Vec<Value<T>>> {
    Some(values.into_iter().map(Into::into).collect())
}

impl<T> From<T> for Value<T> {
    fn from(literal: T) -> Self {
        Self::Literal(literal)
    }
}

impl From<&str> for Value<String> {
    fn from(literal: &str) -> Self {
        Self::Literal(literal.to_owned())
    }
}

impl From<&String> for Value<String> {
    fn from(literal: &String) -> Self {
        Self::Literal(literal.clone())
    }
}

impl From<&Self> for Value<String> {
    fn from(value: &Self) -> Self {
        value.clone()
    }
}

impl From<Expression> for Value<String> {
    fn from(expression: Expression) -> Self {
        Self::Expression(expression)
    }
}
