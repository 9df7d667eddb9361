//! Turns a system's stacks into templates: references become `Ref`, `Fn::GetAtt`, or a parameter here and an output
//! there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use thiserror::Error;

use super::{stack::Stack, value::REFERENCE};
use crate::{
    rendered::{ParameterSource, RenderedStack, RenderedSystem},
    stage::Stage,
};

/// A system's definition is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RenderError {
    /// A reference to a stack the system does not have.
    #[error("stack `{from}` refers to `{logical_id}` of stack `{to}`, which system `{system}` does not have")]
    UnknownStack {
        /// The system.
        system: String,
        /// The stack that refers.
        from: String,
        /// The stack that is not there.
        to: String,
        /// What is referred to.
        logical_id: String,
    },
    /// Stacks that take values from each other.
    #[error("the stacks {} of system `{system}` take values from each other; no order can deploy them", .stacks.join(", "))]
    Cycle {
        /// The system.
        system: String,
        /// The stacks of the cycle.
        stacks: Vec<String>,
    },
    /// One logical ID twice in a stack.
    #[error("stack `{stack}` of system `{system}` has two resources `{logical_id}`")]
    Duplicate {
        /// The system.
        system: String,
        /// The stack.
        stack: String,
        /// The logical ID.
        logical_id: String,
    },
    /// A stage's settings cannot be used.
    #[error("{system}: {message}")]
    Settings {
        /// The system.
        system: String,
        /// What is wrong with which setting.
        message: String,
    },
}

/// A backend: stacks that belong together.
#[derive(Debug, Clone)]
pub struct System {
    name: String,
    stacks: Vec<Stack>,
}

/// An output that another stack asks for: the owner, the output's name, its value.
type Wanted = BTreeMap<(String, String), Value>;

impl System {
    /// A system of these stacks, in any order.
    #[must_use]
    pub fn new(name: &str, stacks: impl IntoIterator<Item = Stack>) -> Self {
        Self { name: name.to_owned(), stacks: stacks.into_iter().collect() }
    }

    /// Renders every stack, in an order in which they can be deployed.
    ///
    /// # Errors
    ///
    /// When a reference leads nowhere, stacks take values from each other, or a logical ID is used twice.
    pub fn render(self, stage: &Stage) -> Result<RenderedSystem, RenderError> {
        let names: BTreeSet<String> = self.stacks.iter().map(|stack| stack.name.clone()).collect();
        let mut wanted = Wanted::new();
        let mut rendered = Vec::new();
        for stack in &self.stacks {
            if let Some(logical_id) = stack.duplicates.first() {
                return Err(RenderError::Duplicate {
                    system: self.name.clone(),
                    stack: stack.name.clone(),
                    logical_id: logical_id.clone(),
                });
            }
            let mut resolver =
                Resolver { system: &self.name, stack, names: &names, parameters: BTreeMap::new(), wanted: &mut wanted };
            rendered.push(resolver.stack(stage)?);
        }
        for ((owner, output), value) in wanted {
            if let Some(stack) = rendered.iter_mut().find(|stack| stack.stack == owner) {
                stack.template["Outputs"][&output] = json!({ "Value": value });
            }
        }
        for stack in &mut rendered {
            stack.template = sorted(std::mem::take(&mut stack.template));
        }
        Ok(RenderedSystem { stacks: in_order(&self.name, rendered)?, name: self.name })
    }
}

struct Resolver<'a> {
    system: &'a str,
    stack: &'a Stack,
    names: &'a BTreeSet<String>,
    parameters: BTreeMap<String, (Value, ParameterSource)>,
    wanted: &'a mut Wanted,
}

impl Resolver<'_> {
    fn stack(&mut self, stage: &Stage) -> Result<RenderedStack, RenderError> {
        self.parameters = self.stack.parameters.clone();
        let mut resources = Map::new();
        for (logical_id, resource) in &self.stack.resources {
            resources.insert(logical_id.clone(), self.resolve(resource.to_json())?);
        }
        let mut outputs = Map::new();
        for (name, output) in &self.stack.outputs {
            outputs.insert(name.clone(), self.resolve(output.clone())?);
        }
        let mut template = json!({
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": self.stack.description,
            "Resources": resources,
        });
        let definitions: Map<_, _> =
            self.parameters.iter().map(|(name, (definition, _))| (name.clone(), definition.clone())).collect();
        let conditions: Map<_, _> = self.stack.conditions.clone().into_iter().collect();
        for (section, content) in [("Parameters", definitions), ("Conditions", conditions), ("Outputs", outputs)] {
            if !content.is_empty() {
                template[section] = Value::Object(content);
            }
        }
        let parameters: BTreeMap<_, _> =
            std::mem::take(&mut self.parameters).into_iter().map(|(name, (_, source))| (name, source)).collect();
        let depends_on = parameters.values().filter_map(owner).map(str::to_owned).collect();
        Ok(RenderedStack {
            system: self.system.to_owned(),
            stack: self.stack.name.clone(),
            name: format!("{}-{}-{}", self.system, self.stack.name, stage.name),
            region: self.stack.region.clone(),
            template,
            parameters,
            depends_on,
            functions: self.stack.functions.clone(),
            layers: self.stack.layers.clone(),
            apis: self.stack.apis.clone(),
        })
    }

    fn resolve(&mut self, json: Value) -> Result<Value, RenderError> {
        match json {
            Value::Object(object) => match object.get(REFERENCE) {
                Some(reference) => self.reference(reference),
                None => self.object(object),
            },
            Value::Array(items) => {
                items.into_iter().map(|item| self.resolve(item)).collect::<Result<_, _>>().map(Value::Array)
            }
            scalar => Ok(scalar),
        }
    }

    fn object(&mut self, object: Map<String, Value>) -> Result<Value, RenderError> {
        let mut resolved = Map::new();
        for (key, value) in object {
            let value = self.resolve(value)?;
            let value = if key == "Fn::Sub" { inlined(value) } else { value };
            resolved.insert(key, value);
        }
        Ok(Value::Object(resolved))
    }

    fn reference(&mut self, reference: &Value) -> Result<Value, RenderError> {
        let text = |field: &str| reference[field].as_str().unwrap_or_default().to_owned();
        let (owner, logical_id, attribute) = (text("stack"), text("logicalId"), reference["attribute"].as_str());
        let value = match attribute {
            None => json!({ "Ref": logical_id }),
            Some(attribute) => json!({ "Fn::GetAtt": [logical_id, attribute] }),
        };
        if owner == self.stack.name {
            return Ok(value);
        }
        if !self.names.contains(&owner) {
            return Err(RenderError::UnknownStack {
                system: self.system.to_owned(),
                from: self.stack.name.clone(),
                to: owner,
                logical_id,
            });
        }
        let name = format!("{logical_id}{}", attribute.unwrap_or("Id").replace('.', ""));
        self.wanted.insert((owner.clone(), name.clone()), value);
        let source = ParameterSource::Output { stack: owner, output: name.clone() };
        self.parameters.insert(name.clone(), (json!({ "Type": "String" }), source));
        Ok(json!({ "Ref": name }))
    }
}

fn owner(source: &ParameterSource) -> Option<&str> {
    match source {
        ParameterSource::Output { stack, .. } => Some(stack),
        _ => None,
    }
}

/// Writes variables of a `Fn::Sub` that are plain `Ref`s or `Fn::GetAtt`s into its text, which reads better.
fn inlined(sub: Value) -> Value {
    let Value::Array(parts) = &sub else { return sub };
    let [Value::String(text), Value::Object(variables)] = parts.as_slice() else { return sub };
    let mut text = text.clone();
    let mut left = Map::new();
    for (name, value) in variables {
        let inline = match (value["Ref"].as_str(), value["Fn::GetAtt"].as_array()) {
            (Some(reference), _) => Some(reference.to_owned()),
            (_, Some(path)) => Some(path.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(".")),
            _ => None,
        };
        match inline {
            Some(inline) => text = text.replace(&format!("${{{name}}}"), &format!("${{{inline}}}")),
            None => {
                left.insert(name.clone(), value.clone());
            }
        }
    }
    if left.is_empty() { json!(text) } else { json!([text, left]) }
}

/// Sorts every object's keys, whichever map serde_json was built with.
fn sorted(json: Value) -> Value {
    match json {
        Value::Object(object) => {
            let ordered: BTreeMap<_, _> = object.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            Value::Object(ordered.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        scalar => scalar,
    }
}

/// Puts every stack behind those it takes values from; keeps the definition's order otherwise.
fn in_order(system: &str, mut waiting: Vec<RenderedStack>) -> Result<Vec<RenderedStack>, RenderError> {
    let mut ordered: Vec<RenderedStack> = Vec::new();
    while !waiting.is_empty() {
        let ready = |stack: &RenderedStack| {
            stack.depends_on.iter().all(|needed| ordered.iter().any(|done| done.stack == *needed))
        };
        let Some(next) = waiting.iter().position(ready) else {
            let stacks = waiting.iter().map(|stack| stack.stack.clone()).collect();
            return Err(RenderError::Cycle { system: system.to_owned(), stacks });
        };
        ordered.push(waiting.remove(next));
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{resource::Resource, value::Expression};

    fn stage() -> Stage {
        Stage::example("dev")
    }

    fn queue(properties: Value) -> Resource {
        Resource::new("AWS::SQS::Queue", properties)
    }

    #[test]
    fn a_reference_across_stacks_is_a_parameter_here_and_an_output_there() {
        let mut identity = Stack::new("identity", "Who.");
        let mut media = Stack::new("media", "What.");
        let users = identity.resource("Users", queue(json!({})));
        let other = media.resource("Other", queue(json!({ "Name": users.attribute("Arn") })));
        let text = Expression::sub("${A}/${B}", [("A", users.attribute("Arn")), ("B", other.id())]);
        media.resource("Third", queue(json!({ "Text": text })));
        let system = System::new("test", [media, identity]).render(&stage()).expect("rendered");

        let [identity, media] = system.stacks.as_slice() else { panic!("{system:?}") };
        assert_eq!(identity.name, "test-identity-dev");
        assert_eq!(identity.template["Outputs"]["UsersArn"]["Value"], json!({ "Fn::GetAtt": ["Users", "Arn"] }));
        assert_eq!(media.template["Resources"]["Other"]["Properties"]["Name"], json!({ "Ref": "UsersArn" }));
        assert_eq!(
            media.template["Resources"]["Third"]["Properties"]["Text"],
            json!({ "Fn::Sub": "${UsersArn}/${Other}" })
        );
        let source = ParameterSource::Output { stack: "identity".to_owned(), output: "UsersArn".to_owned() };
        assert_eq!(media.parameters["UsersArn"], source);
        assert!(media.depends_on.contains("identity"));
    }

    #[test]
    fn stacks_that_need_each_other_are_named() {
        let mut one = Stack::new("one", "1");
        let mut two = Stack::new("two", "2");
        let first = one.resource("First", queue(json!({})));
        let second = two.resource("Second", queue(json!({ "Name": first.id() })));
        one.resource("Third", queue(json!({ "Name": second.id() })));
        let error = System::new("test", [one, two]).render(&stage()).expect_err("a cycle");
        assert_eq!(error, RenderError::Cycle { system: "test".into(), stacks: vec!["one".into(), "two".into()] });
    }

    #[test]
    fn a_reference_to_another_systems_stack_and_a_logical_id_twice_are_refused() {
        let mut foreign = Stack::new("foreign", "");
        let reference = foreign.resource("Thing", queue(json!({})));
        let mut own = Stack::new("own", "");
        own.resource("User", queue(json!({ "Name": reference.id() })));
        let error = System::new("test", [own.clone()]).render(&stage()).expect_err("unknown");
        assert!(matches!(error, RenderError::UnknownStack { ref to, .. } if to == "foreign"), "{error}");

        own.resource("User", queue(json!({})));
        let error = System::new("test", [own]).render(&stage()).expect_err("twice");
        assert!(matches!(error, RenderError::Duplicate { ref logical_id, .. } if logical_id == "User"), "{error}");
    }
}
