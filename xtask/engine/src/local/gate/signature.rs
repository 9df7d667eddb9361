//! Verifies AWS Signature Version 4, in the header `Authorization` or in the query (IAM user guide, "Create a signed AWS API request").
//!
//! Verifies the head of a request only: the caller hashes the body where the signature covers it.

use std::time::{Duration, SystemTime};

use aws_smithy_types::{DateTime, date_time::Format};
use hmac::{Hmac, KeyInit, Mac};
use hyper::{
    header::{AUTHORIZATION, HeaderValue},
    http::request::Parts,
};
use sha2::{Digest, Sha256};

use super::{canonical, refusal::Refusal};

/// The only algorithm.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far the clocks of caller and service may differ (S3 API reference, "RequestTimeTooSkewed").
const SKEW: Duration = Duration::from_secs(15 * 60);
/// The longest validity of a presigned URL, seven days (S3 API reference, "Authenticating requests: using query parameters").
const LONGEST: u64 = 7 * 24 * 60 * 60;
/// The header with the hash of the payload.
pub(super) const PAYLOAD: &str = "x-amz-content-sha256";
/// The payload of a presigned URL of S3.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
/// The prefix of payloads whose signatures, if any, are in the body (S3 API reference, "Transferring payload in multiple chunks").
const STREAMING: &str = "STREAMING-";

/// Where a request carries its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the header `Authorization`.
    Header,
    /// In the query: a presigned URL.
    Query,
}

/// The signature that a request claims to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    /// Where it is.
    pub(super) place: Place,
    /// The access key.
    pub(super) access_key: String,
    /// The service that the request is signed for.
    pub(super) service: String,
    scope_date: String,
    region: String,
    /// The names of the signed headers, in lower case.
    signed_headers: Vec<String>,
    /// The time of signing, as `20150830T123600Z`.
    time: String,
    /// The validity in seconds, of a presigned URL.
    validity: Option<u64>,
    signature: Vec<u8>,
}

/// The payload that a signature covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Payload {
    /// This text takes the place of the hash: the body is not covered.
    Uncovered(String),
    /// The body, whose hash the request names.
    Named(String),
    /// The body, whose hash the request does not name.
    Hashed,
}

impl Claim {
    /// Reads the signature of a request; `None` if it has none.
    ///
    /// # Errors
    ///
    /// When the signature is incomplete, of another version, or in both places.
    pub(super) fn read(head: &Parts) -> Result<Option<Self>, Refusal> {
        let query = canonical::pairs(head.uri.query().unwrap_or_default());
        let in_query = query.iter().any(|(name, _)| is_of_signature(name));
        let in_header = head.headers.contains_key(AUTHORIZATION);
        match (in_header, in_query) {
            (false, false) => Ok(None),
            (true, false) => Self::of_header(head).map(Some),
            (false, true) => Self::of_query(&query).map(Some),
            (true, true) => Err(Refusal::Malformed),
        }
    }

    fn of_header(head: &Parts) -> Result<Self, Refusal> {
        let text = canonical::only(&head.headers, AUTHORIZATION.as_str())?.ok_or(Refusal::Malformed)?;
        let fields = text.strip_prefix(ALGORITHM).ok_or(Refusal::Malformed)?;
        let field = |name: &str| {
            let mut fields = fields.split(',').filter_map(|field| field.trim().split_once('='));
            fields.find(|(key, _)| *key == name).map(|(_, value)| value.trim()).ok_or(Refusal::Malformed)
        };
        let time = canonical::only(&head.headers, "x-amz-date")?.ok_or(Refusal::Malformed)?;
        let texts = Texts {
            credential: field("Credential")?,
            signed_headers: field("SignedHeaders")?,
            signature: field("Signature")?,
            time,
        };
        texts.claim(Place::Header, None)
    }

    fn of_query(query: &[(String, String)]) -> Result<Self, Refusal> {
        let field = |name: &str| {
            let mut found = query.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
            match (found.next(), found.next()) {
                (Some(value), None) => Ok(value),
                _ => Err(Refusal::Malformed),
            }
        };
        if field("X-Amz-Algorithm")? != ALGORITHM {
            return Err(Refusal::Malformed);
        }
        let validity = field("X-Amz-Expires")?.parse().map_err(|_| Refusal::Malformed)?;
        let texts = Texts {
            credential: field("X-Amz-Credential")?,
            signed_headers: field("X-Amz-SignedHeaders")?,
            signature: field("X-Amz-Signature")?,
            time: field("X-Amz-Date")?,
        };
        texts.claim(Place::Query, Some(validity))
    }

    /// Returns whether the signature covers a header.
    pub(super) fn covers(&self, header: &str) -> bool {
        self.signed_headers.iter().any(|name| name == header)
    }

    /// Returns the payload that the signature covers.
    ///
    /// # Errors
    ///
    /// When a service other than S3 names no hash.
    pub(super) fn payload(&self, head: &Parts) -> Result<Payload, Refusal> {
        let is_s3 = self.service == "s3";
        match (canonical::only(&head.headers, PAYLOAD)?, self.place) {
            (Some(text), _) if is_hash(text) => Ok(Payload::Named(text.to_owned())),
            (Some(text), _) if is_s3 && (text == UNSIGNED || text.starts_with(STREAMING)) => {
                Ok(Payload::Uncovered(text.to_owned()))
            }
            (Some(_), _) => Err(Refusal::Malformed),
            (None, Place::Query) if is_s3 => Ok(Payload::Uncovered(UNSIGNED.to_owned())),
            (None, Place::Header) if is_s3 => Err(Refusal::Malformed),
            (None, _) => Ok(Payload::Hashed),
        }
    }

    /// Verifies the signature of a request with this payload, or its hash.
    ///
    /// # Errors
    ///
    /// When it is too old, or by another secret, or the request was changed.
    pub(super) fn verify(&self, head: &Parts, payload: &str, secret: &str, now: SystemTime) -> Result<(), Refusal> {
        self.verify_time(now)?;
        let request = canonical::Request { head, is_s3: self.service == "s3", signed_headers: &self.signed_headers };
        let request = request.text(payload)?;
        let scope = format!("{}/{}/{}/aws4_request", self.scope_date, self.region, self.service);
        let request = hex::encode(Sha256::digest(request));
        let text = format!("{ALGORITHM}\n{}\n{scope}\n{request}", self.time);
        let mac = mac(&self.key(secret)?, text.as_bytes())?;
        // Compares in constant time.
        mac.verify_slice(&self.signature).map_err(|_| Refusal::Signature)
    }

    fn key(&self, secret: &str) -> Result<Vec<u8>, Refusal> {
        let parts = [self.scope_date.as_str(), &self.region, &self.service, "aws4_request"];
        parts.iter().try_fold(format!("AWS4{secret}").into_bytes(), |key, part| {
            Ok(mac(&key, part.as_bytes())?.finalize().into_bytes().to_vec())
        })
    }

    fn verify_time(&self, now: SystemTime) -> Result<(), Refusal> {
        let signed = time(&self.time).ok_or(Refusal::Malformed)?;
        if !self.time.starts_with(&self.scope_date) {
            return Err(Refusal::Signature);
        }
        if signed > now + SKEW {
            return Err(Refusal::Time);
        }
        match self.validity {
            None if signed + SKEW < now => Err(Refusal::Time),
            Some(validity) if validity > LONGEST => Err(Refusal::Malformed),
            Some(validity) if signed + Duration::from_secs(validity) < now => Err(Refusal::Expired),
            _ => Ok(()),
        }
    }
}

/// The fields of a signature as they are written.
struct Texts<'a> {
    credential: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
    time: &'a str,
}

impl Texts<'_> {
    fn claim(&self, place: Place, validity: Option<u64>) -> Result<Claim, Refusal> {
        let credential: Vec<&str> = self.credential.split('/').collect();
        let &[access_key, scope_date, region, service, "aws4_request"] = credential.as_slice() else {
            return Err(Refusal::Malformed);
        };
        let claim = Claim {
            place,
            access_key: access_key.to_owned(),
            service: service.to_owned(),
            scope_date: scope_date.to_owned(),
            region: region.to_owned(),
            signed_headers: self.signed_headers.split(';').map(str::to_owned).collect(),
            time: self.time.to_owned(),
            validity,
            signature: hex::decode(self.signature).map_err(|_| Refusal::Malformed)?,
        };
        // Without it, a signature for one service's host would hold for another's.
        if claim.covers("host") { Ok(claim) } else { Err(Refusal::Malformed) }
    }
}

/// Returns whether a request names an access key, with or without a signature. MiniStack looks resources up in the key's account.
pub(super) fn names_access_key(head: &Parts) -> bool {
    let of_aws =
        |value: &HeaderValue| value.as_bytes().get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"AWS"));
    let query = canonical::pairs(head.uri.query().unwrap_or_default());
    head.headers.get_all(AUTHORIZATION).iter().any(of_aws) || query.iter().any(|(name, _)| is_of_signature(name))
}

/// Returns whether a parameter of the query belongs to a signature, also to one of version 2.
fn is_of_signature(name: &str) -> bool {
    const VERSION_2: [&str; 2] = ["AWSAccessKeyId", "Signature"];
    let name_of_4 = ["x-amz-algorithm", "x-amz-credential", "x-amz-signature"];
    name_of_4.iter().any(|known| name.eq_ignore_ascii_case(known)) || VERSION_2.contains(&name)
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn mac(key: &[u8], text: &[u8]) -> Result<Hmac<Sha256>, Refusal> {
    // HMAC takes keys of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| Refusal::Malformed)?;
    mac.update(text);
    Ok(mac)
}

/// Reads a time such as `20150830T123600Z`.
fn time(text: &str) -> Option<SystemTime> {
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let is_number = |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(date, 8) || !is_number(clock, 6) {
        return None;
    }
    let (year, month, day) = (&date[..4], &date[4..6], &date[6..]);
    let (hour, minute, second) = (&clock[..2], &clock[2..4], &clock[4..]);
    let text = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    SystemTime::try_from(DateTime::from_str(&text, Format::DateTime).ok()?).ok()
}

#[cfg(test)]
mod tests;
