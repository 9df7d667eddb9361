//! The guard's classification of addresses, and calls to a local server.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

#[test]
fn special_addresses_are_not_public() {
    for text in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"]
    {
        assert!(is_public(text.parse().expect("an address")), "{text}");
    }
    for text in [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.5.4",
        "192.168.1.1",
        "169.254.169.254",
        "169.254.100.1",
        "100.64.0.1",
        "192.0.0.8",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "203.0.113.9",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2001:db8::1",
        "2001::1",
    ] {
        assert!(!is_public(text.parse().expect("an address")), "{text}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn guarded_calls_reach_public_addresses_only() {
    let guarded = Outbound::new(true);
    let long = format!("http://example.com/{}", "a".repeat(3000));
    for url in [
        "http://127.0.0.1:9001",
        "http://169.254.169.254",
        "http://[::1]:80/",
        "http://localhost:9001",
        "http://2130706433/",
        "http://user@1.1.1.1/",
        "ftp://1.1.1.1",
        "not a url",
        "http://",
        long.as_str(),
    ] {
        assert_eq!(guarded.ensure_allowed(url).await, Err(OutboundError::Forbidden), "{url}");
        assert!(guarded.get(url, Duration::from_secs(5), 10).await.is_err(), "{url}");
    }
    assert_eq!(guarded.ensure_allowed("https://1.1.1.1/").await, Ok(()));
    assert_eq!(guarded.ensure_allowed("https://no-such-name.invalid").await, Ok(()));
}

#[tokio::test(flavor = "current_thread")]
async fn guarded_calls_check_the_resolved_address() {
    let (url, _server) = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
    let url = url.replace("127.0.0.1", "localhost");
    let answer = Outbound::new(true).get(&url, Duration::from_secs(5), 10).await;
    assert_eq!(answer, Err(OutboundError::Refused));
    let answer = Outbound::new(false).get(&url, Duration::from_secs(5), 10).await;
    assert_eq!(answer, Ok(Response { status: 200, body: b"{}".to_vec() }));
}

/// Starts a server that gives every request the same answer.
async fn server(answer: &'static str) -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/health", listener.local_addr().expect("bound"));
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            if answer.is_empty() {
                // Keep the connection open without an answer.
                std::mem::forget(stream);
            } else {
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        }
    });
    (url, task)
}

#[tokio::test(flavor = "current_thread")]
async fn answers_are_limited_and_redirects_not_followed() {
    let open = Outbound::new(false);
    let (url, _server) = server("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nhello world").await;
    assert_eq!(open.get(&url, Duration::from_secs(5), 10).await, Err(OutboundError::Unreadable));
    assert_eq!(open.get(&url, Duration::from_secs(5), 11).await.expect("small enough").body, b"hello world");
    let (url, _server) =
        server("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(open.get(&url, Duration::from_secs(5), 10).await.expect("an answer").status, 302);
}

#[tokio::test(flavor = "current_thread")]
async fn timeouts_and_refused_connections_are_distinguished() {
    let open = Outbound::new(false);
    let (url, _server) = server("").await;
    assert_eq!(open.get(&url, Duration::from_millis(50), 10).await, Err(OutboundError::Timeout));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let closed = format!("http://{}/", listener.local_addr().expect("bound"));
    drop(listener);
    assert_eq!(open.get(&closed, Duration::from_secs(5), 10).await, Err(OutboundError::Refused));
}
