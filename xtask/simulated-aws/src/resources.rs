//! Resources as CloudFormation manages them: one provider per type that has behaviour of its own, and property bags for all others.
//!
//! CloudFormation resolves the properties and decides what to create, update, replace and delete; a provider carries that out on the
//! account. A provider is synchronous: how long a step takes, and whether it fails, is decided by the stack's operation.

pub mod ids;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::account::Account;

/// A resource as a template asks for it.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The region of the stack.
    pub region: &'a str,
    /// The stack's name.
    pub stack: &'a str,
    /// The logical ID.
    pub logical_id: &'a str,
    /// The type, for example `AWS::S3::Bucket`.
    pub resource_type: &'a str,
    /// The properties, without intrinsic functions.
    pub properties: &'a Value,
}

/// A resource that exists.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Provided {
    /// The physical ID, which `Ref` returns.
    pub physical_id: String,
    /// The attributes, which `Fn::GetAtt` returns.
    pub attributes: BTreeMap<String, Value>,
}

/// Creates, updates and deletes the resources of a type. The errors are the reasons that CloudFormation's events show.
#[derive(Debug, Clone, Copy)]
pub struct Provider {
    /// Creates a resource.
    pub create: fn(&mut Account, Wanted<'_>) -> Result<Provided, String>,
    /// Updates a resource in place, by its physical ID.
    pub update: fn(&mut Account, &str, Wanted<'_>) -> Result<Provided, String>,
    /// Deletes a resource, by its physical ID. One that does not exist is deleted.
    pub delete: fn(&mut Account, &str, Wanted<'_>) -> Result<(), String>,
}

/// Returns the provider of a type.
#[must_use]
pub fn provider(resource_type: &str) -> Provider {
    match resource_type {
        // One line per type with behaviour of its own: "AWS::S3::Bucket" => s3::BUCKET,
        _ => PROPERTY_BAG,
    }
}

/// A resource as its service has it now, for drift detection and imports.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Inspected<'a> {
    /// It does not exist.
    Missing,
    /// It exists; the model does not compare its properties.
    Exists,
    /// It exists, with these properties.
    Has(&'a Value),
}

/// Reads a resource as its service has it now, by its physical ID.
#[must_use]
pub fn inspect<'a>(account: &'a Account, region: &str, resource_type: &str, physical_id: &str) -> Inspected<'a> {
    match resource_type {
        // One line per type with behaviour of its own: "AWS::S3::Bucket" => s3::inspect(account, physical_id),
        _ => {
            let key = (region.to_owned(), resource_type.to_owned(), physical_id.to_owned());
            account.bags.get(&key).map_or(Inspected::Missing, Inspected::Has)
        }
    }
}

/// The provider of types without behaviour: their properties are kept, and their names are unique per region.
const PROPERTY_BAG: Provider = Provider { create: create_bag, update: update_bag, delete: delete_bag };

fn create_bag(account: &mut Account, wanted: Wanted<'_>) -> Result<Provided, String> {
    let physical_id = ids::physical_id(account, wanted);
    let key = (wanted.region.to_owned(), wanted.resource_type.to_owned(), physical_id.clone());
    if account.bags.contains_key(&key) {
        return Err(format!("{physical_id} already exists"));
    }
    account.bags.insert(key, wanted.properties.clone());
    Ok(provided(account, physical_id, wanted))
}

fn update_bag(account: &mut Account, physical_id: &str, wanted: Wanted<'_>) -> Result<Provided, String> {
    let key = (wanted.region.to_owned(), wanted.resource_type.to_owned(), physical_id.to_owned());
    match account.bags.get_mut(&key) {
        Some(properties) => wanted.properties.clone_into(properties),
        None => return Err(format!("{physical_id} does not exist")),
    }
    Ok(provided(account, physical_id.to_owned(), wanted))
}

fn delete_bag(account: &mut Account, physical_id: &str, wanted: Wanted<'_>) -> Result<(), String> {
    let key = (wanted.region.to_owned(), wanted.resource_type.to_owned(), physical_id.to_owned());
    account.bags.remove(&key);
    Ok(())
}

fn provided(account: &Account, physical_id: String, wanted: Wanted<'_>) -> Provided {
    let arn = ids::arn(&account.id, wanted.region, wanted.resource_type, &physical_id);
    Provided { physical_id, attributes: BTreeMap::from([("Arn".to_owned(), Value::String(arn))]) }
}
