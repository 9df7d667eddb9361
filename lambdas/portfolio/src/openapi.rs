//! The API's description, generated from the contract's routes and the handlers' request and response types.

mod describe;

use std::sync::OnceLock;

use contract::Routes;
use portfolio_contract::{Access, ApiRoute};
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use self::describe::{Answer, Description};
use crate::{answers::Problem, schema};

/// The version of the API's contract.
pub(crate) const VERSION: &str = "1.0.0";
/// The prefix of almost all paths.
const BASE: &str = "/v1";

/// Returns the description in OpenAPI 3.0, which is generated on first use.
pub(crate) fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(generate)
}

fn generate() -> Value {
    let mut generator = schema::settings().into_generator();
    let problem = describe::reference(generator.subschema_for::<Problem>().to_value());
    let mut paths = Map::new();
    for route in ApiRoute::ALL {
        let contract::Route { method, path } = route.route();
        let (path, base) = path.strip_prefix(BASE).map_or((path, "."), |path| (path, "v1"));
        let operation = operation(*route, &mut generator, &problem);
        let item = paths.entry(path).or_insert_with(|| json!({}));
        if base == "." {
            // Relative to the document's address, like all others.
            item["servers"] = json!([{"url": base}]);
        }
        item[method.as_str().to_lowercase()] = operation;
    }
    let mut schemas = generator.take_definitions(true);
    describe::add_updates(&mut schemas);
    describe::require_defaults(&mut schemas);
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": "Portfolio API",
            "description": "Posts, projects and certifications of one person's site, and who looked at them.",
            "version": VERSION,
        },
        "servers": [{"url": "v1"}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearerAuth": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "schemas": schemas,
        },
    })
}

fn operation(route: ApiRoute, generator: &mut SchemaGenerator, problem: &Value) -> Value {
    let Description { id, tag, summary, status, answer, body, query, errors } = describe::route(route, generator);
    let mut responses = Map::new();
    responses.insert(status.to_string(), success(answer));
    for status in all_errors(route, errors) {
        let name = describe::reason(status);
        let mut response = json!({"description": name, "content": content(problem.clone())});
        if status == 429 {
            response["headers"] = describe::retry_after();
        }
        responses.insert(status.to_string(), response);
    }
    let mut operation = json!({
        "operationId": id,
        "tags": [tag],
        "summary": summary,
        "responses": responses,
    });
    let parameters: Vec<_> = in_path(route.route().path).chain(query).collect();
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some((schema, required)) = body {
        operation["requestBody"] = json!({"required": required, "content": content(schema)});
    }
    match route.access() {
        Access::Public => {}
        Access::Optional => operation["security"] = json!([{}, {"bearerAuth": []}]),
        Access::SignedIn | Access::Owner => operation["security"] = json!([{"bearerAuth": []}]),
    }
    operation
}

fn success(answer: Answer) -> Value {
    match answer {
        Answer::Nothing => json!({"description": "It worked; there is nothing to say"}),
        Answer::Json(schema) => json!({"description": "It worked", "content": content(schema)}),
    }
}

/// Returns all error statuses of a route: its own, those of authorization, and the common ones.
fn all_errors(route: ApiRoute, own: &[u16]) -> Vec<u16> {
    let gate: &[u16] = match route.access() {
        Access::Public | Access::Optional => &[],
        Access::SignedIn => &[401],
        Access::Owner => &[401, 403],
    };
    let mut errors = [own, gate, &[429, 500]].concat();
    errors.sort_unstable();
    errors.dedup();
    errors
}

/// Returns the parameters in braces.
fn in_path(path: &str) -> impl Iterator<Item = Value> {
    let names = path.split('/').filter_map(|step| step.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| {
        let schema = if name == "contentType" { describe::kinds() } else { json!({"type": "string"}) };
        json!({"name": name, "in": "path", "required": true, "schema": schema})
    })
}

fn content(schema: Value) -> Value {
    json!({"application/json": {"schema": schema}})
}

#[cfg(test)]
mod tests;
