//! A stack under construction: resources, outputs, and the parameters its deployment fills.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::{
    resource::Resource,
    value::{Expression, Text},
};
use crate::rendered::{ParameterSource, RenderedApi, RenderedFunction, RenderedLayer};

/// Something that adds resources to a stack, and gives a handle to refer to them.
pub trait Part {
    /// What others need to refer to the part.
    type Handle;
    /// Adds the part's resources.
    fn add_to(self, stack: &mut Stack) -> Self::Handle;
}

/// A stack under construction.
#[derive(Debug, Clone)]
pub struct Stack {
    pub(crate) name: String,
    pub(crate) region: Option<String>,
    pub(crate) description: String,
    pub(crate) resources: BTreeMap<String, Resource>,
    pub(crate) outputs: BTreeMap<String, Json>,
    pub(crate) parameters: BTreeMap<String, (Json, ParameterSource)>,
    pub(crate) conditions: BTreeMap<String, Json>,
    pub(crate) functions: Vec<RenderedFunction>,
    pub(crate) layers: Vec<RenderedLayer>,
    pub(crate) apis: Vec<RenderedApi>,
    pub(crate) duplicates: BTreeSet<String>,
    pub(crate) misplaced: Vec<(String, String)>,
}

impl Stack {
    /// An empty stack. `name` is its name within its system, for example `api`.
    #[must_use]
    pub fn new(name: &str, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            region: None,
            description: description.to_owned(),
            resources: BTreeMap::new(),
            outputs: BTreeMap::new(),
            parameters: BTreeMap::new(),
            conditions: BTreeMap::new(),
            functions: Vec::new(),
            layers: Vec::new(),
            apis: Vec::new(),
            duplicates: BTreeSet::new(),
            misplaced: Vec::new(),
        }
    }

    /// Puts the stack into a region of its own, whatever the stage's is.
    #[must_use]
    pub fn in_region(mut self, region: &str) -> Self {
        self.region = Some(region.to_owned());
        self
    }

    /// Adds a part.
    pub fn add<P: Part>(&mut self, part: P) -> P::Handle {
        part.add_to(self)
    }

    /// Adds one resource. Two resources of one logical ID are an error when the stack is rendered.
    pub fn resource(&mut self, logical_id: &str, resource: Resource) -> Reference {
        if self.resources.insert(logical_id.to_owned(), resource).is_some() {
            self.duplicates.insert(logical_id.to_owned());
        }
        Reference { stack: self.name.clone(), logical_id: logical_id.to_owned() }
    }

    /// Sets any property of any resource of the stack, by its path (`VersioningConfiguration.Status`, `Tags.0.Key`),
    /// over whatever its part has set. A path that leads nowhere is an error when the stack is rendered.
    pub fn set(&mut self, logical_id: &str, path: &str, value: Json) {
        let set = self.resources.get_mut(logical_id).map(|resource| resource.set(path, value));
        if !matches!(set, Some(Ok(()))) {
            self.misplaced.push((logical_id.to_owned(), path.to_owned()));
        }
    }

    /// Adds an output.
    pub fn output(&mut self, name: &str, value: impl Into<Text>) {
        self.outputs.insert(name.to_owned(), json!({ "Value": value.into() }));
    }

    /// The functions that parts have added so far.
    #[must_use]
    pub fn functions(&self) -> &[RenderedFunction] {
        &self.functions
    }

    /// Adds a parameter that the deployment fills; returns its value.
    pub(crate) fn parameter(&mut self, name: &str, definition: Json, source: ParameterSource) -> Text {
        self.parameters.insert(name.to_owned(), (definition, source));
        Text::Expression(Expression::raw(json!({ "Ref": name })))
    }

    /// Adds a condition.
    pub(crate) fn condition(&mut self, name: &str, condition: Json) {
        self.conditions.insert(name.to_owned(), condition);
    }
}

/// A resource, to be referred to from any stack of its system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    stack: String,
    logical_id: String,
}

impl Reference {
    /// What `Ref` gives: an id, a name or an ARN, as the resource type has it.
    #[must_use]
    pub fn id(&self) -> Text {
        Text::Expression(Expression::reference(&self.stack, &self.logical_id, None))
    }

    /// What `Fn::GetAtt` gives.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Text {
        Text::Expression(Expression::reference(&self.stack, &self.logical_id, Some(name)))
    }

    /// The logical ID.
    #[must_use]
    pub fn logical_id(&self) -> &str {
        &self.logical_id
    }
}
