//! The function as an HTTP server, for development outside Lambda: HTTP/1.1, one request per connection.

use std::{
    io::{Error, ErrorKind},
    net::{Ipv4Addr, SocketAddr},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, Response, header::CONTENT_LENGTH},
};
use common::SourceAddress;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower_service::Service;

/// The port, on this machine only.
pub(crate) const PORT: u16 = 8000;
/// The largest head of a request, in bytes.
const MOST_HEAD: usize = 64 * 1024;
const MOST_HEADERS: usize = 100;
/// The largest body of a request, in bytes: the same as in Lambda.
const MOST_BODY: usize = 6 * 1024 * 1024;

/// Serves until the process ends.
///
/// # Errors
/// When the port is in use.
pub async fn serve(router: Router) -> Result<(), Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)).await?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    accept(listener, router).await
}

async fn accept(listener: TcpListener, router: Router) -> Result<(), Error> {
    loop {
        let (stream, peer) = listener.accept().await?;
        let router = router.clone();
        tokio::spawn(async move {
            if let Err(error) = answer(stream, peer, router).await {
                tracing::warn!(error = error.to_string(), "a connection failed");
            }
        });
    }
}

async fn answer(mut stream: TcpStream, peer: SocketAddr, mut router: Router) -> Result<(), Error> {
    let mut request = read(&mut stream).await?;
    request.extensions_mut().insert(SourceAddress(peer.ip().to_string()));
    let bodiless = request.method() == Method::HEAD;
    let Ok(response) = router.call(request).await;
    write(&mut stream, response, bodiless).await
}

/// Reads a whole request.
async fn read(stream: &mut TcpStream) -> Result<Request<Body>, Error> {
    let mut bytes = Vec::new();
    let (mut request, head) = loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if let Some(parsed) = parse(&bytes)? {
            break parsed;
        }
        if bytes.len() > MOST_HEAD {
            return Err(invalid("the request's head is too long"));
        }
    };
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0);
    if length > MOST_BODY {
        return Err(invalid("the request's body is too long"));
    }
    let mut body = bytes.split_off(head);
    while body.len() < length {
        if stream.read_buf(&mut body).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    body.truncate(length);
    *request.body_mut() = Body::from(body);
    Ok(request)
}

/// Parses a request without its body, and the length of its head; `None` while the head is incomplete.
fn parse(bytes: &[u8]) -> Result<Option<(Request<Body>, usize)>, Error> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head) = parsed.parse(bytes).map_err(invalid)? else { return Ok(None) };
    let mut request = Request::builder().method(parsed.method.unwrap_or_default()).uri(parsed.path.unwrap_or_default());
    for header in parsed.headers {
        request = request.header(header.name, header.value);
    }
    Ok(Some((request.body(Body::empty()).map_err(invalid)?, head)))
}

async fn write(stream: &mut TcpStream, response: Response<Body>, bodiless: bool) -> Result<(), Error> {
    let (mut parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.map_err(invalid)?;
    parts.headers.remove(CONTENT_LENGTH);
    let mut head =
        format!("HTTP/1.1 {}\r\nconnection: close\r\ncontent-length: {}\r\n", parts.status, body.len()).into_bytes();
    for (name, value) in &parts.headers {
        head.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    head.extend(b"\r\n");
    stream.write_all(&head).await?;
    if !bodiless {
        stream.write_all(&body).await?;
    }
    stream.shutdown().await
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use axum::{extract::State, routing::post};

    use super::*;

    async fn echo(State(()): State<()>, SourceAddress(address): SourceAddress, body: String) -> String {
        format!("{address}: {body}")
    }

    async fn exchange(request: &str) -> String {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let server = tokio::spawn(accept(listener, Router::new().route("/echo", post(echo)).with_state(())));
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        server.abort();
        answer
    }

    #[tokio::test(flavor = "current_thread")]
    async fn the_connection_is_closed_after_the_response() {
        let answer = exchange("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(
            answer.ends_with("content-length: 16\r\ncontent-type: text/plain; charset=utf-8\r\n\r\n127.0.0.1: hello"),
            "{answer}"
        );
    }

    #[tokio::test(flavor = "current_thread")]
    async fn unknown_paths_and_invalid_requests_reach_no_handler() {
        assert!(exchange("GET /other HTTP/1.1\r\nHost: a\r\n\r\n").await.starts_with("HTTP/1.1 404 Not Found\r\n"));
        assert_eq!(exchange("nonsense\r\n\r\n").await, "");
    }
}
