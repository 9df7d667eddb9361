//! The user pool's public keys, fetched when a token first needs them and kept.

use std::{collections::HashMap, time::Duration};

use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::{
    http::SharedHttpClient,
    orchestrator::{HttpRequest, HttpResponse, OrchestratorError},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tokio::sync::Mutex;

/// How long an unknown key is believed to be unknown: whoever invents key ids must not make us ask for each.
const BETWEEN_FETCHES: SignedDuration = SignedDuration::from_secs(60);

/// How long the keys may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A public key: RSA's two numbers, big-endian.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// n.
    pub modulus: Vec<u8>,
    /// e.
    pub exponent: Vec<u8>,
}

/// Why the keys are not known.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Nobody answered, or not with keys.
    #[error("failed to fetch the user pool's keys from {url}")]
    Fetch {
        /// Where they should be.
        url: String,
        /// What happened instead.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What the user pool's address of keys answers: RFC 7517.
#[derive(Debug, Deserialize)]
struct Published {
    keys: Vec<PublishedKey>,
}

#[derive(Debug, Deserialize)]
struct PublishedKey {
    kid: String,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
}

#[derive(Debug, Default)]
struct Known {
    keys: HashMap<String, Key>,
    fetched: Option<Timestamp>,
}

/// The keys behind one address.
#[derive(Debug)]
pub struct Keys {
    url: String,
    http: SharedHttpClient,
    known: Mutex<Known>,
}

/// An answer other than the keys.
#[derive(Debug, thiserror::Error)]
enum Answer {
    #[error("the answer's status is {0}")]
    Status(u16),
    #[error("the answer holds no keys")]
    Unreadable(#[from] serde_json::Error),
}

impl Keys {
    /// The keys at `url`.
    #[must_use]
    pub fn new(url: &str, http: SharedHttpClient) -> Self {
        Self { url: url.to_owned(), http, known: Mutex::default() }
    }

    /// The key with this id.
    ///
    /// # Errors
    /// When the keys cannot be fetched.
    pub async fn find(&self, id: &str, now: Timestamp) -> Result<Option<Key>, KeyError> {
        let mut known = self.known.lock().await;
        if let Some(key) = known.keys.get(id) {
            return Ok(Some(key.clone()));
        }
        if known.fetched.is_some_and(|fetched| now.duration_since(fetched) < BETWEEN_FETCHES) {
            return Ok(None);
        }
        let published = self.fetch().await?;
        known.keys = published.keys.into_iter().filter_map(key).collect();
        known.fetched = Some(now);
        Ok(known.keys.get(id).cloned())
    }

    async fn fetch(&self) -> Result<Published, KeyError> {
        // The operation joins the two, as clients of a service join an endpoint and a resource.
        let (server, path) = server_and_path(&self.url);
        let path = path.to_owned();
        let operation = Operation::builder()
            .service_name("user-pool")
            .operation_name("GetKeys")
            .http_client(self.http.clone())
            .endpoint_url(server)
            .no_auth()
            .no_retry()
            .serializer(move |()| {
                let mut request = HttpRequest::empty();
                request.set_uri(path.as_str())?;
                Ok(request)
            })
            .deserializer(read)
            .build();
        let failed = |source| KeyError::Fetch { url: self.url.clone(), source };
        match tokio::time::timeout(PATIENCE, operation.invoke(())).await {
            Ok(fetched) => fetched.map_err(|error| failed(Box::new(error))),
            Err(late) => Err(failed(Box::new(late))),
        }
    }
}

/// `https://server` and `/path` of an address.
fn server_and_path(url: &str) -> (&str, &str) {
    let after_scheme = url.find("://").map_or(0, |colon| colon + 3);
    let path = url[after_scheme..].find('/').map_or(url.len(), |slash| after_scheme + slash);
    url.split_at(path)
}

fn read(response: &HttpResponse) -> Result<Published, OrchestratorError<Answer>> {
    let status = response.status().as_u16();
    if status != 200 {
        return Err(OrchestratorError::operation(Answer::Status(status)));
    }
    let body = response.body().bytes().unwrap_or_default();
    serde_json::from_slice(body).map_err(|error| OrchestratorError::operation(error.into()))
}

/// A key whose numbers can be read; keys of other kinds have none.
fn key(published: PublishedKey) -> Option<(String, Key)> {
    let number = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).ok().filter(|number| !number.is_empty());
    let key = Key { modulus: number(&published.n)?, exponent: number(&published.e)? };
    Some((published.kid, key))
}

#[cfg(test)]
mod tests {
    use super::server_and_path;

    #[test]
    fn an_address_has_a_server_and_a_path() {
        for (url, expected) in [
            ("https://a.test/b/c.json", ("https://a.test", "/b/c.json")),
            (
                "http://127.0.0.1:4566/pool/.well-known/jwks.json",
                ("http://127.0.0.1:4566", "/pool/.well-known/jwks.json"),
            ),
            ("https://a.test", ("https://a.test", "")),
        ] {
            assert_eq!(server_and_path(url), expected);
        }
    }
}
