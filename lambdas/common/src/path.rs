//! Paths as they were sent. On the way to the router a path becomes part of a URL, whose parser goes up for `..`, takes
//! `\\` for `/` and cuts blanks from the end (WHATWG URL, section 4.4): then a route would serve what API Gateway, its
//! authorizer and its throttles took for another.

use std::fmt::Write as _;

/// A path that a URL keeps segment by segment. What is escaped already stays so; gateways send paths either way.
pub(crate) fn kept(path: &str) -> String {
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

fn segment(segment: &str) -> String {
    let dots = segment.replace("%2e", ".").replace("%2E", ".");
    if [".", ".."].contains(&dots.as_str()) {
        // Escaped once, a URL still goes up for it. No route has such a segment, and no id is one.
        return dots.replace('.', "%252E");
    }
    let mut kept = String::with_capacity(segment.len());
    for (place, byte) in segment.bytes().enumerate() {
        let escape = byte == b'%' && segment.as_bytes().get(place + 1..place + 3).is_some_and(is_hex);
        if escape || byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte) {
            kept.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(kept, "%{byte:02X}");
        }
    }
    kept
}

fn is_hex(digits: &[u8]) -> bool {
    digits.iter().all(u8::is_ascii_hexdigit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paths_stay_as_they_are() {
        for path in
            ["", "/", "/media/7f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b", "/a//b/", "/a.b/...", "/a%2Fb/%FF", "/x@y:z~"]
        {
            assert_eq!(kept(path), path);
        }
    }

    #[test]
    fn what_a_url_would_change_is_escaped() {
        for (path, expected) in [
            ("/status/../admin", "/status/%252E%252E/admin"),
            ("/status/%2e%2E/admin", "/status/%252E%252E/admin"),
            ("/status/.", "/status/%252E"),
            ("/status/x ", "/status/x%20"),
            ("/status\\x\n", "/status%5Cx%0A"),
            ("/a?b#c", "/a%3Fb%23c"),
            ("/100%", "/100%25"),
            ("/%zz", "/%25zz"),
            ("/ü", "/%C3%BC"),
        ] {
            assert_eq!(kept(path), expected);
        }
    }
}
