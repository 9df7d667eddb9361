//! Test fixtures for this crate and the end-to-end tests: an issuer of identity tokens, and a server with fixed
//! answers. The private key beside them is used nowhere else.

use std::sync::{Arc, Mutex};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    hmac,
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// The ID of the issuer's key.
pub const KEY_ID: &str = "test-key";

/// Signs tokens as Cognito and Firebase do.
#[derive(Debug)]
pub struct TestIssuer(RsaKeyPair);

impl Default for TestIssuer {
    fn default() -> Self {
        Self(RsaKeyPair::from_der(include_bytes!("../fixtures/issuer.der")).expect("a key"))
    }
}

impl TestIssuer {
    /// Returns the issuer's public keys.
    #[must_use]
    pub fn jwks(&self) -> Value {
        let public: PublicKeyComponents<Vec<u8>> = self.0.public().into();
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        json!({"keys": [{
            "kty": "RSA", "kid": KEY_ID, "use": "sig", "alg": "RS256", "n": encode(&public.n), "e": encode(&public.e),
        }]})
    }

    /// Signs a token with these claims.
    #[must_use]
    pub fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({"alg": "RS256", "typ": "JWT", "kid": KEY_ID}), claims)
    }

    /// Signs a token with RS256, even if the header names another algorithm.
    #[must_use]
    pub fn token_with(&self, header: &Value, claims: &Value) -> String {
        let signed = unsigned(header, claims);
        let mut signature = vec![0; self.0.public().modulus_len()];
        let random = SystemRandom::new();
        self.0.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).expect("a signature");
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// Signs a token with HS256, using the public key as the secret: a known attack.
    #[must_use]
    pub fn confused_token(&self, claims: &Value) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.public().as_ref());
        hs256(&key, &json!({"alg": "HS256", "typ": "JWT", "kid": KEY_ID}), claims)
    }
}

/// Signs a token with a shared secret.
#[must_use]
pub fn secret_token(secret: &[u8], claims: &Value) -> String {
    hs256(&hmac::Key::new(hmac::HMAC_SHA256, secret), &json!({"alg": "HS256", "typ": "JWT"}), claims)
}

/// Returns a token without a signature.
#[must_use]
pub fn unsigned_token(claims: &Value) -> String {
    format!("{}.", unsigned(&json!({"alg": "none", "typ": "JWT", "kid": KEY_ID}), claims))
}

fn hs256(key: &hmac::Key, header: &Value, claims: &Value) -> String {
    let signed = unsigned(header, claims);
    let signature = hmac::sign(key, signed.as_bytes());
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", encode(header), encode(claims))
}

/// A local server that gives every request the same answer, which can be replaced.
#[derive(Debug, Clone)]
pub struct Stub {
    /// The base address, without a path.
    pub url: String,
    answer: Arc<Mutex<(u16, String)>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    /// Starts a server that runs until the test's runtime ends.
    pub async fn start(status: u16, body: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let stub = Self {
            url: format!("http://{}", listener.local_addr().expect("bound")),
            answer: Arc::new(Mutex::new((status, body))),
            requests: Arc::default(),
        };
        let (answer, requests) = (stub.answer.clone(), stub.requests.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 8192];
                let length = stream.read(&mut request).await.unwrap_or(0);
                let line = String::from_utf8_lossy(&request[..length]).lines().next().unwrap_or_default().to_owned();
                requests.lock().expect("no panic").push(line);
                let (status, body) = answer.lock().expect("no panic").clone();
                let head = format!("HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\nconnection: close\r\n");
                let text = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
                let _ = stream.write_all(text.as_bytes()).await;
            }
        });
        stub
    }

    /// Replaces the answer.
    ///
    /// # Panics
    /// If the server's task has panicked.
    pub fn answer(&self, status: u16, body: &str) {
        *self.answer.lock().expect("no panic") = (status, body.to_owned());
    }

    /// Returns the first lines of all requests so far.
    ///
    /// # Panics
    /// If the server's task has panicked.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no panic").clone()
    }
}
