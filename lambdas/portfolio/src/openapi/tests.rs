//! Compares the description with the contract that the front end uses.

use std::collections::BTreeSet;

use super::*;

/// The front end's contract.
fn promised() -> Value {
    // Examples in the original contain control characters, which YAML does not allow.
    let text = include_str!("../../contract/openapi.yml").replace(|c: char| c.is_control() && c != '\n', "");
    serde_yaml::from_str(&text).expect("YAML")
}

/// Resolves references at the top of a schema.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => {
            let found = document.pointer(reference.trim_start_matches('#'));
            resolve(document, found.unwrap_or_else(|| panic!("{reference} is nowhere")))
        }
        // The form of a description beside a reference.
        None => match value["allOf"].as_array().map(Vec::as_slice) {
            Some([one]) => resolve(document, one),
            _ => value,
        },
    }
}

fn names(value: &Value) -> BTreeSet<&str> {
    match value {
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        Value::Object(fields) => fields.keys().map(String::as_str).collect(),
        _ => BTreeSet::new(),
    }
}

fn json_schema(value: &Value) -> &Value {
    &value["content"]["application/json"]["schema"]
}

/// Checks that every promised field exists with its type, and that required fields stay required.
fn keeps(place: &str, promise: (&Value, &Value), made: (&Value, &Value)) {
    let (promised, made_schema) = (resolve(promise.0, promise.1), resolve(made.0, made.1));
    if promised.is_null() {
        return;
    }
    assert_eq!(promised["type"], made_schema["type"], "type of {place}: {made_schema:#}");
    let missing: Vec<_> = names(&promised["required"]).difference(&names(&made_schema["required"])).copied().collect();
    assert!(missing.is_empty(), "{place} does not require {missing:?}");
    // Nullable exactly where the contract says so.
    let nullable = |schema: &Value| schema["nullable"] == true;
    assert!(nullable(promised) || !nullable(made_schema) || promised["type"].is_null(), "{place} may be null");
    for (name, field) in promised["properties"].as_object().into_iter().flatten() {
        let made_field = &made_schema["properties"][name];
        assert!(!made_field.is_null(), "{place} has no {name}");
        keeps(&format!("{place}.{name}"), (promise.0, field), (made.0, made_field));
    }
    if !promised["items"].is_null() {
        keeps(&format!("{place}[]"), (promise.0, &promised["items"]), (made.0, &made_schema["items"]));
    }
    if let Some(values) = promised["enum"].as_array() {
        let made_values = made_schema["enum"].as_array().unwrap_or_else(|| panic!("{place} is no choice"));
        assert!(values.iter().all(|value| made_values.contains(value)), "{place}: {made_values:?}");
    }
}

#[test]
fn the_description_fulfils_the_contract() {
    let promised = promised();
    let made = document();
    let mut compared = 0;
    for (path, item) in promised["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            let place = format!("{method} {path}");
            let ours = &made["paths"][path][method];
            assert!(!ours.is_null(), "{place} is missing");
            assert_eq!(operation["operationId"], ours["operationId"], "{place}");
            assert_eq!(operation["tags"], ours["tags"], "{place}");
            assert_eq!(
                operation["security"].is_null(),
                ours["security"].as_array().is_none_or(|all| all.contains(&json!({}))),
                "security of {place}"
            );
            for (status, response) in operation["responses"].as_object().expect("responses") {
                let ours = &ours["responses"][status];
                assert!(!ours.is_null(), "{place} never answers {status}");
                let response = resolve(&promised, response);
                keeps(&format!("{place} {status}"), (&promised, json_schema(response)), (made, json_schema(ours)));
            }
            let (body, our_body) = (json_schema(&operation["requestBody"]), json_schema(&ours["requestBody"]));
            keeps(&format!("body of {place}"), (&promised, body), (made, our_body));
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                has_parameter(&place, resolve(&promised, parameter), ours);
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 34);
}

fn has_parameter(place: &str, parameter: &Value, ours: &Value) {
    let name = &parameter["name"];
    let found = ours["parameters"].as_array().into_iter().flatten().find(|found| found["name"] == *name);
    let found = found.unwrap_or_else(|| panic!("{place} has no parameter {name}"));
    assert_eq!(parameter["in"], found["in"], "{place} {name}");
    for keyword in ["type", "enum", "minimum", "maximum", "default"] {
        let promised = &parameter["schema"][keyword];
        if keyword == "enum" {
            assert_eq!(names(promised), names(&found["schema"][keyword]), "{keyword} of {name} of {place}");
        } else if !promised.is_null() {
            assert_eq!(promised, &found["schema"][keyword], "{keyword} of {name} of {place}");
        }
    }
}

#[test]
fn every_route_is_described_once() {
    let document = document();
    let items = document["paths"].as_object().expect("paths").values();
    let operations: Vec<_> = items.flat_map(|item| item.as_object().expect("methods")).collect();
    let operations: Vec<_> = operations.into_iter().filter(|(name, _)| *name != "servers").collect();
    assert_eq!(operations.len(), ApiRoute::ALL.len());
    let ids: BTreeSet<_> = operations.iter().map(|(_, operation)| operation["operationId"].to_string()).collect();
    assert_eq!(ids.len(), operations.len());
}

#[test]
fn refused_clients_are_asked_to_wait() {
    for route in ApiRoute::ALL {
        let contract::Route { method, path } = route.route();
        let path = path.strip_prefix(BASE).unwrap_or(path);
        let response = &document()["paths"][path][method.as_str().to_lowercase()]["responses"]["429"];
        assert_eq!(response["headers"]["Retry-After"]["schema"]["type"], "integer", "{path}");
    }
}

#[test]
fn guarded_routes_are_described_as_such() {
    for route in ApiRoute::ALL {
        let contract::Route { method, path } = route.route();
        let path = path.strip_prefix(BASE).unwrap_or(path);
        let operation = &document()["paths"][path][method.as_str().to_lowercase()];
        assert_eq!(route.access().is_guarded(), !operation["responses"]["401"].is_null() && !is_auth(*route), "{path}");
        assert_eq!(
            route.access() == Access::Owner,
            !operation["responses"]["403"].is_null() && !is_auth(*route),
            "{path}"
        );
    }
}

/// Routes with 401 and 403 responses of their own.
fn is_auth(route: ApiRoute) -> bool {
    matches!(route, ApiRoute::Login | ApiRoute::Refresh)
}

#[test]
fn every_reference_can_be_resolved() {
    fn walk(document: &Value, value: &Value) {
        match value {
            Value::Object(fields) => {
                if fields.contains_key("$ref") {
                    resolve(document, value);
                    assert_eq!(fields.len(), 1, "OpenAPI 3.0 ignores what stands beside a reference: {value}");
                }
                fields.values().for_each(|value| walk(document, value));
            }
            Value::Array(items) => items.iter().for_each(|value| walk(document, value)),
            _ => {}
        }
    }
    walk(document(), document());
}

#[test]
fn defaults_are_required_in_creations_and_optional_in_updates() {
    let schemas = &document()["components"]["schemas"];
    assert!(names(&schemas["ProjectCreate"]["required"]).contains("featured"));
    assert!(!names(&schemas["BlogPostCreate"]["required"]).contains("slug"));
    for name in ["BlogPostUpdate", "ProjectUpdate", "CertificationUpdate"] {
        assert!(schemas[name]["required"].is_null(), "{name}");
        let properties = schemas[name]["properties"].as_object().expect("properties");
        assert!(properties.values().all(|schema| schema["default"].is_null()), "{name}");
    }
}

#[test]
fn the_gateways_models_require_the_same_fields_as_the_function() {
    for route in ApiRoute::ALL {
        let Some(model) = route.body_model() else { continue };
        let contract::Route { method, path } = route.route();
        let path = path.strip_prefix(BASE).unwrap_or(path);
        let operation = &document()["paths"][path][method.as_str().to_lowercase()];
        let schema = resolve(document(), json_schema(&operation["requestBody"]));
        let without_default = |name: &&str| schema["properties"][*name]["default"].is_null();
        let required: BTreeSet<_> = names(&schema["required"]).into_iter().filter(without_default).collect();
        assert_eq!(required, model.required.iter().copied().collect(), "{}", model.name);
    }
}

#[test]
fn urls_are_nullable_in_responses_as_in_requests() {
    let schemas = &document()["components"]["schemas"];
    for name in ["Project", "ProjectCreate", "ProjectUpdate"] {
        for field in ["githubUrl", "liveUrl", "imageUrl"] {
            assert_eq!(schemas[name]["properties"][field]["nullable"], true, "{field} of {name}");
        }
    }
    for name in ["Certification", "CertificationCreate", "CertificationUpdate"] {
        assert_eq!(schemas[name]["properties"]["credentialUrl"]["nullable"], true, "{name}");
    }
}
