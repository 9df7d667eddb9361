//! Videos from upload to fast start, and their posters.

use std::sync::Arc;

use media_uploader::fixtures;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{acceptance::World, client::filename};

const MIB: usize = 1024 * 1024;

pub(crate) async fn row_21_a_video_is_made_ready_to_stream(world: Arc<World>) {
    let video = fixtures::mp4();
    let created = world.user.upload("video/mp4", &video.bytes, None).await;
    let manifest = world.user.processed(filename(&created)).await;
    assert_eq!(manifest["status"], "ready", "{manifest:#}");
    let facts = &manifest["video"];
    assert_eq!(facts["transcoded"], false);
    assert_eq!(facts["hadLocation"], true, "{facts:#}");
    assert_eq!(facts["fastStartBefore"], false, "{facts:#}");
    assert_eq!(facts["durationMs"], video.duration_ms);
    assert_eq!(facts["videoTracks"][0]["width"], video.width);
    assert_eq!(facts["videoTracks"][0]["height"], video.height);

    let original = world.user.variant(filename(&created), "original", "mp4").await;
    let position = |name: &[u8]| original.windows(4).position(|window| window == name);
    assert!(position(b"moov").unwrap() < position(b"mdat").unwrap(), "the index does not come first");
    assert_eq!(position(b"udta"), None, "metadata was kept");
    assert_eq!(fixtures::samples(&original), fixtures::samples(&video.bytes), "samples differ");
}

pub(crate) async fn row_22_and_23_a_multipart_video_gets_a_poster(world: Arc<World>) {
    let user = &world.user;
    let video = fixtures::mp4_of_size(20 * MIB);
    let request = json!({ "contentType": "video/mp4", "contentLength": video.len() });
    let created = user.post("/media/multipart", request).await;
    assert_eq!(created.status(), 201);
    let created: Value = created.json().await.unwrap();
    let parts = created["parts"].as_array().unwrap();
    let part_size = usize::try_from(created["partSize"].as_u64().unwrap()).unwrap();
    assert_eq!(parts.len(), video.len().div_ceil(part_size));
    assert_eq!(parts.len(), 3);
    let mut sent = Vec::new();
    for (part, bytes) in parts.iter().zip(video.chunks(part_size)) {
        let etag = user.put_part(part["url"].as_str().unwrap(), bytes.to_vec()).await;
        sent.push(json!({ "partNumber": part["partNumber"], "etag": etag }));
    }
    let file = filename(&created).to_owned();
    let complete = format!("/media/{file}/multipart/complete");
    let body = |key: &Value| json!({ "key": key, "uploadId": created["uploadId"], "parts": sent });
    let foreign = json!(format!("somebody-else/videos/{file}"));
    assert_eq!(user.post(&complete, body(&foreign)).await.status(), 403);
    let completed = user.post(&complete, body(&created["key"])).await;
    assert_eq!(completed.status(), 200, "{:?}", completed.text().await);
    assert_eq!(user.processed(&file).await["status"], "ready");
    assert_eq!(user.get(&format!("/media/{file}")).await.status(), 404, "there is a poster already");

    user.upload("image/png", &fixtures::png_with_alpha(200, 100), Some(&file)).await;
    let merged = |manifest: &Value| {
        manifest["variants"].as_array().is_some_and(|all| all.iter().any(|variant| variant["extension"] == "jpg"))
    };
    let manifest = user.manifest_when(&file, merged).await;
    assert_eq!(manifest["status"], "ready", "{manifest:#}");
    let poster = user.variant(&file, "small", "jpg").await;
    assert_eq!(image::guess_format(&poster).unwrap(), image::ImageFormat::Jpeg);
    a_multipart_upload_can_be_aborted(&world).await;
}

/// Five megabytes of headers for a million tracks.
pub(crate) async fn a_video_of_a_million_tracks_fails(world: Arc<World>) {
    let created = world.user.upload("video/webm", &fixtures::matroska::crowded(&[200_000; 5], b""), None).await;
    let manifest = world.user.processed(filename(&created)).await;
    assert_eq!(
        (&manifest["status"], &manifest["error"]["code"]),
        (&json!("failed"), &json!("Corrupt")),
        "{manifest:#}"
    );
}

pub(crate) async fn uploads_that_stay_open_are_limited(world: Arc<World>) {
    let request = json!({ "contentType": "video/mp4", "contentLength": 20 * MIB });
    let mut open: Vec<Value> = Vec::new();
    let refused = loop {
        let created = world.user.post("/media/multipart", request.clone()).await;
        if created.status() != 201 || open.len() == 100 {
            break created;
        }
        open.push(created.json().await.unwrap());
    };
    assert_eq!((refused.status().as_u16(), open.len()), (403, 4));
    assert_eq!(refused.json::<Value>().await.unwrap()["details"]["code"], "TooManyUploads");
    for created in &open {
        assert_eq!(world.user.send(Method::DELETE, &upload_path(created), None).await.status(), 204);
    }
    a_multipart_upload_can_be_aborted(&world).await;
}

async fn a_multipart_upload_can_be_aborted(world: &World) {
    let request = json!({ "contentType": "video/mp4", "contentLength": 20 * MIB });
    let created: Value = world.user.post("/media/multipart", request).await.json().await.unwrap();
    let path = upload_path(&created);
    assert_eq!(world.user.send(Method::DELETE, &path, None).await.status(), 204);
    assert_eq!(world.user.send(Method::DELETE, &path, None).await.status(), 404);
}

/// The path that aborts an upload.
fn upload_path(created: &Value) -> String {
    let text = |field: &str| created[field].as_str().unwrap().to_owned();
    format!(
        "/media/{}/multipart?key={}&uploadId={}",
        filename(created),
        text("key").replace('+', "%2B"),
        text("uploadId").replace('+', "%2B"),
    )
}
