//! Rows 20 to 25: administration of bots, the audit log, and changes of users.

use std::{collections::BTreeSet, sync::Arc};

use aws_sdk_dynamodb::types::AttributeValue;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    bots::{ANAS, BOBS},
    person::Person,
    world::{Item, World, number},
};

/// The routes on one user's bot, each with a body that is accepted.
fn routes() -> [(Method, &'static str, Option<Value>); 6] {
    [
        (Method::POST, "access", None),
        (Method::PATCH, "suspend", Some(json!({ "reason": "Policy violation" }))),
        (Method::PATCH, "activate", None),
        (Method::PATCH, "rate-limit", Some(json!({}))),
        (Method::GET, "status", None),
        (Method::GET, "actions", None),
    ]
}

const LIST: &str = "/api/admin/bots/list";

pub(super) async fn row_20_only_administrators_manage_bots(world: Arc<World>) {
    assert_eq!(world.ana.get(LIST).await.error(403), "ADMIN_REQUIRED");
    for (method, route, body) in routes() {
        let said = world.ana.call(method, &world.bob.managed(route), body).await;
        assert_eq!(said.error(403), "ADMIN_REQUIRED", "{route}");
        assert_eq!(said.body["detail"], "Admin access required");
    }
    for person in [&world.admin, &world.owner] {
        person.get(LIST).await.ok(200);
    }
    assert_eq!(world.anonymous.get(LIST).await.error(401), "NOT_AUTHENTICATED");
}

pub(super) async fn row_21_bots_are_listed_newest_first(world: Arc<World>) {
    let person = world.user("gina", "user").await;
    person.create(&world.token(1050, "VALID")).await.ok(201);
    let all = world.admin.get(LIST).await.ok(200);
    let total = all["total"].as_u64().expect("a number");
    assert!(total >= 3, "{all:#}");
    let (mut found, mut page) = (Vec::new(), 1);
    while found.len() < usize::try_from(total).expect("a few") {
        let said = world.admin.get(&format!("{LIST}?page_size=2&page={page}")).await.ok(200);
        assert_eq!((&said["total"], &said["page"], &said["page_size"]), (&json!(total), &json!(page), &json!(2)));
        let bots = said["bots"].as_array().expect("bots").clone();
        assert!((1..=2).contains(&bots.len()), "page {page}: {bots:?}");
        found.extend(bots);
        page += 1;
    }
    let ids: Vec<_> = found.iter().map(|bot| bot["id"].as_u64().expect("an ID")).collect();
    assert!(ids.is_sorted_by(|one, next| one > next), "the newest first, each once: {ids:?}");
    assert_eq!(found[0]["user_id"], json!(person.id));
    let beyond = world.admin.get(&format!("{LIST}?page=1000&page_size=100")).await.ok(200);
    assert_eq!((&beyond["total"], &beyond["bots"]), (&json!(total), &json!([])));

    let pending = world.admin.get(&format!("{LIST}?status_filter=pending")).await.ok(200);
    let statuses: BTreeSet<_> =
        pending["bots"].as_array().expect("bots").iter().map(|bot| bot["status"].to_string()).collect();
    assert_eq!(statuses, BTreeSet::from(["\"pending\"".to_owned()]));
    for (query, field) in [
        ("page_size=101", "page_size"),
        ("page_size=0", "page_size"),
        ("page=0", "page"),
        ("status_filter=x", "status_filter"),
    ] {
        assert_eq!(world.admin.get(&format!("{LIST}?{query}")).await.invalid(), [field], "{query}");
    }
    for id in ["x", "1.5", "-1x", "99999999999999999999"] {
        assert_eq!(world.admin.get(&format!("/api/admin/bots/{id}/status")).await.invalid(), ["user_id"], "{id}");
    }
    person.remove().await.ok(200);
}

/// Returns the last recorded action on a person's bot, after checking who did it.
async fn last_action(world: &World, person: &Person, admin: &Person) -> (String, Item) {
    let action = world.actions(person).await.pop().expect("an action");
    assert_eq!(number(&action["admin_user_id"]), admin.id, "{action:?}");
    let details = action["details"].as_m().expect("a map").clone().into_iter().collect();
    (action["action"].as_s().expect("a text").clone(), details)
}

pub(super) async fn row_22_a_suspension_has_a_reason_and_is_recorded(world: Arc<World>) {
    let (ana, admin) = (&world.ana, &world.admin);
    let path = ana.managed("suspend");
    for reason in ["abcd", "   abcd   ", ""] {
        assert_eq!(admin.patch(&path, json!({ "reason": reason })).await.invalid(), ["reason"], "{reason}");
    }
    assert_eq!(admin.patch(&path, json!({ "reason": "x".repeat(1001) })).await.invalid(), ["reason"]);
    let before = world.actions(ana).await.len();
    let said = admin.patch(&path, json!({ "reason": "Policy violation" })).await.ok(200);
    assert_eq!((&said["status"], &said["suspension_reason"]), (&json!("suspended"), &json!("Policy violation")));
    assert_eq!(world.actions(ana).await.len(), before + 1, "one row for one suspension");
    let (action, details) = last_action(&world, ana, admin).await;
    assert_eq!(
        (action.as_str(), details["reason"].as_s().expect("a text").as_str()),
        ("suspend_bot", "Policy violation")
    );
    // Repeated, it changes the reason and is recorded again.
    let again = admin.patch(&path, json!({ "reason": "Another reason" })).await.ok(200);
    assert_eq!(again["suspension_reason"], "Another reason");
    assert_eq!(world.actions(ana).await.len(), before + 2);
}

pub(super) async fn row_23_a_suspended_bot_is_unusable_until_it_is_activated(world: Arc<World>) {
    let (ana, admin) = (&world.ana, &world.admin);
    let before = world.bot(ana).await;
    for said in
        [ana.verify(json!({})).await, ana.remove().await, ana.limit(json!({ "max_requests_per_second": 5 })).await]
    {
        assert_eq!(said.error(403), "BOT_SUSPENDED");
    }
    assert_eq!(world.bot(ana).await, before, "a suspended bot was changed, or a call left");
    let said = admin.patch(&ana.managed("activate"), json!({})).await.ok(200);
    assert_eq!((&said["status"], &said["is_verified"]), (&json!("active"), &json!(true)), "{said:#}");
    assert_eq!(said["suspension_reason"], Value::Null);
    let (action, details) = last_action(&world, ana, admin).await;
    assert_eq!(
        (action.as_str(), details["previous_status"].as_s().expect("a text").as_str()),
        ("activate_bot", "suspended")
    );
    ana.verify(json!({})).await.ok(200);
}

pub(super) async fn row_24_limits_and_access_are_recorded(world: Arc<World>) {
    let (ana, admin) = (&world.ana, &world.admin);
    let limits = json!({ "max_requests_per_second": 50, "max_concurrent_requests": 20 });
    let said = admin.patch(&ana.managed("rate-limit"), limits.clone()).await.ok(200);
    assert_eq!(said["new_limits"], limits, "{said:#}");
    let (action, details) = last_action(&world, ana, admin).await;
    assert_eq!(action, "update_rate_limits");
    for (name, value) in [
        ("old_rate_limit_rps", 1),
        ("new_rate_limit_rps", 50),
        ("old_max_concurrent_requests", 10),
        ("new_max_concurrent_requests", 20),
    ] {
        assert_eq!(number(&details[name]), value, "{name}");
    }
    let rows = world.actions(ana).await.len();
    admin.patch(&ana.managed("rate-limit"), json!({})).await.ok(200);
    assert_eq!(world.actions(ana).await.len(), rows, "without a change, nothing is recorded");

    let said = admin.post(&ana.managed("access"), json!({})).await.ok(200);
    assert_eq!((&said["success"], &said["access_logged"]), (&json!(true), &json!(true)), "{said:#}");
    assert_eq!(said["bot_info"]["username"], format!("stub_{ANAS}_bot"));
    let (action, details) = last_action(&world, ana, admin).await;
    assert_eq!(action, "admin_access_bot");
    let text = |name: &str| details.get(name).map(|value| value.as_s().expect("a text").clone());
    assert_eq!((text("action_type").as_deref(), text("outcome").as_deref()), (Some("access"), Some("ok")));
    assert_eq!(admin.get(&ana.managed("status")).await.ok(200)["user_id"], json!(ana.id));
    let without = Person { id: world.admin.id, ..world.admin.clone() };
    for (method, route, body) in routes().into_iter().filter(|(_, route, _)| *route != "actions") {
        assert_eq!(admin.call(method, &without.managed(route), body).await.error(404), "BOT_NOT_FOUND", "{route}");
    }
}

pub(super) async fn the_audit_log_has_pages(world: Arc<World>) {
    let rows = world.actions(&world.ana).await;
    let expected: Vec<_> = rows.iter().rev().map(|row| row["id"].as_s().expect("a text").clone()).collect();
    assert!(expected.len() >= 5, "{expected:?}");
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let next = cursor.as_deref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page = world.owner.get(&format!("{}?page_size=2{next}", world.ana.managed("actions"))).await.ok(200);
        let actions = page["actions"].as_array().expect("actions");
        assert!(actions.len() <= 2, "{page:#}");
        found.extend(actions.iter().map(|action| action["id"].as_str().expect("an ID").to_owned()));
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(found, expected, "the newest first, each once");
    let forged = world.owner.get(&format!("{}?cursor=forged", world.ana.managed("actions"))).await;
    assert_eq!(forged.invalid(), ["cursor"]);
}

pub(super) async fn row_25_changes_of_users_take_effect_at_once(world: Arc<World>) {
    let (admin, ana, bob) = (&world.admin, &world.ana, &world.bob);
    let set_role = async |role: &str| {
        world.administer(&json!({ "op": "set_role", "user": admin.id, "role": role })).await;
    };
    let set_active = async |is_active: bool| {
        world.administer(&json!({ "op": "set_active", "user": ana.id, "active": is_active })).await;
    };
    // The token says `admin`, the stored user decides.
    set_role("user").await;
    assert_eq!(admin.get(LIST).await.error(403), "ADMIN_REQUIRED");
    set_role("admin").await;
    admin.get(LIST).await.ok(200);
    set_active(false).await;
    assert_eq!(ana.status().await.error(403), "ACCOUNT_INACTIVE");
    world.forget_sign_ins().await;
    let right = world.anonymous.login("ana", super::person::PASSWORD).await;
    let wrong = world.anonymous.login("ana", "Wrong-Horse-7-Battery").await;
    assert_eq!((right.error(403), wrong.error(401)), ("ACCOUNT_INACTIVE", "INVALID_CREDENTIALS"));
    set_active(true).await;
    ana.status().await.ok(200);

    let token = world.token_of(BOBS);
    if bob.status().await.status == 404 {
        bob.create(&token).await.ok(201);
    }
    let rows = world.actions(bob).await.len();
    let said = bob.remove().await.ok(200);
    assert_eq!((&said["success"], &said["message"]), (&json!(true), &json!("Bot removed successfully")));
    assert_eq!(bob.remove().await.error(404), "BOT_NOT_FOUND");
    bob.create(&token).await.ok(201);
    assert_eq!(world.actions(bob).await.len(), rows, "rows outlive the bot, and no user writes one");
    let listed = world.administer(&json!({ "op": "list_actions", "by": { "target": ana.id } })).await;
    assert!(listed.to_string().contains("suspend_bot"), "{listed:#}");
    let kinds = world.actions(ana).await;
    assert!(kinds.iter().all(|row| matches!(row["timestamp"], AttributeValue::S(_))), "{kinds:?}");
}
