//! Whose videos are whose: rows 15 and 16.

use std::{collections::BTreeSet, sync::Arc};

use reqwest::Method;
use serde_json::{Value, json};

use super::world::{Person, World, error, said};

pub(super) async fn row_15_videos_are_their_owners_and_lists_have_pages(world: Arc<World>) {
    let mine = world.user.upload("mine.mp4", b"mine").await;
    let theirs = world.other.upload("theirs.mp4", b"theirs").await;
    for path in ["status", "download"] {
        assert_eq!(error(&world.other.get(&format!("/{path}/{mine}")).await), (403, "Access denied"), "{path}");
    }
    let begun = world.user.post("/upload", json!({"filename": "l.mp4", "size": 7})).await.1;
    let foreign = world.other.post("/assemble-file", begun["complete"]["body"].clone()).await;
    assert_eq!(error(&foreign), (404, "Chunks directory not found"));

    let ids = |body: &Value| -> Vec<String> {
        let videos = body["videos"].as_array().expect("videos").iter();
        videos.map(|video| video["id"].as_str().expect("an id").to_owned()).collect()
    };
    let others = ids(&world.other.get("/list").await.1);
    assert!(others.contains(&theirs) && !others.contains(&mine), "{others:?}");
    let (_, all) = world.admin.get("/list").await;
    assert!(ids(&all).contains(&mine) && ids(&all).contains(&theirs));
    let created: Vec<&str> =
        all["videos"].as_array().unwrap().iter().map(|video| video["created_at"].as_str().unwrap()).collect();
    assert!(created.windows(2).all(|pair| pair[0] >= pair[1]), "newest first: {created:?}");

    let whole = ids(&world.user.get("/list").await.1);
    let mut paged = Vec::new();
    let mut next = String::new();
    loop {
        let (status, page) = world.user.get(&format!("/list?limit=1{next}")).await;
        assert_eq!(status, 200, "{page}");
        paged.extend(ids(&page));
        let Some(token) = page["next_token"].as_str() else { break };
        next = format!("&next_token={token}");
    }
    assert_eq!(paged, whole);
    assert_eq!(paged.iter().collect::<BTreeSet<_>>().len(), paged.len());
    assert_eq!(all_pages(&world.admin).await, ids(&world.admin.get("/list").await.1));
    assert_eq!(error(&world.admin.get("/admin/videos?status=x").await), (400, "Invalid status"));
}

/// Everybody's videos by the admin's list, two at a time.
async fn all_pages(admin: &Person) -> Vec<String> {
    let mut ids = Vec::new();
    let mut next = String::new();
    loop {
        let request = admin.request(Method::GET, &format!("/admin/videos?limit=2{next}"));
        let answer = request.send().await.expect("an answer");
        let token = answer.headers().get("x-next-token").map(|token| token.to_str().expect("a text").to_owned());
        let (status, videos) = said(answer).await;
        assert_eq!(status, 200, "{videos}");
        ids.extend(videos.as_array().expect("a list").iter().map(|video| video["id"].as_str().unwrap().to_owned()));
        let Some(token) = token else { return ids };
        next = format!("&next_token={token}");
    }
}

pub(super) async fn row_16_there_is_nothing_to_download_yet(world: Arc<World>) {
    let id = world.user.upload("waiting.mp4", b"waiting").await;
    assert_eq!(error(&world.user.get(&format!("/download/{id}")).await), (400, "PDF not ready yet"));
    let (status, video) = world.user.get(&format!("/download/{id}?type=video")).await;
    assert_eq!(status, 200, "{video}");
    assert_eq!(world.user.fetch(&video["download_url"]).await, b"waiting");
    for unknown in ["/download/7f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b", "/download/x"] {
        assert_eq!(error(&world.user.get(unknown).await), (404, "Video not found"));
    }
}
