//! Intrinsic functions (CloudFormation template reference, "Intrinsic functions" and "Pseudo parameters"). Dynamic references,
//! `{{resolve:…}}`, remain texts.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::{
    state::Resource,
    template::{Template, Version},
};
use crate::resources::ids;

/// The account and the stack that pseudo parameters name.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) account: String,
    pub(super) region: String,
    pub(super) stack: String,
    pub(super) id: String,
}

/// What the values of a template are computed from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) version: &'a Version,
    pub(super) place: &'a Place,
    pub(super) resources: &'a BTreeMap<String, Resource>,
    /// Resources whose values are not known before the operation: each gives a text that no deployed value equals.
    pub(super) unknown: Option<&'a BTreeSet<String>>,
    /// Resources whose attributes are not known before the operation.
    pub(super) modified: Option<&'a BTreeSet<String>>,
}

/// A value; `None` for `AWS::NoValue`.
type Resolved = Result<Option<Value>, String>;

impl Context<'_> {
    /// Computes the properties of a resource.
    pub(super) fn properties(&self, id: &str) -> Result<Value, String> {
        match self.version.template.resource(id).get("Properties") {
            Some(properties) => Ok(self.resolve(properties)?.unwrap_or_else(|| Value::Object(Map::new()))),
            None => Ok(Value::Object(Map::new())),
        }
    }

    /// Computes the outputs whose conditions are met.
    pub(super) fn outputs(&self) -> Result<BTreeMap<String, String>, String> {
        let outputs = self.version.template.body["Outputs"].as_object().into_iter().flatten();
        let is_met = |name: &str| self.version.conditions.get(name).copied().unwrap_or(false);
        let outputs = outputs.filter(|(_, output)| output["Condition"].as_str().is_none_or(is_met));
        outputs.map(|(name, output)| Ok((name.clone(), self.text(&output["Value"])?))).collect()
    }

    /// Computes a value.
    pub(super) fn resolve(&self, value: &Value) -> Resolved {
        match value {
            Value::Array(items) => {
                let items = items.iter().filter_map(|item| self.resolve(item).transpose());
                Ok(Some(Value::Array(items.collect::<Result<_, _>>()?)))
            }
            Value::Object(object) => {
                if let Some((function, argument)) = intrinsic(object) {
                    return self.call(function, argument);
                }
                let fields = object.iter().filter_map(|(key, value)| {
                    let resolved = self.resolve(value).transpose()?;
                    Some(resolved.map(|value| (key.clone(), value)))
                });
                Ok(Some(Value::Object(fields.collect::<Result<_, _>>()?)))
            }
            plain => Ok(Some(plain.clone())),
        }
    }

    fn call(&self, function: &str, argument: &Value) -> Resolved {
        match function {
            "Ref" => self.reference(argument.as_str().unwrap_or_default()),
            "Fn::GetAtt" => self.attribute(argument).map(Some),
            "Fn::Sub" => self.substitute(argument).map(|text| Some(Value::String(text))),
            "Fn::If" => {
                let [condition, then, otherwise] = three(argument).ok_or_else(|| malformed(function))?;
                let is_met = self.version.conditions.get(condition.as_str().unwrap_or_default()).copied();
                let is_met = is_met.ok_or_else(|| format!("Template error: unresolved condition {condition}"))?;
                self.resolve(if is_met { then } else { otherwise })
            }
            "Fn::Join" => {
                let (separator, items) = two(argument).ok_or_else(|| malformed(function))?;
                let items = self.list(items)?;
                let texts: Vec<_> = items.iter().map(plain_text).collect();
                Ok(Some(Value::String(texts.join(separator.as_str().unwrap_or_default()))))
            }
            "Fn::Split" => {
                let (separator, text) = two(argument).ok_or_else(|| malformed(function))?;
                let text = self.text(text)?;
                let parts = text.split(separator.as_str().unwrap_or(",")).map(|part| Value::String(part.to_owned()));
                Ok(Some(Value::Array(parts.collect())))
            }
            "Fn::Select" => {
                let (index, items) = two(argument).ok_or_else(|| malformed(function))?;
                let index = self.text(index)?.parse::<usize>().map_err(|_| malformed(function))?;
                let item = self.list(items)?.into_iter().nth(index);
                item.map(Some)
                    .ok_or_else(|| "Template error: Fn::Select cannot select nonexistent value at index".to_owned())
            }
            "Fn::FindInMap" => self.mapped(argument).map(Some),
            "Fn::Base64" => Ok(Some(Value::String(STANDARD.encode(self.text(argument)?)))),
            "Fn::GetAZs" => {
                let zones = ["a", "b", "c"].map(|zone| Value::String(format!("{}{zone}", self.place.region)));
                Ok(Some(Value::Array(zones.to_vec())))
            }
            _ => Err(format!("Template error: the simulated CloudFormation has no {function}")),
        }
    }

    fn mapped(&self, argument: &Value) -> Result<Value, String> {
        let [map, first, second] = three(argument).ok_or_else(|| malformed("Fn::FindInMap"))?;
        let (first, second) = (self.text(first)?, self.text(second)?);
        let found = &self.version.template.body["Mappings"][map.as_str().unwrap_or_default()][&first][&second];
        let missing = || format!("Template error: Unable to get mapping for {map}::{first}::{second}");
        if found.is_null() { Err(missing()) } else { Ok(found.clone()) }
    }

    fn list(&self, items: &Value) -> Result<Vec<Value>, String> {
        match self.resolve(items)? {
            Some(Value::Array(items)) => Ok(items),
            _ => Err("Template error: every Fn::Join and Fn::Select object requires a list of values".to_owned()),
        }
    }

    fn text(&self, value: &Value) -> Result<String, String> {
        Ok(self.resolve(value)?.as_ref().map(plain_text).unwrap_or_default())
    }

    fn reference(&self, name: &str) -> Resolved {
        let text = match name {
            "AWS::NoValue" => return Ok(None),
            "AWS::AccountId" => self.place.account.clone(),
            "AWS::Region" => self.place.region.clone(),
            "AWS::StackName" => self.place.stack.clone(),
            "AWS::StackId" => self.place.id.clone(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            "AWS::NotificationARNs" => return Ok(Some(Value::Array(Vec::new()))),
            _ => match self.version.parameters.get(name) {
                Some(value) => return Ok(Some(typed(&self.version.template, name, value))),
                None if self.is_unknown(name) => unknown(name, ""),
                None => match self.resources.get(name) {
                    Some(resource) => resource.physical_id.clone(),
                    None => return Err(format!("Template error: unresolved reference {name}")),
                },
            },
        };
        Ok(Some(Value::String(text)))
    }

    fn is_unknown(&self, id: &str) -> bool {
        self.unknown.is_some_and(|unknown| unknown.contains(id))
    }

    fn attribute(&self, argument: &Value) -> Result<Value, String> {
        let parts =
            argument.as_array().map(|parts| parts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("."));
        let path = parts.or_else(|| argument.as_str().map(str::to_owned)).unwrap_or_default();
        self.attribute_at(&path)
    }

    fn attribute_at(&self, path: &str) -> Result<Value, String> {
        let (id, name) = path.split_once('.').unwrap_or((path, ""));
        if self.is_unknown(id) || self.modified.is_some_and(|modified| modified.contains(id)) {
            return Ok(Value::String(unknown(id, name)));
        }
        let resource = self.resources.get(id);
        let resource = resource
            .ok_or_else(|| format!("Template error: instance of Fn::GetAtt references undefined resource {id}"))?;
        let known = resource.attributes.get(name).cloned();
        Ok(known.unwrap_or_else(|| {
            let Place { account, region, .. } = self.place;
            ids::attribute(account, region, &resource.resource_type, &resource.physical_id, name)
        }))
    }

    fn substitute(&self, argument: &Value) -> Result<String, String> {
        let (template, own) = match argument {
            Value::String(text) => (text.as_str(), None),
            Value::Array(items) => (items.first().and_then(Value::as_str).unwrap_or_default(), items.get(1)),
            _ => return Err(malformed("Fn::Sub")),
        };
        let mut filled = String::with_capacity(template.len());
        let mut rest = template;
        while let Some(at) = rest.find("${") {
            filled.push_str(&rest[..at]);
            let Some((name, after)) = rest[at + 2..].split_once('}') else { break };
            rest = after;
            let name = name.trim();
            if let Some(literal) = name.strip_prefix('!') {
                filled.push_str(&format!("${{{literal}}}"));
            } else if let Some(value) = own.and_then(|own| own.get(name)) {
                filled.push_str(&self.text(value)?);
            } else if name.contains('.') {
                filled.push_str(&plain_text(&self.attribute_at(name)?));
            } else {
                filled.push_str(&self.reference(name)?.as_ref().map(plain_text).unwrap_or_default());
            }
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

/// The text of a value that is not known yet.
fn unknown(id: &str, attribute: &str) -> String {
    format!("{{{{changes-with {id} {attribute}}}}}")
}

/// The value of a parameter: lists are written with commas.
fn typed(template: &Template, name: &str, value: &str) -> Value {
    let kind = template.body["Parameters"][name]["Type"].as_str().unwrap_or_default();
    if kind == "CommaDelimitedList" || kind.starts_with("List<") {
        return Value::Array(value.split(',').map(|item| Value::String(item.trim().to_owned())).collect());
    }
    Value::String(value.to_owned())
}

/// Computes the conditions of a template: they refer to parameters and pseudo parameters only.
pub(super) fn conditions(version: &Version, place: &Place) -> Result<BTreeMap<String, bool>, String> {
    let resources = BTreeMap::new();
    let context = Context { version, place, resources: &resources, unknown: None, modified: None };
    let all = version.template.body["Conditions"].as_object().into_iter().flatten();
    all.map(|(name, condition)| Ok((name.clone(), is_met(condition, &context)?))).collect()
}

fn is_met(condition: &Value, context: &Context<'_>) -> Result<bool, String> {
    let invalid = || format!("Template format error: the condition {condition} is malformed");
    let (function, argument) = condition.as_object().and_then(intrinsic).ok_or_else(invalid)?;
    let each = || argument.as_array().into_iter().flatten().map(|condition| is_met(condition, context));
    match function {
        "Condition" => {
            is_met(&context.version.template.body["Conditions"][argument.as_str().unwrap_or_default()], context)
        }
        "Fn::Equals" => {
            let (left, right) = two(argument).ok_or_else(invalid)?;
            Ok(context.text(left)? == context.text(right)?)
        }
        "Fn::Not" => Ok(!each().next().ok_or_else(invalid)??),
        "Fn::And" => Ok(each().collect::<Result<Vec<_>, _>>()?.into_iter().all(|met| met)),
        "Fn::Or" => Ok(each().collect::<Result<Vec<_>, _>>()?.into_iter().any(|met| met)),
        _ => Err(invalid()),
    }
}

fn intrinsic(object: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, argument) = object.iter().next()?;
    let is_function = name == "Ref" || name == "Condition" && argument.is_string() || name.starts_with("Fn::");
    (object.len() == 1 && is_function).then_some((name.as_str(), argument))
}

fn two(argument: &Value) -> Option<(&Value, &Value)> {
    match argument.as_array()?.as_slice() {
        [first, second] => Some((first, second)),
        _ => None,
    }
}

fn three(argument: &Value) -> Option<[&Value; 3]> {
    match argument.as_array()?.as_slice() {
        [first, second, third] => Some([first, second, third]),
        _ => None,
    }
}

fn malformed(function: &str) -> String {
    format!("Template error: the arguments of {function} are malformed")
}

fn plain_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn resolved(value: &Value) -> Resolved {
        let template = json!({
            "Parameters": { "Size": { "Type": "String" }, "Ids": { "Type": "CommaDelimitedList" } },
            "Conditions": {
                "Small": { "Fn::Equals": [{ "Ref": "Size" }, "small"] },
                "Large": { "Fn::Not": [{ "Condition": "Small" }] },
            },
            "Mappings": { "Memory": { "small": { "mb": 128 } } },
            "Resources": { "Queue": { "Type": "AWS::SQS::Queue" } },
        });
        let parameters = [("Size", "small"), ("Ids", "a, b")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let template = Template::parse(&template.to_string()).expect("a template");
        let mut version = Version {
            template: Arc::new(template),
            parameters: Arc::new(parameters.into()),
            tags: Arc::default(),
            role: None,
            conditions: Arc::default(),
        };
        let place = Place {
            account: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
            stack: "s".to_owned(),
            id: "arn".to_owned(),
        };
        version.conditions = Arc::new(conditions(&version, &place).expect("conditions"));
        let queue = Resource { physical_id: "q".to_owned(), ..Resource::new("AWS::SQS::Queue") };
        let resources = BTreeMap::from([("Queue".to_owned(), queue)]);
        Context { version: &version, place: &place, resources: &resources, unknown: None, modified: None }
            .resolve(value)
    }

    #[test]
    fn functions_are_computed() {
        for (value, expected) in [
            (json!({ "Ref": "Size" }), json!("small")),
            (json!({ "Ref": "Ids" }), json!(["a", "b"])),
            (json!({ "Ref": "Queue" }), json!("q")),
            (json!({ "Fn::GetAtt": ["Queue", "Arn"] }), json!("arn:aws:sqs:eu-west-1:123456789012:q")),
            (json!({ "Fn::Sub": "${AWS::Region}/${Queue}/${!x}/${Size}" }), json!("eu-west-1/q/${x}/small")),
            (json!({ "Fn::Sub": ["${a}-${Queue.Arn}", { "a": 1 }] }), json!("1-arn:aws:sqs:eu-west-1:123456789012:q")),
            (json!({ "Fn::Join": ["-", ["a", { "Ref": "AWS::Partition" }, 2]] }), json!("a-aws-2")),
            (json!({ "Fn::Select": [1, { "Fn::Split": ["/", "a/b"] }] }), json!("b")),
            (json!({ "Fn::FindInMap": ["Memory", { "Ref": "Size" }, "mb"] }), json!(128)),
            (json!({ "A": { "Fn::If": ["Large", 1, { "Ref": "AWS::NoValue" }] }, "B": 2 }), json!({ "B": 2 })),
            (json!([{ "Ref": "AWS::NoValue" }, "{{resolve:ssm:a}}"]), json!(["{{resolve:ssm:a}}"])),
        ] {
            assert_eq!(resolved(&value), Ok(Some(expected)), "{value}");
        }
    }
}
