//! Visitors and views: nobody is counted twice, and nobody is lost.

use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::world::{Person, World, post, project};

const TRACK: &str = "/v1/visitors/track";
const VIEW: &str = "/v1/analytics/track";

async fn visitors(world: &World) -> u64 {
    world.anonymous.get("/v1/visitors/count").await.ok(200)["count"].as_u64().expect("a count")
}

async fn visit(person: &Person, session: &str) -> Value {
    person.post(TRACK, json!({"sessionId": session, "pagePath": "/", "referrer": "https://example.org"})).await.ok(200)
}

async fn view(person: &Person, kind: &str, id: &str, session: &str) -> Value {
    person.post(VIEW, json!({"contentId": id, "contentType": kind, "sessionId": session})).await.ok(200)
}

pub(super) async fn row_21_a_session_counts_once(world: Arc<World>) {
    let before = visitors(&world).await;
    let first = visit(&world.anonymous, "row-21-s1").await;
    assert_eq!(first, json!({"count": before + 1, "tracked": true, "sessionId": "row-21-s1"}));
    let again = visit(&world.anonymous, "row-21-s1").await;
    assert_eq!(again, json!({"count": before + 1, "tracked": false, "sessionId": "row-21-s1"}));
    assert_eq!(visit(&world.anonymous, "row-21-s2").await["tracked"], true);
    assert_eq!(visitors(&world).await, before + 2);
}

pub(super) async fn row_22_a_hundred_visitors_at_once_count_exactly(world: Arc<World>) {
    let before = visitors(&world).await;
    let sessions: Vec<_> = (0..100).map(|number| format!("row-22-{number}")).collect();
    let answers = join_all(sessions.iter().map(|session| visit(&world.anonymous, session))).await;
    assert!(answers.iter().all(|answer| answer["tracked"] == true));
    assert_eq!(visitors(&world).await, before + 100);
    let trends = world.owner.get("/v1/visitors/trends/daily?days=2").await.ok(200);
    let days = trends["trends"].as_array().expect("trends");
    let lately: u64 = days.iter().filter_map(|day| day["visitors"].as_u64()).sum();
    // All visitors of this cloud came today, or yesterday if midnight has just passed.
    assert_eq!(lately, before + 100);
}

pub(super) async fn one_session_at_once_counts_once(world: Arc<World>) {
    let before = visitors(&world).await;
    let answers = join_all((0..30).map(|_| visit(&world.anonymous, "one-session"))).await;
    assert_eq!(answers.iter().filter(|answer| answer["tracked"] == true).count(), 1);
    assert_eq!(visitors(&world).await, before + 1);
    let id = world.owner.published("/v1/blog/posts", post("At once", "Counting")).await;
    let views = join_all((0..30).map(|_| view(&world.anonymous, "blog", &id, "one-session"))).await;
    assert_eq!(views.iter().filter(|answer| answer["tracked"] == true).count(), 1);
    let counted = world.anonymous.get(&format!("/v1/analytics/views/blog/{id}")).await.ok(200);
    assert_eq!(counted["views"], 1);
}

pub(super) async fn row_23_a_view_counts_once(world: Arc<World>) {
    let id = world.owner.published("/v1/blog/posts", post("Viewed", "Counting")).await;
    let path = format!("/v1/analytics/views/blog/{id}");
    assert_eq!(world.anonymous.get(&path).await.ok(200)["views"], 0);
    let first = view(&world.anonymous, "blog", &id, "row-23").await;
    assert_eq!(first, json!({"views": 1, "tracked": true, "sessionId": "row-23"}));
    let again = view(&world.anonymous, "blog", &id, "row-23").await;
    assert_eq!(again, json!({"views": 1, "tracked": false, "sessionId": "row-23"}));
    let viewed = world.anonymous.get(&path).await.ok(200);
    assert_eq!(viewed, json!({"contentId": id, "contentType": "blog", "views": 1}));

    let unknown = json!({"contentId": "unknown", "contentType": "blog"});
    assert_eq!(world.anonymous.post(VIEW, unknown).await.error(404).0, "NotFound");
    let odd = json!({"contentId": id, "contentType": "x"});
    assert_eq!(world.anonymous.post(VIEW, odd).await.error(400), ("InvalidRequest", &json!("contentType")));
    let draft = world.owner.create("/v1/blog/posts", post("Hidden", "Counting")).await;
    let hidden = json!({"contentId": draft["id"], "contentType": "blog"});
    assert_eq!(world.owner.post(VIEW, hidden).await.status, 404);
    let stats = format!("/v1/analytics/blog/{id}/stats");
    assert_eq!(world.owner.get(&stats).await.ok(200), json!({"postId": id, "title": "Viewed", "viewCount": 1}));
}

/// Whoever is told to be counted is, and nothing that was viewed comes back after it is gone.
pub(super) async fn views_of_what_is_being_deleted_are_counted_or_refused(world: Arc<World>) {
    let id = world.owner.published("/v1/projects", project("Going", false)).await;
    let total =
        async || world.owner.get("/v1/analytics/total-views").await.ok(200)["totalViews"].as_u64().expect("a count");
    let before = total().await;
    let view = async |number: usize| {
        let body = json!({"contentId": id, "contentType": "project", "sessionId": format!("going-{number}")});
        world.anonymous.post(VIEW, body).await
    };
    let path = format!("/v1/projects/{id}");
    let (early, deleted, late) =
        tokio::join!(join_all((0..20).map(view)), world.owner.delete(&path), join_all((20..40).map(view)));
    assert_eq!(deleted.status, 204, "{:#}", deleted.body);
    let answers: Vec<_> = early.iter().chain(&late).collect();
    assert!(answers.iter().all(|said| matches!(said.status, 200 | 404)), "{answers:?}");
    let counted = answers.iter().filter(|said| said.body["tracked"] == true).count() as u64;
    assert_eq!(total().await, before + counted);
    let client = aws_sdk_dynamodb::Client::new(&world.cloud.sdk());
    let counter = client
        .get_item()
        .table_name(&world.outputs["PortfolioTableName"])
        .key("PK", AttributeValue::S(format!("ANALYTICS#project#{id}")))
        .key("SK", AttributeValue::S("VIEWS".to_owned()))
        .consistent_read(true);
    assert_eq!(counter.send().await.expect("an answer").item, None, "the counter came back");
}

pub(super) async fn row_24_ten_views_rank_above_nine(world: Arc<World>) {
    const PROJECTS: &str = "/v1/projects";
    let nine = world.owner.published(PROJECTS, project("Nine", false)).await;
    let ten = world.owner.published(PROJECTS, project("Ten", false)).await;
    let total =
        async || world.owner.get("/v1/analytics/total-views").await.ok(200)["totalViews"].as_u64().expect("a count");
    let before = total().await;
    for (id, count) in [(&nine, 9), (&ten, 10)] {
        let sessions: Vec<_> = (0..count).map(|number| format!("row-24-{number}")).collect();
        join_all(sessions.iter().map(|session| view(&world.anonymous, "project", id, session))).await;
    }
    assert_eq!(total().await, before + 19);
    let top = world.owner.get("/v1/analytics/top-content?limit=2").await.ok(200);
    assert_eq!(top["projects"], json!([{"contentId": ten, "views": 10}, {"contentId": nine, "views": 9}]));
    let stats = world.owner.get("/v1/analytics/views/project").await.ok(200);
    assert_eq!((&stats["stats"][&ten], &stats["stats"][&nine]), (&json!(10), &json!(9)));
    let pages = world.owner.get("/v1/analytics/pages?contentType=project").await.ok(200);
    assert_eq!(pages[0], json!({"pagePath": format!("/projects/{ten}"), "viewCount": 10}));
    for path in ["/v1/analytics/top-content", "/v1/analytics/total-views"] {
        assert_eq!(world.anonymous.get(path).await.status, 401, "{path}");
        assert_eq!(world.stranger.get(path).await.status, 403, "{path}");
    }
}

pub(super) async fn visitors_without_a_session_get_one(world: Arc<World>) {
    let plain = || world.anonymous.request(Method::POST, TRACK).header("User-Agent", "somebody");
    let first = world.anonymous.send(plain()).await;
    let cookie = first.headers["set-cookie"].to_str().expect("a cookie").to_owned();
    let body = first.ok(200);
    let session = body["sessionId"].as_str().expect("a session");
    assert!(session.starts_with("ip-") && session.len() == 35, "{session}");
    assert!(cookie.starts_with(&format!("session_id={session};")), "{cookie}");
    assert!(cookie.contains("HttpOnly") && cookie.contains("Secure") && cookie.contains("SameSite=None"), "{cookie}");
    assert_eq!(body["tracked"], true);
    let again = world.anonymous.send(plain().header("Cookie", format!("session_id={session}"))).await;
    assert!(!again.headers.contains_key("set-cookie"));
    assert_eq!(again.ok(200)["tracked"], false);
    let named = world.anonymous.send(plain().header("X-Session-Id", "by-header")).await.ok(200);
    assert_eq!((&named["sessionId"], &named["tracked"]), (&json!("by-header"), &json!(true)));
    let odd = world.anonymous.post(TRACK, json!({"sessionId": "a b"})).await;
    assert_eq!(odd.error(400), ("InvalidRequest", &json!("sessionId")));
}

pub(super) async fn trends_and_overview_show_today(world: Arc<World>) {
    visit(&world.anonymous, "trends").await;
    let daily = world.owner.get("/v1/visitors/trends/daily").await.ok(200)["trends"].clone();
    let monthly = world.owner.get("/v1/visitors/trends/monthly").await.ok(200)["trends"].clone();
    assert_eq!((daily.as_array().map(Vec::len), monthly.as_array().map(Vec::len)), (Some(30), Some(6)));
    let overview = world.owner.get("/v1/analytics/overview?days=200").await.ok(200);
    let activity = overview["recentActivity"].as_array().expect("activity");
    assert_eq!(activity.len(), 200);
    assert!(activity.windows(2).all(|days| days[0]["isoDate"].as_str() < days[1]["isoDate"].as_str()));
    assert_eq!(overview["uniqueVisitors"], visitors(&world).await);
    assert!(overview["topPages"].as_array().is_some_and(|pages| !pages.is_empty() && pages.len() <= 10));
    for path in ["/v1/visitors/trends/daily?days=91", "/v1/visitors/trends/monthly?months=13"] {
        assert_eq!(world.owner.get(path).await.error(400).0, "InvalidRequest", "{path}");
    }
}
