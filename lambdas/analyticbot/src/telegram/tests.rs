//! The client against the fake Telegram server.

use std::{
    io::Write,
    sync::{Arc, Mutex},
    time::Duration,
};

use tracing::Level;

use super::{server::Server, *};

/// Shorter than slow tokens wait.
const SHORT: Duration = Duration::from_millis(400);
const PAUSE: Duration = Duration::from_secs(3);

fn token(behaviour: &str) -> BotToken {
    BotToken::parse(&format!("1001:{behaviour}{}", "x".repeat(35))).expect("a token")
}

fn client(server: &Server) -> Telegram {
    within(Duration::from_secs(10), server)
}

fn within(timeout: Duration, server: &Server) -> Telegram {
    Telegram::new(&server.base, timeout, "local").expect("a client")
}

#[tokio::test(flavor = "current_thread")]
async fn a_valid_token_is_described_and_sends_messages() {
    let server = Server::stub(PAUSE);
    let client = client(&server);
    let bot = client.get_me(&token("VALID")).await.expect("a bot");
    let expected =
        BotInfo { id: 1001, username: Some("stub_1001_bot".to_owned()), first_name: "Stub".to_owned(), is_bot: true };
    assert_eq!(bot, expected);
    assert_eq!(client.send_message(&token("VALID"), 5, "Hello \u{fc}").await, Ok(()));
    let refused = Err(TelegramError::Refused("Bad Request: chat not found".to_owned()));
    assert_eq!(client.send_message(&token("VALID"), 0, "Hello").await, refused);
    assert_eq!(server.calls(), ["getMe", "sendMessage", "sendMessage"]);
}

#[tokio::test(flavor = "current_thread")]
async fn each_behaviour_of_the_server_is_an_outcome() {
    let server = Server::stub(PAUSE);
    let client = within(SHORT, &server);
    let outcomes = [
        ("REVOKED", TelegramError::Unauthorized),
        ("OTHER", TelegramError::Unauthorized),
        ("FLOOD", TelegramError::RetryAfter(7)),
        ("DOWN", TelegramError::Unavailable),
        ("MOVED", TelegramError::Unavailable),
        ("SLOW", TelegramError::Timeout),
    ];
    for (behaviour, outcome) in outcomes {
        assert_eq!(client.get_me(&token(behaviour)).await, Err(outcome), "{behaviour}");
    }
    assert!(client.get_me(&token("LAGGY")).await.is_ok());
    assert_eq!(client.send_message(&token("LAGGY"), 5, "Hello").await, Err(TelegramError::Timeout));
}

#[tokio::test(flavor = "current_thread")]
async fn a_redirect_is_not_followed() {
    let target = Server::stub(PAUSE);
    let redirect = format!("HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", target.base);
    let server = Server::fixed(&redirect);
    assert_eq!(client(&server).get_me(&token("VALID")).await, Err(TelegramError::Unavailable));
    assert_eq!((server.calls().len(), target.calls().len()), (1, 0));
}

#[tokio::test(flavor = "current_thread")]
async fn a_server_that_hangs_up_or_talks_nonsense_is_unavailable() {
    let body = format!("{{\"ok\":true,\"result\":\"{}\"}}", "y".repeat(70_000));
    let large = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    for response in ["", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}", &large] {
        let server = Server::fixed(response);
        assert_eq!(client(&server).get_me(&token("VALID")).await, Err(TelegramError::Unavailable), "{response:.40}");
    }
    let closed = Server::fixed("");
    let base = closed.base.clone();
    drop(closed);
    let client = Telegram::new(&base, SHORT, "local").expect("a client");
    let error = client.get_me(&token("VALID")).await.expect_err("no server");
    assert!(matches!(error, TelegramError::Unavailable | TelegramError::Timeout), "{error}");
}

#[test]
fn only_the_local_stage_may_do_without_tls() {
    let with = |base: &str, stage: &str| Telegram::new(base, SHORT, stage).map(|_| ());
    assert_eq!(with("https://api.telegram.org", "prod"), Ok(()));
    assert_eq!(with("http://127.0.0.1:4566/x", "local"), Ok(()));
    for (base, stage) in [("http://api.telegram.org", "dev"), ("http://api.telegram.org", "prod"), ("ftp://a", "local")]
    {
        assert_eq!(with(base, stage), Err(NotEncrypted));
    }
}

/// The log lines of this thread, at the levels of production and below.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "current_thread")]
async fn no_error_and_no_log_line_contains_a_token() {
    let lines = Lines::default();
    let written = lines.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(Level::DEBUG).with_writer(move || written.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = Server::stub(PAUSE);
    let echo = "HTTP/1.1 400 X\r\ncontent-length: {length}\r\n\r\n";
    let path = format!("/telegram-stub/bot{}/getMe", token("VALID").expose());
    let body = format!("{{\"ok\":false,\"description\":\"no such path: {path}\"}}");
    let echoing = Server::fixed(&format!("{}{body}", echo.replace("{length}", &body.len().to_string())));
    for behaviour in ["VALID", "REVOKED", "FLOOD", "DOWN", "MOVED", "SLOW", "LAGGY"] {
        for server in [&server, &echoing] {
            let client = within(SHORT, server);
            let outcomes = [
                format!("{:?}", client.get_me(&token(behaviour)).await),
                format!("{:?}", client.send_message(&token(behaviour), 5, "Hello").await),
            ];
            for text in outcomes.into_iter().chain([format!("{client:?} {:?}", token(behaviour))]) {
                // With another token than the echoed one, the description is not the caller's secret.
                let secret = format!("{behaviour}{}", "x".repeat(35));
                assert!(!text.contains(&secret), "{behaviour}: {text}");
            }
        }
    }
    let lines = String::from_utf8(lines.0.lock().expect("no panic").clone()).expect("UTF-8");
    assert!(lines.contains("request"), "the server logs its requests: {lines}");
    assert!(!lines.contains(&"x".repeat(35)), "{lines}");
}
