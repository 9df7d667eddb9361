//! Compares the description with the routes and with the errors of the API.

use std::collections::BTreeSet;

use super::*;
use crate::http::Code;

fn operations() -> Vec<(&'static str, &'static str, &'static Value)> {
    let paths = document()["paths"].as_object().expect("paths").iter();
    paths
        .flat_map(|(path, item)| {
            item.as_object().expect("methods").iter().map(move |(method, one)| (path.as_str(), method.as_str(), one))
        })
        .collect()
}

#[test]
fn every_route_is_described_once() {
    let count = AuthRoute::ALL.len() + UserBotRoute::ALL.len() + AdminBotRoute::ALL.len() + MetaRoute::ALL.len();
    let ids: BTreeSet<_> = operations().into_iter().map(|(_, _, one)| one["operationId"].to_string()).collect();
    assert_eq!((operations().len(), ids.len(), count), (17, 17, 17));
    let api = document()["paths"].as_object().expect("paths").keys().filter(|path| path.starts_with("/api/")).count();
    assert_eq!(api, 13, "sign-in, five of the user (PUT shares its path), seven of administrators");
}

#[test]
fn tags_are_those_of_the_routes() {
    for (path, _, operation) in operations() {
        let expected = match path {
            "/api/auth/login" => "Authentication",
            _ if path.starts_with("/api/user-bot/") => "User Bot Management",
            _ if path.starts_with("/api/admin/") => "Admin Bot Management",
            _ => "Service",
        };
        assert_eq!(operation["tags"], json!([expected]), "{path}");
        let is_guarded = path.starts_with("/api/user-bot/") || path.starts_with("/api/admin/");
        assert_eq!(!operation["security"].is_null(), is_guarded, "{path}");
        assert!(!is_guarded || !operation["responses"]["401"].is_null(), "{path}");
    }
}

#[test]
fn every_status_of_an_error_is_described() {
    let described: BTreeSet<_> = operations()
        .into_iter()
        .flat_map(|(_, _, operation)| operation["responses"].as_object().expect("responses").keys())
        .map(String::as_str)
        .collect();
    let unknown_route_or_method = [404, 405];
    for status in Code::ALL.iter().map(|code| code.status()).filter(|status| !unknown_route_or_method.contains(status))
    {
        assert!(described.contains(status.to_string().as_str()), "{status}");
    }
}

#[test]
fn every_reference_has_a_definition_and_no_secret_is_in_a_response() {
    let text = document().to_string();
    for reference in text.split("\"$ref\":\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().expect("a name");
        assert!(!document()["components"]["schemas"][name].is_null(), "{name}");
    }
    let status = &document()["components"]["schemas"]["BotStatus"]["properties"];
    for secret in ["bot_token", "api_hash", "telegram_phone", "session_string", "fingerprint", "dek"] {
        assert!(status[secret].is_null(), "{secret}");
    }
    assert_eq!(status.as_object().map(Map::len), Some(13));
}

#[test]
fn limits_and_defaults_are_those_that_are_checked() {
    let create = &document()["components"]["schemas"]["CreateBot"];
    assert_eq!(create["required"], json!(["bot_token"]));
    let rate = &create["properties"]["max_requests_per_second"];
    assert_eq!([&rate["minimum"], &rate["maximum"], &rate["default"]], [&json!(1), &json!(100), &json!(30)]);
    assert_eq!(create["properties"]["max_concurrent_requests"]["maximum"], 50);
    assert_eq!(create["properties"]["api_hash"]["nullable"], true);
    let list = &document()["paths"]["/api/admin/bots/list"]["get"]["parameters"];
    assert_eq!(list[1]["schema"]["maximum"], 100);
    let statuses = json!(["pending", "active", "suspended", "rate_limited", "error"]);
    assert_eq!(list[2]["schema"]["enum"], statuses);
    let login = &document()["components"]["schemas"]["Login"]["properties"]["password"];
    assert_eq!((&login["type"], &login["minLength"]), (&json!("string"), &json!(8)));
}
