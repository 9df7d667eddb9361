//! Posts, projects and certifications.

use std::sync::Arc;

use futures_util::StreamExt;
use serde_json::{Value, json};

use super::world::{World, certification, ids, post, project};

const POSTS: &str = "/v1/blog/posts";

pub(super) async fn row_10_and_11_a_new_post_is_the_owners_draft(world: Arc<World>) {
    let body = post("Größe & Pracht: a Story!", "Drafts");
    assert_eq!(world.anonymous.post(POSTS, body.clone()).await.status, 401);
    assert_eq!(world.stranger.post(POSTS, body.clone()).await.error(403).0, "Forbidden");
    let created = world.owner.create(POSTS, body).await;
    assert_eq!(
        (&created["status"], &created["slug"], &created["publishedAt"], &created["readTime"]),
        (&json!("draft"), &json!("gre-pracht-a-story"), &json!(""), &json!("1 min read"))
    );
    let path = format!("{POSTS}/{}", created["id"].as_str().expect("an id"));
    assert_eq!(world.anonymous.get(&path).await.error(404).0, "NotFound");
    assert_eq!(world.stranger.get(&path).await.status, 404);
    assert_eq!(world.owner.get(&path).await.ok(200), created);
}

pub(super) async fn row_12_publishing_twice_changes_nothing(world: Arc<World>) {
    let created = world.owner.create(POSTS, post("Published", "Publishing")).await;
    let path = format!("{POSTS}/{}", created["id"].as_str().expect("an id"));
    let published = world.owner.act(&format!("{path}/publish")).await.ok(200);
    let today = &published["updatedAt"].as_str().expect("a time")[..10];
    assert_eq!((&published["status"], &published["publishedAt"]), (&json!("published"), &json!(today)));
    assert_eq!(world.anonymous.get(&path).await.ok(200), published);
    assert_eq!(world.owner.act(&format!("{path}/publish")).await.ok(200), published);
    let draft = world.owner.act(&format!("{path}/unpublish")).await.ok(200);
    assert_eq!((&draft["status"], &draft["publishedAt"]), (&json!("draft"), &json!("")));
    assert_eq!(world.owner.act(&format!("{path}/unpublish")).await.ok(200), draft);
    assert_eq!(world.anonymous.get(&path).await.status, 404);
}

pub(super) async fn row_13_only_the_owner_lists_drafts(world: Arc<World>) {
    let published = world.owner.published(POSTS, post("Seen", "Statuses")).await;
    let created = world.owner.create(POSTS, post("Unseen", "Statuses")).await;
    let draft = created["id"].as_str().expect("an id").to_owned();
    let listed = async |status: &str, person: &super::world::Person| {
        let page = person.get(&format!("{POSTS}?category=Statuses&status={status}")).await.ok(200);
        ids(&page, "posts")
    };
    for status in ["all", "draft", "published"] {
        for person in [&world.anonymous, &world.stranger] {
            assert_eq!(listed(status, person).await, std::slice::from_ref(&published), "{status}");
        }
    }
    assert_eq!(listed("all", &world.owner).await, [draft.clone(), published.clone()]);
    assert_eq!(listed("draft", &world.owner).await, [draft]);
    assert_eq!(listed("published", &world.owner).await, [published]);
}

async fn counts(world: &World) -> Value {
    world.anonymous.get("/v1/blog/categories").await.ok(200)["counts"].clone()
}

pub(super) async fn row_14_a_changed_category_moves_its_counts(world: Arc<World>) {
    let created = world.owner.create(POSTS, post("Moving", "Moving from")).await;
    world.owner.create(POSTS, post("Staying", "Moving from")).await;
    let path = format!("{POSTS}/{}", created["id"].as_str().expect("an id"));
    let before = counts(&world).await;
    assert_eq!((&before["Moving from"], &before["Moving to"]), (&json!(2), &Value::Null));
    let changed = world.owner.put(&path, json!({"category": "Moving to"})).await.ok(200);
    assert_eq!((&changed["category"], &changed["slug"]), (&json!("Moving to"), &created["slug"]));
    let after = counts(&world).await;
    assert_eq!((&after["Moving from"], &after["Moving to"]), (&json!(1), &json!(1)));
    assert_eq!(world.owner.delete(&path).await.status, 204);
    let deleted = counts(&world).await;
    assert_eq!((&deleted["Moving from"], &deleted["Moving to"]), (&json!(1), &Value::Null));
}

pub(super) async fn row_15_a_change_of_nothing_is_refused(world: Arc<World>) {
    let created = world.owner.create(POSTS, post("Unchanged", "Changes")).await;
    let path = format!("{POSTS}/{}", created["id"].as_str().expect("an id"));
    for body in [json!({}), json!({"unknown": 1})] {
        let refused = world.owner.put(&path, body).await;
        assert_eq!(refused.error(400).0, "InvalidRequest");
        assert_eq!(refused.body["message"], "No fields to update");
    }
    assert_eq!(world.owner.get(&path).await.ok(200), created);
}

pub(super) async fn row_16_lists_have_pages(world: Arc<World>) {
    let mut created = Vec::new();
    for number in 0..3 {
        created.insert(0, world.owner.published(POSTS, post(&format!("Page {number}"), "Pages")).await);
    }
    let page = async |query: &str| world.anonymous.get(&format!("{POSTS}?category=Pages&{query}")).await.ok(200);
    let first = page("limit=2").await;
    assert_eq!((ids(&first, "posts"), &first["total"]), (created[..2].to_vec(), &json!(3)));
    let second = page("limit=2&offset=2").await;
    assert_eq!((ids(&second, "posts"), &second["total"]), (created[2..].to_vec(), &json!(3)));
    assert_eq!((&second["limit"], &second["offset"]), (&json!(2), &json!(2)));
    let beyond = page("offset=50").await;
    assert_eq!((ids(&beyond, "posts"), &beyond["total"]), (Vec::new(), &json!(3)));
    assert_eq!(page("tag=rust").await["total"], 3);
    assert_eq!(page("tag=other").await["total"], 0);
}

pub(super) async fn row_17_wrong_limits_are_refused(world: Arc<World>) {
    for limit in ["0", "101", "abc"] {
        let refused = world.anonymous.get(&format!("{POSTS}?limit={limit}")).await;
        assert_eq!(refused.error(400), ("InvalidRequest", &json!("limit")), "{limit}");
    }
    for (path, field) in [
        ("/v1/projects?featured=perhaps", "featured"),
        ("/v1/certifications?type=diploma", "type"),
        ("/v1/projects?status=secret", "status"),
        ("/v1/blog/posts?offset=-1", "offset"),
    ] {
        assert_eq!(world.anonymous.get(path).await.error(400), ("InvalidRequest", &json!(field)), "{path}");
    }
}

pub(super) async fn row_18_a_deleted_post_is_gone(world: Arc<World>) {
    let id = world.owner.published(POSTS, post("Short-lived", "Deleting")).await;
    let view = json!({"contentId": id, "contentType": "blog", "sessionId": "deleting"});
    assert_eq!(world.anonymous.post("/v1/analytics/track", view).await.ok(200)["views"], 1);
    let path = format!("{POSTS}/{id}");
    let deleted = world.owner.delete(&path).await;
    assert_eq!((deleted.status, deleted.body), (204, Value::Null));
    assert_eq!(world.owner.delete(&path).await.error(404).0, "NotFound");
    assert_eq!(world.owner.get(&path).await.status, 404);
    let stats = world.owner.get("/v1/analytics/views/blog").await.ok(200);
    assert_eq!(stats["stats"][&id], Value::Null);
}

pub(super) async fn row_19_courses_are_listed_by_date(world: Arc<World>) {
    const PATH: &str = "/v1/certifications";
    let older = world.owner.published(PATH, certification("Older", "course", "2021-05-01")).await;
    let newer = world.owner.published(PATH, certification("Newer", "course", "2023-05-01")).await;
    let exam = world.owner.published(PATH, certification("Exam", "certification", "2022-05-01")).await;
    let listed = async |query: &str| world.anonymous.get(&format!("{PATH}{query}")).await.ok(200);
    let courses = listed("?type=course").await;
    assert_eq!((ids(&courses, "certifications"), &courses["total"]), (vec![newer.clone(), older.clone()], &json!(2)));
    assert_eq!(ids(&listed("").await, "certifications"), [newer.clone(), exam.clone(), older.clone()]);
    let changed = world.owner.put(&format!("{PATH}/{newer}"), json!({"type": "certification"})).await.ok(200);
    assert_eq!((&changed["type"], &changed["status"]), (&json!("certification"), &json!("published")));
    let courses = listed("?type=course").await;
    assert_eq!((ids(&courses, "certifications"), &courses["total"]), (vec![older.clone()], &json!(1)));
    world.owner.put(&format!("{PATH}/{older}"), json!({"dateEarned": "2024-01-01"})).await.ok(200);
    assert_eq!(ids(&listed("").await, "certifications"), [older, newer, exam]);
}

pub(super) async fn row_20_featured_projects_are_listed_alone(world: Arc<World>) {
    const PATH: &str = "/v1/projects";
    let featured = world.owner.published(PATH, project("Featured", true)).await;
    let plain = world.owner.published(PATH, project("Plain", false)).await;
    let listed = async |query: &str| ids(&world.anonymous.get(&format!("{PATH}{query}")).await.ok(200), "projects");
    assert_eq!(listed("?featured=true").await, std::slice::from_ref(&featured));
    assert_eq!(listed("?featured=false").await, std::slice::from_ref(&plain));
    assert_eq!(listed("").await, [plain, featured.clone()]);
    let path = format!("{PATH}/{featured}");
    let linked = world.owner.put(&path, json!({"githubUrl": "https://example.com/a"})).await.ok(200);
    assert_eq!(linked["githubUrl"], "https://example.com/a");
    assert_eq!(world.owner.put(&path, json!({"githubUrl": null})).await.ok(200)["githubUrl"], Value::Null);
    assert_eq!(world.owner.put(&path, json!({"name": null})).await.error(400).1, "name");
}

pub(super) async fn wrong_fields_are_named_through_the_gateway(world: Arc<World>) {
    let mut long = post("Long", "Fields");
    long["content"] = json!("a".repeat(300 * 1024 + 1));
    assert_eq!(world.owner.post(POSTS, long).await.error(400), ("InvalidRequest", &json!("content")));
    let mut longest = post("Longest", "Fields");
    longest["content"] = json!("a".repeat(300 * 1024));
    let created = world.owner.create(POSTS, longest).await;
    let id = created["id"].as_str().expect("an id");
    assert_eq!(world.owner.get(&format!("{POSTS}/{id}")).await.ok(200)["content"], created["content"]);
    assert_eq!(world.owner.delete(&format!("{POSTS}/{id}")).await.status, 204);
    let mut odd = certification("Odd", "course", "2023-02-30");
    assert_eq!(world.owner.post("/v1/certifications", odd.clone()).await.error(400).1, "dateEarned");
    odd["dateEarned"] = json!("2023-02-28");
    odd["credentialUrl"] = json!("javascript:alert(1)");
    assert_eq!(world.owner.post("/v1/certifications", odd).await.error(400).1, "credentialUrl");
}

/// Changes of different fields at the same time are all kept, and of many who publish at once, none breaks anything.
pub(super) async fn the_owner_can_do_it_all_at_once(world: Arc<World>) {
    let created = world.owner.create(POSTS, post("Busy", "Busy")).await;
    let path = format!("{POSTS}/{}", created["id"].as_str().expect("an id"));
    let changes = [
        json!({"title": "Busier"}),
        json!({"excerpt": "Shorter"}),
        json!({"tags": ["many"]}),
        json!({"content": "word ".repeat(400)}),
    ];
    let publish = format!("{path}/publish");
    let (changed, published) = tokio::join!(
        futures_util::future::join_all(changes.into_iter().map(|change| world.owner.put(&path, change))),
        world.owner.act(&publish),
    );
    assert!(changed.iter().all(|said| said.status == 200), "{changed:?}");
    published.ok(200);
    let post = world.anonymous.get(&path).await.ok(200);
    assert_eq!(
        (&post["title"], &post["excerpt"], &post["tags"], &post["readTime"]),
        (&json!("Busier"), &json!("Shorter"), &json!(["many"]), &json!("2 min read"))
    );
}

/// Whoever loses against the others each time is told to come back, and the counts are right in the end.
pub(super) async fn one_post_changed_by_twenty_at_once_is_changed_by_all(world: Arc<World>) {
    let created = world.owner.create(POSTS, post("Contended", "Contended 0")).await;
    let path = format!("{POSTS}/{}", created["id"].as_str().expect("an id"));
    let change = |number: usize| json!({"category": format!("Contended {}", number % 3)});
    let changes = (0..40).map(|number| world.owner.put(&path, change(number)));
    let said: Vec<_> = futures_util::stream::iter(changes).buffer_unordered(20).collect().await;
    let refused: Vec<_> = said.iter().filter(|said| said.status != 200).collect();
    assert!(refused.iter().all(|said| said.error(429).0 == "TooManyRequests"), "{refused:?}");
    assert!(refused.len() < 10, "{refused:?}");
    let category = world.owner.get(&path).await.ok(200)["category"].as_str().expect("a category").to_owned();
    let counts = counts(&world).await;
    for counted in (0..3).map(|number| format!("Contended {number}")) {
        let expected = if counted == category { json!(1) } else { Value::Null };
        assert_eq!(counts[&counted], expected, "{counted}: {counts:#}");
    }
}
