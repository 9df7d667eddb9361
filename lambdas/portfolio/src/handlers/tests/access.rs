//! Who may call what: every route, with every kind of token.

use contract::Routes;
use portfolio_contract::{Access, ApiRoute, Rate};
use serde_json::{Value, json};

use crate::testing::{
    Function, ID, NOW, Request,
    script::Script,
    tokens::{stranger, token},
};

/// A route's path with its places filled.
fn path(route: ApiRoute) -> String {
    let path = route.route().path.replace("{contentType}", "blog");
    ["{postId}", "{projectId}", "{certificationId}", "{contentId}"]
        .iter()
        .fold(path, |path, place| path.replace(place, ID))
}

fn of(access: Access) -> impl Iterator<Item = ApiRoute> {
    ApiRoute::ALL.iter().copied().filter(move |route| route.access() == access)
}

async fn refused(route: ApiRoute, token: Option<String>) -> (u64, String, usize) {
    let function = Function::new(Script::new());
    let path = path(route);
    let request = Request { token, ..Request::new(route.route().method.as_str(), &path) };
    let (status, code, field) = function.send(request).await.error();
    assert_eq!(field, Value::Null);
    (status, code, function.counted("UnauthorizedAccess"))
}

#[tokio::test(flavor = "current_thread")]
async fn guarded_routes_want_a_token_that_counts() {
    let expired = token(&json!({"exp": NOW.as_second() - 1}));
    let forged = format!("{}AAAA", &expired[..expired.len() - 4]);
    for route in of(Access::Owner).chain(of(Access::SignedIn)) {
        let invalid = (401, "InvalidToken".to_owned(), 1);
        assert_eq!(refused(route, None).await, invalid, "{route:?}");
        assert_eq!(refused(route, Some(forged.clone())).await, invalid, "{route:?}");
        assert_eq!(refused(route, Some(expired.clone())).await, (401, "TokenExpired".to_owned(), 1), "{route:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn the_owners_routes_are_the_owners() {
    for route in of(Access::Owner) {
        assert_eq!(refused(route, Some(stranger())).await, (403, "Forbidden".to_owned(), 1), "{route:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn without_keys_a_guarded_route_cannot_tell_and_an_open_one_need_not() {
    let script = Script::new().without_keys();
    let answer = Function::new(script).send(Request::new("GET", "/v1/auth/me").owner()).await;
    assert_eq!(answer.error(), (500, "InternalError".to_owned(), Value::Null));

    let script = Script::new().without_keys().on("GetItem", json!({}));
    let path = path(ApiRoute::GetPost);
    assert_eq!(Function::new(script).send(Request::new("GET", &path).owner()).await.status(), 404);
}

#[tokio::test(flavor = "current_thread")]
async fn the_role_counts_before_the_query_and_the_body() {
    let stranger = || Request::new("GET", "/v1/visitors/trends/daily?days=abc").token(stranger());
    assert_eq!(Function::new(Script::new()).send(stranger()).await.status(), 403);
    let wrong = Request::new("POST", "/v1/blog/posts").text("{");
    assert_eq!(Function::new(Script::new()).send(wrong).await.status(), 401);
}

#[tokio::test(flavor = "current_thread")]
async fn open_routes_do_not_look_at_tokens() {
    let script = Script::new();
    let health = Request::new("GET", "/health").token("nonsense".to_owned());
    let answer = Function::new(script.clone()).send(health).await;
    assert_eq!(answer.ok(200), json!({"status": "healthy", "environment": "dev", "version": "1.0.0"}));
    assert_eq!(script.key_requests(), 0);
    let root = Function::new(Script::new()).send(Request::new("GET", "/")).await;
    assert_eq!(root.ok(200), json!({"message": "Portfolio API", "version": "1.0.0"}));
    let description = Function::new(Script::new()).send(Request::new("GET", "/openapi.json")).await.ok(200);
    assert_eq!(description["openapi"], "3.0.3");
}

#[tokio::test(flavor = "current_thread")]
async fn unknown_routes_and_methods_are_told_apart() {
    for (method, path, status) in [
        ("GET", "/v1/nowhere", 404),
        ("GET", "/v1", 404),
        ("GET", "/blog/posts", 404),
        ("PATCH", "/v1/blog/posts", 405),
        ("POST", "/health", 405),
        ("DELETE", "/v1/auth/me", 405),
    ] {
        let answer = Function::new(Script::new()).send(Request::new(method, path).owner()).await;
        assert_eq!(answer.error().0, status, "{method} {path}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn bodies_are_json_of_at_most_a_megabyte() {
    let long = json!({"email": "a".repeat(1024 * 1024)}).to_string();
    let wrong = ["", "{", "[]", "null", "\"text\"", "{\"email\":\"\\ud800\"}", &long];
    for route in ApiRoute::ALL.iter().filter(|route| route.body_model().is_some()) {
        let path = path(*route);
        for text in wrong {
            let request = Request::new("POST", &path).owner().text(text);
            let (status, code, field) = Function::new(Script::new()).send(request).await.error();
            assert_eq!((status, code.as_str(), field), (400, "InvalidRequest", json!("body")), "{path}: {text:.20}");
        }
        let request = Request::new("POST", &path).owner().header("Content-Type", "text/plain").text("{}");
        let answer = Function::new(Script::new()).send(request).await;
        assert_eq!(answer.error(), (400, "InvalidRequest".to_owned(), json!("Content-Type")), "{path}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn every_required_field_is_missed_by_its_name() {
    for route in ApiRoute::ALL {
        let Some(model) = route.body_model() else { continue };
        let path = path(*route);
        let answer = Function::new(Script::new()).send(Request::new("POST", &path).owner().json(json!({}))).await;
        let (status, code, field) = answer.error();
        assert_eq!((status, code.as_str()), (400, "InvalidRequest"), "{path}");
        assert!(model.required.contains(&field.as_str().expect("a field")), "{path}: {field}");
        assert_eq!(answer.body()["details"]["issue"], "is required");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn what_dynamodb_fails_at_is_not_told() {
    for route in [ApiRoute::ListPosts, ApiRoute::VisitorCount, ApiRoute::ListCategories, ApiRoute::GetProject] {
        let operation = match route {
            ApiRoute::ListPosts | ApiRoute::ListCategories => "Query",
            _ => "GetItem",
        };
        let script = Script::new().fail(operation, "ResourceNotFoundException", "table portfolio not found");
        let path = path(route);
        let answer = Function::new(script).send(Request::new("GET", &path)).await;
        assert_eq!(answer.error(), (500, "InternalError".to_owned(), Value::Null));
        assert!(!answer.text().contains("portfolio"), "{}", answer.text());
        assert_eq!(route.rate(), Rate::Default);
    }
}
