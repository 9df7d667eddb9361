//! Configurations that are refused before any call, and calls of opened sources.

use std::sync::{Arc, Mutex};

use futures_util::TryStreamExt;
use tables::testing::Script;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

const ACCOUNT: &str = "account:6f1c1c5e-5a0a-4c55-8b0b-0f6a3f0d7f10";

fn policy(allow_private_sources: &str, buckets: &str) -> Policy {
    Policy {
        rules: policy::Rules::new(allow_private_sources, buckets, "listbackup-data-prod"),
        account_id: ACCOUNT.to_owned(),
    }
}

fn refusal(source_type: &str, config: &Value, policy: &Policy) -> (u16, &'static str, String) {
    let problem = validate(source_type, config, policy).expect_err(&config.to_string());
    let field = problem.fields.get("details").and_then(|details| details["field"].as_str()).unwrap_or_default();
    (problem.status.as_u16(), problem.code, field.to_owned())
}

#[test]
fn types_without_a_connector_are_not_configured() {
    let policy = policy("true", "*");
    for placeholder in PLACEHOLDERS {
        let problem = validate(placeholder, &json!({}), &policy).expect_err("a placeholder");
        assert_eq!((problem.status.as_u16(), problem.code), (422, "INTEGRATION_NOT_CONFIGURED"));
        assert!(problem.message.contains(placeholder), "{}", problem.message);
    }
    assert_eq!(refusal("ftp", &json!({}), &policy), (400, "VALIDATION_FAILED", "type".to_owned()));
}

#[test]
fn the_bucket_of_backups_is_no_source_under_any_name() {
    let policy = policy("true", "*");
    for bucket in [
        "listbackup-data-prod",
        "arn:aws:s3:::listbackup-data-prod",
        "arn:aws:s3:us-east-2:111122223333:accesspoint/data",
        "arn:aws:s3-object-lambda:us-east-2:111122223333:accesspoint/data",
        "data-1a4n8yjrb3kda96f67zwrwiiuse1a-s3alias",
        "data-1a4n8yjrb3kda96f67zwrwiiuse1a--ol-s3",
        "mfzwi23gnjvgw.mrap",
        "data--use1-az4--x-s3",
        "LISTBACKUP-DATA-PROD",
        "listbackup-data-prod/",
        "listbackup-data-prod.s3.amazonaws.com/",
        "s3://listbackup-data-prod",
        "../listbackup-data-prod",
        "169.254.169.254",
        "a..b",
        "",
    ] {
        for role in [json!(null), json!("arn:aws:iam::111122223333:role/listbackup-source-a")] {
            let config = json!({ "bucket": bucket, "roleArn": role });
            assert_eq!(
                refusal("s3", &config, &policy),
                (400, "VALIDATION_FAILED", "config.bucket".to_owned()),
                "{bucket}"
            );
        }
    }
}

#[test]
fn a_bucket_needs_a_role_of_the_pattern_or_the_stages_permission() {
    let policy = policy("false", "shared:6f1c1c5e-5a0a-4c55-8b0b-0f6a3f0d7f10, other:account:2,all");
    let config = |bucket: &str, role: Option<&str>| json!({ "bucket": bucket, "roleArn": role });
    assert!(validate("s3", &config("shared", None), &policy).is_ok());
    let own = "arn:aws:iam::111122223333:role/listbackup-source-backup_1";
    assert!(validate("s3", &config("foreign", Some(own)), &policy).is_ok());
    for bucket in ["other", "all", "foreign"] {
        assert_eq!(refusal("s3", &config(bucket, None), &policy).2, "config.roleArn", "{bucket}");
    }
    for role in [
        "arn:aws:iam::111122223333:role/admin",
        "arn:aws:iam::111122223333:role/listbackup-source-",
        "arn:aws:iam::111122223333:role/x/listbackup-source-a",
        "arn:aws:iam::111122223333:role/listbackup-source-a/b",
        "arn:aws:iam::111122223333:role/listbackup-source-*",
        "arn:aws:iam::111122223333:user/listbackup-source-a",
        "arn:aws:iam::1:role/listbackup-source-a",
        "arn:aws:sts::111122223333:assumed-role/listbackup-source-a/b",
        " arn:aws:iam::111122223333:role/listbackup-source-a",
        "arn:aws:iam::111122223333:role/listbackup-source-a\n",
        "",
    ] {
        // Not even for a bucket that needs none.
        assert_eq!(refusal("s3", &config("shared", Some(role)), &policy).2, "config.roleArn", "{role}");
    }
    let region = json!({ "bucket": "shared", "region": "us-east-2.evil.example/" });
    assert_eq!(refusal("s3", &region, &policy).2, "config.region");
    // Neither an endpoint nor another account's external ID can be chosen.
    for (field, value) in [("endpoint", "http://x"), ("externalId", "account:2")] {
        let config = json!({ "bucket": "shared", "roleArn": own, field: value });
        assert_eq!(refusal("s3", &config, &policy).2, format!("config.{field}"));
    }
}

#[test]
fn addresses_of_this_network_are_refused_when_a_source_is_created() {
    let guarded = policy("false", "");
    for url in [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:7f00:1::]/",
        "http://[fd00:ec2::254]/",
        "http://10.0.0.1/",
        "http://user:password@files.example/",
        "http://files.example:6379/",
        "http://files.example:22/",
        "ftp://files.example/",
        "file:///etc/passwd",
        "files.example/a",
    ] {
        assert_eq!(refusal("http", &json!({ "urls": [url] }), &guarded).2, "config.urls[0]", "{url}");
        assert_eq!(refusal("http", &json!({ "manifestUrl": url }), &guarded).2, "config.manifestUrl", "{url}");
    }
    let valid = json!({ "urls": ["https://files.example/a", "http://files.example:8080/b"] });
    assert!(validate("http", &valid, &guarded).is_ok());
    for config in [
        json!({}),
        json!({ "urls": [] }),
        json!({ "urls": "https://files.example" }),
        json!({ "urls": ["https://files.example"], "manifestUrl": "https://files.example" }),
        json!({ "urls": vec!["https://files.example"; 1001] }),
        json!([]),
    ] {
        assert_eq!(refusal("http", &config, &guarded).0, 400, "{config}");
    }
    // The local stage may read its own machine.
    assert!(validate("http", &json!({ "urls": ["http://127.0.0.1:9001/a"] }), &policy("true", "*")).is_ok());
}

/// A server that answers each path, and keeps the requests.
async fn server(answers: Vec<(&'static str, String)>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let requests: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = vec![0; 8192];
            let length = stream.read(&mut buffer).await.unwrap_or(0);
            let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
            kept.lock().expect("no panic").push(request);
            let answer = answers.iter().find(|(known, _)| *known == path).map(|(_, answer)| answer.as_str());
            let answer = answer.unwrap_or("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (url, requests)
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// Opens a source in an AWS that answers every call with a secret of one header.
async fn open(config: Value, rules: policy::Rules) -> Result<Connector, ConnectorError> {
    let secret = json!({ "headers": { "Authorization": "Bearer secret" } });
    let script = Script::new(move |_| tables::testing::json_reply(json!({ "SecretString": secret.to_string() })));
    let source: Source = serde_json::from_value(json!({
        "sourceId": "source:1", "accountId": ACCOUNT, "userId": "user:1", "name": "s", "type": "http", "config": config,
        "hasCredentials": true, "status": "active", "createdAt": "", "updatedAt": "",
    }))
    .expect("a source");
    Connectors::new(&script.aws(), "test", rules).open(&source).await
}

async fn read(connector: &Connector, origin: &Origin, max_bytes: u64) -> Result<Vec<u8>, ConnectorError> {
    let fetched = connector.fetch(origin, max_bytes).await?;
    let chunks: Vec<Bytes> = fetched.stream.try_collect().await?;
    Ok(chunks.concat())
}

fn local() -> policy::Rules {
    policy::Rules::new("true", "*", "data")
}

#[tokio::test(flavor = "current_thread")]
async fn credentials_reach_the_manifests_server_only() {
    let (other, other_requests) = server(vec![("/b", ok("b"))]).await;
    let manifest = |own: &str| {
        json!({ "files": [
        { "path": "a", "url": format!("{own}/a") },
        { "path": "b", "url": format!("{other}/b") },
        { "path": "c", "url": format!("{own}/c") },
    ] })
    };
    // The manifest names its own server, whose port is not known before it listens.
    let redirect = format!("HTTP/1.1 302 Found\r\nlocation: {other}/b\r\ncontent-length: 0\r\n\r\n");
    let (own, own_requests) = server(vec![("/a", ok("a")), ("/c", redirect)]).await;
    let (list, list_requests) = server(vec![("/manifest", ok(&manifest(&own).to_string()))]).await;
    let connector = open(json!({ "manifestUrl": format!("{list}/manifest") }), local()).await.expect("opened");
    let (files, position) = connector.list(&Position::Start).await.expect("a manifest");
    assert_eq!((files.len(), position), (3, Position::End));
    for (file, content) in files.iter().zip(["a", "b", "b"]) {
        assert_eq!(read(&connector, &file.origin, 10).await.expect("a file"), content.as_bytes());
    }
    assert!(list_requests.lock().expect("no panic").iter().all(|request| request.contains("Bearer secret")));
    for requests in [own_requests, other_requests] {
        let requests = requests.lock().expect("no panic");
        assert!(requests.len() == 2 && requests.iter().all(|request| !request.contains("secret")), "{requests:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn credentials_do_not_follow_a_redirect() {
    let (other, other_requests) = server(vec![("/b", ok("b"))]).await;
    let redirect = format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {other}/b\r\ncontent-length: 0\r\n\r\n");
    let (own, own_requests) = server(vec![("/a", redirect)]).await;
    let url = format!("{own}/a");
    let connector = open(json!({ "urls": [url] }), local()).await.expect("opened");
    assert_eq!(read(&connector, &Origin::Http { url, sha256: None }, 10).await.expect("a file"), b"b");
    assert!(own_requests.lock().expect("no panic")[0].contains("Bearer secret"));
    assert!(!other_requests.lock().expect("no panic")[0].contains("secret"));
}

#[tokio::test(flavor = "current_thread")]
async fn statuses_decide_whether_a_file_is_tried_again() {
    for (status, is_transient) in [
        (401, false),
        (403, false),
        (404, false),
        (410, false),
        (408, true),
        (429, true),
        (500, true),
        (503, true),
        (204, false),
    ] {
        let (url, _) = server(vec![("/a", format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n"))]).await;
        let url = format!("{url}/a");
        let connector = open(json!({ "urls": [url] }), local()).await.expect("opened");
        let error = read(&connector, &Origin::Http { url, sha256: None }, 10).await.expect_err("no file");
        assert_eq!((error.is_transient, error.message.contains(&status.to_string())), (is_transient, true), "{error}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_file_is_limited_by_its_bytes() {
    let (url, _) = server(vec![("/a", ok("0123456789"))]).await;
    let url = format!("{url}/a");
    let connector = open(json!({ "urls": [url] }), local()).await.expect("opened");
    let origin = Origin::Http { url, sha256: None };
    assert_eq!(read(&connector, &origin, 10).await.expect("a file").len(), 10);
    assert_eq!(
        read(&connector, &origin, 9).await.expect_err("too large"),
        ConnectorError::permanent("the file is too large")
    );
}

#[tokio::test(flavor = "current_thread")]
async fn a_queued_address_is_checked_like_an_entered_one() {
    let guarded = policy::Rules::new("false", "", "data");
    let connector = open(json!({ "urls": ["https://files.example/a"] }), guarded.clone()).await.expect("opened");
    for url in
        ["http://169.254.169.254/", "http://[::ffff:127.0.0.1]:8080/", "http://localhost/", "http://files.example:25/"]
    {
        let error = read(&connector, &Origin::Http { url: url.to_owned(), sha256: None }, 10).await.expect_err(url);
        assert!(!error.is_transient, "{url}: {error}");
    }
    // Nor does a source run that was created under other rules.
    let error = open(json!({ "urls": ["http://127.0.0.1:9001/a"] }), guarded).await.expect_err("refused");
    assert!(!error.is_transient && error.message.contains("VALIDATION_FAILED"), "{error}");
    let key = Origin::S3 { key: "a".to_owned() };
    assert!(read(&connector, &key, 10).await.is_err());
}

/// Answers a name with a public address first, and with this machine's afterwards.
#[derive(Debug, Default)]
struct Rebinding(Mutex<usize>);

impl common::outbound::Lookup for Rebinding {
    fn lookup<'a>(&'a self, _: &'a str) -> common::outbound::Addresses<'a> {
        let mut lookups = self.0.lock().expect("no panic");
        *lookups += 1;
        let address = if *lookups == 1 { [93, 184, 216, 34] } else { [127, 0, 0, 1] };
        Box::pin(std::future::ready(Ok(vec![address.into()])))
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_source_that_changes_its_address_receives_no_connection() {
    let (own, requests) = server(vec![("/a", ok("a"))]).await;
    let url = format!("{}/a", own.replace("127.0.0.1", "rebound.example"));
    let outbound = Outbound::with_lookup(Settings::guarded("test"), Rebinding::default());
    // The check before the call sees the public address.
    assert_eq!(outbound.ensure_allowed(&url).await, Ok(()));
    let connector = HttpConnector::new(HttpConfig::Urls(vec![url.clone()]), [].into(), outbound).expect("opened");
    let error = connector.fetch(&url, None, 10).await.err().expect("refused");
    assert!(!error.is_transient, "{error}");
    assert!(requests.lock().expect("no panic").is_empty());
}
