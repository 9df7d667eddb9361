//! Routes 7 to 9, called with API Gateway's events and a scripted S3. Links are really signed.

use serde_json::{Value, json};

use super::*;
use crate::{
    manifest::{Failure, FailureCode, Manifest, PosterSource, STALLED_AFTER, Status},
    storage,
    testing::{
        Answer, FILENAME, aws, call, manifest as example,
        scripted::{Reply, Rule, ScriptedAws},
    },
};

/// Calls a route with these manifests in the processed bucket.
async fn ask(method: &str, path: &str, main: Option<&Manifest>, poster: Option<&Manifest>) -> Answer {
    let rule = |key: String, manifest: Option<&Manifest>| {
        let bytes = manifest.map(|manifest| serde_json::to_vec(manifest).expect("plain data"));
        Rule::get_object(&format!("/processed/{key}"), bytes.map_or_else(Reply::no_such_key, Reply::object))
    };
    let rules = [rule(keys::manifest(FILENAME), main), rule(keys::poster_manifest(FILENAME), poster)];
    let retrieve = Retrieve {
        processed: Store::new(ScriptedAws::new(rules).s3(), "processed"),
        presigner: storage::presigning_client(&aws(), None),
    };
    call::<Contract>(&router(retrieve, Origins::parse("")), method, path, None).await
}

async fn get_query(query: &str, main: Option<&Manifest>, poster: Option<&Manifest>) -> Answer {
    ask("GET", &format!("/media/{FILENAME}{query}"), main, poster).await
}

fn image() -> Manifest {
    example(MediaKind::Image, Status::Ready, &[("medium", "jpg"), ("huge", "jpg")])
}

fn stalled(mut manifest: Manifest) -> Manifest {
    manifest.status = Status::Processing;
    manifest.updated_at = Timestamp::now() - STALLED_AFTER - jiff::SignedDuration::from_secs(1);
    manifest
}

fn failed(mut manifest: Manifest) -> Manifest {
    manifest.status = Status::Failed;
    manifest.error = Some(Failure { code: FailureCode::TypeMismatch, message: "it is a video".to_owned() });
    manifest
}

#[tokio::test(flavor = "current_thread")]
async fn a_medium_jpeg_is_the_default() {
    let answer = get_query("", Some(&image()), None).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("cache-control"), Some("private, max-age=300"));
    let mut body = answer.body();
    let url = body["url"].take();
    let url = url.as_str().expect("a link");
    assert!(
        url.starts_with(&format!("https://processed.s3.eu-central-1.amazonaws.com/{FILENAME}/medium.jpg?")),
        "{url}"
    );
    assert!(url.contains("X-Amz-Expires=900&"), "{url}");
    assert_eq!(
        body,
        json!({
            "filename": FILENAME, "size": "medium", "extension": "jpg", "contentType": "image/jpeg",
            "bytes": 1234, "width": 640, "height": 320, "url": null, "expiresIn": 900,
        })
    );
}

#[tokio::test(flavor = "current_thread")]
async fn case_does_not_matter_and_a_redirect_leads_to_the_file() {
    let answer = get_query("?size=HUGE&extension=JPEG&redirect=1", Some(&image()), None).await;
    assert_eq!(answer.status(), 302);
    assert!(answer.header("location").expect("a link").contains(&format!("/{FILENAME}/huge.jpg?")));
}

#[tokio::test(flavor = "current_thread")]
async fn unknown_choices_list_the_allowed_ones() {
    for (query, code, field, allowed) in [
        ("?size=giant", "InvalidSize", "size", "original"),
        ("?extension=exe", "InvalidExtension", "extension", "jpeg"),
    ] {
        let answer = get_query(query, Some(&image()), None).await;
        assert_eq!(answer.error(), (400, code.to_owned(), json!(field)));
        assert!(answer.body()["details"]["allowed"].as_array().expect("a list").contains(&json!(allowed)));
        // A response to HEAD has no body.
        assert_eq!(ask("HEAD", &format!("/media/{FILENAME}{query}"), Some(&image()), None).await.status(), 400);
    }
    let answer = get_query("?redirect=maybe", Some(&image()), None).await;
    assert_eq!(answer.error(), (400, "InvalidRedirect".to_owned(), json!("redirect")));
    for path in ["/media/abc", "/media/abc/manifest"] {
        let answer = ask("GET", path, Some(&image()), None).await;
        assert_eq!(answer.error(), (400, "InvalidFilename".to_owned(), json!("filename")));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn an_unknown_media_is_not_found() {
    for path in [format!("/media/{FILENAME}"), format!("/media/{FILENAME}/manifest")] {
        assert_eq!(ask("GET", &path, None, None).await.error(), (404, "NotFound".to_owned(), Value::Null));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn unfinished_media_is_reported_as_such() {
    let answer = get_query("", Some(&example(MediaKind::Image, Status::Processing, &[])), None).await;
    assert_eq!(answer.status(), 202);
    assert_eq!((answer.header("retry-after"), answer.header("cache-control")), (Some("2"), Some("no-store")));
    assert_eq!(answer.body(), json!({"filename": FILENAME, "status": "processing"}));

    let answer = get_query("", Some(&stalled(example(MediaKind::Image, Status::Processing, &[]))), None).await;
    assert_eq!(answer.error(), (422, "Stalled".to_owned(), Value::Null));
    let answer = get_query("", Some(&failed(example(MediaKind::Image, Status::Failed, &[]))), None).await;
    assert_eq!(answer.error(), (422, "TypeMismatch".to_owned(), Value::Null));
    assert_eq!(answer.body()["message"], "it is a video");
}

#[tokio::test(flavor = "current_thread")]
async fn a_missing_variant_lists_the_existing_ones() {
    let answer = get_query("?size=original", Some(&image()), None).await;
    assert_eq!(answer.status(), 404);
    assert_eq!(
        answer.body()["details"]["available"],
        json!([{"size": "medium", "extension": "jpg"}, {"size": "huge", "extension": "jpg"}])
    );
}

#[tokio::test(flavor = "current_thread")]
async fn head_knows_only_yes_and_no() {
    let path = format!("/media/{FILENAME}");
    assert_eq!(ask("HEAD", &path, Some(&image()), None).await.status(), 200);
    let processing = example(MediaKind::Image, Status::Processing, &[]);
    assert_eq!(ask("HEAD", &path, Some(&processing), None).await.status(), 404);
}

#[tokio::test(flavor = "current_thread")]
async fn a_videos_images_are_its_posters() {
    let video = example(MediaKind::Video, Status::Ready, &[("original", "mp4")]);
    let poster = example(MediaKind::Image, Status::Ready, &[("medium", "jpg")]);
    assert_eq!(get_query("", Some(&video), Some(&poster)).await.status(), 200);
    assert_eq!(get_query("?size=original&extension=mp4", Some(&video), Some(&poster)).await.status(), 200);
    assert_eq!(get_query("", Some(&video), None).await.status(), 404);

    let pending = example(MediaKind::Image, Status::Processing, &[]);
    assert_eq!(get_query("", Some(&video), Some(&pending)).await.status(), 202);
    assert_eq!(get_query("?extension=webm", Some(&video), Some(&pending)).await.status(), 404);
    assert_eq!(get_query("", Some(&video), Some(&failed(pending))).await.status(), 422);
}

#[tokio::test(flavor = "current_thread")]
async fn the_manifest_has_the_poster_merged_in() {
    let video = stalled(example(MediaKind::Video, Status::Processing, &[("original", "mp4")]));
    let mut poster = example(MediaKind::Image, Status::Ready, &[("medium", "jpg")]);
    poster.poster_source = Some(PosterSource::Client);
    let answer = ask("GET", &format!("/media/{FILENAME}/manifest"), Some(&video), Some(&poster)).await;
    assert_eq!(answer.status(), 200);
    let body = answer.body();
    assert_eq!(body["status"], "stalled");
    assert_eq!((&body["poster"]["status"], &body["poster"]["source"]), (&json!("ready"), &json!("client")));
    let extensions: Vec<_> =
        body["variants"].as_array().expect("variants").iter().map(|v| v["extension"].clone()).collect();
    assert_eq!(extensions, [json!("mp4"), json!("jpg")]);
}
