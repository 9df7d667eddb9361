//! What is deployed, and who gets how far.

use std::{sync::Arc, time::Duration};

use aws_sdk_dynamodb::types::{BillingMode, ProjectionType};
use contract::{Method as Verb, Routes};
use portfolio_contract::{Access, ApiRoute};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::world::{OWNER, Person, Said, World};

/// How long a token may live that is to live a second.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn row_02_nothing_is_left_to_deploy(world: Arc<World>) {
    let plan = world.cloud.xtask(&["plan", "--stage", "local", "--system", "portfolio", "--online", "--exit-code"]);
    assert_eq!(plan.status.code(), Some(0), "{}", crate::cloud::text(&plan));
}

pub(super) async fn row_03_the_service_is_up(world: Arc<World>) {
    let health = world.anonymous.get("/health").await.ok(200);
    assert_eq!(health, json!({"status": "healthy", "environment": "local", "version": "1.0.0"}));
    let root = world.anonymous.get("/").await.ok(200);
    assert_eq!(root, json!({"message": "Portfolio API", "version": "1.0.0"}));
}

pub(super) async fn row_04_the_table_is_as_the_data_model_wants_it(world: Arc<World>) {
    let client = aws_sdk_dynamodb::Client::new(&world.cloud.sdk());
    let name = &world.outputs["PortfolioTableName"];
    let table = client.describe_table().table_name(name).send().await.expect("a table").table.expect("a table");
    assert_eq!(
        table.billing_mode_summary().and_then(|billing| billing.billing_mode()),
        Some(&BillingMode::PayPerRequest)
    );
    let index = &table.global_secondary_indexes()[0];
    assert_eq!(index.index_name(), Some("GSI1"));
    let projection = index.projection().and_then(|projection| projection.projection_type());
    assert_eq!(projection, Some(&ProjectionType::All));
    let answer = client.describe_time_to_live().table_name(name).send().await.expect("an answer");
    let expiry = answer.time_to_live_description.expect("a time to live");
    // The emulator ignores the template's, which is held against the data model where it is rendered; a wrong name would
    // still be seen here.
    assert!(matches!(expiry.attribute_name(), None | Some("ExpiresAt")), "{expiry:?}");
}

/// A route's path with its places filled.
fn path(route: ApiRoute) -> String {
    let places = ["{postId}", "{projectId}", "{certificationId}", "{contentId}"];
    let path = route.route().path.replace("{contentType}", "blog");
    places.iter().fold(path, |path, place| path.replace(place, "00000000-0000-4000-8000-000000000000"))
}

fn method(route: ApiRoute) -> Method {
    match route.route().method {
        Verb::Get => Method::GET,
        Verb::Post => Method::POST,
        Verb::Put => Method::PUT,
        Verb::Delete => Method::DELETE,
        other => panic!("{other:?} is not used"),
    }
}

pub(super) async fn guarded_routes_are_refused_before_the_function(world: Arc<World>) {
    let token = world.owner.token.clone().expect("a token");
    let (head, rest) = token.split_once('.').expect("a token's parts");
    let (_, signature) = rest.split_once('.').expect("a signature");
    let strangers = [
        world.anonymous.clone(),
        world.anonymous.with_token(format!("{}AAAA", &token[..token.len() - 4])),
        world.anonymous.with_token("nonsense"),
        // Claims that this signature is not of.
        world.anonymous.with_token(format!("{head}.e30.{signature}")),
    ];
    let before = invocations(&world).await;
    for route in ApiRoute::ALL.iter().copied().filter(|route| route.access().is_guarded()) {
        for stranger in &strangers {
            // With a body that the gateway's models accept: nothing but the token is wrong.
            let refused = stranger.send(filled(stranger, route)).await;
            assert_eq!(refused.status, 401, "{route:?} with {:?}", stranger.token);
        }
    }
    // Functions log in the order that they are invoked in: once this one is there, none of the others is still to come.
    world.anonymous.get("/health").await.ok(200);
    let asked = tokio::time::timeout(PATIENCE, async {
        loop {
            let now = invocations(&world).await;
            if now > before {
                return now - before;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert_eq!(asked.await.expect("the function logs what it is asked"), 1, "the gateway let somebody through");
}

/// How often the function has been invoked.
async fn invocations(world: &World) -> usize {
    let mut input = json!({ "logGroupName": world.outputs["LambdaLogGroupName"] });
    let mut count = 0;
    loop {
        let page = world.cloud.logs("FilterLogEvents", &input).await;
        let is_start = |event: &&Value| event["message"].as_str().is_some_and(|text| text.starts_with("START "));
        count += page["events"].as_array().expect("log events").iter().filter(is_start).count();
        if page["nextToken"].is_null() {
            return count;
        }
        input["nextToken"] = page["nextToken"].clone();
    }
}

/// A request of a route, with a body that the gateway's models accept, so that what comes after them is asked.
fn filled(person: &Person, route: ApiRoute) -> RequestBuilder {
    let request = person.request(method(route), &path(route));
    let Some(model) = route.body_model() else { return request };
    let field = |field: &&str| ((*field).to_owned(), json!("x"));
    request.json(&model.required.iter().map(field).collect::<serde_json::Map<_, _>>())
}

/// The function says more than the gateway does.
fn is_the_functions(refused: &Said) -> bool {
    refused.body["message"].as_str().unwrap_or_default().starts_with("Authentication token")
}

pub(super) async fn expired_tokens_are_refused_before_the_function(world: Arc<World>) {
    let token = world.short_lived_token(OWNER).await;
    let person = world.anonymous.with_token(token);
    let expired = tokio::time::timeout(PATIENCE, async {
        loop {
            let refused = person.get("/v1/auth/me").await;
            assert_eq!(refused.status, 401);
            // As long as the token lives, the gateway lets it through: it is of the right pool. The function sees that
            // it was made for another client.
            if !is_the_functions(&refused) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    expired.await.expect("the gateway refuses a token that has expired");
}

pub(super) async fn every_guarded_route_wants_its_token(world: Arc<World>) {
    for route in ApiRoute::ALL.iter().copied().filter(|route| route.access().is_guarded()) {
        let refused = world.anonymous.send(world.anonymous.request(method(route), &path(route))).await;
        assert_eq!(refused.status, 401, "{route:?}");
        if route.access() == Access::Owner {
            let refused = world.stranger.send(filled(&world.stranger, route)).await;
            assert_eq!(refused.error(403).0, "Forbidden", "{route:?}");
        }
    }
}

pub(super) async fn unknown_routes_are_not_found(world: Arc<World>) {
    for path in ["/v1/nowhere", "/nowhere", "/v1/blog"] {
        let lost = world.owner.get(path).await;
        assert!(matches!(lost.status, 403 | 404), "{path}: {}", lost.status);
    }
}

pub(super) async fn row_25_listed_origins_get_headers_and_others_none(world: Arc<World>) {
    let preflight = async |path: &str, origin: &str| {
        let request = world.anonymous.request(Method::OPTIONS, path).header("Origin", origin);
        world.anonymous.send(request.header("Access-Control-Request-Method", "POST")).await
    };
    for path in ["/v1/blog/posts", "/v1/blog/posts/1/publish", "/v1/auth/login", "/health"] {
        let listed = preflight(path, "http://localhost:3000").await;
        assert!(matches!(listed.status, 200 | 204), "{path}: {}", listed.status);
        assert_eq!(listed.headers["access-control-allow-origin"], "http://localhost:3000");
        assert_eq!(listed.headers["access-control-allow-credentials"], "true");
        let other = preflight(path, "https://evil.example").await;
        assert!(!other.headers.contains_key("access-control-allow-origin"), "{path}: {:?}", other.headers);
    }
    let read = world.anonymous.request(Method::GET, "/v1/visitors/count").header("Origin", "http://localhost:3000");
    let read = world.anonymous.send(read).await;
    assert_eq!(read.headers["access-control-allow-origin"], "http://localhost:3000");
    assert_eq!(read.headers["vary"], "Origin");
}

pub(super) async fn the_description_is_served(world: Arc<World>) {
    let document = world.anonymous.get("/openapi.json").await.ok(200);
    assert_eq!(document["openapi"], "3.0.3");
    let operations = document["paths"].as_object().expect("paths").values();
    let count: usize = operations
        .map(|item| item.as_object().expect("methods").keys().filter(|name| *name != "servers").count())
        .sum();
    assert_eq!(count, ApiRoute::ALL.len());
}
