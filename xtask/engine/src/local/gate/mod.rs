//! The gate of the local cloud: the only way to the emulator, which listens on a Unix socket behind it.
//!
//! MiniStack verifies no signature and answers every origin. So a page that the user opens could create and invoke functions, which are
//! processes of this machine. The gate forwards a request only if its signature is by the secret of this local cloud, or if it needs
//! none in AWS either; [`access`] decides. It changes nothing in what it forwards.

mod access;
mod canonical;
mod issued;
pub(super) mod origins;
mod owner;
mod refusal;
mod signature;
mod upstream;

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use camino::{Utf8Path, Utf8PathBuf};
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    http::request::Parts,
    server::conn::http1,
    service::service_fn,
    upgrade::OnUpgrade,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::{io::AsyncWriteExt as _, net::TcpListener, task::JoinSet};

pub use self::owner::run;
use self::{
    access::Access,
    issued::Secrets,
    origins::Origins,
    refusal::Refusal,
    signature::{Claim, Payload},
    upstream::{Body, Failure, Upstream},
};
use super::Keys;
use crate::error::one_line;

/// The emulator's socket, within the local cloud's folder. Gate and emulator run in that folder, because the path of a socket has at most
/// 107 bytes (unix(7)).
const SOCKET: &str = "emulator.sock";
/// Headers of one connection, which are not forwarded (RFC 9110, section 7.6.1), unless they ask for a WebSocket.
const OF_CONNECTION: [&str; 6] =
    ["connection", "expect", "http2-settings", "keep-alive", "transfer-encoding", "upgrade"];
/// The largest body whose hash is verified. Functions have at most 250 MB of code (Lambda developer guide, "Lambda quotas"); larger bodies
/// go to S3, whose clients sign them in chunks.
const LARGEST: usize = 256 << 20;
/// The largest response that is searched for credentials, and the largest body of a refused request that is read.
const SHORT: usize = 64 << 10;
/// For how long a bucket is known to be a site's.
const SITE_KNOWN: Duration = Duration::from_secs(30);

/// The gate of one local cloud.
#[derive(Debug)]
struct Gate {
    socket: Utf8PathBuf,
    keys: Keys,
    origins: Origins,
    secrets: Secrets,
    sites: Mutex<BTreeMap<String, Instant>>,
}

impl Gate {
    fn new(directory: &Utf8Path, keys: Keys, port: u16) -> Self {
        Self {
            socket: directory.join(SOCKET),
            keys,
            origins: Origins::new(directory, port),
            secrets: Secrets::default(),
            sites: Mutex::default(),
        }
    }

    /// Serves clients until the future is dropped.
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        // Aborts the connections when the gate stops.
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    // An error is the client's: it closed the connection.
                    let Ok((stream, _)) = accepted else { continue };
                    // Small messages must not wait for the client's confirmation of earlier ones.
                    let _closed = stream.set_nodelay(true);
                    connections.spawn(Arc::clone(&self).serve_client(TokioIo::new(stream)));
                }
                Some(_ended) = connections.join_next() => {}
            }
        }
    }

    async fn serve_client(self: Arc<Self>, stream: TokioIo<tokio::net::TcpStream>) {
        let upstream = Arc::new(Upstream::new(self.socket.clone()));
        let service = service_fn(|request| {
            let (gate, upstream) = (Arc::clone(&self), Arc::clone(&upstream));
            async move { Ok::<_, Infallible>(gate.respond(request, &upstream).await) }
        });
        let _closed = http1::Builder::new().serve_connection(stream, service).with_upgrades().await;
    }

    /// Responds with the emulator's response, a refusal, or status 503 while there is no emulator.
    async fn respond(&self, mut request: Request<Incoming>, upstream: &Upstream) -> Response<Body> {
        let upgrade = hyper::upgrade::on(&mut request);
        let (head, body) = request.into_parts();
        // No other upgrade is forwarded: over HTTP/2, the gate would not see the next requests.
        let client = access::asks_for_web_socket(&head).then_some(upgrade);
        let result = match access::judge(&head, |origin| self.origins.allow(origin)) {
            Ok(access) => self.admit(access, &head, body).await,
            Err(refusal) => refuse(refusal, body).await,
        };
        let admitted = match result {
            Ok(admitted) => admitted,
            Err(refusal) => {
                // Without the query, which may be a credential.
                tracing::warn!("refused {} {}: {refusal}", head.method, head.uri.path());
                return refusal.response(&head).map(|body| Either::Right(Full::new(body)));
            }
        };
        match self.forward(head, admitted, client, upstream).await {
            Ok(response) => response,
            Err(failure) => unavailable(&*failure),
        }
    }

    /// Verifies what the head alone does not show.
    async fn admit(&self, access: Access, head: &Parts, body: Incoming) -> Result<Admitted, Refusal> {
        match access {
            Access::Open => Ok(Admitted::as_it_is(body)),
            Access::Credentials => Ok(Admitted { issues: Some(Issuer::Pool), ..Admitted::as_it_is(body) }),
            Access::OfSite(bucket) if self.is_site(&bucket).await => Ok(Admitted::as_it_is(body)),
            Access::OfDistribution(label) if self.is_distribution(&label).await => Ok(Admitted::as_it_is(body)),
            Access::OfSite(_) | Access::OfDistribution(_) => refuse(Refusal::Unsigned, body).await,
            Access::Signed(claim) => {
                let issues = matches!(claim.service.as_str(), "sts" | "iam").then_some(Issuer::Service);
                Ok(Admitted { body: self.verify(&claim, head, body).await?, issues })
            }
        }
    }

    /// Verifies a signature; returns the body, which was read only where the signature covers it.
    async fn verify(&self, claim: &Claim, head: &Parts, body: Incoming) -> Result<Body, Refusal> {
        let issued = self.secrets.find(claim, head)?;
        let secret = issued.as_deref().unwrap_or_else(|| self.keys.secret());
        let (payload, now) = (claim.payload(head)?, SystemTime::now());
        if let Payload::Uncovered(text) | Payload::Named(text) = &payload
            && let Err(refusal) = claim.verify(head, text, secret, now)
        {
            return refuse(refusal, body).await;
        }
        match payload {
            Payload::Uncovered(_) => Ok(Either::Left(body)),
            Payload::Named(hash) => {
                let bytes = read(body).await?;
                if hash_of(&bytes) == hash { Ok(Either::Right(Full::new(bytes))) } else { Err(Refusal::Body) }
            }
            Payload::Hashed => {
                let bytes = read(body).await?;
                claim.verify(head, &hash_of(&bytes), secret, now)?;
                Ok(Either::Right(Full::new(bytes)))
            }
        }
    }

    async fn forward(
        &self,
        mut head: Parts,
        admitted: Admitted,
        client: Option<OnUpgrade>,
        upstream: &Upstream,
    ) -> Result<Response<Body>, Failure> {
        // An absolute URL was refused, so this is path and query as they came.
        head.version = hyper::Version::HTTP_11;
        head.extensions.clear();
        if client.is_none() {
            OF_CONNECTION.iter().for_each(|name| drop(head.headers.remove(*name)));
        }
        let mut response = upstream.send(Request::from_parts(head, admitted.body)).await?;
        if let Some(client) = client.filter(|_| response.status() == StatusCode::SWITCHING_PROTOCOLS) {
            tokio::spawn(tunnel(client, hyper::upgrade::on(&mut response)));
            return Ok(response.map(|_| upstream::empty()));
        }
        let (mut head, body) = response.into_parts();
        OF_CONNECTION.iter().for_each(|name| drop(head.headers.remove(*name)));
        let body = match admitted.issues {
            Some(issuer) if head.status.is_success() => Either::Right(Full::new(self.remember(issuer, body).await?)),
            _ => Either::Left(body),
        };
        Ok(Response::from_parts(head, body))
    }

    /// Remembers the credentials in a response; returns its body.
    async fn remember(&self, issuer: Issuer, body: Incoming) -> Result<Bytes, Failure> {
        let bytes = body.collect().await?.to_bytes();
        match issuer {
            _ if bytes.len() > SHORT => {}
            Issuer::Pool => self.secrets.remember_of_pool(&bytes),
            Issuer::Service => self.secrets.remember(&bytes),
        }
        Ok(bytes)
    }

    /// Returns whether a bucket is a site's: its policy lets CloudFront read it, so in AWS its objects are public as well.
    async fn is_site(&self, bucket: &str) -> bool {
        let known = |sites: &BTreeMap<String, Instant>| sites.get(bucket).is_some_and(|at| at.elapsed() < SITE_KNOWN);
        if known(&self.sites.lock().unwrap_or_else(PoisonError::into_inner)) {
            return true;
        }
        let policy = self.ask(&format!("/{bucket}?policy")).await.unwrap_or_default();
        let is_site = serde_json::from_slice(&policy).is_ok_and(|policy| lets_cloudfront_read(&policy));
        if is_site {
            self.sites.lock().unwrap_or_else(PoisonError::into_inner).insert(bucket.to_owned(), Instant::now());
        }
        is_site
    }

    /// Returns whether there is a distribution with a label. Not remembered: without it, the emulator would serve any call for its name.
    async fn is_distribution(&self, label: &str) -> bool {
        let list = self.ask("/2020-05-31/distribution").await.unwrap_or_default();
        String::from_utf8_lossy(&list).contains(&format!("<DomainName>{label}.cloudfront.net</DomainName>"))
    }

    /// Reads a path of the emulator.
    async fn ask(&self, path: &str) -> Result<Bytes, Failure> {
        let request = Request::get(path).header("host", "localhost").body(upstream::empty())?;
        let response = Upstream::new(self.socket.clone()).send(request).await?;
        Ok(response.into_body().collect().await?.to_bytes())
    }
}

/// A request that passes.
struct Admitted {
    body: Body,
    /// The issuer of the credentials in the response.
    issues: Option<Issuer>,
}

impl Admitted {
    fn as_it_is(body: Incoming) -> Self {
        Self { body: Either::Left(body), issues: None }
    }
}

/// A service whose responses have credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Issuer {
    /// An identity pool.
    Pool,
    /// STS or IAM.
    Service,
}

/// Refuses a request after a short body was read, so that the client can use the connection again.
async fn refuse<T>(refusal: Refusal, body: Incoming) -> Result<T, Refusal> {
    let _long = Limited::new(body, SHORT).collect().await;
    Err(refusal)
}

async fn read(body: Incoming) -> Result<Bytes, Refusal> {
    let collected = Limited::new(body, LARGEST).collect().await;
    collected.map(http_body_util::Collected::to_bytes).map_err(|_| Refusal::Large)
}

fn hash_of(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Copies both ways until either end is closed, then closes the other one.
async fn tunnel(client: OnUpgrade, emulator: OnUpgrade) {
    let (Ok(client), Ok(emulator)) = futures_util::future::join(client, emulator).await else { return };
    let (mut from_client, mut to_client) = tokio::io::split(TokioIo::new(client));
    let (mut from_emulator, mut to_emulator) = tokio::io::split(TokioIo::new(emulator));
    // An end that is closed gets no more messages, so those of the other direction may be lost.
    tokio::select! {
        _closed = tokio::io::copy(&mut from_client, &mut to_emulator) => {}
        _closed = tokio::io::copy(&mut from_emulator, &mut to_client) => {}
    }
    let _closed = futures_util::future::join(to_client.shutdown(), to_emulator.shutdown()).await;
}

fn unavailable(failure: &(dyn std::error::Error + 'static)) -> Response<Body> {
    let text = format!("the emulator does not respond: {}", one_line(failure));
    let mut response = Response::new(Either::Right(Full::new(Bytes::from(text))));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}

/// Reads a bucket's policy (CloudFront developer guide, "Restrict access to an Amazon S3 origin").
fn lets_cloudfront_read(policy: &Value) -> bool {
    let has = |value: &Value, text: &str| match value {
        Value::Array(values) => values.iter().any(|value| value == text),
        value => value == text,
    };
    let statements = policy["Statement"].as_array().map(Vec::as_slice).unwrap_or_default();
    statements.iter().any(|statement| {
        statement["Effect"] == "Allow"
            && has(&statement["Principal"]["Service"], "cloudfront.amazonaws.com")
            && has(&statement["Action"], "s3:GetObject")
    })
}

#[cfg(test)]
mod tests;
