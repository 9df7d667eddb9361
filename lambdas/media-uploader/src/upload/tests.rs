//! Routes 1 to 6, called with API Gateway's events and a scripted S3. Links are really signed.

use std::slice::from_ref;

use serde_json::{Value, json};

use super::*;
use crate::{
    profile::Profile,
    storage,
    testing::{
        Answer, FILENAME, aws, call,
        scripted::{Reply, Rule, ScriptedAws},
    },
};

/// The handlers with a bucket of these rules, in which the user stores nothing else and has one upload open.
fn test_router(rules: &[Rule]) -> Router {
    let usage = Rule::list_versions("raw", &[("prefix", "ana/")], Reply::versions(&[], None));
    let uploads = Rule::list_uploads("raw", "ana/", Reply::uploads(1));
    let upload = Upload {
        raw: Store::new(ScriptedAws::new(rules.iter().cloned().chain([usage, uploads])).s3(), "raw"),
        presigner: storage::presigning_client(&aws(), Some("http://127.0.0.1:4566")),
        limits: Profile::default().limits,
    };
    router(upload, Origins::parse("https://www.example.com"))
}

async fn post(path: &str, body: &Value, rules: &[Rule]) -> Answer {
    call::<Contract>(&test_router(rules), "POST", path, Some(&body.to_string())).await
}

/// A bucket with these objects and no others.
fn existing(keys: &[&str]) -> Vec<Rule> {
    let there = keys.iter().map(|key| Rule::head_object(&format!("/raw/{key}"), Reply::object(b"x")));
    there.chain([Rule::head_object("/raw/*", Reply::no_such_key())]).collect()
}

#[tokio::test(flavor = "current_thread")]
async fn a_link_signs_type_and_length_for_the_public_endpoint() {
    let answer = post("/media", &json!({"contentType": "image/jpeg", "contentLength": 1000}), &[]).await;
    assert_eq!(answer.status(), 201);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body = answer.body();
    let filename = body["filename"].as_str().expect("a filename");
    assert!(Filename::parse(filename).is_some(), "{filename}");
    assert_eq!(body["key"], format!("ana/images/{filename}"));
    assert_eq!((&body["method"], &body["expiresIn"]), (&json!("PUT"), &json!(3600)));
    assert_eq!(body["headers"], json!({"Content-Type": "image/jpeg"}));
    let url = body["uploadUrl"].as_str().expect("a link");
    assert!(url.starts_with(&format!("http://127.0.0.1:4566/raw/ana/images/{filename}?")), "{url}");
    assert!(url.contains("X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost&"), "{url}");
    assert!(url.contains("X-Amz-Expires=3600&"), "{url}");
    assert!(!url.to_lowercase().contains("checksum"), "{url}");
}

#[tokio::test(flavor = "current_thread")]
async fn bad_requests_name_their_field() {
    for (body, code, field) in [
        (json!({"contentLength": 1}), "MissingField", "contentType"),
        (json!({"contentType": 7, "contentLength": 1}), "InvalidField", "contentType"),
        (json!({"contentType": "image/png"}), "MissingField", "contentLength"),
        (json!({"contentType": "image/png", "contentLength": 0}), "InvalidField", "contentLength"),
        (json!({"contentType": "image/png", "contentLength": -5}), "InvalidField", "contentLength"),
        (json!({"contentType": "image/png", "contentLength": 1.5}), "InvalidField", "contentLength"),
        (json!({"contentType": "image/png", "contentLength": "9"}), "InvalidField", "contentLength"),
        (json!({"contentType": "image/png", "data": "AA==", "contentLength": 1}), "ConflictingFields", "contentLength"),
        (json!({"contentType": "image/png", "data": "no base64!"}), "InvalidBase64", "data"),
        (json!({"contentType": "image/png", "data": "=="}), "InvalidBase64", "data"),
        (json!({"contentType": "image/png", "data": ""}), "InvalidField", "data"),
        (json!({"contentType": "image/png", "contentLength": 1, "posterFor": "abc"}), "InvalidFilename", "posterFor"),
    ] {
        let answer = post("/media", &body, &[]).await;
        assert_eq!(answer.error(), (400, code.to_owned(), json!(field)), "{body}");
    }
    let malformed = call::<Contract>(&test_router(&[]), "POST", "/media", Some("{\"contentType\":")).await;
    assert_eq!(malformed.error(), (400, "MalformedJson".to_owned(), json!("body")));
}

#[tokio::test(flavor = "current_thread")]
async fn other_types_are_rejected() {
    for content_type in ["image/svg+xml", "text/plain", "image/heic"] {
        let answer = post("/media", &json!({"contentType": content_type, "contentLength": 1}), &[]).await;
        assert_eq!(answer.error(), (415, "UnsupportedType".to_owned(), json!("contentType")));
        assert!(answer.body()["details"]["allowed"].as_array().expect("a list").contains(&json!("image/png")));
    }
    let poster = json!({"contentType": "video/mp4", "contentLength": 1, "posterFor": FILENAME});
    assert_eq!(post("/media", &poster, &[]).await.status(), 415);
    let parts = json!({"contentType": "image/png", "contentLength": 1});
    assert_eq!(post("/media/multipart", &parts, &[]).await.status(), 415);
}

#[tokio::test(flavor = "current_thread")]
async fn sizes_are_limited() {
    const MIB: u64 = 1024 * 1024;
    for (path, content_type, bytes) in [
        ("/media", "image/png", 50 * MIB + 1),
        ("/media", "video/mp4", 3 * 1024 * MIB),
        ("/media", "video/mp4", 100 * MIB + 1),
        ("/media/multipart", "video/mp4", 2 * 1024 * MIB + 1),
    ] {
        let answer = post(path, &json!({"contentType": content_type, "contentLength": bytes}), &[]).await;
        assert_eq!(answer.error(), (413, "TooLarge".to_owned(), json!("contentLength")), "{content_type} {bytes}");
        let multipart = answer.body()["message"].as_str().expect("a message").contains("/media/multipart");
        assert_eq!(multipart, bytes == 100 * MIB + 1, "{content_type} {bytes}");
    }
    let at_the_limit = json!({"contentType": "image/png", "contentLength": 50 * MIB});
    assert_eq!(post("/media", &at_the_limit, &[]).await.status(), 201);
}

#[tokio::test(flavor = "current_thread")]
async fn small_files_are_stored_at_once() {
    let put = Rule::put_object("/raw/ana/images/*").header("content-type", "image/png");
    let answer = post("/media", &json!({"contentType": "IMAGE/PNG", "data": "cG5n"}), from_ref(&put)).await;
    assert_eq!((answer.status(), put.calls()), (201, 1));
    let body = answer.body();
    assert_eq!(body["stored"], true);
    let key = format!("ana/images/{}", body["filename"].as_str().expect("a filename"));
    assert_eq!(body["key"], key);
    let request = put.requests().remove(0);
    assert_eq!((request.path, request.body), (format!("/raw/{key}"), b"png".to_vec()));
}

#[tokio::test(flavor = "current_thread")]
async fn files_in_bodies_are_limited_by_their_decoded_size() {
    let put = Rule::put_object("/raw/*");
    let sent = |bytes: usize| json!({"contentType": "image/png", "data": BASE64_STANDARD.encode(vec![0; bytes])});
    assert_eq!(post("/media", &sent(limits::INLINE_BYTES), from_ref(&put)).await.status(), 201);
    let answer = post("/media", &sent(limits::INLINE_BYTES + 1), from_ref(&put)).await;
    assert_eq!(answer.error(), (413, "TooLarge".to_owned(), json!("data")));
    assert_eq!(put.calls(), 1);
}

#[tokio::test(flavor = "current_thread")]
async fn a_poster_gets_the_filename_of_the_callers_video() {
    let body = json!({"contentType": "image/png", "contentLength": 9, "posterFor": FILENAME});
    let own = existing(&["ana/videos/7f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b"]);
    let answer = post("/media", &body, &own).await;
    assert_eq!(answer.status(), 201);
    assert_eq!(answer.body()["key"], format!("ana/posters/{FILENAME}"));
    let foreign = existing(&["eve/videos/7f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b"]);
    let answer = post("/media", &body, &foreign).await;
    assert_eq!(answer.error(), (404, "NotFound".to_owned(), json!("posterFor")));
}

#[tokio::test(flavor = "current_thread")]
async fn delete_removes_existing_files() {
    let mut rules = existing(&[
        "ana/videos/7f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b",
        "ana/posters/7f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b",
    ]);
    let deletes = ["videos", "posters"].map(|kind| Rule::delete_object(&format!("/raw/ana/{kind}/{FILENAME}")));
    rules.extend(deletes.clone());
    let answer = call::<Contract>(&test_router(&rules), "DELETE", &format!("/media/{FILENAME}"), None).await;
    assert_eq!((answer.status(), deletes.map(|delete| delete.calls())), (204, [1, 1]));
}

#[tokio::test(flavor = "current_thread")]
async fn delete_does_not_distinguish_foreign_from_unknown_files() {
    let router = test_router(&existing(&["eve/images/7f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b"]));
    let answer = call::<Contract>(&router, "DELETE", &format!("/media/{FILENAME}"), None).await;
    assert_eq!(answer.error(), (404, "NotFound".to_owned(), Value::Null));
    let answer = call::<Contract>(&router, "DELETE", "/media/abc", None).await;
    assert_eq!(answer.error(), (400, "InvalidFilename".to_owned(), json!("filename")));
}

#[tokio::test(flavor = "current_thread")]
async fn a_multipart_upload_has_a_link_per_part() {
    let started = Reply::xml("InitiateMultipartUploadResult", "UploadId", "id");
    let start = Rule::create_multipart_upload("/raw/ana/videos/*", started).header("content-type", "video/mp4");
    let body = json!({"contentType": "video/mp4", "contentLength": 20 * 1024 * 1024});
    let answer = post("/media/multipart", &body, &[start]).await;
    assert_eq!(answer.status(), 201);
    let body = answer.body();
    assert_eq!(
        (&body["uploadId"], &body["partSize"], &body["expiresIn"]),
        (&json!("id"), &json!(8_388_608), &json!(3600))
    );
    let parts = body["parts"].as_array().expect("parts");
    assert_eq!(parts.iter().map(|part| part["partNumber"].clone()).collect::<Vec<_>>(), [json!(1), json!(2), json!(3)]);
    let url = parts[2]["url"].as_str().expect("a link");
    assert!(url.contains("partNumber=3&") && url.contains("uploadId=id&"), "{url}");
    assert!(url.contains("X-Amz-SignedHeaders=content-length%3Bhost&"), "{url}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_full_quota_refuses_links_and_files() {
    let limits = Profile::default().limits;
    let full = Rule::list_versions("raw", &[("prefix", "ana/")], Reply::versions(&[limits.user_bytes], None));
    for (path, body) in [
        ("/media", json!({"contentType": "image/png", "contentLength": 1})),
        ("/media", json!({"contentType": "image/png", "data": "cG5n"})),
        ("/media/multipart", json!({"contentType": "video/mp4", "contentLength": 1})),
    ] {
        let answer = post(path, &body, from_ref(&full)).await;
        assert_eq!(answer.error(), (403, "QuotaExceeded".to_owned(), Value::Null), "{path}");
        assert_eq!(answer.body()["details"]["bytes"], limits.user_bytes);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn uploads_that_stay_open_are_limited() {
    let started = Reply::xml("InitiateMultipartUploadResult", "UploadId", "id");
    let start = Rule::create_multipart_upload("/raw/ana/videos/*", started);
    let open = usize::try_from(Profile::default().limits.user_uploads).expect("a few");
    let body = json!({"contentType": "video/mp4", "contentLength": 20 * 1024 * 1024});
    for (open, status) in [(open, 201), (open + 1, 403)] {
        let list = Rule::list_uploads("raw", "ana/", Reply::uploads(open));
        let abort = Rule::abort_multipart_upload("/raw/ana/videos/*", "id", Reply::no_content());
        let answer = post("/media/multipart", &body, &[start.clone(), list, abort.clone()]).await;
        assert_eq!((answer.status(), abort.calls()), (status, usize::from(status == 403)));
        if status == 403 {
            assert_eq!(answer.error().1, "TooManyUploads");
        }
    }
}

async fn complete(body: &Value, rules: &[Rule]) -> Answer {
    post(&format!("/media/{FILENAME}/multipart/complete"), body, rules).await
}

fn completion(owner: &str, parts: Value) -> Value {
    json!({"key": format!("{owner}/videos/{FILENAME}"), "uploadId": "id", "parts": parts})
}

#[tokio::test(flavor = "current_thread")]
async fn a_completed_upload_has_an_etag() {
    let completed = Reply::xml("CompleteMultipartUploadResult", "ETag", "&quot;abc-2&quot;");
    let finish = Rule::complete_multipart_upload(&format!("/raw/ana/videos/{FILENAME}"), "id", completed);
    let parts = json!([{"partNumber": 1, "etag": "\"a\""}, {"partNumber": 2, "etag": "b"}]);
    let answer = complete(&completion("ana", parts), from_ref(&finish)).await;
    assert_eq!(answer.status(), 200);
    let request = finish.requests().remove(0);
    for (element, count) in [("<Part>", 2), ("<PartNumber>1</PartNumber>", 1), ("<PartNumber>2</PartNumber>", 1)] {
        assert_eq!(request.text().matches(element).count(), count, "{}", request.text());
    }
    assert_eq!(answer.body(), json!({"filename": FILENAME, "key": format!("ana/videos/{FILENAME}"), "etag": "abc-2"}));
}

#[tokio::test(flavor = "current_thread")]
async fn parts_must_be_ascending_and_whole() {
    for parts in [
        json!([]),
        json!("1"),
        json!([{"partNumber": 0, "etag": "a"}]),
        json!([{"partNumber": 10_001, "etag": "a"}]),
        json!([{"partNumber": 1}]),
        json!([{"partNumber": 2, "etag": "a"}, {"partNumber": 1, "etag": "b"}]),
        json!([{"partNumber": 1, "etag": "a"}, {"partNumber": 1, "etag": "b"}]),
    ] {
        let answer = complete(&completion("ana", parts.clone()), &[]).await;
        assert_eq!(answer.error(), (400, "InvalidParts".to_owned(), json!("parts")), "{parts}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn foreign_keys_are_forbidden() {
    let parts = json!([{"partNumber": 1, "etag": "a"}]);
    let answer = complete(&completion("eve", parts.clone()), &[]).await;
    assert_eq!(answer.error(), (403, "ForeignKey".to_owned(), json!("key")));
    let other_filename = Filename::random();
    let path = format!("/media/{other_filename}/multipart/complete");
    assert_eq!(post(&path, &completion("ana", parts), &[]).await.status(), 403);
    let path = format!("/media/{FILENAME}/multipart?key=eve/videos/{FILENAME}&uploadId=id");
    assert_eq!(call::<Contract>(&test_router(&[]), "DELETE", &path, None).await.status(), 403);
}

#[tokio::test(flavor = "current_thread")]
async fn an_unknown_upload_is_not_found() {
    let object = format!("/raw/ana/videos/{FILENAME}");
    let finish = Rule::complete_multipart_upload(&object, "id", Reply::no_such_upload());
    let answer = complete(&completion("ana", json!([{"partNumber": 1, "etag": "a"}])), &[finish]).await;
    assert_eq!(answer.error(), (404, "NotFound".to_owned(), json!("uploadId")));
    let abort = Rule::abort_multipart_upload(&object, "id", Reply::no_such_upload());
    let path = format!("/media/{FILENAME}/multipart?key=ana/videos/{FILENAME}&uploadId=id");
    let answer = call::<Contract>(&test_router(&[abort]), "DELETE", &path, None).await;
    assert_eq!(answer.error(), (404, "NotFound".to_owned(), json!("uploadId")));
}

#[tokio::test(flavor = "current_thread")]
async fn an_abort_needs_key_and_upload() {
    for (query, field) in [("uploadId=id", "key"), ("key=a", "uploadId")] {
        let path = format!("/media/{FILENAME}/multipart?{query}");
        let answer = call::<Contract>(&test_router(&[]), "DELETE", &path, None).await;
        assert_eq!(answer.error(), (400, "MissingParameter".to_owned(), json!(field)));
    }
}
