//! Values of properties: literals, and expressions that CloudFormation resolves.

use serde::{Serialize, Serializer};
use serde_json::json;

/// The key that marks a reference to a resource in JSON until its system is rendered. Then it becomes a `Ref` or
/// `Fn::GetAtt` in the resource's own stack, and a parameter in other stacks.
pub(crate) const REFERENCE: &str = "Fn::Reference";
/// The key that holds the reason of a policy's statement until its stack is rendered. Then it becomes an exception in the
/// metadata of the resource.
pub(crate) const REASON: &str = "Fn::Because";

/// A value of type `T`: a literal, or an expression that CloudFormation resolves to one.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<T> {
    /// A value that is known when the stack is rendered.
    Literal(T),
    /// A value that CloudFormation resolves.
    Expression(Expression),
}

/// An intrinsic function or a reference, in CloudFormation's JSON form.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression(serde_json::Value);

impl Expression {
    /// A resource's `Ref` (no attribute) or `Fn::GetAtt`, valid in every stack of the system.
    pub(crate) fn reference(stack: &str, logical_id: &str, attribute: Option<&str>) -> Self {
        Self(json!({ REFERENCE: { "stack": stack, "logicalId": logical_id, "attribute": attribute } }))
    }

    /// Creates a reference to a pseudo parameter, for example `AWS::Region`.
    #[must_use]
    pub fn pseudo(name: &str) -> Self {
        Self(json!({ "Ref": name }))
    }

    /// Creates a `Fn::Sub`. `${Name}` in `text` is one of `variables` or a pseudo parameter; `${!Name}` is the text
    /// `${Name}`.
    ///
    /// Variables that are literals, or a `Fn::Sub` without variables, are inlined into the text.
    #[must_use]
    pub fn sub<'a>(text: &str, variables: impl IntoIterator<Item = (&'a str, Value<String>)>) -> Self {
        let mut text = text.to_owned();
        let mut remaining = serde_json::Map::new();
        for (name, value) in variables {
            let inline = match &value {
                Value::Literal(literal) => Some(literal.replace("${", "${!")),
                Value::Expression(Self(json)) => json.get("Fn::Sub").and_then(|sub| sub.as_str()).map(str::to_owned),
            };
            match inline {
                Some(inline) => text = text.replace(&format!("${{{name}}}"), &inline),
                None => {
                    remaining.insert(name.to_owned(), value.to_json());
                }
            }
        }
        if remaining.is_empty() {
            Self(json!({ "Fn::Sub": text }))
        } else {
            Self(json!({ "Fn::Sub": [text, remaining] }))
        }
    }

    /// Creates any intrinsic function from CloudFormation's JSON form: the escape hatch.
    #[must_use]
    pub fn raw(json: serde_json::Value) -> Self {
        Self(json)
    }

    /// Returns the expression in CloudFormation's JSON form, with references still marked.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        self.0.clone()
    }
}

impl<T: Serialize> Value<T> {
    /// Returns the value in JSON, with references still marked.
    ///
    /// # Panics
    ///
    /// When `T` cannot be written as JSON. The type of every property can.
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

/// A text value.
pub type Text = Value<String>;

impl Text {
    /// Creates a text in which CloudFormation fills in pseudo parameters such as `${AWS::AccountId}`, if it has any.
    #[must_use]
    pub fn with_pseudo_parameters(text: &str) -> Self {
        if text.contains("${") { Expression::sub(text, []).into() } else { text.into() }
    }
}

/// Sets a property to a value, from any type that converts into it.
pub fn set<T, V: Into<Value<T>>>(value: V) -> Option<Value<T>> {
    Some(value.into())
}

/// Sets a property to a list of values, from items of any type that converts into them.
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
