//! Requests of administrators, with tables in memory and the fake Telegram server.

use serde_json::{Value, json};

use crate::{
    telegram::server::Server,
    testing::{
        error_reply,
        lines::Lines,
        world::{ACTIONS, ADMIN, ANA, BEN, BOTS, OWNER, USERS, World, token},
    },
};

async fn world_with_bot() -> World {
    let world = World::new().await;
    assert_eq!(world.create(ANA, &token(1001, "VALID")).await.status, 201);
    world
}

/// The kinds and details of the recorded actions, the oldest first.
fn recorded(world: &World) -> Vec<(String, Value)> {
    let actions = world.memory.all(ACTIONS).into_iter();
    actions.map(|row| (row["action"].as_str().expect("a kind").to_owned(), row["details"].clone())).collect()
}

#[tokio::test(flavor = "current_thread")]
async fn only_administrators_and_owners_are_admitted() {
    let world = world_with_bot().await;
    let reason = json!({ "reason": "Policy violation" });
    let routes = [
        ("GET", "list", json!({})),
        ("POST", "1/access", json!({})),
        ("PATCH", "1/suspend", reason),
        ("PATCH", "1/activate", json!({})),
        ("PATCH", "1/rate-limit", json!({})),
        ("GET", "1/status", json!({})),
        ("GET", "1/actions", json!({})),
    ];
    for (method, route, body) in routes {
        for user in [ANA, BEN] {
            let answer = world.admin(user, method, route, body.clone()).await;
            assert_eq!(answer.error(), (403, "ADMIN_REQUIRED"), "{route}");
            assert_eq!(answer.body["detail"], "Admin access required");
        }
        for user in [ADMIN, OWNER] {
            assert_eq!(world.admin(user, method, route, body.clone()).await.status, 200, "{route}");
        }
    }
    world.memory.change(USERS, &["ID#3"], |item| item["role"] = json!({ "S": "user" }));
    assert_eq!(world.admin(ADMIN, "GET", "list", json!({})).await.error(), (403, "ADMIN_REQUIRED"));
}

#[tokio::test(flavor = "current_thread")]
async fn lists_are_paged_and_filtered() {
    let world = world_with_bot().await;
    for (user, id) in [(BEN, 1002), (ADMIN, 1003)] {
        assert_eq!(world.create(user, &token(id, "VALID")).await.status, 201);
    }
    assert_eq!(world.own(ANA, "POST", "verify", json!({})).await.status, 200);
    let ids = |answer: Value| -> Vec<Value> {
        answer["bots"].as_array().expect("bots").iter().map(|bot| bot["id"].clone()).collect()
    };
    for (query, expected) in [
        ("page_size=2", json!([3, 2])),
        ("page_size=2&page=2", json!([1])),
        ("page_size=2&page=3", json!([])),
        ("page=1000000", json!([])),
        ("status_filter=pending", json!([3, 2])),
        ("status_filter=active", json!([1])),
        ("status_filter=rate_limited", json!([])),
    ] {
        let answer = world.admin(OWNER, "GET", &format!("list?{query}"), json!({})).await;
        assert_eq!(json!(ids(answer.body)), expected, "{query}");
    }
    for query in ["page_size=101", "page_size=0", "page=0", "page=-1", "page=x", "page=1.5", "status_filter=x"] {
        let answer = world.admin(OWNER, "GET", &format!("list?{query}"), json!({})).await;
        assert_eq!(answer.error(), (422, "VALIDATION_ERROR"), "{query}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn suspension_and_activation_are_recorded() {
    let world = world_with_bot().await;
    for reason in ["abcd", "  abcd  ", "", &"a".repeat(1001)] {
        let answer = world.admin(ADMIN, "PATCH", "1/suspend", json!({ "reason": reason })).await;
        assert_eq!(answer.error(), (422, "VALIDATION_ERROR"));
        assert_eq!(answer.body["detail"][0]["loc"], json!(["body", "reason"]));
    }
    assert!(recorded(&world).is_empty());
    for reason in ["Policy violation", " Another reason "] {
        let answer = world.admin(ADMIN, "PATCH", "1/suspend", json!({ "reason": reason })).await;
        assert_eq!((answer.status, &answer.body["status"]), (200, &json!("suspended")));
        assert_eq!(answer.body["suspension_reason"], reason.trim());
    }
    for _ in 0..2 {
        let answer = world.admin(ADMIN, "PATCH", "1/activate", json!({})).await;
        let fields = ["status", "is_verified", "suspension_reason"].map(|name| answer.body[name].clone());
        assert_eq!(fields, [json!("active"), json!(true), Value::Null]);
    }
    let mut actions = recorded(&world);
    actions.sort_by_key(|(kind, details)| (kind.clone(), details.to_string()));
    let expected = [
        ("activate_bot", json!({ "previous_status": "active" })),
        ("activate_bot", json!({ "previous_status": "suspended" })),
        ("suspend_bot", json!({ "reason": "Another reason" })),
        ("suspend_bot", json!({ "reason": "Policy violation" })),
    ];
    assert_eq!(actions, expected.map(|(kind, details)| (kind.to_owned(), details)));
    let transactions = world.script.bodies("DynamoDB.TransactWriteItems");
    let with_action = transactions.iter().filter(|body| body.to_string().contains("action_sk")).count();
    assert_eq!(
        (with_action, world.script.bodies("DynamoDB.PutItem").len()),
        (4, 0),
        "each in the change's transaction"
    );
}

#[tokio::test(flavor = "current_thread")]
async fn a_bot_without_an_id_is_not_activated() {
    let world = world_with_bot().await;
    world.memory.change(BOTS, &["USER#1"], |item| {
        item.as_object_mut().expect("an item").remove("bot_id");
    });
    let answer = world.admin(ADMIN, "PATCH", "1/activate", json!({})).await;
    assert_eq!((answer.error(), recorded(&world)), ((400, "BOT_INCOMPLETE"), Vec::new()));
}

#[tokio::test(flavor = "current_thread")]
async fn changed_limits_are_recorded_and_unchanged_ones_are_not() {
    let world = world_with_bot().await;
    let limits = json!({ "max_requests_per_second": 50, "max_concurrent_requests": 20 });
    let changed = world.admin(ADMIN, "PATCH", "1/rate-limit", limits.clone()).await;
    assert_eq!((changed.status, &changed.body["new_limits"]), (200, &limits));
    let details = json!({
        "old_rate_limit_rps": 30, "new_rate_limit_rps": 50, "old_max_concurrent_requests": 10,
        "new_max_concurrent_requests": 20,
    });
    assert_eq!(recorded(&world), [("update_rate_limits".to_owned(), details)]);
    let unchanged = world.admin(ADMIN, "PATCH", "1/rate-limit", json!({})).await;
    assert_eq!((unchanged.status, &unchanged.body["new_limits"], recorded(&world).len()), (200, &limits, 1));
    let wrong = world.admin(ADMIN, "PATCH", "1/rate-limit", json!({ "max_requests_per_second": 0 })).await;
    assert_eq!(wrong.error(), (422, "VALIDATION_ERROR"));
}

#[tokio::test(flavor = "current_thread")]
async fn each_access_is_recorded_with_its_outcome() {
    let world = world_with_bot().await;
    assert_eq!(world.admin(ADMIN, "PATCH", "1/suspend", json!({ "reason": "Policy violation" })).await.status, 200);
    let answer = world.admin(ADMIN, "POST", "1/access", json!({})).await;
    assert_eq!((answer.status, &answer.body["access_logged"]), (200, &json!(true)), "of a suspended bot, too");
    assert_eq!(answer.body["bot_info"]["username"], "stub_1001_bot");
    assert_eq!((&world.bot(ANA)["total_requests"], world.leases(ANA)), (&json!(1), 0));
    let world = world.with_server(Server::fixed("HTTP/1.1 502 X\r\ncontent-length: 0\r\n\r\n")).await;
    let answer = world.admin(ADMIN, "POST", "1/access", json!({})).await;
    assert_eq!(answer.error(), (503, "TELEGRAM_UNAVAILABLE"));
    let accesses = recorded(&world).into_iter().filter(|(kind, _)| kind == "admin_access_bot");
    let mut outcomes: Vec<_> = accesses
        .map(|(_, details)| {
            assert_eq!(details["action_type"], "access");
            assert!(details["timestamp"].is_string());
            details["outcome"].as_str().expect("an outcome").to_owned()
        })
        .collect();
    outcomes.sort();
    assert_eq!(outcomes, ["ok", "telegram_error"]);
    assert_eq!(world.bot(ANA)["status"], "suspended");
}

#[tokio::test(flavor = "current_thread")]
async fn an_access_that_cannot_be_recorded_returns_nothing_and_is_logged() {
    let lines = Lines::default();
    let _guard = lines.listen_to_json();
    let world = world_with_bot().await;
    world.replace_answers(|request| match request.action.as_str() {
        "DynamoDB.PutItem" => error_reply("AccessDeniedException"),
        _ => None,
    });
    let answer = world.admin(ADMIN, "POST", "1/access", json!({})).await;
    assert_eq!(answer.error(), (500, "INTERNAL"));
    assert!(!answer.body.to_string().contains("stub_1001_bot"), "{}", answer.body);
    assert_eq!((recorded(&world), world.leases(ANA)), (Vec::new(), 0));
    let text = lines.text();
    let logged = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let logged: Vec<_> = logged.filter(|line| line["message"] == "failed to record an access to a bot").collect();
    assert_eq!(logged.len(), 1, "{text}");
    assert_eq!([&logged[0]["admin_user_id"], &logged[0]["target_user_id"]], [&json!(ADMIN), &json!(ANA)]);
}

#[tokio::test(flavor = "current_thread")]
async fn an_access_keeps_the_limits_of_the_bot() {
    let world = world_with_bot().await;
    let later = jiff::Timestamp::now().as_millisecond() + 30_000;
    let limits = json!({ "max_concurrent_requests": 1 });
    assert_eq!(world.own(ANA, "PATCH", "rate-limits", limits).await.status, 200);
    world.memory.insert(BOTS, json!({ "pk": "CONC#1", "leases": { "aa": later } }));
    let calls = world.server.calls().len();
    assert_eq!(world.admin(ADMIN, "POST", "1/access", json!({})).await.error(), (429, "BOT_BUSY"));
    assert_eq!((world.server.calls().len(), recorded(&world)), (calls, Vec::new()));
}

#[tokio::test(flavor = "current_thread")]
async fn actions_are_paged_and_outlive_the_bot() {
    let world = world_with_bot().await;
    for number in 0..5 {
        let limits = json!({ "max_requests_per_second": number + 1 });
        assert_eq!(world.admin(ADMIN, "PATCH", "1/rate-limit", limits).await.status, 200);
    }
    assert_eq!(world.own(ANA, "DELETE", "remove", json!({})).await.status, 200);
    let (mut seen, mut query) = (Vec::new(), "page_size=2".to_owned());
    for _ in 0..3 {
        let page = world.admin(ADMIN, "GET", &format!("1/actions?{query}"), json!({})).await;
        assert_eq!(page.status, 200, "{}", page.body);
        for action in page.body["actions"].as_array().expect("actions") {
            assert_eq!([&action["admin_user_id"], &action["target_user_id"]], [ADMIN, ANA]);
            seen.push(action["details"]["new_rate_limit_rps"].as_u64().expect("a limit"));
        }
        let Some(cursor) = page.body["next_cursor"].as_str() else { break };
        query = format!("page_size=2&cursor={cursor}");
    }
    seen.sort_unstable();
    assert_eq!(seen, [1, 2, 3, 4, 5], "each action once");
    let of_another = world.admin(ADMIN, "GET", &format!("2/actions?{query}"), json!({})).await;
    assert_eq!(of_another.error(), (422, "VALIDATION_ERROR"));
    let empty = world.admin(ADMIN, "GET", "2/actions", json!({})).await;
    assert_eq!((empty.status, empty.body), (200, json!({ "actions": [], "next_cursor": null })));
}

#[tokio::test(flavor = "current_thread")]
async fn an_id_of_no_user_and_a_user_without_a_bot_are_refused() {
    let world = world_with_bot().await;
    for id in ["x", "01", "+1", "-1", "0", "1.0", "%D9%A1", "99999999999999999999"] {
        let answer = world.admin(ADMIN, "GET", &format!("{id}/status"), json!({})).await;
        assert_eq!(
            (answer.error(), &answer.body["detail"][0]["loc"][1]),
            ((422, "VALIDATION_ERROR"), &json!("user_id")),
            "{id}"
        );
    }
    for (method, route) in
        [("POST", "2/access"), ("PATCH", "2/activate"), ("GET", "2/status"), ("PATCH", "2/rate-limit")]
    {
        let answer = world.admin(ADMIN, method, route, json!({})).await;
        assert_eq!(answer.error(), (404, "BOT_NOT_FOUND"), "{route}");
        assert_eq!(answer.body["detail"], "No bot found for user 2");
    }
    assert!(recorded(&world).is_empty());
}
