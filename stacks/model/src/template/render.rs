//! Turns a stack into a template: a reference becomes a `Ref` or `Fn::GetAtt` in the resource's own stack, and a parameter
//! in other stacks, which the owner's output fills.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};

use super::{
    error::RenderError,
    exception::Exception,
    json::{camel, inlined},
    stack::Stack,
    value::{REASON, REFERENCE},
};
use crate::{
    rendered::{ParameterSource, RenderedStack},
    statements::list,
};

/// The outputs that other stacks need, by the owner's name and the output's name.
pub(super) type Exports = BTreeMap<(String, String), Value>;

/// The stacks of a system by name, each with the names of its declared outputs by their values.
pub(super) struct Declared<'a>(BTreeMap<&'a str, HashMap<&'a Value, &'a str>>);

impl<'a> Declared<'a> {
    pub(super) fn of(stacks: &'a [Stack]) -> Self {
        let outputs = |stack: &'a Stack| {
            // Of two outputs with one value, the first by name counts.
            stack.outputs.iter().rev().map(|(name, output)| (&output["Value"], name.as_str())).collect()
        };
        Self(stacks.iter().map(|stack| (stack.name.as_str(), outputs(stack))).collect())
    }
}

/// Resolves the references in one stack.
pub(super) struct Resolver<'a> {
    system: &'a str,
    stack: &'a Stack,
    stacks: &'a Declared<'a>,
    parameters: BTreeMap<String, (Value, ParameterSource)>,
    exports: &'a mut Exports,
    /// The exceptions of the resource that is being resolved.
    exceptions: Vec<Exception>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(system: &'a str, stack: &'a Stack, stacks: &'a Declared<'a>, exports: &'a mut Exports) -> Self {
        let parameters = stack.parameters.clone();
        Self { system, stack, stacks, parameters, exports, exceptions: Vec::new() }
    }

    /// Renders the stack; the outputs that it needs of other stacks are added to the exports.
    pub(super) fn render(mut self, stage_name: &str) -> Result<RenderedStack, RenderError> {
        let mut resources = Map::new();
        for (logical_id, resource) in &self.stack.resources {
            let mut resolved = self.resolve(resource.to_json())?;
            self.exceptions.drain(..).for_each(|exception| exception.add_to(&mut resolved));
            resources.insert(logical_id.clone(), resolved);
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
            self.parameters.into_iter().map(|(name, (_, source))| (name, source)).collect();
        let depends_on = parameters.values().filter_map(owner_of).map(str::to_owned).collect();
        Ok(RenderedStack {
            system: self.system.to_owned(),
            stack: self.stack.name.clone(),
            name: format!("{}-{}-{}", self.system, self.stack.name, stage_name),
            region: self.stack.region.clone(),
            template,
            parameters,
            depends_on,
            functions: self.stack.functions.clone(),
            layers: self.stack.layers.clone(),
            apis: self.stack.apis.clone(),
            web_sockets: self.stack.web_sockets.clone(),
        })
    }

    fn resolve(&mut self, json: Value) -> Result<Value, RenderError> {
        match json {
            Value::Object(object) => match object.get(REFERENCE) {
                Some(reference) => self.resolve_reference(reference),
                None => self.resolve_object(object),
            },
            Value::Array(items) => {
                items.into_iter().map(|item| self.resolve(item)).collect::<Result<_, _>>().map(Value::Array)
            }
            scalar => Ok(scalar),
        }
    }

    fn resolve_object(&mut self, mut object: Map<String, Value>) -> Result<Value, RenderError> {
        if let Some(reason) = object.remove(REASON) {
            let actions = list(object.get("Action").unwrap_or(&Value::Null)).iter().filter_map(Value::as_str);
            let actions = actions.map(str::to_owned).collect();
            self.exceptions.push(Exception::of_actions(actions, reason.as_str().unwrap_or_default()));
        }
        let mut resolved = Map::new();
        for (key, value) in object {
            let value = self.resolve(value)?;
            let value = if key == "Fn::Sub" { inlined(value) } else { value };
            resolved.insert(key, value);
        }
        Ok(Value::Object(resolved))
    }

    fn resolve_reference(&mut self, reference: &Value) -> Result<Value, RenderError> {
        let text = |field: &str| reference[field].as_str().unwrap_or_default().to_owned();
        let (owner, logical_id, attribute) = (text("stack"), text("logicalId"), reference["attribute"].as_str());
        let value = match attribute {
            None => json!({ "Ref": logical_id }),
            Some(attribute) => json!({ "Fn::GetAtt": [logical_id, attribute] }),
        };
        if owner == self.stack.name {
            return Ok(value);
        }
        let Some(outputs) = self.stacks.0.get(owner.as_str()) else {
            return Err(RenderError::UnknownStack {
                system: self.system.to_owned(),
                from: self.stack.name.clone(),
                to: owner,
                logical_id,
            });
        };
        let marked = json!({ REFERENCE: reference });
        // An output that the owner already declares keeps its name.
        let declared = outputs.get(&marked).map(|name| (*name).to_owned());
        let output = declared.unwrap_or_else(|| {
            let name = format!("{logical_id}{}", attribute.unwrap_or("Id").replace('.', ""));
            self.exports.insert((owner.clone(), name.clone()), value);
            name
        });
        Ok(json!({ "Ref": self.add_parameter(ParameterSource::Output { stack: owner, output }) }))
    }

    /// Adds a parameter for another stack's output and returns its name: the output's, unless that is taken.
    fn add_parameter(&mut self, source: ParameterSource) -> String {
        let ParameterSource::Output { stack, output } = &source else { return String::new() };
        let is_taken = self.stack.resources.contains_key(output)
            || self.parameters.get(output).is_some_and(|(_, other)| *other != source);
        let name = if is_taken { format!("{}{output}", camel(stack)) } else { output.clone() };
        self.parameters.insert(name.clone(), (json!({ "Type": "String" }), source));
        name
    }
}

fn owner_of(source: &ParameterSource) -> Option<&str> {
    match source {
        ParameterSource::Output { stack, .. } => Some(stack),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::Stage;
    use crate::template::{resource::Resource, system::System, value::Expression};

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
    fn a_declared_output_is_used_and_a_taken_parameter_name_is_not() {
        let mut identity = Stack::new("who-is-it", "Who.");
        let mut media = Stack::new("media", "What.");
        let users = identity.resource("Users", queue(json!({})));
        identity.output("Pool", users.id());
        media.resource("Pool", queue(json!({ "Name": users.id() })));
        let system = System::new("test", [identity, media]).render(&stage()).expect("rendered");
        let [identity, media] = system.stacks.as_slice() else { panic!("{system:?}") };
        assert_eq!(identity.template["Outputs"], json!({ "Pool": { "Value": { "Ref": "Users" } } }));
        assert_eq!(media.template["Resources"]["Pool"]["Properties"]["Name"], json!({ "Ref": "WhoIsItPool" }));
        let source = ParameterSource::Output { stack: "who-is-it".to_owned(), output: "Pool".to_owned() };
        assert_eq!(media.parameters, BTreeMap::from([("WhoIsItPool".to_owned(), source)]));
    }

    #[test]
    fn variables_are_inlined_into_a_text_once() {
        let mut stack = Stack::new("one", "");
        let one = stack.resource("Two", queue(json!({})));
        let two = stack.resource("Three", queue(json!({})));
        let text = Expression::sub(
            "${One} ${Two} ${!Two} ${AWS::Region} ${Left}",
            [
                ("One", one.id()),
                ("Two", two.attribute("Arn")),
                ("Left", Expression::raw(json!({ "Fn::If": [] })).into()),
            ],
        );
        stack.resource("Four", queue(json!({ "Text": text })));
        let system = System::new("test", [stack]).render(&stage()).expect("rendered");
        assert_eq!(
            system.stacks[0].template["Resources"]["Four"]["Properties"]["Text"]["Fn::Sub"],
            json!(["${Two} ${Three.Arn} ${!Two} ${AWS::Region} ${Left}", { "Left": { "Fn::If": [] } }])
        );
    }

    #[test]
    fn a_property_set_by_path_overrides_and_an_unknown_path_is_named() {
        let mut stack = Stack::new("one", "");
        stack.resource("Queue", queue(json!({ "Fifo": true, "Tags": [] })));
        stack.set("Queue", "Fifo", json!(false));
        stack.set("Queue", "Redrive.Count", json!(3));
        stack.set("Queue", "Rate", json!([50.0, 0.5]));
        let rendered = System::new("test", [stack.clone()]).render(&stage()).expect("rendered");
        let properties = &rendered.stacks[0].template["Resources"]["Queue"]["Properties"];
        assert_eq!(*properties, json!({ "Fifo": false, "Rate": [50, 0.5], "Redrive": { "Count": 3 }, "Tags": [] }));

        for (logical_id, path) in [("Quue", "Fifo"), ("Queue", "Tags.0.Key")] {
            let mut wrong = stack.clone();
            wrong.set(logical_id, path, json!(1));
            let error = System::new("test", [wrong]).render(&stage()).expect_err("an unknown path").to_string();
            assert!(error.contains(logical_id) && error.contains(path), "{error}");
        }
    }

    #[test]
    fn references_to_other_systems_and_duplicate_logical_ids_are_refused() {
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
