//! Follows the references of a template's values to the resources of the same system, also through the outputs of other stacks.

use std::collections::BTreeMap;

use serde_json::Value;

use super::form;
use crate::rendered::{ParameterSource, RenderedStack, RenderedSystem};

/// The stack whose values are followed, in its system.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) system: &'a RenderedSystem,
    pub(super) stack: &'a RenderedStack,
    pub(super) catalog: &'a Catalog<'a>,
}

/// The parts of a system by name, collected once.
pub(super) struct Catalog<'a> {
    stacks: BTreeMap<&'a str, &'a RenderedStack>,
    /// The resources of each type: their stack, their logical ID and themselves.
    kinds: BTreeMap<&'a str, Vec<Place<'a>>>,
    /// The functions by name.
    functions: BTreeMap<String, Place<'a>>,
}

type Place<'a> = (&'a RenderedStack, &'a str, &'a Value);

impl<'a> Catalog<'a> {
    /// Collects the parts of a system.
    pub(super) fn of(system: &'a RenderedSystem) -> Self {
        let stacks = system.stacks.iter().map(|stack| (stack.stack.as_str(), stack)).collect();
        let mut catalog = Self { stacks, kinds: BTreeMap::new(), functions: BTreeMap::new() };
        for stack in &system.stacks {
            for (id, resource) in stack.template["Resources"].as_object().into_iter().flatten() {
                let (kind, place) = (resource["Type"].as_str().unwrap_or_default(), (stack, id.as_str(), resource));
                catalog.kinds.entry(kind).or_default().push(place);
                let name = form(&resource["Properties"]["FunctionName"]).filter(|_| kind == FUNCTION);
                if let Some(name) = name {
                    // Of two functions with one name, the first counts.
                    catalog.functions.entry(name).or_insert(place);
                }
            }
        }
        catalog
    }
}

const FUNCTION: &str = "AWS::Lambda::Function";

/// A resource that a value refers to.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) scope: Scope<'a>,
    pub(super) logical_id: &'a str,
    pub(super) resource: &'a Value,
    /// The attribute; `None` for the value of `Ref`.
    pub(super) attribute: Option<&'a str>,
}

impl<'a> Target<'a> {
    pub(super) fn kind(self) -> &'a str {
        self.resource["Type"].as_str().unwrap_or_default()
    }

    /// Is this the same resource, by its stack and logical ID?
    pub(super) fn is(self, other: Target<'_>) -> bool {
        self.key() == other.key()
    }

    /// Returns its stack's name in CloudFormation and its logical ID.
    pub(super) fn key(self) -> (&'a str, &'a str) {
        (&self.scope.stack.name, self.logical_id)
    }
}

impl<'a> Scope<'a> {
    /// Returns every resource of the system.
    pub(super) fn resources(self) -> impl Iterator<Item = Target<'a>> {
        self.system.stacks.iter().flat_map(move |stack| {
            let scope = Self { stack, ..self };
            let resources = stack.template["Resources"].as_object().into_iter().flatten();
            resources.map(move |(id, resource)| Target { scope, logical_id: id, resource, attribute: None })
        })
    }

    /// Returns the resources of a type, in the order of the system.
    pub(super) fn of_kind(self, kind: &str) -> impl Iterator<Item = Target<'a>> + use<'a> {
        self.catalog.kinds.get(kind).into_iter().flatten().map(move |place| self.at(*place))
    }

    fn at(self, (stack, logical_id, resource): Place<'a>) -> Target<'a> {
        Target { scope: Self { stack, ..self }, logical_id, resource, attribute: None }
    }

    /// Returns the resource that a value is the `Ref` or an attribute of; `None` for other values.
    pub(super) fn target(self, value: &'a Value) -> Option<Target<'a>> {
        let (function, argument) = value.as_object().filter(|fields| fields.len() == 1)?.iter().next()?;
        match (function.as_str(), argument) {
            ("Ref", Value::String(name)) => self.named(name),
            ("Fn::GetAtt", Value::String(path)) => self.named(path),
            ("Fn::GetAtt", Value::Array(path)) => self.resource(path.first()?.as_str()?, path.get(1)?.as_str()),
            ("Fn::Sub", Value::String(text)) => {
                let name = text.strip_prefix("${")?.strip_suffix('}')?;
                self.named(name).filter(|_| !name.contains('$'))
            }
            _ => None,
        }
    }

    /// Returns the resources that a value refers to, in any place of it.
    pub(super) fn targets(self, value: &'a Value) -> Vec<Target<'a>> {
        if let Some(target) = self.target(value) {
            return vec![target];
        }
        match value {
            Value::Object(fields) => fields
                .iter()
                .flat_map(|(name, value)| if name == "Fn::Sub" { self.substituted(value) } else { self.targets(value) })
                .collect(),
            Value::Array(items) => items.iter().flat_map(|item| self.targets(item)).collect(),
            _ => Vec::new(),
        }
    }

    /// Returns the function that a value names: itself, an alias or a version of it, or its name or ARN as a literal.
    pub(super) fn function(self, value: &'a Value) -> Option<Target<'a>> {
        for target in self.targets(value) {
            match target.kind() {
                FUNCTION => return Some(target),
                "AWS::Lambda::Alias" | "AWS::Lambda::Version" => {
                    return target.scope.function(&target.resource["Properties"]["FunctionName"]);
                }
                _ => {}
            }
        }
        let text = form(value)?;
        let name = text.rsplit_once("function:").map_or(text.as_str(), |(_, name)| name).split(['/', ':']).next()?;
        self.catalog.functions.get(name).map(|place| self.at(*place))
    }

    fn substituted(self, argument: &'a Value) -> Vec<Target<'a>> {
        let (text, values) = match argument {
            Value::Array(parts) => (parts.first().and_then(Value::as_str), parts.get(1)),
            text => (text.as_str(), None),
        };
        let names = text.unwrap_or_default().split("${").skip(1).filter_map(|rest| rest.split_once('}'));
        let targets = names.flat_map(|(name, _)| match values.and_then(|values| values.get(name)) {
            Some(value) => self.targets(value),
            None => self.named(name).into_iter().collect(),
        });
        targets.collect()
    }

    /// Returns the resource of a name in `Fn::Sub`: a logical ID, one with an attribute, or a parameter.
    fn named(self, name: &'a str) -> Option<Target<'a>> {
        if let Some((id, attribute)) = name.split_once('.') {
            return self.resource(id, Some(attribute));
        }
        if let Some(target) = self.resource(name, None) {
            return Some(target);
        }
        let Some(ParameterSource::Output { stack, output }) = self.stack.parameters.get(name) else { return None };
        let stack = *self.catalog.stacks.get(stack.as_str())?;
        Self { stack, ..self }.target(&stack.template["Outputs"][output]["Value"])
    }

    fn resource(self, logical_id: &'a str, attribute: Option<&'a str>) -> Option<Target<'a>> {
        let resource = self.stack.template["Resources"].get(logical_id)?;
        Some(Target { scope: self, logical_id, resource, attribute })
    }
}

/// Returns a number that a template may write as text; `None` for expressions.
pub(super) fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}
