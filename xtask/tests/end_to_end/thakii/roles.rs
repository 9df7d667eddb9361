//! Users, admins, super admins: rows 7 to 9.

use std::sync::Arc;

use reqwest::Method;
use serde_json::json;

use super::world::{World, error};

pub(super) async fn row_07_statistics_are_for_admins(world: Arc<World>) {
    assert_eq!(error(&world.user.get("/admin/stats").await), (403, "Admin access required"));
    let (status, body) = world.admin.get("/admin/stats").await;
    assert_eq!(status, 200, "{body}");
    for name in ["totalUsers", "totalVideos", "totalPDFs", "activeProcessing", "inQueue", "failed", "activeServers"] {
        assert!(body[name].is_u64(), "{name}: {body}");
    }
}

pub(super) async fn row_08_admins_are_added_by_super_admins(world: Arc<World>) {
    let new = json!({"email": "new@example.com"});
    let refused = world.admin.post("/admin/admins", new.clone()).await;
    assert_eq!(error(&refused), (403, "Super admin privileges required"));
    let (status, body) = world.root.post("/admin/admins", new.clone()).await;
    assert_eq!((status, &body["success"], &body["admin"]["role"]), (200, &json!(true), &json!("admin")), "{body}");
    let again = world.root.post("/admin/admins", new).await;
    assert_eq!(error(&again), (400, "Admin with email \"new@example.com\" already exists"));
    let bad = world.root.post("/admin/admins", json!({"email": "bad"})).await;
    assert_eq!(error(&bad), (400, "Invalid email format"));
}

pub(super) async fn row_09_a_removed_admin_is_a_user_at_once(world: Arc<World>) {
    assert_eq!(world.other.get("/admin/stats").await.0, 403);
    let (status, added) = world.root.post("/admin/admins", json!({"email": "Bob@Example.com"})).await;
    assert_eq!(status, 200, "{added}");
    let id = added["admin"]["id"].as_str().expect("an id");
    assert_eq!(world.other.get("/admin/stats").await.0, 200);
    // An admin's login is counted.
    assert_eq!(world.other.post("/auth/login", json!({})).await.1["user"]["is_admin"], true);

    let removed = world.root.delete(&format!("/admin/admins/{id}")).await;
    assert_eq!(removed.0, 200, "{removed:?}");
    assert_eq!(world.other.get("/admin/stats").await.0, 403);
    let (_, admins) = world.admin.get("/admin/admins").await;
    let admins = admins.as_array().expect("a list");
    let bob = admins.iter().find(|admin| admin["id"] == id).expect("still listed");
    assert_eq!(
        (&bob["status"], &bob["removed_by"], &bob["login_count"]),
        (&json!("removed"), &json!("root@example.com"), &json!(1))
    );

    let root = admins.iter().find(|admin| admin["email"] == "root@example.com").expect("its row");
    let root_path = format!("/admin/admins/{}", root["id"].as_str().expect("an id"));
    assert_eq!(error(&world.root.delete(&root_path).await), (403, "Cannot remove super admin"));
    let changed = world.root.call(Method::PUT, &root_path, Some(json!({"status": "removed"}))).await;
    assert_eq!(changed.0, 403, "{changed:?}");
    assert_eq!(world.root.delete("/admin/admins/00000000000000000000").await.0, 404);
    let (_, counted) = world.admin.get("/admin/admins/stats").await;
    assert_eq!((&counted["removed_admins"], &counted["super_admins"]), (&json!(1), &json!(2)), "{counted}");

    // Reactivated, and removed again, so that the next rows find a user.
    let path = format!("/admin/admins/{id}");
    assert_eq!(world.root.call(Method::PUT, &path, Some(json!({"status": "active"}))).await.0, 200);
    assert_eq!(world.other.get("/admin/stats").await.0, 200);
    assert_eq!(world.root.delete(&path).await.0, 200);
}
