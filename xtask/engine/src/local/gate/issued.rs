//! The credentials that the emulator has issued: of identity pools, roles and users. Calls that are signed with them pass the gate.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use hyper::{Method, http::request::Parts};
use model::foundation::ARTIFACT_BUCKET_PREFIX;
use serde_json::Value;

use super::{
    access, canonical,
    refusal::Refusal,
    signature::{Claim, Place},
};

/// A secret that the emulator has issued.
#[derive(Clone)]
struct Issued {
    secret: String,
    /// Credentials of an identity pool, which need no signature to get, reach S3's objects only.
    is_of_pool: bool,
}

/// The issued secrets, by access key. They end with the emulator.
#[derive(Default)]
pub(super) struct Secrets(Mutex<BTreeMap<String, Issued>>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Secrets").finish_non_exhaustive()
    }
}

impl Secrets {
    /// Returns the secret of an access key for a request.
    ///
    /// # Errors
    ///
    /// When the key is an identity pool's, and the request may reach more than an object.
    pub(super) fn find(&self, claim: &Claim, head: &Parts) -> Result<Option<String>, Refusal> {
        let issued = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&claim.access_key).cloned();
        match issued {
            Some(issued) if issued.is_of_pool && !is_of_object(claim, head)? => Err(Refusal::Signature),
            issued => Ok(issued.map(|issued| issued.secret)),
        }
    }

    /// Remembers the credentials in the response of an identity pool (Amazon Cognito federated identities API reference,
    /// `GetCredentialsForIdentity`).
    pub(super) fn remember_of_pool(&self, body: &[u8]) {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let field = |name: &str| body["Credentials"][name].as_str().map(str::to_owned);
        self.insert(field("AccessKeyId"), field("SecretKey"), true);
    }

    /// Remembers the credentials in a response of STS or IAM (STS API reference, `AssumeRole`; IAM API reference, `CreateAccessKey`).
    pub(super) fn remember(&self, body: &[u8]) {
        let body = String::from_utf8_lossy(body);
        let field = |name: &str| {
            let (_, rest) = body.split_once(&format!("<{name}>"))?;
            rest.split_once('<').map(|(value, _)| value.trim().to_owned())
        };
        self.insert(field("AccessKeyId"), field("SecretAccessKey"), false);
    }

    fn insert(&self, key: Option<String>, secret: Option<String>, is_of_pool: bool) {
        if let Some((key, secret)) = key.zip(secret) {
            let issued = Issued { secret, is_of_pool };
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, issued);
        }
    }
}

/// Returns whether a request can only reach an object of S3: signed for it in the header, which MiniStack then prefers to the path, at a
/// bucket's path, and without a header that names another operation. A host other than this machine's would name another bucket or
/// service. Every program gets such credentials without a key, and MiniStack runs the zips of the artifact bucket, so that one is
/// excluded.
fn is_of_object(claim: &Claim, head: &Parts) -> Result<bool, Refusal> {
    let path = String::from_utf8(canonical::decoded(head.uri.path())).map_err(|_| Refusal::Malformed)?;
    let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
    let is_bucket =
        bucket.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte));
    let is_method = [Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::DELETE].contains(&head.method);
    let is_other = head.headers.contains_key("x-amz-target") || bucket == "v20180820" || bucket.starts_with("iceberg");
    let is_code = bucket.starts_with(ARTIFACT_BUCKET_PREFIX);
    let is_signed_for_s3 = claim.service == "s3" && claim.place == Place::Header && access::is_for_machine(head);
    Ok(is_signed_for_s3 && is_bucket && bucket.len() >= 3 && !key.is_empty() && is_method && !is_other && !is_code)
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    const POOL: &str =
        r#"{"IdentityId":"i","Credentials":{"AccessKeyId":"ASIAPOOL","SecretKey":"s1","SessionToken":"t"}}"#;
    const ROLE: &str = "<AssumeRoleResponse><Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s2</SecretAccessKey>\
                        </Credentials></AssumeRoleResponse>";

    fn find(secrets: &Secrets, key: &str, service: &str, line: &str) -> Result<Option<String>, Refusal> {
        find_at("127.0.0.1:4566", secrets, key, service, line)
    }

    fn find_at(host: &str, secrets: &Secrets, key: &str, service: &str, line: &str) -> Result<Option<String>, Refusal> {
        let (method, path) = line.split_once(' ').expect("a method and a path");
        let signature = format!(
            "AWS4-HMAC-SHA256 Credential={key}/20260101/r/{service}/aws4_request, SignedHeaders=host, Signature=00"
        );
        let request = Request::builder().method(method).uri(path).header("host", host);
        let request = request.header("authorization", signature);
        let (head, ()) = request.header("x-amz-date", "20260101T000000Z").body(()).expect("a request").into_parts();
        secrets.find(&Claim::read(&head).expect("valid").expect("a signature"), &head)
    }

    #[test]
    fn credentials_of_an_identity_pool_reach_objects_only() {
        let secrets = Secrets::default();
        assert_eq!(find(&secrets, "ASIAPOOL", "s3", "GET /bucket/key"), Ok(None));
        secrets.remember_of_pool(POOL.as_bytes());
        secrets.remember(ROLE.as_bytes());
        for line in ["GET /bucket/key", "PUT /bucket/a%20b/c?partNumber=1&uploadId=2"] {
            assert_eq!(find(&secrets, "ASIAPOOL", "s3", line), Ok(Some("s1".to_owned())), "{line}");
        }
        for (service, line) in [
            ("lambda", "POST /2015-03-31/functions"),
            ("s3", "POST /_ministack/config"),
            ("s3", "POST /%5Fministack/config"),
            ("s3", "PUT /bucket"),
            ("s3", "GET /"),
            ("s3", "PUT /v20180820/accesspoint/x"),
            // MiniStack runs these zips as functions.
            ("s3", "PUT /artifacts-local-000000000000-us-east-1/artifacts/0a.zip"),
            ("s3", "PUT /%61rtifacts-local-000000000000-us-east-1/artifacts/0a.zip"),
        ] {
            assert_eq!(find(&secrets, "ASIAPOOL", service, line), Err(Refusal::Signature), "{line}");
        }
        // The host names the bucket, or another service.
        for host in ["artifacts-local-000000000000-us-east-1.localhost:4566", "x.appsync-api.us-east-1.localhost"] {
            let found = find_at(host, &secrets, "ASIAPOOL", "s3", "PUT /bucket/key");
            assert_eq!(found, Err(Refusal::Signature), "{host}");
        }
        // Without the header, MiniStack would find the service by the path.
        let presigned = "/2015-03-31/functions?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIAPOOL%2F20260101%2Fr%2Fs3%2F\
                         aws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00";
        let (head, ()) = Request::post(presigned).body(()).expect("a request").into_parts();
        let claim = Claim::read(&head).expect("valid").expect("a signature");
        assert_eq!(secrets.find(&claim, &head), Err(Refusal::Signature));
        assert_eq!(find(&secrets, "ASIAROLE", "lambda", "POST /2015-03-31/functions"), Ok(Some("s2".to_owned())));
    }

    #[test]
    fn secrets_are_not_printed() {
        let secrets = Secrets::default();
        secrets.remember(ROLE.as_bytes());
        assert_eq!(format!("{secrets:?}"), "Secrets { .. }");
    }
}
