//! The middleware around the handlers: order of checks, errors, CORS and unmatched routes.

use contract::Routes;
use serde_json::json;
use thakii_contract::{limits::DIRECT_BODY_BYTES, routes::ApiRoute};

use super::*;
use crate::testing::{Api, Script, VIDEO, empty_account, error_reply, event, item, json_reply, task};

/// Returns the route's path with its parameters filled in.
fn path(route: ApiRoute) -> String {
    route.route().path.replace("{video_id}", VIDEO).replace("{notification_id}", "x").replace("{id}", VIDEO)
}

#[tokio::test(flavor = "current_thread")]
async fn health_calls_no_service() {
    // Nothing is scripted, so that any call to AWS fails.
    let api = Api::new(Script::new(|_| None)).await;
    let answer = api.call("GET", "/health", None, None).await;
    let body = answer.body();
    assert_eq!(
        (answer.status(), &body["service"], &body["status"], &body["database"], &body["storage"], &body["stage"]),
        (
            200,
            &json!("Thakii Lecture2PDF Service"),
            &json!("healthy"),
            &json!("DynamoDB"),
            &json!("S3"),
            &json!("test")
        )
    );
    body["timestamp"].as_str().expect("a time").parse::<jiff::Timestamp>().expect("a time");
}

#[tokio::test(flavor = "current_thread")]
async fn all_other_routes_check_the_token_first() {
    let api = Api::empty().await;
    let open = [ApiRoute::Health, ApiRoute::Login, ApiRoute::ExchangeToken];
    for route in ApiRoute::ALL.iter().filter(|route| !open.contains(route)) {
        let method = route.route().method.as_str();
        // The broken body is not reported to an unauthenticated caller.
        let answer = api.call(method, &path(*route), None, Some("{")).await;
        assert_eq!(
            (answer.error(), &answer.body()["message"]),
            ((401, "Authentication required".to_owned()), &json!("No Authorization header provided")),
            "{route:?}"
        );
        assert_eq!(answer.body().as_object().map(serde_json::Map::len), Some(2), "{route:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn malformed_authorization_headers_are_reported() {
    let api = Api::empty().await;
    for value in ["Basic x", "Bearer", "Bearer  x", "x"] {
        let answer = api.answer(event("GET", "/list", json!({"Authorization": [value]}), None)).await;
        assert_eq!(
            (answer.status(), &answer.body()["message"]),
            (401, &json!("Invalid Authorization header format")),
            "{value}"
        );
    }
    let token = api.token("ana");
    let answer = api.answer(event("GET", "/list", json!({"authorization": [format!("bearer {token}")]}), None)).await;
    assert_eq!(answer.status(), 200);
}

#[tokio::test(flavor = "current_thread")]
async fn the_role_is_checked_before_the_body() {
    let api = Api::empty().await;
    for route in ApiRoute::ALL {
        if access::level_of(*route) < access::Level::Admin {
            continue;
        }
        let answer = api.call(route.route().method.as_str(), &path(*route), Some(&api.token("ana")), Some("{")).await;
        assert_eq!(
            (answer.error(), &answer.body()["message"]),
            ((403, "Admin access required".to_owned()), &json!("Insufficient privileges")),
            "{route:?}"
        );
    }
}

#[tokio::test(flavor = "current_thread")]
async fn admins_lack_super_admin_privileges() {
    let script = Script::new(|request| match request.action.as_str() {
        "DynamoDB.GetItem" if request.body["TableName"] == "thakii-admin-users-test" => {
            let admin = crate::tables::admins::Admin::new("ana@example.com", "admin", "", "root@example.com", "t");
            json_reply(json!({"Item": item(json!(admin))}))
        }
        _ => empty_account(request),
    });
    let api = Api::new(script).await;
    for (method, path) in [("POST", "/admin/admins"), ("PUT", "/admin/admins/x"), ("DELETE", "/admin/admins/x")] {
        let answer = api.call(method, path, Some(&api.token("ana")), Some("{")).await;
        assert_eq!(answer.error(), (403, "Super admin privileges required".to_owned()), "{method}");
        assert_eq!(answer.body().as_object().map(serde_json::Map::len), Some(1), "{method}");
    }
    assert_eq!(api.call_as("ana", "GET", "/admin/stats", None).await.status(), 200);
}

#[tokio::test(flavor = "current_thread")]
async fn unmatched_requests_get_json() {
    let api = Api::empty().await;
    let unmatched = api.call("GET", "/nope", None, None).await;
    assert_eq!(unmatched.error(), (404, "Not Found".to_owned()));
    assert_eq!(unmatched.body()["message"], "Endpoint /nope not found");
    assert_eq!(api.call("GET", "/", None, None).await.error(), (404, "Not Found".to_owned()));
    for (method, path, allowed) in
        [("PATCH", "/list", "GET,HEAD"), ("GET", "/upload", "POST"), ("POST", "/admin/servers/x", "DELETE,PUT")]
    {
        let wrong = api.call(method, path, None, None).await;
        assert_eq!(wrong.error(), (405, "Method not allowed".to_owned()));
        let mut methods: Vec<&str> = wrong.header("allow").expect("an Allow header").split(',').collect();
        methods.sort_unstable();
        assert_eq!(methods.join(","), allowed, "{path}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn preflights_are_answered_on_any_path() {
    let api = Api::empty().await;
    for path in ["/upload", "/list", "/nope", "/", "/status/x"] {
        let answer = api.answer(event("OPTIONS", path, json!({"Origin": ["https://app.example.com"]}), None)).await;
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.0["body"].as_str().unwrap_or_default(), "", "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example.com"));
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
        assert_eq!(answer.header("access-control-allow-methods"), Some("GET, POST, PUT, DELETE, OPTIONS"));
        assert_eq!(answer.header("access-control-allow-headers"), Some("Content-Type, Authorization"));
        assert_eq!(answer.header("access-control-max-age"), Some("3000"));
        assert_eq!(answer.header("vary"), Some("Origin"));
    }
    let foreign = api.answer(event("OPTIONS", "/upload", json!({"Origin": ["https://evil.example.com"]}), None)).await;
    assert_eq!((foreign.status(), foreign.header("access-control-allow-origin")), (200, None));
}

#[tokio::test(flavor = "current_thread")]
async fn errors_carry_cors_headers_too() {
    let api = Api::empty().await;
    for (method, path, status) in [("GET", "/list", 401), ("GET", "/nope", 404), ("PATCH", "/list", 405)] {
        let answer = api.answer(event(method, path, json!({"Origin": ["https://app.example.com"]}), None)).await;
        assert_eq!(
            (answer.status(), answer.header("access-control-allow-origin")),
            (status, Some("https://app.example.com"))
        );
        let answer = api.answer(event(method, path, json!({}), None)).await;
        assert_eq!(answer.header("access-control-allow-origin"), Some("http://localhost:3000"));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn oversized_bodies_are_rejected_with_the_limit() {
    let api = Api::empty().await;
    let text = "x".repeat(usize::try_from(DIRECT_BODY_BYTES).expect("small") + 1);
    for path in ["/upload", "/upload-chunk", "/assemble-file"] {
        let answer = api.call("POST", path, Some(&api.token("ana")), Some(&text)).await;
        assert_eq!(answer.error(), (413, "File too large for direct upload".to_owned()), "{path}");
        assert_eq!(answer.body()["max_direct_bytes"], 4_194_304);
    }
    let answer = api.call("POST", "/upload", Some(&api.token("ana")), Some(&text[1..])).await;
    assert_eq!(answer.error(), (400, "Invalid JSON".to_owned()));
}

#[tokio::test(flavor = "current_thread")]
async fn writes_require_a_json_object() {
    let api = Api::empty().await;
    for path in ["/upload", "/upload-chunk", "/assemble-file"] {
        for (body, error) in [
            (None, "Request body is required"),
            (Some("{}"), "Request body is required"),
            (Some("null"), "Request body is required"),
            (Some("{"), "Invalid JSON"),
            (Some("[]"), "Field \"body\" must be an object"),
        ] {
            let answer = api.call("POST", path, Some(&api.token("ana")), body).await;
            assert_eq!(answer.error(), (400, error.to_owned()), "{path} {body:?}");
        }
    }
    for path in ["/admin/servers", "/admin/admins"] {
        let answer = api.call("POST", path, Some(&api.token("root")), None).await;
        assert_eq!(answer.error(), (400, "Request body is required".to_owned()), "{path}");
        assert_eq!(answer.body()["success"], false, "{path}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn server_errors_have_fixed_texts_and_a_request_id() {
    let script = Script::new(|request| match request.action.as_str() {
        action if action.starts_with("DynamoDB") => error_reply("InternalServerError"),
        _ => empty_account(request),
    });
    let api = Api::new(script).await;
    for (path, error) in [
        (format!("/status/{VIDEO}"), "Failed to get video status"),
        ("/notifications".to_owned(), "Failed to list notifications"),
    ] {
        let answer = api.call_as("ana", "GET", &path, None).await;
        assert_eq!(answer.error(), (500, error.to_owned()));
        let body = answer.body();
        assert!(body["request_id"].is_string() && body.as_object().map(serde_json::Map::len) == Some(2), "{body}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    // Only the list degrades.
    let list = api.call_as("ana", "GET", "/list", None).await;
    let body = list.body();
    assert_eq!(
        (list.status(), &body["videos"], &body["total"], &body["error_message"]),
        (200, &json!([]), &json!(0), &json!("Database temporarily unavailable"))
    );
}

#[tokio::test(flavor = "current_thread")]
async fn ownership_is_checked_before_the_state() {
    let script = Script::new(|request| match request.action.as_str() {
        "DynamoDB.GetItem" if request.body["TableName"] == "thakii-video-tasks-test" => {
            json_reply(json!({"Item": item(task("in_queue"))}))
        }
        _ => empty_account(request),
    });
    let api = Api::new(script).await;
    let get = async |uid: &str, path: &str| api.call_as(uid, "GET", path, None).await;
    let (status, download) = (format!("/status/{VIDEO}"), format!("/download/{VIDEO}"));
    let own = get("ana", &status).await;
    assert_eq!((own.status(), &own.body()["status"]), (200, &json!("in_queue")));
    assert_eq!(own.body()["upload_date"], "2026-01-31T12:00:00.000Z");
    assert_eq!(get("bob", &status).await.error(), (403, "Access denied".to_owned()));
    assert_eq!(get("root", &status).await.status(), 200);
    assert_eq!(get("bob", &download).await.error(), (403, "Access denied".to_owned()));
    assert_eq!(get("ana", &download).await.error(), (400, "PDF not ready yet".to_owned()));
    assert_eq!(get("ana", &format!("{download}?type=exe")).await.error(), (400, "Invalid type".to_owned()));
    let video = get("ana", &format!("{download}?type=video")).await;
    assert_eq!((video.status(), &video.body()["filename"]), (200, &json!("lecture.mp4")));
    assert!(video.body()["download_url"].as_str().expect("a link").contains("X-Amz-Expires=3600"));
    for unknown in ["/status/x", "/download/x", "/status/..%2F..%2Fetc"] {
        assert_eq!(get("ana", unknown).await.error(), (404, "Video not found".to_owned()), "{unknown}");
    }
    assert_eq!(get("ana", "/status/%FF").await.error(), (404, "Not Found".to_owned()));
    // After the gateway's decoding: `..%2f..%2fadmin%2fstats` is matched as an ID and reaches no other route.
    for elsewhere in ["/status/../../admin/stats", "/status/../list", "/status/%2e%2e/list"] {
        assert_eq!(get("root", elsewhere).await.error(), (404, "Not Found".to_owned()), "{elsewhere}");
    }
    for blank in [" ", "%20", "\t", "%09", "\n"] {
        let path = format!("{status}{blank}");
        assert_eq!(get("ana", &path).await.error(), (404, "Video not found".to_owned()), "{path:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn missing_subtitles_of_a_finished_video_are_not_found() {
    for (key, expected) in [(Some("subtitles/x.srt"), 200), (None, 404)] {
        let mut done = task("done");
        done["pdf_key"] = json!(format!("pdfs/{VIDEO}.pdf"));
        if let Some(key) = key {
            done["subtitle_key"] = json!(key);
        }
        let script = Script::new(move |request| match request.action.as_str() {
            "DynamoDB.GetItem" if request.body["TableName"] == "thakii-video-tasks-test" => {
                json_reply(json!({"Item": item(done.clone())}))
            }
            _ => empty_account(request),
        });
        let api = Api::new(script).await;
        let subtitles = api.call_as("ana", "GET", &format!("/download/{VIDEO}?type=srt"), None).await;
        assert_eq!(subtitles.status(), expected);
        if expected == 404 {
            assert_eq!(subtitles.body()["error"], "Subtitles not found");
        } else {
            assert!(subtitles.body()["download_url"].as_str().expect("a link").contains("subtitles/x.srt"));
        }
        assert_eq!(api.call_as("ana", "GET", &format!("/download/{VIDEO}"), None).await.status(), 200);
        // Ownership is checked first, so other users learn nothing.
        let other = api.call_as("bob", "GET", &format!("/download/{VIDEO}?type=srt"), None).await;
        assert_eq!(other.error(), (403, "Access denied".to_owned()));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn page_parameters_are_validated() {
    let api = Api::empty().await;
    for (path, error) in [
        ("/list?limit=0", "Invalid limit"),
        ("/list?limit=5000", "Invalid limit"),
        ("/list?limit=x", "Invalid limit"),
        ("/list?next_token=!", "Invalid next_token"),
        // 2026, and 9999-99-99T00:00:00.000Z#zzz.
        ("/list?next_token=MjAyNg", "Invalid next_token"),
        ("/list?next_token=OTk5OS05OS05OVQwMDowMDowMC4wMDBaI3p6eg", "Invalid next_token"),
        ("/admin/videos?next_token=MjAyNg", "Invalid next_token"),
        ("/notifications?next_token=MjAyNg", "Invalid next_token"),
        ("/notifications?limit=101", "Invalid limit"),
    ] {
        assert_eq!(api.call_as("root", "GET", path, None).await.error(), (400, error.to_owned()), "{path}");
    }
    let answer = api.call_as("root", "GET", "/admin/videos?status=lost", None).await;
    assert_eq!(answer.error(), (400, "Invalid status".to_owned()));
}

#[tokio::test(flavor = "current_thread")]
async fn new_servers_are_validated() {
    let api = Api::empty().await;
    let add = async |body: serde_json::Value| api.call_as("root", "POST", "/admin/servers", Some(body)).await.error();
    let long = format!("http://example.com/{}", "a".repeat(3000));
    for (body, error) in [
        (json!({"url": "http://1.1.1.1"}), "Field \"name\" is required"),
        (json!({"name": "a"}), "Field \"url\" is required"),
        (json!({"name": 7, "url": "http://1.1.1.1"}), "Field \"name\" must be a string"),
        (json!({"name": "a", "url": "ftp://x"}), "Server URL must start with http:// or https://"),
        (json!({"name": "a", "url": "http://127.0.0.1:9001"}), "Server URL not allowed"),
        (json!({"name": "a", "url": "http://169.254.169.254"}), "Server URL not allowed"),
        (json!({"name": "a", "url": long}), "Server URL not allowed"),
        (json!({"name": "a", "url": "http://1.1.1.1", "id": "x"}), "Field \"id\" is not allowed"),
    ] {
        assert_eq!(add(body.clone()).await, (400, error.to_owned()), "{body}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn fixed_fields_cannot_be_updated() {
    let api = Api::empty().await;
    let put = async |path: &str, body: serde_json::Value| api.call_as("root", "PUT", path, Some(body)).await.error();
    let server = format!("/admin/servers/{VIDEO}");
    assert_eq!(put(&server, json!({"id": "x"})).await, (400, "Field \"id\" cannot be updated".to_owned()));
    assert_eq!(put(&server, json!({"status": "x"})).await.0, 400);
    assert_eq!(put(&server, json!({"status": "active"})).await, (400, "Server not found".to_owned()));
    let admin = "/admin/admins/0123456789abcdef0123";
    for field in ["email", "id", "is_super_admin", "login_count"] {
        let error = format!("Field \"{field}\" cannot be updated");
        assert_eq!(put(admin, json!({field: "x"})).await, (400, error));
    }
    assert_eq!(put(admin, json!({"role": "editor"})).await, (400, "Admin not found".to_owned()));
}

#[tokio::test(flavor = "current_thread")]
async fn unknown_test_notifications_are_rejected_in_the_original_shape() {
    let api = Api::empty().await;
    let answer = api.call_as("root", "POST", "/admin/test-notification", Some(json!({"type": "x"}))).await;
    assert_eq!(answer.error(), (400, "Failed to send test notification".to_owned()));
    let result = &answer.body()["result"];
    assert_eq!((&result["success"], &result["message"]), (&json!(false), &json!("Unknown test type")));
    // Having no users to notify counts as success.
    let answer = api.call("POST", "/admin/test-notification", Some(&api.token("root")), None).await;
    assert_eq!((answer.status(), &answer.body()["result"]["success"]), (200, &json!(true)));
}

#[tokio::test(flavor = "current_thread")]
async fn queue_depths_are_reported_without_a_worker() {
    let script = Script::new(|request| match request.action.as_str() {
        "AmazonSQS.GetQueueAttributes" => json_reply(json!({"Attributes": {
            "ApproximateNumberOfMessages": "3", "ApproximateNumberOfMessagesNotVisible": "1",
        }})),
        _ => empty_account(request),
    });
    let api = Api::new(script).await;
    let answer = api.call_as("root", "GET", "/worker-health", None).await;
    let body = answer.body();
    assert_eq!((answer.status(), &body["worker_status"]), (503, &json!("unavailable")));
    assert_eq!(body["queue"], json!({"visible": 3, "in_flight": 1, "dead": 3}));
    assert!(body["error"].is_string() && body["request_id"].is_string());
}
