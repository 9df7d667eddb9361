//! The lengths of values when CloudFormation has filled in their expressions.
//!
//! Names, ARNs and IDs have known forms, so the length of a document can be bounded before a deploy. A value whose form is not
//! known counts as its expression at most, and as nothing at least.

mod forms;

use std::{
    collections::BTreeMap,
    ops::{Add, AddAssign},
};

use model::{
    rendered::{ParameterSource, RenderedStack},
    stage::partition,
};
use serde_json::Value;

use self::forms::{FORMS, NAMES};
use crate::changes::references::intrinsic;

/// A length in bytes, from the shortest to the longest possible one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Length {
    pub(crate) least: usize,
    pub(crate) most: usize,
}

impl Length {
    pub(crate) const fn exactly(length: usize) -> Self {
        Self { least: length, most: length }
    }

    /// A value of an unknown form: as long as its expression at most.
    fn unknown(expression: &Value) -> Self {
        Self { least: 0, most: expression.to_string().len() }
    }
}

impl Add for Length {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { least: self.least + other.least, most: self.most + other.most }
    }
}

impl AddAssign for Length {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::iter::Sum for Length {
    fn sum<I: Iterator<Item = Self>>(lengths: I) -> Self {
        lengths.fold(Self::default(), Add::add)
    }
}

/// A stack among all stacks of its system, for references across stacks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes<'a> {
    pub(crate) stack: &'a RenderedStack,
    /// The stacks of the system that are known, by [`RenderedStack::stack`].
    pub(crate) stacks: &'a BTreeMap<&'a str, &'a RenderedStack>,
    /// The stage's region.
    pub(crate) region: &'a str,
}

impl<'a> Sizes<'a> {
    /// Returns the stacks of a system by name.
    pub(crate) fn by_name(stacks: &'a [RenderedStack]) -> BTreeMap<&'a str, &'a RenderedStack> {
        stacks.iter().map(|stack| (stack.stack.as_str(), stack)).collect()
    }

    /// The length of a JSON document without white space.
    pub(crate) fn document(&self, document: &Value) -> Length {
        match document {
            Value::Null => Length::default(),
            expression if intrinsic(expression).is_some() => self.text(expression) + Length::exactly(2),
            Value::Object(object) => {
                let pairs = object.iter().map(|(key, value)| Length::exactly(key.len() + 3) + self.document(value));
                pairs.sum::<Length>() + Length::exactly(2 + object.len().saturating_sub(1))
            }
            Value::Array(items) => {
                let all: Length = items.iter().map(|item| self.document(item)).sum();
                all + Length::exactly(2 + items.len().saturating_sub(1))
            }
            scalar => Length::exactly(scalar.to_string().len()),
        }
    }

    /// The length of a text within a JSON document, without its quotes.
    fn text(&self, value: &Value) -> Length {
        let Some((function, argument)) = intrinsic(value) else {
            return value.as_str().map_or_else(|| self.document(value), escaped);
        };
        let known = match (function, argument) {
            ("Ref", Value::String(target)) => self.reference(target, "Ref"),
            ("Fn::GetAtt", Value::String(text)) => text.split_once('.').and_then(|(id, name)| self.reference(id, name)),
            ("Fn::GetAtt", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(target), Value::String(attribute)] => self.reference(target, attribute),
                _ => None,
            },
            ("Fn::Sub", Value::String(text)) => Some(self.substituted(text, &Value::Null)),
            ("Fn::Sub", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(text), variables] => Some(self.substituted(text, variables)),
                _ => None,
            },
            ("Fn::Join", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(separator), Value::Array(items)] => {
                    let between = separator.len() * items.len().saturating_sub(1);
                    Some(items.iter().map(|item| self.text(item)).sum::<Length>() + Length::exactly(between))
                }
                _ => None,
            },
            ("Fn::If", Value::Array(parts)) => match parts.as_slice() {
                [_, then, otherwise] => Some(either(self.text(then), self.text(otherwise))),
                _ => None,
            },
            _ => None,
        };
        known.unwrap_or_else(|| Length::unknown(value))
    }

    /// The length of a text whose `${…}` are filled in. `own` are the variables of the expression itself.
    fn substituted(&self, text: &str, own: &Value) -> Length {
        let mut pieces = text.split("${");
        let mut length = escaped(pieces.next().unwrap_or_default());
        for piece in pieces {
            let (name, rest) = piece.split_once('}').unwrap_or((piece, ""));
            length += match name.trim().strip_prefix('!') {
                Some(literal) => Length::exactly(literal.len() + 3),
                None => self.variable(name.trim(), own),
            };
            length += escaped(rest);
        }
        length
    }

    fn variable(&self, name: &str, own: &Value) -> Length {
        if let Some(value) = own.get(name) {
            return self.text(value);
        }
        let (target, attribute) = name.split_once('.').unwrap_or((name, "Ref"));
        self.reference(target, attribute).unwrap_or(Length { least: 0, most: name.len() + 3 })
    }

    /// The length of a pseudo parameter, a parameter, or a resource's attribute; `None` if its form is unknown.
    fn reference(&self, target: &str, attribute: &str) -> Option<Length> {
        if let Some(length) = self.pseudo(target) {
            return Some(length);
        }
        match self.stack.parameters.get(target) {
            Some(ParameterSource::Output { stack, output }) => {
                let owner = *self.stacks.get(stack.as_str())?;
                let value = owner.template["Outputs"].get(output)?.get("Value")?;
                Some(Sizes { stack: owner, ..*self }.text(value))
            }
            Some(_) => None,
            None => self.attribute(target, attribute),
        }
    }

    /// CloudFormation user guide, "Get AWS values using pseudo parameters".
    fn pseudo(&self, name: &str) -> Option<Length> {
        let region = self.stack_region();
        let length = match name {
            "AWS::AccountId" => 12,
            "AWS::NoValue" => 0,
            "AWS::Partition" => partition(region).len(),
            "AWS::Region" => region.len(),
            "AWS::StackId" => {
                "arn::cloudformation::123456789012:stack//".len()
                    + partition(region).len()
                    + region.len()
                    + self.stack.name.len()
                    + UUID
            }
            "AWS::StackName" => self.stack.name.len(),
            "AWS::URLSuffix" => suffix(region).len(),
            _ => return None,
        };
        Some(Length::exactly(length))
    }

    fn stack_region(&self) -> &str {
        self.stack.region.as_deref().unwrap_or(self.region)
    }

    fn attribute(&self, logical_id: &str, attribute: &str) -> Option<Length> {
        let resource = self.stack.template["Resources"].get(logical_id)?;
        let resource_type = resource["Type"].as_str()?;
        let (.., form) = FORMS.iter().find(|(of, name, _)| *of == resource_type && *name == attribute)?;
        let mut pieces = form.split('{');
        let mut length = Length::exactly(pieces.next().unwrap_or_default().len());
        for piece in pieces {
            let (place, literal) = piece.split_once('}')?;
            length += self.place(place, logical_id, resource)? + Length::exactly(literal.len());
        }
        Some(length)
    }

    /// The length of a place in a form: see [`FORMS`].
    fn place(&self, place: &str, logical_id: &str, resource: &Value) -> Option<Length> {
        let region = self.stack_region();
        let length = match place {
            "account" => 12,
            "name" => return self.name(logical_id, resource),
            "partition" => partition(region).len(),
            "region" => region.len(),
            "suffix" => suffix(region).len(),
            _ => {
                if let Some(property) = place.strip_prefix('.').and_then(|place| place.strip_suffix('/')) {
                    let value = resource["Properties"].get(property);
                    return Some(value.map_or(Length::exactly(0), |value| self.text(value) + Length::exactly(1)));
                }
                if let Some(property) = place.strip_prefix('.') {
                    return resource["Properties"].get(property).map(|value| self.text(value));
                }
                let (least, most) = place.split_once('-').unwrap_or((place, place));
                return Some(Length { least: least.parse().ok()?, most: most.parse().ok()? });
            }
        };
        Some(Length::exactly(length))
    }

    /// The length of a resource's name. CloudFormation generates `<stack>-<logical ID>-<12 or 13 characters>` where there is none,
    /// up to the longest name of the type (CloudFormation template reference, "Name type").
    fn name(&self, logical_id: &str, resource: &Value) -> Option<Length> {
        let resource_type = resource["Type"].as_str()?;
        let (_, property, longest) = NAMES.iter().find(|(of, ..)| *of == resource_type)?;
        if let Some(name) = resource["Properties"].get(property) {
            return Some(self.text(name));
        }
        let stem = self.stack.name.len() + logical_id.len() + 2;
        Some(Length { least: (stem + 12).min(*longest), most: (stem + 13).min(*longest) })
    }
}

/// The length of a UUID with its hyphens.
const UUID: usize = 36;

fn escaped(text: &str) -> Length {
    Length::exactly(Value::from(text).to_string().len() - 2)
}

fn either(one: Length, other: Length) -> Length {
    Length { least: one.least.min(other.least), most: one.most.max(other.most) }
}

fn suffix(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    fn stack(name: &str, template: Value) -> RenderedStack {
        RenderedStack {
            parameters: BTreeMap::new(),
            depends_on: BTreeSet::new(),
            ..RenderedStack::deployed("s".to_owned(), name.to_owned(), format!("s-{name}-dev"), None, template)
        }
    }

    fn measured(stack: &RenderedStack, stacks: &[RenderedStack], value: &Value) -> (usize, usize) {
        let length = Sizes { stack, stacks: &Sizes::by_name(stacks), region: "eu-central-1" }.document(value);
        (length.least, length.most)
    }

    #[test]
    fn plain_documents_are_as_long_as_their_json() {
        let plain = stack("api", json!({}));
        for document in [json!({ "A": "1", "B": ["x", "\"y\"", 3, true] }), json!({}), json!([]), json!("text")] {
            let length = document.to_string().len();
            assert_eq!(measured(&plain, &[], &document), (length, length), "{document}");
        }
    }

    #[test]
    fn pseudo_parameters_names_and_arns_count_as_what_they_become() {
        let template = json!({ "Resources": {
            "Tasks": { "Type": "AWS::SQS::Queue", "Properties": { "QueueName": "tasks" } },
            "Users": { "Type": "AWS::Cognito::UserPool" },
            "Table": { "Type": "AWS::DynamoDB::Table" },
        } });
        let stack = stack("api", template);
        let of = |value: Value| measured(&stack, &[], &value);
        let exact = |text: &str| (text.len() + 2, text.len() + 2);
        let region = json!({ "Fn::Sub": "${AWS::Partition}/${AWS::Region}/${AWS::AccountId}/${!x}" });
        assert_eq!(of(region), exact("aws/eu-central-1/123456789012/${x}"));
        let url = "https://sqs.eu-central-1.amazonaws.com/123456789012/tasks";
        assert_eq!(of(json!({ "Ref": "Tasks" })), exact(url));
        assert_eq!(of(json!({ "Fn::Sub": "${Tasks}?" })), exact(&format!("{url}?")));
        let arn = "arn:aws:sqs:eu-central-1:123456789012:tasks";
        assert_eq!(of(json!({ "Fn::GetAtt": ["Tasks", "Arn"] })), exact(arn));
        let id = "eu-central-1_".len() + 2;
        assert_eq!(of(json!({ "Ref": "Users" })), (id + 9, id + 45));
        let (least, most) = of(json!({ "Ref": "Table" }));
        assert_eq!((least, most), ("s-api-dev-Table-123456789012".len() + 2, least + 1));
    }

    #[test]
    fn the_arn_of_a_rule_contains_its_bus() {
        let rule = |properties: Value| json!({ "Type": "AWS::Events::Rule", "Properties": properties });
        let template = json!({ "Resources": {
            "Bus": { "Type": "AWS::Events::EventBus", "Properties": { "Name": "jobs" } },
            "Daily": rule(json!({ "Name": "daily" })),
            "Done": rule(json!({ "Name": "done", "EventBusName": { "Ref": "Bus" } })),
        } });
        let stack = stack("api", template);
        let of = |id: &str| measured(&stack, &[], &json!({ "Fn::GetAtt": [id, "Arn"] }));
        let exact = |tail: &str| {
            let length = "arn:aws:events:eu-central-1:123456789012:".len() + tail.len() + 2;
            (length, length)
        };
        assert_eq!(of("Daily"), exact("rule/daily"));
        assert_eq!(of("Done"), exact("rule/jobs/done"));
        assert_eq!(of("Bus"), exact("event-bus/jobs"));
    }

    #[test]
    fn outputs_of_other_stacks_are_followed() {
        let data = stack(
            "data",
            json!({
                "Resources": { "Tasks": { "Type": "AWS::SQS::Queue", "Properties": { "QueueName": "tasks" } } },
                "Outputs": { "TasksArn": { "Value": { "Fn::GetAtt": ["Tasks", "Arn"] } } },
            }),
        );
        let mut api = stack("api", json!({ "Resources": {} }));
        let source = ParameterSource::Output { stack: "data".to_owned(), output: "TasksArn".to_owned() };
        api.parameters.insert("TasksArn".to_owned(), source);
        let length = "arn:aws:sqs:eu-central-1:123456789012:tasks".len() + 2;
        assert_eq!(measured(&api, &[data], &json!({ "Ref": "TasksArn" })), (length, length));
        assert_eq!(measured(&api, &[], &json!({ "Ref": "TasksArn" })).0, 2);
    }
}
