//! Resource types as Rust structs, fields and types. [`super::read`] creates them from a schema, [`super::emit`] writes
//! them as source.

use super::types::TypeName;

/// A resource type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Resource {
    /// The type's name.
    pub type_name: TypeName,
    /// The type's properties.
    pub properties: Struct,
    /// The types of the properties, by name.
    pub definitions: Vec<Struct>,
    /// The attributes that the service sets, in the form that `Fn::GetAtt` takes.
    pub attributes: Vec<String>,
    /// The paths of the properties whose change replaces the resource.
    pub create_only: Vec<String>,
    /// The paths of the properties whose change may replace the resource.
    pub conditionally_create_only: Vec<String>,
}

/// An object with known properties.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Struct {
    /// The Rust name.
    pub name: String,
    /// The description, in one sentence.
    pub doc: Option<String>,
    /// The properties, in the schema's order.
    pub fields: Vec<Field>,
}

/// A property.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    /// The property's name in a template.
    pub name: String,
    /// The description, in one sentence.
    pub doc: Option<String>,
    /// The property's type.
    pub kind: Type,
    /// Whether the property is required.
    pub required: bool,
    /// The effect of a change on the resource.
    pub replacement: Replacement,
    /// The allowed values, or none if the schema does not list them.
    pub allowed: Vec<String>,
}

/// The type of a property.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Type {
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
    /// An object with arbitrary keys.
    Map(Box<Type>),
    /// One of the resource's definitions.
    Struct {
        /// The Rust name.
        name: String,
        /// Whether the field is boxed, because the struct contains itself.
        boxed: bool,
    },
}

/// The effect of a property's change on the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replacement {
    /// The resource is updated.
    Never,
    /// The resource is replaced under some conditions.
    Conditional,
    /// The resource is replaced.
    Always,
}
