//! A stack under construction: resources, outputs, and the parameters that a deploy fills.

use std::{collections::BTreeMap, panic::Location};

use serde_json::{Value as Json, json};

use super::{
    exception::{Exception, Rule},
    resource::Resource,
    value::{Expression, Text},
};
use crate::{
    parts::{api::RefusedRoute, http_api::AddedRoutes},
    rendered::{ParameterSource, RenderedApi, RenderedFunction, RenderedLayer, RenderedWebSocket},
};

/// A group of resources that is added to a stack together.
pub trait Part {
    /// The handle by which other parts refer to the resources.
    type Handle;
    /// Adds the resources and returns their handle.
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
    pub(crate) web_sockets: Vec<RenderedWebSocket>,
    pub(crate) duplicates: Vec<Duplicate>,
    pub(crate) unknown_paths: Vec<(String, String)>,
    pub(crate) refused_routes: Vec<RefusedRoute>,
    /// The routes that the stack adds to HTTP APIs of the system.
    pub(crate) http_routes: Vec<AddedRoutes>,
    /// Where each resource was added.
    places: BTreeMap<String, &'static Location<'static>>,
    /// Where the part is added whose resources are being added.
    part: Option<&'static Location<'static>>,
}

/// A logical ID that two resources have, and where both were added.
#[derive(Debug, Clone)]
pub(crate) struct Duplicate {
    pub(crate) logical_id: String,
    pub(crate) first: &'static Location<'static>,
    pub(crate) second: &'static Location<'static>,
}

impl Stack {
    /// Creates an empty stack. `name` is its name within its system, for example `api`.
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
            web_sockets: Vec::new(),
            duplicates: Vec::new(),
            unknown_paths: Vec::new(),
            refused_routes: Vec::new(),
            http_routes: Vec::new(),
            places: BTreeMap::new(),
            part: None,
        }
    }

    /// Puts the stack into a region of its own instead of the stage's.
    #[must_use]
    pub fn in_region(mut self, region: &str) -> Self {
        self.region = Some(region.to_owned());
        self
    }

    /// Adds a part and returns its handle.
    #[track_caller]
    pub fn add<P: Part>(&mut self, part: P) -> P::Handle {
        // The parts of a part are added where it is.
        let outer = self.part;
        self.part = Some(outer.unwrap_or(Location::caller()));
        let handle = part.add_to(self);
        self.part = outer;
        handle
    }

    /// Adds one resource. Two resources with one logical ID are an error when the system is rendered.
    #[track_caller]
    pub fn resource(&mut self, logical_id: &str, resource: Resource) -> Reference {
        let place = self.part.unwrap_or(Location::caller());
        let first = *self.places.entry(logical_id.to_owned()).or_insert(place);
        if self.resources.insert(logical_id.to_owned(), resource).is_some() {
            self.duplicates.push(Duplicate { logical_id: logical_id.to_owned(), first, second: place });
        }
        self.reference(logical_id)
    }

    /// Sets any property of a resource by its path, for example `VersioningConfiguration.Status` or `Tags.0.Key`. The
    /// value overrides the one that the part has set. A path that does not exist is an error when the system is
    /// rendered.
    pub fn set(&mut self, logical_id: &str, path: &str, value: Json) {
        let set = self.resources.get_mut(logical_id).map(|resource| resource.set(path, value));
        if !matches!(set, Some(Ok(()))) {
            self.unknown_paths.push((logical_id.to_owned(), path.to_owned()));
        }
    }

    /// Accepts that a resource breaks a requirement for all templates, or a rule of the template validator such as `F3002`. The
    /// reason becomes part of the template. A logical ID that does not exist is an error when the system is rendered.
    pub fn except(&mut self, logical_id: &str, rule: impl Into<Rule>, reason: &str) {
        match self.resources.get_mut(logical_id) {
            Some(resource) => resource.add_exception(Exception::new(rule, reason)),
            None => self.unknown_paths.push((logical_id.to_owned(), "Metadata.Exceptions".to_owned())),
        }
    }

    /// Returns a list in the properties of a resource, by its JSON pointer.
    pub(crate) fn list_mut(&mut self, logical_id: &str, pointer: &str) -> Option<&mut Vec<Json>> {
        self.resources.get_mut(logical_id)?.properties_mut().pointer_mut(pointer)?.as_array_mut()
    }

    /// Adds an output.
    pub fn output(&mut self, name: &str, value: impl Into<Text>) {
        self.outputs.insert(name.to_owned(), json!({ "Value": value.into() }));
    }

    /// Returns the functions that parts have added so far.
    #[must_use]
    pub fn functions(&self) -> &[RenderedFunction] {
        &self.functions
    }

    /// Adds a parameter that a deploy fills, and returns its value.
    pub(crate) fn parameter(&mut self, name: &str, definition: Json, source: ParameterSource) -> Text {
        self.parameters.insert(name.to_owned(), (definition, source));
        Text::Expression(Expression::raw(json!({ "Ref": name })))
    }

    /// Returns the reference to a resource that is added later.
    pub(crate) fn reference(&self, logical_id: &str) -> Reference {
        Reference { stack: self.name.clone(), logical_id: logical_id.to_owned() }
    }

    pub(crate) fn condition(&mut self, name: &str, condition: Json) {
        self.conditions.insert(name.to_owned(), condition);
    }
}

/// A reference to a resource, valid in every stack of its system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    stack: String,
    logical_id: String,
}

impl Reference {
    /// Returns the value of `Ref`: an ID, a name or an ARN, depending on the resource type.
    #[must_use]
    pub fn id(&self) -> Text {
        Text::Expression(Expression::reference(&self.stack, &self.logical_id, None))
    }

    /// Returns the value of `Fn::GetAtt`.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Text {
        Text::Expression(Expression::reference(&self.stack, &self.logical_id, Some(name)))
    }

    /// Is the resource one of this stack?
    pub(crate) fn is_in(&self, stack: &Stack) -> bool {
        self.stack == stack.name
    }

    /// Returns the logical ID.
    #[must_use]
    pub fn logical_id(&self) -> &str {
        &self.logical_id
    }
}
