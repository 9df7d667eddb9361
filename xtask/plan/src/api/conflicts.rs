//! Variables of paths: API Gateway allows one below a path.
//!
//! CloudFormation creates new resources before it deletes old ones (CloudFormation user guide, "Update behaviors of stack
//! resources"), so both would exist for a while, which API Gateway refuses. Names that must be unique are left to
//! [`crate::changes::names`].

use serde_json::Value;

use super::{Update, resources, routes::path};
use crate::{
    changes::references::references,
    findings::{Finding, FindingKind},
};

const PATH: &str = "AWS::ApiGateway::Resource";

/// Returns the resources that API Gateway would refuse to create.
pub(super) fn conflicts(update: &Update<'_>) -> Vec<Finding> {
    let made = resources(update.new).filter(|(id, ..)| update.makes(id));
    made.filter_map(|(id, kind, properties)| {
        let why = sibling(update, id, kind, properties)?;
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

/// Does the value change with a resource that the update makes, or, possibly, with a parameter?
fn may_be_new(update: &Update<'_>, value: &Value) -> bool {
    let is_parameter = |name: &String| update.new["Parameters"].get(name).is_some();
    references(value).iter().any(|reference| update.makes(&reference.target) || is_parameter(&reference.target))
}

/// Returns the reason if the path below the same parent has a variable of another name.
fn sibling(update: &Update<'_>, id: &str, kind: &str, properties: &Value) -> Option<String> {
    let part = properties["PathPart"].as_str().filter(|part| kind == PATH && is_variable(part))?;
    let parent = &properties["ParentId"];
    if may_be_new(update, parent) {
        return None;
    }
    // The same name twice is left to the names.
    let is_other = |name: &str| is_variable(name) && name != part;
    let (other, _, old) = resources(update.old).find(|(_, kind, old)| {
        *kind == PATH && old["ParentId"] == *parent && old["PathPart"].as_str().is_some_and(is_other)
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
