//! The gate of a deployed local cloud, as pages, programs and other users' tools meet it.

#![expect(clippy::print_stderr, reason = "the cost of the gate is printed")]

pub(crate) mod browser;

use std::time::{Duration, Instant};

use aws_sdk_s3::{config::RequestChecksumCalculation, presigning::PresigningConfig};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use self::browser::Page;
use crate::cloud::{Cloud, text};

/// The origins that the stage file of `local` allows, and one that no stage does.
const ALLOWED: &str = "http://localhost:3000";
const FOREIGN: &str = "http://127.0.0.1:8000";
/// The longest time that the gate may add to a call.
const LIMIT: Duration = Duration::from_millis(1);
/// The number of calls of a measurement.
const CALLS: usize = 300;

/// A deployed system with an API, users and a site.
struct World {
    cloud: Cloud,
    api: String,
    site: String,
}

impl World {
    fn deploy() -> Self {
        let cloud = Cloud::new();
        for system in ["foundation", "portfolio"] {
            cloud.success(&["deploy", "--stage", "local", "--system", system, "--yes"]);
        }
        let status = cloud.json(&["status", "--stage", "local", "--format", "json"]);
        let url = |name: &str| status["urls"][name].as_str().expect("a URL").to_owned();
        Self { api: url("PortfolioApi"), site: url("PortfolioSite"), cloud }
    }

    /// The names of all functions and topics.
    async fn names(&self) -> Vec<String> {
        let functions = self.cloud.lambda().list_functions().send().await.expect("functions");
        let functions = functions.functions().iter().filter_map(|function| function.function_name());
        functions.map(str::to_owned).chain(self.cloud.topics().await).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_programs_reach_only_what_aws_leaves_open() {
    let world = tokio::task::spawn_blocking(World::deploy).await.expect("deployed");
    requests_without_a_signature_are_refused(&world).await;
    sites_keys_and_apis_are_open(&world).await;
    presigned_urls_work_in_browsers_of_allowed_origins(&world).await;
    no_page_reaches_the_cloud_in_a_browser(&world).await;
}

async fn requests_without_a_signature_are_refused(world: &World) {
    let before = world.names().await;
    let http = reqwest::Client::new();
    let url = |path: &str| format!("{}{path}", world.cloud.endpoint());
    let function = json!({
        "FunctionName": "evil", "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": "arn:aws:iam::000000000000:role/any",
        "Code": { "ZipFile": "UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==" },
    });
    let functions = url("/2015-03-31/functions");
    let evil = || http.post(&functions).header("content-type", "text/plain").body(function.to_string());
    let old = "AWS4-HMAC-SHA256 Credential=000000000000/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=00";
    for request in [
        evil().header("origin", FOREIGN),
        evil().header("origin", ALLOWED),
        evil().header("sec-fetch-site", "cross-site"),
        evil().header("host", "evil.example"),
        // The emulator serves the name of no distribution, and a form in the body of any request, as a call.
        evil().header("host", "d0.cloudfront.localhost"),
        http.get(&world.site)
            .header("content-type", "application/x-www-form-urlencoded")
            .body("Action=CreateTopic&Name=evil"),
        evil().header("authorization", old).header("x-amz-date", "20260101T000000Z"),
        evil(),
        http.post(url("/_ministack/reset")),
        http.get(url("/_ministack/sqs/messages")),
        http.get(url("/?Action=CreateTopic&Name=evil")),
        http.put(url("/evil-bucket")),
    ] {
        let response = request.send().await.expect("a response");
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.text().await.expect("text");
        assert!(status == 403 && body.contains("the local cloud's gate refused the call"), "{status} {body}");
        assert!(!headers.contains_key("access-control-allow-origin"), "{headers:?}");
    }
    assert_eq!(world.names().await, before);
    let log = world.cloud.log_tail();
    assert!(
        log.contains("refused POST /2015-03-31/functions: the origin is not in `allowed_origins` of the stage"),
        "{log}"
    );
}

async fn sites_keys_and_apis_are_open(world: &World) {
    let http = reqwest::Client::new();
    let get = async |url: &str, origin: Option<&str>| {
        let request = http.get(url);
        let request = origin.iter().fold(request, |request, origin| request.header("origin", *origin));
        let response = request.send().await.expect("a response");
        (response.status().as_u16(), response.headers().clone())
    };
    assert_eq!(get(&world.site, None).await.0, 200);
    assert_eq!(get(&world.site, Some(ALLOWED)).await.0, 200);
    assert_eq!(get(&world.site, Some(FOREIGN)).await.0, 403);
    // The site's own origin.
    assert_eq!(get(&world.site, Some(&world.cloud.endpoint())).await.0, 200);
    let artifact = world.cloud.s3().list_buckets().send().await.expect("buckets");
    let other = artifact.buckets().iter().filter_map(|bucket| bucket.name()).find(|name| !world.site.contains(name));
    let other = format!("{}/{}/key", world.cloud.endpoint(), other.expect("the artifact bucket"));
    assert_eq!(get(&other, None).await.0, 403, "{other} is no site's bucket");

    let allowed = |headers: &HeaderMap| headers.get("access-control-allow-origin").cloned();
    let count = format!("{}/v1/visitors/count", world.api);
    let (status, headers) = get(&count, Some(ALLOWED)).await;
    assert_eq!((status, allowed(&headers).expect("CORS headers")), (200, ALLOWED.parse().expect("a header")));
    let (status, headers) = get(&count, Some(FOREIGN)).await;
    assert_eq!((status, allowed(&headers)), (200, None), "the API itself decides about origins");
}

async fn presigned_urls_work_in_browsers_of_allowed_origins(world: &World) {
    // The SDK's default signs the checksum of an empty body into the URL.
    let config = aws_sdk_s3::config::Builder::from(&world.cloud.sdk()).force_path_style(true);
    let config = config.request_checksum_calculation(RequestChecksumCalculation::WhenRequired).build();
    let s3 = aws_sdk_s3::Client::from_conf(config);
    s3.create_bucket().bucket("presigned").send().await.expect("created");
    let validity = PresigningConfig::expires_in(Duration::from_secs(60)).expect("a validity");
    let put = s3.put_object().bucket("presigned").key("a b/c+d").presigned(validity.clone()).await.expect("a URL");
    let get = s3.get_object().bucket("presigned").key("a b/c+d").presigned(validity).await.expect("a URL");
    let http = reqwest::Client::new();
    let upload = async |url: String, origin: &'static str| {
        let request = put.headers().fold(http.put(url), |request, (name, value)| request.header(name, value));
        let request = request.header("origin", origin).header("sec-fetch-site", "cross-site").body("bytes");
        request.send().await.expect("a response").status().as_u16()
    };
    assert_eq!(upload(put.uri().to_owned(), FOREIGN).await, 403);
    assert_eq!(upload(put.uri().replace("presigned/", "presigned/x"), ALLOWED).await, 403);
    assert_eq!(upload(put.uri().to_owned(), ALLOWED).await, 200);
    // As the source of an image.
    let read = http.get(get.uri()).header("sec-fetch-site", "cross-site").send().await.expect("a response");
    assert_eq!(read.text().await.expect("text"), "bytes");
}

async fn no_page_reaches_the_cloud_in_a_browser(world: &World) {
    let before = world.names().await;
    let page = Page::serve(&world.cloud.endpoint(), &world.site, &format!("{}/v1/visitors/count", world.api)).await;
    // `opaque`, `sent` and `loaded` only say that a response came; what it did shows in the cloud.
    let refused = json!({
        "simple": "opaque", "readable": "failed", "preflighted": "failed", "credentials": "failed", "rebinding": "opaque",
        "beacon": "sent", "config": "opaque", "reset": "opaque", "messages": "failed", "form": "loaded", "image": "failed",
        "script": "failed", "frame": "loaded", "socket": "failed", "site": "failed", "cognito": "failed", "api": "failed",
    });
    let foreign = page.open(&page.foreign()).await;
    assert_eq!(foreign, refused, "{}", world.cloud.log_tail());
    let mut open = refused;
    for (name, status) in [("site", 200), ("cognito", 400), ("api", 200)] {
        open[name] = Value::from(status);
    }
    assert_eq!(page.open(&format!("{ALLOWED}/")).await, open, "{}", world.cloud.log_tail());
    assert_eq!(world.names().await, before, "a page has created something");

    let rebound = page.dump(&format!("{}/_ministack/health", page.rebound())).await;
    assert!(
        rebound.contains("the Host header names neither this machine") && !rebound.contains("services"),
        "{rebound}"
    );
}

/// Prints how long calls take with and without the gate.
#[tokio::test]
async fn the_gate_adds_less_than_a_millisecond_to_a_call() {
    let cloud = Cloud::new();
    cloud.success(&["local", "up"]);
    let s3 = cloud.s3();
    s3.create_bucket().bucket("measured").send().await.expect("created");
    s3.put_object().bucket("measured").key("key").body(vec![0; 1024].into()).send().await.expect("uploaded");
    let validity = PresigningConfig::expires_in(Duration::from_secs(600)).expect("a validity");
    let signed = s3.get_object().bucket("measured").key("key").presigned(validity).await.expect("a URL");
    let (gate, direct) = (reqwest::Client::builder().no_proxy().build().expect("a client"), cloud.past_the_gate());
    let (mut through, mut past) = (Vec::new(), Vec::new());
    // Alternating, so that the machine's load is the same for both.
    for _ in 0..CALLS {
        through.push(time(gate.get(signed.uri())).await);
        past.push(time(direct.get(signed.uri())).await);
    }
    through.sort();
    past.sort();
    let ratio = |at: usize| through[at].as_secs_f64() / past[at].as_secs_f64();
    for (name, at) in [("fastest tenth", CALLS / 10), ("median", CALLS / 2)] {
        eprintln!("{name}: {:.1?} through the gate, {:.1?} past it, {:.2} times", through[at], past[at], ratio(at));
    }
    // The calls that other tests on this machine have not delayed.
    let (through, past) = (through[CALLS / 10], past[CALLS / 10]);
    assert!(through < past + LIMIT, "{through:?} through the gate, {past:?} past it");
}

async fn time(call: reqwest::RequestBuilder) -> Duration {
    let started = Instant::now();
    let response = call.send().await.expect("a response");
    let status = response.status();
    let body = response.bytes().await.expect("a body");
    let taken = started.elapsed();
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    taken
}

#[test]
fn another_emulator_is_said_to_be_unprotected() {
    let cloud = Cloud::new();
    cloud.success(&["local", "up"]);
    let status = ["status", "--stage", "local"];
    let own = cloud.success(&status);
    assert!(!text(&own).contains("is protected from web pages"), "{}", text(&own));
    let other = cloud.command(&status).env("AWS_ENDPOINT_URL", cloud.endpoint()).output().expect("xtask starts");
    let said = format!(
        "AWS_ENDPOINT_URL names {}; only the local cloud that xtask starts is protected from web pages",
        cloud.endpoint()
    );
    assert!(other.status.success() && text(&other).contains(&said), "{}", text(&other));
}
