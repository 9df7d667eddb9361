//! Requests of users, with tables in memory and the fake Telegram server.

use analyticbot_contract::UserBot;
use common::token::sign_hs256;
use jiff::Timestamp;
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};
use tables::testing::item;

use crate::{
    telegram::server::Server,
    testing::{
        SECRET, Script, json_reply,
        lines::Lines,
        user,
        world::{ADMIN, ANA, BEN, BOTS, World, environment, token},
    },
};

async fn world_with_bot(behaviour: &str) -> World {
    let world = World::new().await;
    assert_eq!(world.create(ANA, &token(1001, behaviour)).await.status, 201);
    world
}

fn fixed(status: u16, body: &Value) -> Server {
    let body = body.to_string();
    Server::fixed(&format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
}

#[tokio::test(flavor = "current_thread")]
async fn a_bot_is_created_verified_and_removed() {
    let world = World::new().await;
    let created = world.create(ANA, &format!(" {} ", token(1001, "VALID"))).await;
    let expected = json!({
        "id": 1, "message": "Bot created successfully", "status": "pending", "bot_username": "stub_1001_bot",
        "requires_verification": true,
    });
    assert_eq!((created.status, created.body), (201, expected));
    let status = world.own(ANA, "GET", "status", json!({})).await.body;
    assert_eq!([&status["max_requests_per_second"], &status["max_concurrent_requests"]], [30, 10]);
    assert_eq!([&status["is_verified"], &status["last_used_at"]], [&json!(false), &Value::Null]);
    let verified = world.own(ANA, "POST", "verify", json!({})).await;
    assert_eq!((verified.status, &verified.body["success"]), (200, &json!(true)));
    let info = json!({ "id": 1001, "username": "stub_1001_bot", "first_name": "Stub", "is_bot": true });
    assert_eq!((&verified.body["bot_info"], &verified.body["is_verified"]), (&info, &json!(true)));
    let status = world.own(ANA, "GET", "status", json!({})).await.body;
    assert_eq!([&status["status"], &status["total_requests"]], [&json!("active"), &json!(1)]);
    assert!(status["last_used_at"].is_string() && world.leases(ANA) == 0);
    assert_eq!(world.own(ANA, "DELETE", "remove", json!({})).await.status, 200);
    assert_eq!(world.own(ANA, "DELETE", "remove", json!({})).await.error(), (404, "BOT_NOT_FOUND"));
    assert_eq!(world.create(BEN, &token(1001, "VALID")).await.status, 201, "the token is free again");
}

#[tokio::test(flavor = "current_thread")]
async fn no_row_and_no_response_contains_a_token() {
    let world = World::new().await;
    let wanted = json!({ "bot_token": token(1001, "VALID"), "api_id": 7, "api_hash": "hash-of-the-application" });
    let mut seen = vec![world.own(ANA, "POST", "create", wanted).await.body];
    seen.push(world.own(ANA, "POST", "verify", json!({ "send_test_message": true, "test_chat_id": 0 })).await.body);
    seen.push(world.own(ANA, "GET", "status", json!({})).await.body);
    seen.extend(world.memory.all(BOTS));
    seen.extend(world.script.requests().into_iter().map(|request| request.body));
    for text in seen.iter().map(Value::to_string) {
        assert!(!text.contains("xxxxxxxx") && !text.contains("hash-of-the"), "{text}");
    }
    assert_eq!(world.bot(ANA)["telegram_api_id"], 7);
}

#[tokio::test(flavor = "current_thread")]
async fn no_log_line_contains_a_token() {
    let lines = Lines::default();
    let _guard = lines.listen();
    let world = World::new().await;
    for behaviour in ["REVOKED", "FLOOD", "DOWN", "MOVED", "SLOW", "VALID"] {
        world.create(ANA, &token(1001, behaviour)).await;
    }
    let message = json!({ "send_test_message": true, "test_chat_id": 0 });
    assert_eq!(world.own(ANA, "POST", "verify", message).await.status, 200);
    world.memory.change(BOTS, &["USER#1"], |item| item["dek"] = json!({ "B": "AAAA" }));
    assert_eq!(world.own(ANA, "POST", "verify", json!({})).await.error(), (500, "INTERNAL"));
    let lines = lines.text();
    assert!(lines.contains("analyticbot-user-bot") && lines.contains("analyticbot-telegram-stub"), "{lines}");
    assert!(!lines.contains("xxxxxxxx"), "{lines}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_refused_creation_stores_nothing_and_echoes_nothing() {
    let world = World::new().await;
    let cases = [
        (String::new(), (422, "VALIDATION_ERROR")),
        ("abc".to_owned(), (422, "VALIDATION_ERROR")),
        ("1:2:3".to_owned(), (422, "VALIDATION_ERROR")),
        ("12:short".to_owned(), (400, "INVALID_BOT_TOKEN")),
        (format!("\u{661}\u{662}:{}", "x".repeat(40)), (400, "INVALID_BOT_TOKEN")),
        (format!("12:{}", "x".repeat(10_000)), (400, "INVALID_BOT_TOKEN")),
        (token(1001, "REVOKED"), (400, "INVALID_BOT_TOKEN")),
        (token(1001, "FLOOD"), (429, "TELEGRAM_RATE_LIMITED")),
        (token(1001, "DOWN"), (503, "TELEGRAM_UNAVAILABLE")),
        (token(1001, "MOVED"), (503, "TELEGRAM_UNAVAILABLE")),
        (token(1001, "SLOW"), (504, "TELEGRAM_TIMEOUT")),
    ];
    for (token, expected) in cases {
        let answer = world.create(ANA, &token).await;
        assert_eq!(answer.error(), expected, "{token:.40}");
        assert!(token.is_empty() || !answer.body.to_string().contains(&token), "{}", answer.body);
        let retry = if expected.0 == 429 { json!("7") } else { Value::Null };
        assert_eq!(answer.headers["retry-after"], retry);
    }
    assert_eq!(world.memory.all(BOTS), Vec::<Value>::new());
    let name = json!({ "bot_token": token(1001, "VALID"), "bot_username": "not-a-name" });
    let answer = world.own(ANA, "POST", "create", name).await;
    assert_eq!(answer.error(), (422, "VALIDATION_ERROR"));
    assert_eq!(answer.body["detail"][0]["loc"], json!(["body", "bot_username"]));
}

#[tokio::test(flavor = "current_thread")]
async fn limits_out_of_range_name_their_field() {
    let world = World::new().await;
    let cases = [("max_requests_per_second", 0), ("max_requests_per_second", 101), ("max_concurrent_requests", 51)];
    for (field, value) in cases {
        let wanted = json!({ "bot_token": token(1001, "VALID"), field: value });
        let answer = world.own(ANA, "POST", "create", wanted).await;
        assert_eq!(answer.error(), (422, "VALIDATION_ERROR"));
        assert_eq!(answer.body["detail"][0]["loc"], json!(["body", field]));
    }
    assert!(world.server.calls().is_empty());
}

#[tokio::test(flavor = "current_thread")]
async fn tokens_and_bots_have_one_user() {
    let world = world_with_bot("VALID").await;
    let second = world.create(ANA, &token(1002, "VALID")).await;
    assert_eq!(second.error(), (400, "BOT_ALREADY_EXISTS"));
    let same_token = world.create(BEN, &token(1001, "VALID")).await;
    assert_eq!(same_token.error(), (409, "TOKEN_IN_USE"));
    let reissued = world.create(BEN, &token(1001, "VALID-again")).await;
    assert_eq!(reissued.error(), (409, "TOKEN_IN_USE"), "the same bot with another token");
    assert_eq!(world.bot(BEN), Value::Null);
}

#[tokio::test(flavor = "current_thread")]
async fn one_of_simultaneous_creations_succeeds() {
    let world = World::new().await;
    let token = token(1001, "VALID");
    let answers = tokio::join!(
        world.create(ANA, &token),
        world.create(ANA, &token),
        world.create(ANA, &token),
        world.create(ANA, &token)
    );
    let mut statuses = [answers.0.status, answers.1.status, answers.2.status, answers.3.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 400, 400, 400]);
    let stored = world.memory.all(BOTS);
    let count = |prefix: &str| {
        stored.iter().filter(|item| item["pk"].as_str().is_some_and(|pk| pk.starts_with(prefix))).count()
    };
    assert_eq!([count("USER#"), count("TOKEN#"), count("NAME#")], [1, 1, 1]);
}

#[tokio::test(flavor = "current_thread")]
async fn a_test_message_needs_a_chat() {
    let world = world_with_bot("VALID").await;
    let calls = world.server.calls().len();
    let without = world.own(ANA, "POST", "verify", json!({ "send_test_message": true })).await;
    assert_eq!(without.error(), (400, "TEST_CHAT_REQUIRED"));
    assert_eq!((world.server.calls().len(), world.bot(ANA)["status"].clone()), (calls, json!("pending")));
    let sent = world.own(ANA, "POST", "verify", json!({ "send_test_message": true, "test_chat_id": 5 })).await;
    assert_eq!((&sent.body["success"], &sent.body["bot_info"]["test_message_sent"]), (&json!(true), &json!(true)));
    assert_eq!(world.bot(ANA)["total_requests"], 2);
    let refused = world.own(ANA, "POST", "verify", json!({ "send_test_message": true, "test_chat_id": 0 })).await;
    assert_eq!(
        (refused.status, &refused.body["success"], &refused.body["is_verified"]),
        (200, &json!(false), &json!(true))
    );
    let message = "Bot verified but failed to send test message: Bad Request: chat not found";
    assert_eq!(refused.body["message"], message);
    assert_eq!(world.bot(ANA)["status"], "active");
}

#[tokio::test(flavor = "current_thread")]
async fn only_telegram_itself_rejects_a_token() {
    let world = world_with_bot("VALID").await;
    let failures = [
        (fixed(502, &json!({})), (503, "TELEGRAM_UNAVAILABLE")),
        (fixed(401, &json!({ "message": "a proxy" })), (503, "TELEGRAM_UNAVAILABLE")),
        (fixed(429, &json!({})), (429, "TELEGRAM_RATE_LIMITED")),
    ];
    let mut world = world;
    for (server, expected) in failures {
        world = world.with_server(server).await;
        assert_eq!(world.own(ANA, "POST", "verify", json!({})).await.error(), expected);
        assert_eq!((&world.bot(ANA)["status"], world.leases(ANA)), (&json!("pending"), 0));
    }
    let world = world.with_server(fixed(401, &json!({ "ok": false, "description": "Unauthorized" }))).await;
    let rejected = world.own(ANA, "POST", "verify", json!({})).await;
    let message = "Verification failed: Telegram rejected the bot token. To replace the token, remove the bot and register \
                   it again with the current one.";
    let expected = json!({ "success": false, "message": message, "bot_info": null, "is_verified": false });
    assert_eq!((rejected.status, rejected.body), (200, expected));
    assert_eq!([&world.bot(ANA)["status"], &world.bot(ANA)["is_verified"]], [&json!("error"), &json!(false)]);
}

#[tokio::test(flavor = "current_thread")]
async fn credentials_of_another_row_are_refused_before_any_call() {
    let world = world_with_bot("VALID").await;
    assert_eq!(world.create(BEN, &token(1002, "VALID")).await.status, 201);
    for user in [ANA, BEN] {
        assert_eq!(world.own(user, "POST", "verify", json!({})).await.status, 200, "remembered");
    }
    let calls = world.server.calls().len();
    let mut copied = Value::Null;
    world.memory.change(BOTS, &["USER#1"], |item| copied = item.clone());
    world.memory.change(BOTS, &["USER#2"], |item| {
        for name in ["bot_token", "dek"] {
            item[name] = copied[name].clone();
        }
    });
    let answer = world.own(BEN, "POST", "verify", json!({})).await;
    assert_eq!((answer.error(), answer.body["detail"].as_str()), ((500, "INTERNAL"), Some("Internal server error")));
    assert_eq!((world.server.calls().len(), world.leases(BEN)), (calls, 0));
}

#[tokio::test(flavor = "current_thread")]
async fn a_suspended_bot_makes_no_call_and_does_not_change() {
    let world = world_with_bot("VALID").await;
    assert_eq!(world.own(ANA, "POST", "verify", json!({})).await.status, 200, "the token is remembered");
    let suspended = world.admin(ADMIN, "PATCH", "1/suspend", json!({ "reason": "Policy violation" })).await;
    assert_eq!(suspended.status, 200);
    let (before, calls) = (world.bot(ANA), world.server.calls().len());
    let requests = [
        ("POST", "verify", json!({})),
        ("DELETE", "remove", json!({})),
        ("PATCH", "rate-limits", json!({ "max_requests_per_second": 5 })),
        ("PUT", "rate-limits", json!({})),
    ];
    for (method, route, body) in requests {
        assert_eq!(world.own(ANA, method, route, body).await.error(), (403, "BOT_SUSPENDED"), "{method} {route}");
    }
    assert_eq!((world.bot(ANA), world.server.calls().len()), (before, calls));
}

#[tokio::test(flavor = "current_thread")]
async fn a_suspension_during_a_request_stops_its_next_call() {
    let world = world_with_bot("VALID").await;
    let (memory, calls) = (world.memory.clone(), world.server.calls().len());
    world.before_requests(move |request| {
        let key = request.body["Key"]["pk"]["S"].as_str().unwrap_or_default();
        if key.starts_with("RATE#") {
            memory.change(BOTS, &["USER#1"], |item| item["status"] = json!({ "S": "suspended" }));
        }
    });
    assert_eq!(world.own(ANA, "POST", "verify", json!({})).await.error(), (403, "BOT_SUSPENDED"));
    assert_eq!((world.server.calls().len(), world.leases(ANA)), (calls, 0));
    assert_eq!(world.bot(ANA)["total_requests"], 0);
}

#[tokio::test(flavor = "current_thread")]
async fn limits_are_changed_by_both_methods() {
    let world = world_with_bot("VALID").await;
    let patched = world.own(ANA, "PATCH", "rate-limits", json!({ "max_requests_per_second": 1 })).await;
    let limits = json!({ "max_requests_per_second": 1, "max_concurrent_requests": 10 });
    assert_eq!((patched.status, &patched.body["new_limits"]), (200, &limits));
    let version = world.bot(ANA)["version"].clone();
    let unchanged = world.own(ANA, "PATCH", "rate-limits", json!({})).await;
    assert_eq!((&unchanged.body["new_limits"], &world.bot(ANA)["version"]), (&limits, &version));
    let put = world.own(ANA, "PUT", "rate-limits", json!({ "max_concurrent_requests": 50 })).await;
    assert_eq!(put.body["new_limits"]["max_concurrent_requests"], 50);
    let wrong = world.own(ANA, "PUT", "rate-limits", json!({ "max_concurrent_requests": 51 })).await;
    assert_eq!(wrong.error(), (422, "VALIDATION_ERROR"));
    assert_eq!(world.own(BEN, "PATCH", "rate-limits", json!({})).await.error(), (404, "BOT_NOT_FOUND"));
}

#[tokio::test(flavor = "current_thread")]
async fn concurrent_verifications_keep_the_limits_of_the_bot() {
    let world = world_with_bot("VALID").await;
    let limits = json!({ "max_requests_per_second": 1 });
    assert_eq!(world.own(ANA, "PATCH", "rate-limits", limits).await.status, 200);
    let verify = || world.own(ANA, "POST", "verify", json!({}));
    let answers = tokio::join!(verify(), verify(), verify(), verify(), verify(), verify());
    let answers = [answers.0, answers.1, answers.2, answers.3, answers.4, answers.5];
    let succeeded = answers.iter().filter(|answer| answer.status == 200).count();
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!((answer.error(), &answer.headers["retry-after"]), ((429, "BOT_RATE_LIMITED"), &json!("1")));
    }
    assert!((3..=4).contains(&succeeded), "{succeeded}");
    assert_eq!((&world.bot(ANA)["total_requests"], world.leases(ANA)), (&json!(succeeded), 0));
    let windows =
        world.memory.all(BOTS).into_iter().filter(|item| item["pk"].as_str().is_some_and(|pk| pk.starts_with("RATE#")));
    assert!(windows.map(|window| window["n"].clone()).eq(vec![json!(1); succeeded]));
}

#[tokio::test(flavor = "current_thread")]
async fn a_slow_call_occupies_its_lease_until_it_ends() {
    let world = world_with_bot("LAGGY").await;
    let limits = json!({ "max_concurrent_requests": 1 });
    assert_eq!(world.own(ANA, "PUT", "rate-limits", limits).await.status, 200);
    let send = || world.own(ANA, "POST", "verify", json!({ "send_test_message": true, "test_chat_id": 5 }));
    let (one, two) = tokio::join!(send(), send());
    let mut errors = [one.error(), two.error()];
    errors.sort_unstable();
    assert_eq!(errors, [(429, "BOT_BUSY"), (504, "TELEGRAM_TIMEOUT")]);
    assert_eq!(world.leases(ANA), 0);
    assert_eq!(world.own(ANA, "POST", "verify", json!({})).await.status, 200);
    world.memory.change(BOTS, &["CONC#1"], |item| item["leases"]["M"]["aa"] = json!({ "N": "1" }));
    assert_eq!(world.own(ANA, "POST", "verify", json!({})).await.status, 200, "an expired lease is ignored");
}

/// Returns the status of a request with a token of 50 minutes ago, whose secret was rotated 40 minutes ago.
async fn status_after_a_rotation(minutes: &str) -> Value {
    let now = Timestamp::now().as_second();
    let script = Script::new(move |request| {
        let key = request.body["Key"]["pk"]["S"].as_str().unwrap_or_default();
        match (request.action.as_str(), request.body["VersionStage"].as_str(), key) {
            ("secretsmanager.GetSecretValue", Some("AWSCURRENT"), _) => {
                json_reply(json!({ "SecretString": "n".repeat(64), "CreatedDate": now - 40 * 60 }))
            }
            ("secretsmanager.GetSecretValue", ..) => json_reply(json!({ "SecretString": SECRET })),
            ("DynamoDB.GetItem", _, "ID#7") => {
                json_reply(json!({ "Item": item(serde_json::to_value(user(7)).expect("a user")) }))
            }
            _ => json_reply(json!({})),
        }
    });
    let mut variables = environment("http://127.0.0.1:9");
    variables["ACCESS_TOKEN_MINUTES"] = json!(minutes);
    let variables: UserBot = serde_json::from_value(variables).expect("every variable");
    let router = super::build(&variables, &script.aws()).await.expect("a function");
    let claims = json!({ "sub": "7", "typ": "access", "iat": now - 50 * 60, "exp": now + 10 * 60 });
    let authorization = format!("Bearer {}", sign_hs256(SECRET.as_bytes(), &claims));
    let path = "/api/user-bot/status";
    let event = json!({
        "version": "2.0", "rawPath": path, "rawQueryString": "", "isBase64Encoded": false,
        "headers": { "authorization": authorization },
        "requestContext": { "stage": "$default", "http": { "method": "GET", "path": path, "sourceIp": "192.0.2.1" } },
    });
    let event = LambdaEvent::new(event, Context::default());
    common::http::answer::<UserBot>(router, event).await.expect("an answer")["statusCode"].clone()
}

#[tokio::test(flavor = "current_thread")]
async fn a_rotation_signs_out_no_user_whose_token_has_the_lifetime_of_the_stage() {
    assert_eq!(status_after_a_rotation("60").await, 404, "the user is known and has no bot");
    assert_eq!(status_after_a_rotation("30").await, 401, "no token of such a stage is that old");
}
