//! Reading objects whose connections break, and assuming roles.

use std::sync::{Arc, Mutex};

use futures_util::TryStreamExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

/// A server that gives its answers in order, the last one forever, and keeps the requests in lower case.
async fn server(answers: Vec<&'static str>) -> (SdkConfig, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let requests: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&requests);
    tokio::spawn(async move {
        let mut answers = answers.into_iter().peekable();
        let mut answer = "";
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = vec![0; 16384];
            let length = stream.read(&mut buffer).await.unwrap_or(0);
            kept.lock().expect("no panic").push(String::from_utf8_lossy(&buffer[..length]).to_lowercase());
            answer = answers.next().unwrap_or(answer);
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let client = aws_smithy_http_client::Builder::new().build_http();
    let aws = tables::testing::aws().into_builder().endpoint_url(url).http_client(client);
    let aws = aws.time_source(aws_smithy_async::time::SystemTimeSource::new());
    (aws.retry_config(aws_smithy_types::retry::RetryConfig::disabled()).build(), requests)
}

fn config(role_arn: Option<&str>) -> S3Config {
    S3Config { bucket: "src".to_owned(), prefix: None, region: None, role_arn: role_arn.map(str::to_owned) }
}

async fn connector(aws: &SdkConfig, role_arn: Option<&str>) -> S3Connector {
    S3Connector::new(config(role_arn), client(aws, &config(role_arn), "account:42").await)
}

#[tokio::test(flavor = "current_thread")]
async fn a_broken_object_is_read_on_from_where_it_ended() {
    let (aws, requests) = server(vec![
        "HTTP/1.1 200 OK\r\netag: \"t\"\r\ncontent-length: 10\r\n\r\n0123",
        "HTTP/1.1 206 Partial Content\r\netag: \"t\"\r\ncontent-length: 6\r\n\r\n45",
        "HTTP/1.1 206 Partial Content\r\netag: \"t\"\r\ncontent-length: 4\r\n\r\n6789",
    ])
    .await;
    let fetched = connector(&aws, None).await.fetch("a", 10).await.expect("an object");
    assert_eq!((fetched.size, fetched.origin_tag.as_deref()), (Some(10), Some("\"t\"")));
    let chunks: Vec<_> = fetched.stream.try_collect().await.expect("the whole object");
    assert_eq!(chunks.concat(), b"0123456789");
    let requests = requests.lock().expect("no panic");
    for (index, range) in [(1, "bytes=4-"), (2, "bytes=6-")] {
        assert!(requests[index].contains(&format!("range: {range}")), "{}", requests[index]);
        assert!(requests[index].contains("if-match: \"t\""), "{}", requests[index]);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn an_object_that_always_breaks_is_tried_again_later() {
    let (aws, requests) = server(vec![
        "HTTP/1.1 200 OK\r\netag: \"t\"\r\ncontent-length: 10\r\n\r\n",
        "HTTP/1.1 206 Partial Content\r\netag: \"t\"\r\ncontent-length: 10\r\n\r\n",
    ])
    .await;
    let fetched = connector(&aws, None).await.fetch("a", 10).await.expect("an object");
    let error = fetched.stream.try_collect::<Vec<_>>().await.expect_err("broken");
    assert!(error.is_transient, "{error}");
    assert_eq!(requests.lock().expect("no panic").len(), 1 + RESUMES as usize);
}

#[tokio::test(flavor = "current_thread")]
async fn a_role_is_assumed_with_the_account_as_external_id() {
    let (aws, requests) = server(vec![
        "HTTP/1.1 403 Forbidden\r\ncontent-length: 79\r\n\r\n<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></E>",
    ])
    .await;
    let role = "arn:aws:iam::111122223333:role/listbackup-source-a";
    let error = connector(&aws, Some(role)).await.list(&Position::Start).await.expect_err("refused");
    let requests = requests.lock().expect("no panic");
    assert!(requests[0].contains("action=assumerole") && requests[0].contains("externalid=42"), "{}", requests[0]);
    assert!(requests[0].contains("role%2flistbackup-source-a"), "{}", requests[0]);
    // No request with the function's own credentials follows.
    assert!(requests.iter().all(|request| request.contains("action=assumerole")), "{requests:?} {error}");
}

#[tokio::test(flavor = "current_thread")]
async fn large_objects_are_refused_before_they_are_read() {
    let (aws, _) = server(vec!["HTTP/1.1 200 OK\r\netag: \"t\"\r\ncontent-length: 11\r\n\r\n01234567890"]).await;
    let error = connector(&aws, None).await.fetch("a", 10).await.err().expect("too large");
    assert_eq!(error, ConnectorError::permanent("the file is too large"));
}

#[test]
fn missing_objects_are_not_tried_again() {
    use aws_sdk_s3::{error::ErrorMetadata, operation::get_object::GetObjectError};
    for (code, is_transient) in [
        ("NoSuchKey", false),
        ("AccessDenied", false),
        ("InvalidObjectState", false),
        ("NoSuchBucket", false),
        ("SlowDown", true),
    ] {
        let error = GetObjectError::generic(ErrorMetadata::builder().code(code).build());
        let error: SdkError<GetObjectError, ()> = SdkError::service_error(error, ());
        assert_eq!(classify("read the object", &error).is_transient, is_transient, "{code}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn keys_are_listed_as_they_are() {
    let (aws, requests) = server(vec![
        "HTTP/1.1 200 OK\r\ncontent-length: 317\r\n\r\n<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>\
         <NextContinuationToken>t</NextContinuationToken><Contents><Key>a+b%2Bc.txt</Key><Size>3</Size></Contents>\
         <Contents><Key>x%01y%252e</Key><Size>4</Size></Contents><Contents><Key>%E6%97%A5/</Key><Size>0</Size></Contents>\
         </ListBucketResult>",
    ])
    .await;
    let (files, position) = connector(&aws, None).await.list(&Position::Start).await.expect("a page");
    let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["a b+c.txt", "x\u{1}y%2e"]);
    assert_eq!(position, Position::After("t".to_owned()));
    assert!(requests.lock().expect("no panic")[0].contains("encoding-type=url"));
}
