//! The canonical request of Signature Version 4 (IAM user guide, "Create a canonical request").

use hyper::{HeaderMap, http::request::Parts};

use super::refusal::Refusal;

/// A request, and the headers that its signature covers.
pub(super) struct Request<'a> {
    /// Its method, URL and headers.
    pub(super) head: &'a Parts,
    /// S3 encodes a path once and does not normalize it; all other services encode it twice.
    pub(super) is_s3: bool,
    /// The names of the signed headers, in lower case.
    pub(super) signed_headers: &'a [String],
}

impl Request<'_> {
    /// Returns the canonical request with this payload, or its hash.
    ///
    /// # Errors
    ///
    /// When a signed header is missing.
    pub(super) fn text(&self, payload: &str) -> Result<Vec<u8>, Refusal> {
        let path = if self.is_s3 { encoded_once(self.head.uri.path()) } else { encoded_twice(self.head.uri.path()) };
        let query = query(self.head.uri.query().unwrap_or_default());
        let mut text = format!("{}\n{path}\n{query}\n", self.head.method).into_bytes();
        for name in self.signed_headers {
            text.extend(name.bytes().chain(*b":"));
            text.extend(header(&self.head.headers, name)?);
            text.push(b'\n');
        }
        text.extend(format!("\n{}\n{payload}", self.signed_headers.join(";")).bytes());
        Ok(text)
    }
}

/// Returns the only value of a header.
///
/// # Errors
///
/// When it occurs twice, or is not text.
pub(super) fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| Refusal::Malformed),
        (Some(_), Some(_)) => Err(Refusal::Malformed),
    }
}

/// Returns the decoded names and values of a query.
pub(super) fn pairs(query: &str) -> Vec<(String, String)> {
    let text = |text: &str| String::from_utf8_lossy(&decoded(text)).into_owned();
    raw_pairs(query).map(|(name, value)| (text(name), text(value))).collect()
}

/// Decodes `%XX`. A `+` is a plus, as in the SDKs.
pub(super) fn decoded(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let hex = if *first == b'%' { after.get(..2).and_then(|hex| hex::decode(hex).ok()) } else { None };
        match hex {
            Some(byte) => {
                bytes.extend(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
}

fn raw_pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// The query without the signature, sorted by encoded name and value.
fn query(query: &str) -> String {
    let encode = |text: &str| encoded(&decoded(text));
    let mut pairs: Vec<_> = raw_pairs(query).map(|(name, value)| (encode(name), encode(value))).collect();
    pairs.retain(|(name, _)| name != "X-Amz-Signature");
    pairs.sort();
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// A header's values, each without surrounding spaces and with single spaces inside.
fn header(headers: &HeaderMap, name: &str) -> Result<Vec<u8>, Refusal> {
    let values: Vec<Vec<u8>> = headers.get_all(name).iter().map(|value| single_spaced(value.as_bytes())).collect();
    if values.is_empty() { Err(Refusal::Signature) } else { Ok(values.join(&b',')) }
}

fn single_spaced(value: &[u8]) -> Vec<u8> {
    let words: Vec<&[u8]> = value.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).collect();
    words.join(&b' ')
}

/// Encodes everything but unreserved characters (RFC 3986, section 2.3).
fn encoded(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => text.push(char::from(*byte)),
            other => {
                text.push('%');
                text.push_str(&hex::encode_upper([*other]));
            }
        }
    }
    text
}

/// A path of S3: each segment is encoded once, however the client has encoded it.
fn encoded_once(path: &str) -> String {
    let segments: Vec<_> = path.split('/').map(|segment| encoded(&decoded(segment))).collect();
    segments.join("/")
}

/// A path of any other service: normalized, then the encoded path is encoded again.
fn encoded_twice(path: &str) -> String {
    let segments: Vec<_> = normalized(path).split('/').map(|segment| encoded(segment.as_bytes())).collect();
    segments.join("/")
}

/// Removes empty and dot segments (RFC 3986, section 5.2.4).
fn normalized(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let mut result = format!("/{}", segments.join("/"));
    let is_folder = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end));
    if is_folder && !result.ends_with('/') {
        result.push('/');
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_encoded_as_each_service_expects() {
        assert_eq!(encoded_once("/bucket/a%20b%2Fc/%C3%A9~d"), "/bucket/a%20b%2Fc/%C3%A9~d");
        assert_eq!(encoded_once("/bucket/a+b:c//d/../e"), "/bucket/a%2Bb%3Ac//d/../e");
        assert_eq!(encoded_twice("/2015-03-31/functions/arn%3Aaws"), "/2015-03-31/functions/arn%253Aaws");
        assert_eq!(encoded_twice("//example//./x/.."), "/example/");
        assert_eq!((encoded_twice("/"), encoded_twice("")), ("/".to_owned(), "/".to_owned()));
    }

    #[test]
    fn a_query_is_sorted_without_its_signature() {
        assert_eq!(query("b=2&a=%7e&X-Amz-Signature=1&a=%2F&c"), "a=%2F&a=~&b=2&c=");
        assert_eq!(pairs("a=%2Fb&c"), [("a".to_owned(), "/b".to_owned()), ("c".to_owned(), String::new())]);
    }

    #[test]
    fn invalid_escapes_stay() {
        assert_eq!(decoded("%4"), b"%4");
        assert_eq!(decoded("%zz%41"), b"%zzA");
    }
}
