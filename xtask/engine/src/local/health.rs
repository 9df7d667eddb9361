//! Whether the local cloud responds. Starts and stops nothing.

use std::time::Duration;

use tokio::net::TcpStream;
use url::Url;

use super::{LocalError, SOON};
use crate::http::Request;

/// The longest response time of a local server.
const ANSWER: Duration = Duration::from_secs(2);

/// Reports whether a MiniStack on this machine's `port` is ready.
pub(super) async fn answers(port: u16) -> bool {
    let request = Request::get(format!("http://127.0.0.1:{port}/_ministack/health")).send();
    let response = tokio::time::timeout(ANSWER, request).await;
    response.is_ok_and(|response| response.is_ok_and(|response| response.is_success()))
}

/// As [`answers`], with time for an instance that is busy.
pub(super) async fn answers_within(port: u16, limit: Duration) -> bool {
    SOON.within(limit).until(async || answers(port).await).await
}

/// Checks that a program listens at the address of the user's own emulator.
pub(super) async fn listens(url: &str) -> Result<(), LocalError> {
    let unreachable = |why: String| LocalError::Unreachable { url: url.to_owned(), why };
    let parsed = Url::parse(url).map_err(|error| unreachable(format!("it is not a URL ({error})")))?;
    let host = parsed.host_str().ok_or_else(|| unreachable("it has no host".to_owned()))?;
    let port = parsed.port_or_known_default().ok_or_else(|| unreachable("it has no port".to_owned()))?;
    // An IPv6 address is bracketed in a URL only.
    let connect = TcpStream::connect((host.trim_matches(['[', ']']), port));
    match tokio::time::timeout(ANSWER, connect).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(unreachable(error.to_string())),
        Err(_) => Err(unreachable(format!("no response within {} s", ANSWER.as_secs()))),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn an_address_without_a_listener_is_named() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        listens(&url).await.expect("something listens");
        drop(listener);
        let error = listens(&url).await.expect_err("nothing listens").to_string();
        assert!(error.contains(&url), "{error}");
        assert!(listens("localhost").await.is_err());
    }

    #[tokio::test]
    async fn a_listener_that_does_not_respond_is_not_healthy() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        assert!(!answers(listener.local_addr().expect("bound").port()).await);
    }
}
