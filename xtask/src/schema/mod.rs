//! Turns AWS's resource schemas into Rust: one struct of typed properties per resource type.
//!
//! [`types`] reads which types are wanted, [`wheel`] fetches their schemas, [`read`] makes a [`model`] of each, and
//! [`emit`] writes it down as Rust; [`tree`] formats the files and writes or compares them. Everything but [`wheel`]
//! and [`tree`] is pure. Nothing here knows about stacks: what comes out is source text.

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

pub(crate) use self::verb::Verb;
use self::{model::Resource, types::TypeName};

/// A schema could not be turned into Rust.
#[derive(Debug, Error, Diagnostic)]
pub enum SchemaError {
    /// The schemas know no such type.
    #[error("there is no schema for {type_name}")]
    #[diagnostic(help("correct stacks/model/src/resources/types.txt, or pin a newer release of the schemas"))]
    UnknownType {
        /// The type that was listed.
        type_name: TypeName,
    },
    /// A schema points to a definition that it does not have.
    #[error("the schema of {type_name} refers to `{reference}`, which does not exist")]
    DanglingReference {
        /// The schema's type.
        type_name: TypeName,
        /// The JSON reference.
        reference: String,
    },
}

/// Rust source files, by path relative to the folder they are generated into; not yet formatted.
pub type Sources = BTreeMap<String, String>;

/// Generates the structs of the wanted types: a file per service, and `mod.rs`.
///
/// # Errors
///
/// When a wanted type has no schema, or a schema refers to a definition that it does not have.
pub fn generate(schemas: &BTreeMap<TypeName, Value>, wanted: &[TypeName]) -> Result<Sources, SchemaError> {
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
    fn a_service_becomes_a_file_that_mod_names() {
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
    fn a_type_without_schema_is_named() {
        let (name, _) = queue();
        let error = generate(&BTreeMap::new(), &[name]).expect_err("there are no schemas");
        assert_eq!(error.to_string(), "there is no schema for AWS::SQS::Queue");
    }
}
