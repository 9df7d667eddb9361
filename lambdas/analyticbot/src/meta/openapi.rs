//! The API's description, generated from the contract's routes and from the types of requests and responses.

mod describe;

use std::sync::OnceLock;

use analyticbot_contract::routes::{AdminBotRoute, AuthRoute, MetaRoute, UserBotRoute};
use contract::{Route, Routes};
use serde_json::{Map, Value, json};

use self::describe::{Answer, Caller, Description, HEALTH};
use crate::{http::schema, wire::Problem};

/// The version of the API.
pub const VERSION: &str = "1.0.0";

/// Returns the description in OpenAPI 3.0, which is generated on first use.
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(generate)
}

fn generate() -> Value {
    let mut generator = schema::settings().into_generator();
    let problem = describe::reference(generator.subschema_for::<Problem>().to_value());
    let mut paths = Map::new();
    let mut add = |route: Route, description: Description| {
        let item = paths.entry(route.path).or_insert_with(|| json!({}));
        item[route.method.as_str().to_lowercase()] = operation(route.path, description, &problem);
    };
    for route in AuthRoute::ALL {
        add(route.route(), describe::auth(*route, &mut generator));
    }
    for route in UserBotRoute::ALL {
        add(route.route(), describe::user_bot(*route, &mut generator));
    }
    for route in AdminBotRoute::ALL {
        add(route.route(), describe::admin_bot(*route, &mut generator));
    }
    for route in MetaRoute::ALL {
        add(route.route(), describe::meta(*route, &mut generator));
    }
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": "AnalyticBot API",
            "description": "Registers one Telegram bot for each user, and lets administrators limit and suspend bots.",
            "version": VERSION,
        },
        // Relative to the address of this document.
        "servers": [{"url": "."}],
        "tags": describe::TAGS.map(|name| json!({"name": name})),
        "paths": paths,
        "components": {
            "securitySchemes": {"bearerAuth": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "schemas": generator.take_definitions(true),
        },
    })
}

fn operation(path: &str, description: Description, problem: &Value) -> Value {
    let Description { id, tag, summary, status, answer, body, query, errors, caller } = description;
    let mut responses = Map::new();
    let success = match answer {
        Answer::Json(schema) => content("application/json", schema),
        Answer::Page => content("text/html", json!({"type": "string"})),
    };
    if id == HEALTH {
        // A degraded system has the same response body as a healthy one.
        responses.insert("503".to_owned(), json!({"description": describe::reason(503), "content": success}));
    }
    responses.insert(status.to_string(), json!({"description": "Success", "content": success}));
    let in_path: Vec<_> = in_path(path).collect();
    let has_input = !in_path.is_empty() || !query.is_empty() || body.is_some();
    let gate: &[u16] = match caller {
        Caller::Any => &[],
        Caller::User => &[401, 403],
    };
    let (of_body, of_input): (&[u16], &[u16]) =
        (body.as_ref().map_or(&[], |_| &[413, 415]), if has_input { &[422] } else { &[] });
    for status in [errors, gate, of_body, of_input, &[429, 500]].concat() {
        responses.entry(status.to_string()).or_insert_with(|| failure(status, problem));
    }
    let mut operation = json!({"operationId": id, "tags": [tag], "summary": summary, "responses": responses});
    let parameters: Vec<_> = in_path.into_iter().chain(query).collect();
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(schema) = body {
        operation["requestBody"] = json!({"required": true, "content": content("application/json", schema)});
    }
    if caller == Caller::User {
        operation["security"] = json!([{"bearerAuth": []}]);
    }
    operation
}

fn failure(status: u16, problem: &Value) -> Value {
    let mut response = json!({
        "description": describe::reason(status),
        "content": content("application/json", problem.clone()),
    });
    match status {
        401 => response["headers"] = header("WWW-Authenticate", "Always `Bearer`", "string"),
        // API Gateway's own throttle answers without the header.
        429 => {
            response["headers"] =
                header("Retry-After", "The number of seconds after which the client may try again", "integer")
        }
        _ => {}
    }
    response
}

fn header(name: &str, description: &str, kind: &str) -> Value {
    json!({ name: {"description": description, "schema": {"type": kind}} })
}

/// Returns the parameters in braces. All of them are IDs of users.
fn in_path(path: &str) -> impl Iterator<Item = Value> {
    let names = path.split('/').filter_map(|step| step.strip_prefix('{')?.strip_suffix('}'));
    let schema = json!({"type": "integer", "format": "int64", "minimum": 1, "maximum": i64::MAX});
    names.map(move |name| json!({"name": name, "in": "path", "required": true, "schema": schema}))
}

fn content(media_type: &str, schema: Value) -> Value {
    json!({ media_type: {"schema": schema} })
}

#[cfg(test)]
mod tests;
