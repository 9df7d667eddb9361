//! What clients of an API get after its stack is updated.
//!
//! An API's stage belongs to CloudFormation, so its routes change with the stack: before new versions are probed, and whether or
//! not their release succeeds. The new deployment is made before CloudFormation deletes the methods that are no longer defined, in
//! the state `UPDATE_COMPLETE_CLEANUP_IN_PROGRESS` (CloudFormation user guide, "Stack status codes"), so it still has them.

use super::{Update, resources, routes::changes_of};
use crate::{
    changes::{ResourceAction, ResourceChange},
    findings::{Finding, FindingKind},
};

const API: &str = "AWS::ApiGateway::RestApi";
const DEPLOYMENT: &str = "AWS::ApiGateway::Deployment";
/// The resources that clients see only in a new deployment (API Gateway developer guide, "Updates to REST APIs that require
/// redeployment").
const IN_SNAPSHOT: &[&str] = &[
    "AWS::ApiGateway::Authorizer",
    "AWS::ApiGateway::GatewayResponse",
    "AWS::ApiGateway::Method",
    "AWS::ApiGateway::Model",
    "AWS::ApiGateway::RequestValidator",
    "AWS::ApiGateway::Resource",
];

/// The same without paths and methods, which routes describe.
const SETTINGS: &[&str] = &[
    "AWS::ApiGateway::Authorizer",
    "AWS::ApiGateway::GatewayResponse",
    "AWS::ApiGateway::Model",
    "AWS::ApiGateway::RequestValidator",
];

/// Describes the effects on the APIs that the stack has before and after the update.
pub(super) fn effects(update: &Update<'_>) -> Vec<Finding> {
    let apis = resources(update.new.body).filter(|(id, kind, _)| *kind == API && !update.makes(id));
    apis.filter_map(|(api, ..)| if is_deployed_again(update, api) { routes(update, api) } else { stale(update, api) })
        .collect()
}

fn is_deployed_again(update: &Update<'_>, api: &str) -> bool {
    update.new.parts(api).iter().any(|(id, kind, _)| *kind == DEPLOYMENT && update.makes(id))
}

/// Lists the routes and settings that change with the stack.
fn routes(update: &Update<'_>, api: &str) -> Option<Finding> {
    let changes = changes_of(&update.old, &update.new, api);
    let list = |what: &str, routes: &[String]| routes.iter().map(|route| format!("{what} {route}")).collect::<Vec<_>>();
    let mut parts = list("adds", &changes.added);
    parts.extend(list("changes", &changes.changed));
    // The new deployment is made while the removed methods still exist.
    parts.extend(list("serves, until its next deployment, the removed", &changes.removed));
    parts.extend(changed_resources(update, api, SETTINGS));
    let message =
        format!("{api} changes with its stack, before new versions are probed, and even if their release fails:");
    listing(update, api, &message, parts)
}

/// Names the resources whose change clients do not get, because the API keeps its deployment.
fn stale(update: &Update<'_>, api: &str) -> Option<Finding> {
    let parts = changed_resources(update, api, IN_SNAPSHOT);
    let message = format!(
        "clients of {api} would not get these changes, because the API is not deployed again; change its definition in the same deploy:"
    );
    listing(update, api, &message, parts)
}

pub(super) fn listing(update: &Update<'_>, api: &str, message: &str, parts: Vec<String>) -> Option<Finding> {
    if parts.is_empty() {
        return None;
    }
    let listed = Finding::listing(FindingKind::Api, message, parts);
    Some(Finding { stack: update.stack.to_owned(), logical_id: api.to_owned(), ..listed })
}

/// Describes the changing resources of these types that belong to an API.
pub(super) fn changed_resources(update: &Update<'_>, api: &str, types: &[&str]) -> Vec<String> {
    let has_type = |change: &&&ResourceChange| {
        let mut sides =
            [&update.old, &update.new].into_iter().filter_map(|template| template.api_of(&change.logical_id));
        sides.any(|(owner, kind)| owner == api && types.contains(&kind))
    };
    let changing = update.changing_parts.get(api).into_iter().flatten();
    changing.filter(has_type).map(|change| describe(change)).collect()
}

fn describe(change: &ResourceChange) -> String {
    let follows = change.properties.iter().find_map(|property| property.follows.as_ref());
    let with = follows.map(|target| format!(", with {target}")).unwrap_or_default();
    let verb = match change.action {
        ResourceAction::Create => "created",
        ResourceAction::Update => "updated",
        ResourceAction::Replace => "replaced",
        ResourceAction::Delete => "deleted",
    };
    format!("{} is {verb}{with}", change.logical_id)
}
