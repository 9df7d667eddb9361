//! A resource type in the terms of the Rust it becomes: structs, fields, types. [`super::read`] fills it from a
//! schema, [`super::emit`] writes it down.

use super::types::TypeName;

/// A resource type.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// Its name.
    pub type_name: TypeName,
    /// Its properties.
    pub properties: Struct,
    /// What the properties are made of, by name.
    pub definitions: Vec<Struct>,
    /// What the service sets itself, as `Fn::GetAtt` takes it.
    pub attributes: Vec<String>,
    /// Paths of the properties whose change replaces the resource.
    pub create_only: Vec<String>,
    /// Paths of the properties whose change may replace the resource.
    pub conditionally_create_only: Vec<String>,
}

/// An object with known properties.
#[derive(Debug, Clone, PartialEq)]
pub struct Struct {
    /// Its Rust name.
    pub name: String,
    /// What it is, in a sentence.
    pub doc: Option<String>,
    /// Its properties, in the schema's order.
    pub fields: Vec<Field>,
}

/// A property.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name in a template.
    pub name: String,
    /// What it is, in a sentence.
    pub doc: Option<String>,
    /// Its type.
    pub kind: Type,
    /// Must it be there?
    pub required: bool,
    /// What a change does to the resource.
    pub replacement: Replacement,
    /// The values it may have; empty when the schema does not list them.
    pub allowed: Vec<String>,
}

/// The type of a property.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    /// Text.
    Text,
    /// True or false.
    Boolean,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// Any JSON: a policy document, a definition in another language.
    Json,
    /// A list.
    List(Box<Type>),
    /// An object with names of one's own choice.
    Map(Box<Type>),
    /// One of the resource's definitions; boxed where it contains itself.
    Struct {
        /// Its Rust name.
        name: String,
        /// Does it contain what it is contained in?
        boxed: bool,
    },
}

/// What changing a property does to the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replacement {
    /// It is updated.
    Never,
    /// It is replaced under some conditions.
    Conditional,
    /// It is replaced.
    Always,
}
