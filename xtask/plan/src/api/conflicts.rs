//! Variables of paths: API Gateway allows one below a path.
//!
//! CloudFormation creates new resources before it deletes old ones (CloudFormation user guide, "Update behaviors of stack
//! resources"), so both would exist for a while, which API Gateway refuses. Names that must be unique are left to
//! [`crate::changes::names`].

use std::collections::HashMap;

use serde_json::Value;

use super::{Update, resources, routes::path};
use crate::{
    changes::references::references,
    findings::{Finding, FindingKind},
};

const PATH: &str = "AWS::ApiGateway::Resource";

/// Returns the resources that API Gateway would refuse to create.
pub(super) fn conflicts(update: &Update<'_>) -> Vec<Finding> {
    let variables = variables(update.old.body);
    let made = resources(update.new.body).filter(|(id, kind, _)| *kind == PATH && update.makes(id));
    made.filter_map(|(id, _, properties)| {
        let why = sibling(update, id, properties, &variables)?;
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
    let is_parameter = |name: &String| update.new.body["Parameters"].get(name).is_some();
    references(value).iter().any(|reference| update.makes(&reference.target) || is_parameter(&reference.target))
}

/// The logical IDs and names of the variables below each parent of a path.
type Variables<'a> = HashMap<&'a Value, Vec<(&'a str, &'a str)>>;

fn variables(template: &Value) -> Variables<'_> {
    let mut found = Variables::new();
    for (id, _, properties) in resources(template).filter(|(_, kind, _)| *kind == PATH) {
        if let Some(name) = properties["PathPart"].as_str().filter(|part| is_variable(part)) {
            found.entry(&properties["ParentId"]).or_default().push((id, name));
        }
    }
    found
}

/// Returns the reason if the path below the same parent has a variable of another name. `old` are the deployed variables.
fn sibling(update: &Update<'_>, id: &str, properties: &Value, old: &Variables<'_>) -> Option<String> {
    let part = properties["PathPart"].as_str().filter(|part| is_variable(part))?;
    let parent = &properties["ParentId"];
    if may_be_new(update, parent) {
        return None;
    }
    // The same name twice is left to the names.
    let (other, name) = old.get(parent)?.iter().find(|(_, name)| *name != part)?;
    let (path, other_path) = (path(update.new.body, id)?, path(update.old.body, other)?);
    Some(format!(
        "API Gateway allows one variable below a path, but `{other_path}` exists until CloudFormation has created `{path}`; keep \
         the name `{name}` instead of `{part}`, or deploy twice: first remove the routes of `{other_path}`, then add those of \
         `{path}`. Clients get errors between the two deploys"
    ))
}

fn is_variable(part: &str) -> bool {
    part.starts_with('{')
}
