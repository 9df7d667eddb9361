//! Rows 2 to 4: deploying twice and by stacks, secrets, health, the description, alarms and the dashboard.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Value, json};

use super::world::World;
use crate::{
    cloud::{Cloud, text},
    refusals::refused,
};

/// The stacks that the specification orders; each takes values only of earlier ones. The panel has another one.
const STACKS: [&str; 3] = ["data", "api", "ops"];
/// The secrets.
const SECRETS: [&str; 2] = ["analyticbot/local/jwt-secret-key", "analyticbot/local/token-fingerprint-key"];

/// Deploys the system to an empty stage, and once more. Returns what the commands printed.
pub(super) fn rows_02_and_03_two_deploys(cloud: &Cloud) -> Vec<String> {
    cloud.success(&["deploy", "--stage", "local", "--system", "foundation", "--yes"]);
    let mut printed = row_03_a_stack_without_the_stacks_that_it_needs_is_refused(cloud);
    let deploy = ["deploy", "--stage", "local", "--system", "analyticbot", "--yes", "--format", "json"];
    let first = cloud.success(&deploy);
    assert_eq!(json_of(&first.stdout)["changed"], true);
    let order = cloud.created_stacks("analyticbot");
    let places: Vec<_> = STACKS
        .iter()
        .map(|stack| order.iter().position(|name| *name == format!("analyticbot-{stack}-local")).expect("the stack"))
        .collect();
    assert!(places.is_sorted(), "{order:?}");
    let secrets = secrets(cloud);
    // The emulator excludes no characters from secrets of templates, so they are not hexadecimal there.
    let has_length = |secret: &String| secret.chars().count() == 64;
    assert!(secrets.iter().all(has_length) && secrets[0] != secrets[1], "two secrets of 64 characters that differ");

    let again = cloud.success(&deploy);
    assert_eq!(json_of(&again.stdout)["changed"], false, "{}", text(&again));
    assert!(self::secrets(cloud) == secrets, "a deploy changed a secret");
    printed.extend([text(&first), text(&again)]);
    printed
}

fn row_03_a_stack_without_the_stacks_that_it_needs_is_refused(cloud: &Cloud) -> Vec<String> {
    let refuse = |verb: &str| {
        let output = cloud.xtask(&[verb, "--stage", "local", "--system", "analyticbot", "--stack", "api"]);
        let said = ["analyticbot-api-local needs", "analyticbot-data-local", "UsersTable", "nothing was touched"];
        refused(&output, 1, &said);
        text(&output)
    };
    let printed = ["plan", "deploy"].map(refuse).into();
    assert_eq!(cloud.created_stacks("analyticbot"), [""; 0], "a refused selection changes nothing");
    printed
}

fn json_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

#[tokio::main(flavor = "current_thread")]
async fn secrets(cloud: &Cloud) -> Vec<String> {
    let mut secrets = Vec::new();
    for name in SECRETS {
        secrets.push(cloud.secret(name).await["SecretString"].as_str().expect("a value").to_owned());
    }
    secrets
}

pub(super) async fn row_04_health_and_description_are_served(world: Arc<World>) {
    let health = world.anonymous.get("/health").await.ok(200);
    assert_eq!((&health["status"], &health["stage"]), (&json!("healthy"), &json!("local")), "{health:#}");
    assert!(health["version"].is_string(), "{health:#}");
    let checks: BTreeSet<_> = health["checks"].as_object().expect("checks").keys().map(String::as_str).collect();
    assert_eq!(checks, BTreeSet::from(["bots", "kms", "users"]));

    let document = world.anonymous.get("/openapi.json").await.ok(200);
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.")), "{}", document["openapi"]);
    let paths: BTreeSet<_> = document["paths"].as_object().expect("paths").keys().map(String::as_str).collect();
    for path in [
        "/api/auth/login",
        "/api/user-bot/create",
        "/api/user-bot/status",
        "/api/user-bot/verify",
        "/api/user-bot/remove",
        "/api/user-bot/rate-limits",
        "/api/admin/bots/list",
        "/api/admin/bots/{user_id}/access",
        "/api/admin/bots/{user_id}/suspend",
        "/api/admin/bots/{user_id}/activate",
        "/api/admin/bots/{user_id}/rate-limit",
        "/api/admin/bots/{user_id}/status",
        "/api/admin/bots/{user_id}/actions",
    ] {
        assert!(paths.contains(path), "{path}: {paths:?}");
    }
    assert!(paths.iter().all(|path| !path.contains("stub")), "{paths:?}");
    let of = |method: &str, path: &str| document["paths"][path][method]["tags"].clone();
    assert_eq!(of("post", "/api/user-bot/create"), json!(["User Bot Management"]));
    assert_eq!(of("get", "/api/admin/bots/list"), json!(["Admin Bot Management"]));

    let docs = world.anonymous.get("/docs").await;
    let kind = docs.headers["content-type"].to_str().expect("a text").to_owned();
    let page = docs.ok(200);
    let page = page.as_str().expect("a page");
    assert!(kind.starts_with("text/html") && page.contains("/api/user-bot/create"), "{kind}");
    assert!(!page.contains("src=\"http") && !page.contains("href=\"http"), "the page needs no other server");
}

pub(super) async fn alarms_and_a_dashboard_exist(world: Arc<World>) {
    let request = json!({ "AlarmNamePrefix": "analyticbot-local-", "MaxRecords": 100 });
    let page = world.cloud.cloudwatch("DescribeAlarms", &request).await;
    let alarms: BTreeSet<_> = page["MetricAlarms"]
        .as_array()
        .expect("alarms")
        .iter()
        .filter_map(|alarm| alarm["AlarmName"].as_str())
        .collect();
    for name in ["api-5xx", "login-failures", "errors-user-bot", "throttles-auth", "db-throttle-users-read"] {
        assert!(alarms.contains(format!("analyticbot-local-{name}").as_str()), "{name}: {alarms:?}");
    }
    let listed = world.cloud.cloudwatch("ListDashboards", &json!({ "DashboardNamePrefix": "analyticbot-" })).await;
    assert_eq!(listed["DashboardEntries"][0]["DashboardName"], "analyticbot-local", "{listed:#}");
}
