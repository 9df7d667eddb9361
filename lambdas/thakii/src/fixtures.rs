//! An issuer of identity tokens, and a server that says what it is told: for tests here and end to end. The key beside
//! it opens nothing; it belongs to nobody.

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

/// The name of the issuer's key.
pub const KEY_ID: &str = "test-key";

/// Signs tokens like Cognito and Firebase do.
#[derive(Debug)]
pub struct TestIssuer(RsaKeyPair);

impl Default for TestIssuer {
    fn default() -> Self {
        Self(RsaKeyPair::from_der(include_bytes!("../fixtures/issuer.der")).expect("a key"))
    }
}

impl TestIssuer {
    /// What the issuer publishes.
    #[must_use]
    pub fn jwks(&self) -> Value {
        let public: PublicKeyComponents<Vec<u8>> = self.0.public().into();
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        json!({"keys": [{
            "kty": "RSA", "kid": KEY_ID, "use": "sig", "alg": "RS256", "n": encode(&public.n), "e": encode(&public.e),
        }]})
    }

    /// A token with these claims.
    #[must_use]
    pub fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({"alg": "RS256", "typ": "JWT", "kid": KEY_ID}), claims)
    }

    /// A token with this header, signed with RS256 whatever the header says.
    #[must_use]
    pub fn token_with(&self, header: &Value, claims: &Value) -> String {
        let signed = unsigned(header, claims);
        let mut signature = vec![0; self.0.public().modulus_len()];
        let random = SystemRandom::new();
        self.0.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).expect("a signature");
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// A token signed with HS256, with the public key as if it were a secret: a known attack.
    #[must_use]
    pub fn confused_token(&self, claims: &Value) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.public().as_ref());
        hs256(&key, &json!({"alg": "HS256", "typ": "JWT", "kid": KEY_ID}), claims)
    }
}

/// A token signed with a shared secret.
#[must_use]
pub fn secret_token(secret: &[u8], claims: &Value) -> String {
    hs256(&hmac::Key::new(hmac::HMAC_SHA256, secret), &json!({"alg": "HS256", "typ": "JWT"}), claims)
}

/// A token that nobody signed.
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

/// A server on this machine that gives every request the same answer, which may change.
#[derive(Debug, Clone)]
pub struct Stub {
    /// Its address, without a path.
    pub url: String,
    answer: Arc<Mutex<(u16, String)>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    /// Starts one. It ends with the test's runtime.
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

    /// What is answered from now on.
    ///
    /// # Panics
    /// When the stub's task has.
    pub fn answer(&self, status: u16, body: &str) {
        *self.answer.lock().expect("no panic") = (status, body.to_owned());
    }

    /// The first line of every request so far.
    ///
    /// # Panics
    /// When the stub's task has.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no panic").clone()
    }
}
