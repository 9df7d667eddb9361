//! Generates Rust from AWS's resource schemas: one struct of typed properties for each resource type.
//!
//! [`types`] reads the list of types, [`wheel`] downloads their schemas, [`read`] turns each into a [`model`], and
//! [`emit`] writes that as Rust; [`tree`] formats the files and writes or compares them. All modules except [`wheel`]
//! and [`tree`] are pure. The generator does not depend on stacks: its result is source text.

mod docs;
mod emit;
mod model;
mod names;
mod permissions;
mod read;
mod replacement;
mod tree;
mod types;
mod verb;
mod wheel;

use std::collections::BTreeMap;

use miette::Diagnostic;
use serde_json::Value;
use thiserror::Error;

pub use self::verb::Verb;
use self::{model::Resource, types::TypeName};

/// An error in a schema.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum SchemaError {
    /// A listed type has no schema.
    #[error("there is no schema for {type_name}")]
    #[diagnostic(help("correct stacks/model/src/resources/types.txt, or pin a newer release of the schemas"))]
    UnknownType {
        /// The listed type.
        type_name: TypeName,
    },
    /// A schema refers to a definition that it does not have.
    #[error("the schema of {type_name} refers to `{reference}`, which does not exist")]
    DanglingReference {
        /// The schema's type.
        type_name: TypeName,
        /// The JSON reference.
        reference: String,
    },
}

/// Rust source files, by path relative to the folder of the generated files.
pub(crate) type Sources = BTreeMap<String, String>;

/// Generates the structs of the wanted types: a file for each service, and `mod.rs`. They are not formatted.
///
/// # Errors
///
/// When a wanted type has no schema, or a schema refers to a definition that it does not have.
pub(crate) fn generate(schemas: &BTreeMap<TypeName, Value>, wanted: &[TypeName]) -> Result<Sources, SchemaError> {
    let mut services: BTreeMap<String, Vec<Resource>> = BTreeMap::new();
    for type_name in wanted {
        let schema = schemas.get(type_name).ok_or_else(|| SchemaError::UnknownType { type_name: type_name.clone() })?;
        services.entry(type_name.service().to_owned()).or_default().push(Resource::read(type_name, schema)?);
    }
    let mut sources: Sources = services
        .iter()
        .map(|(service, resources)| (format!("{}.rs", names::snake_case(service)), emit::service(service, resources)))
        .collect();
    sources.insert("mod.rs".to_owned(), emit::root(services.keys()));
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn queue() -> (TypeName, Value) {
        let schema = json!({
            "typeName": "AWS::SQS::Queue",
            "description": "A queue.",
            "properties": {
                "QueueName": { "type": "string", "description": "Its name." },
                "Arn": { "type": "string" },
            },
            "required": ["QueueName"],
            "createOnlyProperties": ["/properties/QueueName"],
            "readOnlyProperties": ["/properties/Arn"],
        });
        ("AWS::SQS::Queue".parse().expect("a type name"), schema)
    }

    #[test]
    fn a_service_becomes_a_file_and_a_module() {
        let (name, schema) = queue();
        let sources = generate(&BTreeMap::from([(name.clone(), schema)]), &[name]).expect("the schema is sound");
        assert_eq!(sources.keys().collect::<Vec<_>>(), ["mod.rs", "sqs.rs"]);
        assert!(sources["mod.rs"].contains("pub mod sqs;"));
        let source = &sources["sqs.rs"];
        assert!(source.contains("pub struct Queue"));
        assert!(source.contains("pub queue_name: Option<Value<String>>"));
        assert!(source.contains(r#"const CREATE_ONLY: &'static [&'static str] = &["QueueName"];"#));
        assert!(source.contains(r#"const ATTRIBUTES: &'static [&'static str] = &["Arn"];"#));
        assert!(!source.contains("pub arn"));
    }

    #[test]
    fn a_type_without_a_schema_is_named() {
        let (name, _) = queue();
        let error = generate(&BTreeMap::new(), &[name]).expect_err("there are no schemas");
        assert_eq!(error.to_string(), "there is no schema for AWS::SQS::Queue");
    }
}
