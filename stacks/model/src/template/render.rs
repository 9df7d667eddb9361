//! Turns a system's stacks into templates: references become `Ref`, `Fn::GetAtt`, or a parameter here and an output
//! there.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use thiserror::Error;

use super::{
    json::{camel, inlined, sorted},
    stack::Stack,
    value::REFERENCE,
};
use crate::{
    rendered::{
        Latency, LiveCheck, ParameterSource, RenderedSite, RenderedStack, RenderedSystem, RenderedTopic, SignIn,
        SmokeCheck,
    },
    stage::{Stage, StageError},
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
    /// A property set by a path that leads nowhere.
    #[error(
        "stack `{stack}` of system `{system}` sets `{path}` of `{logical_id}`, but there is no such resource or list item"
    )]
    Misplaced {
        /// The system.
        system: String,
        /// The stack.
        stack: String,
        /// The resource.
        logical_id: String,
        /// The property's path.
        path: String,
    },
    /// A system's settings cannot be read.
    #[error(transparent)]
    Stage(#[from] StageError),
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
    smoke: Vec<SmokeCheck>,
    live: Vec<LiveCheck>,
    latency: Option<Latency>,
    sign_in: Option<SignIn>,
    sites: Vec<RenderedSite>,
    alarm_topic: Option<RenderedTopic>,
}

/// An output that another stack asks for: the owner, the output's name, its value.
type Wanted = BTreeMap<(String, String), Value>;

impl System {
    /// A system of these stacks, in any order.
    #[must_use]
    pub fn new(name: &str, stacks: impl IntoIterator<Item = Stack>) -> Self {
        let stacks = stacks.into_iter().collect();
        Self {
            name: name.to_owned(),
            stacks,
            smoke: Vec::new(),
            live: Vec::new(),
            latency: None,
            sign_in: None,
            sites: Vec::new(),
            alarm_topic: None,
        }
    }

    /// Also with this check of what it serves.
    #[must_use]
    pub fn smoke(mut self, check: SmokeCheck) -> Self {
        self.smoke.push(check);
        self
    }

    /// Also with this check of what it does for its clients.
    #[must_use]
    pub fn live(mut self, check: LiveCheck) -> Self {
        self.live.push(check);
        self
    }

    /// As fast as this.
    #[must_use]
    pub fn latency(mut self, latency: Latency) -> Self {
        self.latency = Some(latency);
        self
    }

    /// Somebody who signs in like this gets what it says.
    #[must_use]
    pub fn sign_in(mut self, sign_in: SignIn) -> Self {
        self.sign_in = Some(sign_in);
        self
    }

    /// Also with this static site.
    #[must_use]
    pub fn site(mut self, site: RenderedSite) -> Self {
        self.sites.push(site);
        self
    }

    /// Whoever its alarms tell is the topic whose ARN this output of this stack has.
    #[must_use]
    pub fn alarm_topic(mut self, stack: &str, output: &str) -> Self {
        self.alarm_topic = Some(RenderedTopic { stack: stack.to_owned(), output: output.to_owned() });
        self
    }

    /// Renders every stack, in an order in which they can be deployed.
    ///
    /// # Errors
    ///
    /// When a reference leads nowhere, stacks take values from each other, or a logical ID is used twice.
    pub fn render(self, stage: &Stage) -> Result<RenderedSystem, RenderError> {
        let mut wanted = Wanted::new();
        let mut rendered = Vec::new();
        for stack in &self.stacks {
            self.check(stack)?;
            let parameters = stack.parameters.clone();
            let mut resolver =
                Resolver { system: &self.name, stack, stacks: &self.stacks, parameters, wanted: &mut wanted };
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
        let stacks = in_order(&self.name, rendered)?;
        let (smoke, live, latency, sign_in) = (self.smoke, self.live, self.latency, self.sign_in);
        let (name, sites, alarm_topic) = (self.name, self.sites, self.alarm_topic);
        Ok(RenderedSystem { name, stacks, smoke, live, latency, sign_in, sites, alarm_topic })
    }

    /// What went wrong while the stack was put together.
    fn check(&self, stack: &Stack) -> Result<(), RenderError> {
        let (system, name) = (self.name.clone(), stack.name.clone());
        if let Some(logical_id) = stack.duplicates.first() {
            return Err(RenderError::Duplicate { system, stack: name, logical_id: logical_id.clone() });
        }
        if let Some((logical_id, path)) = stack.misplaced.first() {
            let (logical_id, path) = (logical_id.clone(), path.clone());
            return Err(RenderError::Misplaced { system, stack: name, logical_id, path });
        }
        Ok(())
    }
}

struct Resolver<'a> {
    system: &'a str,
    stack: &'a Stack,
    stacks: &'a [Stack],
    parameters: BTreeMap<String, (Value, ParameterSource)>,
    wanted: &'a mut Wanted,
}

impl Resolver<'_> {
    fn stack(&mut self, stage: &Stage) -> Result<RenderedStack, RenderError> {
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
        let Some(stack) = self.stacks.iter().find(|stack| stack.name == owner) else {
            return Err(RenderError::UnknownStack {
                system: self.system.to_owned(),
                from: self.stack.name.clone(),
                to: owner,
                logical_id,
            });
        };
        let marked = json!({ REFERENCE: reference });
        // An output the owner has anyway keeps its name.
        let declared = stack.outputs.iter().find(|(_, output)| output["Value"] == marked).map(|(name, _)| name.clone());
        let output = declared.unwrap_or_else(|| {
            let name = format!("{logical_id}{}", attribute.unwrap_or("Id").replace('.', ""));
            self.wanted.insert((owner.clone(), name.clone()), value);
            name
        });
        Ok(json!({ "Ref": self.parameter(ParameterSource::Output { stack: owner, output }) }))
    }

    /// The parameter that takes another stack's output: called like it, unless that name is taken.
    fn parameter(&mut self, source: ParameterSource) -> String {
        let ParameterSource::Output { stack, output } = &source else { return String::new() };
        let taken = self.stack.resources.contains_key(output)
            || self.parameters.get(output).is_some_and(|(_, other)| *other != source);
        let name = if taken { format!("{}{output}", camel(stack)) } else { output.clone() };
        self.parameters.insert(name.clone(), (json!({ "Type": "String" }), source));
        name
    }
}

fn owner(source: &ParameterSource) -> Option<&str> {
    match source {
        ParameterSource::Output { stack, .. } => Some(stack),
        _ => None,
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
            return Err(RenderError::Cycle { system: system.to_owned(), stacks: cycle(&waiting) });
        };
        ordered.push(waiting.remove(next));
    }
    Ok(ordered)
}

/// Stacks of which each takes values from the next, and the last from the first. Every one of `waiting` takes values
/// from another one.
fn cycle(waiting: &[RenderedStack]) -> Vec<String> {
    let mut path: Vec<&str> = Vec::new();
    let mut next = waiting.first();
    while let Some(stack) = next {
        if let Some(start) = path.iter().position(|name| *name == stack.stack) {
            path.drain(..start);
            break;
        }
        path.push(&stack.stack);
        next = waiting.iter().find(|other| stack.depends_on.contains(&other.stack));
    }
    path.into_iter().map(str::to_owned).collect()
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
        // Not part of the cycle, though it waits for it.
        let mut behind = Stack::new("behind", "0");
        behind.resource("Fourth", queue(json!({ "Name": first.id() })));
        let error = System::new("test", [behind, one, two]).render(&stage()).expect_err("a cycle");
        assert_eq!(error, RenderError::Cycle { system: "test".into(), stacks: vec!["one".into(), "two".into()] });
    }

    #[test]
    fn an_output_the_owner_has_is_used_and_a_taken_name_is_not() {
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
    fn variables_are_written_into_a_text_once() {
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
    fn a_property_set_by_path_wins_and_a_path_to_nowhere_is_named() {
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
            let error = System::new("test", [wrong]).render(&stage()).expect_err("nowhere").to_string();
            assert!(error.contains(logical_id) && error.contains(path), "{error}");
        }
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
