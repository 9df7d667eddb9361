//! Names that must be unique within an API or an account, and that the update gives to a second resource.
//!
//! CloudFormation creates new resources before it deletes old ones (CloudFormation user guide, "Update behaviors of stack
//! resources"), so both would have the name for a while, which API Gateway refuses.

use serde_json::Value;

use super::{Update, resources, routes::path};
use crate::{
    changes::{ResourceAction, references::references},
    findings::{Finding, FindingKind},
};

const PATH: &str = "AWS::ApiGateway::Resource";

/// Properties that no two resources of these types share.
struct Unique {
    types: &'static [&'static str],
    properties: &'static [&'static str],
    noun: &'static str,
}

/// API Gateway answers a second one with `ConflictException`; a second gateway response overwrites the first one, and is gone
/// when CloudFormation deletes that (API Gateway API reference: `CreateResource`, `PutMethod`, `CreateAuthorizer`,
/// `CreateModel`, `PutGatewayResponse`, `CreateStage`, `CreateBasePathMapping`, `CreateDomainName`; version 2:
/// `CreateApiMapping`).
const UNIQUE: &[Unique] = &[
    Unique { types: &[PATH], properties: &["RestApiId", "ParentId", "PathPart"], noun: "path part" },
    Unique {
        types: &["AWS::ApiGateway::Method"],
        properties: &["RestApiId", "ResourceId", "HttpMethod"],
        noun: "method",
    },
    Unique { types: &["AWS::ApiGateway::Authorizer"], properties: &["RestApiId", "Name"], noun: "authorizer" },
    Unique { types: &["AWS::ApiGateway::Model"], properties: &["RestApiId", "Name"], noun: "model" },
    Unique {
        types: &["AWS::ApiGateway::GatewayResponse"],
        properties: &["RestApiId", "ResponseType"],
        noun: "gateway response",
    },
    Unique { types: &["AWS::ApiGateway::Stage"], properties: &["RestApiId", "StageName"], noun: "API stage" },
    Unique {
        types: &["AWS::ApiGateway::BasePathMapping"],
        properties: &["DomainName", "BasePath"],
        noun: "base path mapping",
    },
    Unique {
        types: &["AWS::ApiGatewayV2::ApiMapping"],
        properties: &["DomainName", "ApiMappingKey"],
        noun: "API mapping",
    },
    Unique {
        types: &["AWS::ApiGateway::DomainName", "AWS::ApiGatewayV2::DomainName"],
        properties: &["DomainName"],
        noun: "domain name",
    },
];

/// Returns the resources that API Gateway would refuse to create.
pub(super) fn conflicts(update: &Update<'_>) -> Vec<Finding> {
    let made = resources(update.new).filter(|(id, ..)| update.makes(id));
    made.filter_map(|(id, kind, properties)| {
        let why = taken(update, id, kind, properties).or_else(|| sibling(update, id, kind, properties))?;
        Some(Finding {
            kind: FindingKind::Impossible,
            stack: update.stack.to_owned(),
            logical_id: id.to_owned(),
            message: format!("{id} cannot be created: {why}"),
            parts: Vec::new(),
            refused: true,
        })
    })
    .collect()
}

/// Returns the reason if another resource has the name already.
fn taken(update: &Update<'_>, id: &str, kind: &str, properties: &Value) -> Option<String> {
    let unique = UNIQUE.iter().find(|unique| unique.types.contains(&kind))?;
    let key =
        |properties: &'_ Value| unique.properties.iter().map(|name| properties[*name].clone()).collect::<Vec<_>>();
    let wanted = key(properties);
    // Within a new parent, every name is free.
    if is_within_new(update, &Value::Array(wanted.clone())) {
        return None;
    }
    let has_name = |(other, kind, old): &(&str, &str, &Value)| {
        let keeps_name = *other != id || update.action(id) == Some(ResourceAction::Replace);
        unique.types.contains(kind) && keeps_name && key(old) == wanted && !renamed_in_place(update, other)
    };
    let (other, ..) = resources(update.old).find(has_name)?;
    let noun = unique.noun;
    let name = match kind {
        PATH => path(update.new, id).map(|path| format!(" `{path}`")),
        _ => unique.properties.last().and_then(|name| properties[*name].as_str()).map(|name| format!(" `{name}`")),
    };
    let name = name.unwrap_or_default();
    let keep = if other == id { "keep the properties whose change replaces it" } else { "keep that logical ID" };
    Some(format!(
        "{noun}{name} exists as {other} until CloudFormation has created {id}, but API Gateway allows only one; {keep}, or delete it \
         in one deploy and create it in the next"
    ))
}

/// Returns whether the update changes a resource in place, so that it may give its name away.
fn renamed_in_place(update: &Update<'_>, id: &str) -> bool {
    update.action(id) == Some(ResourceAction::Update)
}

fn is_within_new(update: &Update<'_>, key: &Value) -> bool {
    references(key).iter().any(|reference| update.makes(&reference.target))
}

/// Returns the reason if the path below the same parent has a variable of another name.
fn sibling(update: &Update<'_>, id: &str, kind: &str, properties: &Value) -> Option<String> {
    let part = properties["PathPart"].as_str().filter(|part| kind == PATH && is_variable(part))?;
    let parent = &properties["ParentId"];
    if is_within_new(update, parent) {
        return None;
    }
    let (other, _, old) = resources(update.old).find(|(_, kind, old)| {
        *kind == PATH && old["ParentId"] == *parent && old["PathPart"].as_str().is_some_and(is_variable)
    })?;
    let (path, other_path) = (path(update.new, id)?, path(update.old, other)?);
    let name = old["PathPart"].as_str().unwrap_or_default();
    Some(format!(
        "API Gateway allows one variable below a path, but `{other_path}` exists until CloudFormation has created `{path}`; keep \
         the name `{name}` instead of `{part}`, or deploy twice: first remove the routes of `{other_path}`, then add those of \
         `{path}`. Clients get errors between the two deploys"
    ))
}

fn is_variable(part: &str) -> bool {
    part.starts_with('{')
}
