//! What the front end does in one sitting: sign in, create, publish, list, view, count.

use std::sync::Arc;

use serde_json::json;

use super::{
    sessions::next_second,
    world::{World, ids, post},
};

pub(super) async fn the_front_end_signs_in_publishes_and_is_counted(world: Arc<World>) {
    let signed_in = world.sign_in(super::world::OWNER).await;
    let owner = world.anonymous.with_token(signed_in["token"].as_str().expect("a token"));
    assert_eq!(owner.get("/v1/auth/me").await.ok(200), signed_in["user"]);

    let id = owner.published("/v1/blog/posts", post("The whole way", "Flow")).await;
    let reader = &world.anonymous;
    let page = reader.get("/v1/blog/posts?category=Flow").await.ok(200);
    assert_eq!(ids(&page, "posts"), std::slice::from_ref(&id));
    assert_eq!(reader.get("/v1/blog/categories").await.ok(200)["counts"]["Flow"], 1);
    assert_eq!(reader.get(&format!("/v1/blog/posts/{id}")).await.ok(200), page["posts"][0]);

    let before = reader.get("/v1/visitors/count").await.ok(200)["count"].as_u64().expect("a count");
    let visit = reader.post("/v1/visitors/track", json!({"sessionId": "flow"})).await.ok(200);
    assert_eq!((&visit["count"], &visit["tracked"]), (&json!(before + 1), &json!(true)));
    let view = json!({"contentId": id, "contentType": "blog", "sessionId": "flow"});
    assert_eq!(reader.post("/v1/analytics/track", view).await.ok(200)["views"], 1);
    let shown = reader.get("/v1/visitors/count").await.ok(200);
    assert_eq!(shown["count"], before + 1);
    assert!(shown["lastUpdated"].is_string());

    let stats = owner.get(&format!("/v1/analytics/blog/{id}/stats")).await.ok(200);
    assert_eq!(stats["viewCount"], 1);
    next_second().await;
    owner.act("/v1/auth/logout").await.ok(200);
    let refresh = json!({"refreshToken": signed_in["refreshToken"]});
    assert_eq!(world.anonymous.post("/v1/auth/refresh", refresh).await.status, 401);
}
