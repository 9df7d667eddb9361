//! Turns the values of a rendered template into texts, for the resources of the stage here.

use std::collections::BTreeSet;

use model::{
    rendered::{ParameterSource, RenderedStack},
    statements::PolicyStatement,
};
use serde_json::Value;

use super::{super::calls::Place, Deployed, Rendered};

/// Resolves the values of one stack of another stage.
#[derive(Debug)]
pub(super) struct Resolver<'a> {
    other: Rendered<'a>,
    pub(super) here: Rendered<'a>,
    stack: &'a RenderedStack,
    deployed: &'a Deployed,
    place: Place,
    /// The references that could not be resolved although their resource is deployed here.
    pub(super) unread: BTreeSet<String>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(
        other: Rendered<'a>,
        here: Rendered<'a>,
        stack: &'a RenderedStack,
        deployed: &'a Deployed,
    ) -> Self {
        let mut place = Place::of(here.stage);
        if let Some(region) = &stack.region {
            place.region.clone_from(region);
        }
        Self { other, here, stack, deployed, place, unread: BTreeSet::new() }
    }

    /// Parses a statement whose values are resolved.
    pub(super) fn statement(&mut self, statement: &Value) -> PolicyStatement {
        PolicyStatement::parse(&self.resolved(statement))
    }

    fn resolved(&mut self, value: &Value) -> Value {
        match value {
            Value::Array(items) => items.iter().map(|item| self.resolved(item)).collect(),
            Value::Object(_) if function(value).is_some() => self.text(value).into(),
            Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), self.resolved(value))).collect(),
            Value::String(text) => self.exchanged(text).into(),
            other => other.clone(),
        }
    }

    /// Returns a value as text. A reference that cannot be resolved stays as `${…}`, which matches nothing.
    pub(super) fn text(&mut self, value: &Value) -> String {
        match (value, function(value)) {
            (Value::String(text), _) => self.exchanged(text),
            (_, Some(("Ref", name))) => self.reference(name.as_str().unwrap_or_default(), None),
            (_, Some(("Fn::GetAtt", parts))) => {
                let (name, attribute) = match parts {
                    Value::String(both) => both.split_once('.').unwrap_or((both, "")),
                    _ => (parts[0].as_str().unwrap_or_default(), parts[1].as_str().unwrap_or_default()),
                };
                self.reference(name, Some(attribute))
            }
            (_, Some(("Fn::Sub", Value::String(text)))) => self.filled(text, &Value::Null),
            (_, Some(("Fn::Sub", parts))) => self.filled(parts[0].as_str().unwrap_or_default(), &parts[1]),
            (_, Some(("Fn::Join", parts))) => {
                let items = parts[1].as_array().into_iter().flatten();
                let items: Vec<_> = items.map(|item| self.text(item)).collect();
                items.join(parts[0].as_str().unwrap_or_default())
            }
            (Value::Bool(_) | Value::Number(_), _) => value.to_string(),
            _ => self.unresolved(&value.to_string()),
        }
    }

    /// Fills in the `${…}` of a text (CloudFormation user guide, "Fn::Sub").
    fn filled(&mut self, text: &str, variables: &Value) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            filled.push_str(&self.exchanged(before));
            let value = match (name.strip_prefix('!'), variables.get(name), name.split_once('.')) {
                (Some(literal), ..) => format!("${{{literal}}}"),
                (None, Some(value), _) => self.text(value),
                (None, None, Some((name, attribute))) => self.reference(name, Some(attribute)),
                (None, None, None) => self.reference(name, None),
            };
            filled.push_str(&value);
            rest = after;
        }
        filled + &self.exchanged(rest)
    }

    fn reference(&mut self, name: &str, attribute: Option<&str>) -> String {
        match name {
            "AWS::AccountId" => return self.place.account.clone(),
            "AWS::Partition" => return "aws".to_owned(),
            "AWS::Region" => return self.place.region.clone(),
            "AWS::URLSuffix" => return "amazonaws.com".to_owned(),
            "AWS::StackName" => return self.exchanged(&self.stack.name),
            _ => {}
        }
        if let Some(source) = self.stack.parameters.get(name) {
            return self.parameter(name, source);
        }
        let kind = self.stack.template["Resources"][name]["Type"].as_str().unwrap_or_default();
        let Some(id) = self.deployed.id(self.stack, name) else {
            // The stage here omits the resource, so no request is about it.
            return format!("${{{name}}}");
        };
        let value = match attribute {
            None => referenced(kind, id, &self.place),
            Some("Arn" | "TopicArn" | "QueueArn") => arn(kind, id, &self.place),
            Some("StreamArn") => arn(kind, id, &self.place).map(|arn| format!("{arn}/stream/*")),
            Some(_) => None,
        };
        let words = || attribute.map_or_else(|| name.to_owned(), |attribute| format!("{name}.{attribute}"));
        value.unwrap_or_else(|| self.unresolved(&words()))
    }

    /// The value of a parameter: the output of another stack.
    fn parameter(&mut self, name: &str, source: &ParameterSource) -> String {
        let ParameterSource::Output { stack, output } = source else { return self.unresolved(name) };
        let mut stacks = self.other.systems.iter().flat_map(|system| &system.stacks);
        let giving = stacks.find(|other| other.system == self.stack.system && other.stack == *stack);
        let Some(giving) = giving else { return self.unresolved(name) };
        let mut resolver = Self::new(self.other, self.here, giving, self.deployed);
        let text = resolver.text(&giving.template["Outputs"][output]["Value"]);
        self.unread.append(&mut resolver.unread);
        text
    }

    fn unresolved(&mut self, words: &str) -> String {
        self.unread.insert(format!("${{{words}}} in {}", self.stack.name));
        format!("${{{words}}}")
    }

    /// Exchanges the other stage's name where it is a word of its own, its account and its region for those here.
    fn exchanged(&self, text: &str) -> String {
        let (other, here) = (self.other.stage, self.here.stage);
        let words = text.split_inclusive(|letter: char| !letter.is_ascii_alphanumeric());
        let word = |word: &str| {
            let end = word.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric());
            let rest = &word[end.len()..];
            match end {
                end if end == other.name => format!("{}{rest}", here.name),
                end if end == other.account => format!("{}{rest}", here.account),
                _ => word.to_owned(),
            }
        };
        let exchanged: String = words.map(word).collect();
        exchanged.replace(&format!(":{}:", other.region), &format!(":{}:", here.region))
    }
}

/// An intrinsic function and its argument.
fn function(value: &Value) -> Option<(&str, &Value)> {
    let call = value.as_object().filter(|call| call.len() == 1)?.iter().next();
    call.map(|(name, argument)| (name.as_str(), argument))
        .filter(|(name, _)| *name == "Ref" || name.starts_with("Fn::"))
}

/// The value of `Ref` (CloudFormation template reference, "Return values" of each type): the physical ID, and for these types an ARN.
fn referenced(kind: &str, id: &str, place: &Place) -> Option<String> {
    match kind {
        "AWS::SecretsManager::Secret" | "AWS::SNS::Topic" | "AWS::StepFunctions::StateMachine" => arn(kind, id, place),
        _ => Some(id.to_owned()),
    }
}

/// The ARN of a resource (Service Authorization Reference, "Resource types" of each service).
fn arn(kind: &str, id: &str, place: &Place) -> Option<String> {
    if id.starts_with("arn:") {
        return Some(id.to_owned());
    }
    let name = id.rsplit('/').next().unwrap_or(id);
    Some(match kind {
        "AWS::Cognito::UserPool" => place.arn("cognito-idp", &format!("userpool/{id}")),
        "AWS::DynamoDB::Table" => place.arn("dynamodb", &format!("table/{id}")),
        "AWS::Events::EventBus" => place.arn("events", &format!("event-bus/{id}")),
        "AWS::IAM::Role" => format!("arn:aws:iam::{}:role/{id}", place.account),
        "AWS::Kinesis::Stream" => place.arn("kinesis", &format!("stream/{id}")),
        "AWS::KinesisFirehose::DeliveryStream" => place.arn("firehose", &format!("deliverystream/{id}")),
        "AWS::KMS::Key" => place.arn("kms", &format!("key/{id}")),
        "AWS::Lambda::Function" => place.arn("lambda", &format!("function:{id}")),
        "AWS::Logs::LogGroup" => place.arn("logs", &format!("log-group:{id}:*")),
        "AWS::S3::Bucket" => format!("arn:aws:s3:::{id}"),
        "AWS::SecretsManager::Secret" => place.arn("secretsmanager", &format!("secret:{id}")),
        "AWS::SNS::Topic" => place.arn("sns", id),
        // The physical ID of a queue is its URL.
        "AWS::SQS::Queue" => place.arn("sqs", name),
        "AWS::StepFunctions::StateMachine" => place.arn("states", &format!("stateMachine:{id}")),
        _ => return None,
    })
}
