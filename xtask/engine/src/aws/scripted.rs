//! A scripted endpoint for tests: answers requests in the place of AWS.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use model::stage::Stage;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use super::Clients;
use crate::local::Emulator;

/// A request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Received {
    /// Method and target: `PUT /2015-03-31/functions/f/code`.
    pub(crate) target: String,
    /// The headers, by name in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// The body.
    pub(crate) body: String,
}

impl Received {
    /// Is the operation in the target, in `x-amz-target` or in the body?
    pub(crate) fn is(&self, operation: &str) -> bool {
        let header = self.headers.get("x-amz-target").is_some_and(|target| target.ends_with(operation));
        let form = format!("Action={operation}&");
        self.target.contains(operation) || header || format!("{}&", self.body).contains(&form)
    }
}

type Answer = Arc<dyn Fn(&Received) -> (u16, String) + Send + Sync>;

/// A server of this process. It ends with the test's runtime.
pub(crate) struct Endpoint {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Endpoint {
    /// Starts a server that answers each request with a status and a body.
    pub(crate) async fn serve(answer: impl Fn(&Received) -> (u16, String) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (answer, received): (Answer, Arc<Mutex<Vec<_>>>) = (Arc::new(answer), Arc::default());
        let all = Arc::clone(&received);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, all) = (Arc::clone(&answer), Arc::clone(&all));
                tokio::spawn(async move { respond(stream, &answer, &all).await });
            }
        });
        Self { address, received }
    }

    /// Every request so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often an operation was called.
    pub(crate) fn count(&self, operation: &str) -> usize {
        self.received().iter().filter(|request| request.is(operation)).count()
    }

    /// Clients that call this server.
    pub(crate) async fn clients(&self) -> Clients {
        let text = "account: '000000000000'\nregion: us-east-1\n";
        let stage = Stage::parse("dev", text, "dev.yaml").expect("a stage");
        let emulator = Emulator::open(format!("http://{}", self.address));
        Clients::new(&stage, Some(emulator)).await.expect("clients")
    }
}

async fn respond(stream: TcpStream, answer: &Answer, all: &Mutex<Vec<Received>>) {
    let mut stream = BufReader::new(stream);
    let Some(request) = read(&mut stream).await else { return };
    let (status, body) = answer(&request);
    all.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    let kind = if body.starts_with('{') { "application/json" } else { "text/xml" };
    let head = format!(
        "HTTP/1.1 {status} Scripted\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    // A client that has gone needs no answer.
    let _gone = stream.get_mut().write_all(format!("{head}{body}").as_bytes()).await;
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Received> {
    let mut request = Received::default();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|length| *length > 0)?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        match line.split_once(": ") {
            Some((name, value)) => drop(request.headers.insert(name.to_lowercase(), value.to_owned())),
            // A header without a value.
            None if !request.target.is_empty() => {}
            None => line.rsplit_once(' ').map_or("", |(target, _)| target).clone_into(&mut request.target),
        }
    }
    let length = request.headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    request.body = String::from_utf8_lossy(&body).into_owned();
    Some(request)
}
