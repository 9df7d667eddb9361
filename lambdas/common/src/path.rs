//! Protects paths from normalization. On the way to the router a path becomes part of a URL, whose parser resolves `..`,
//! replaces `\\` by `/` and trims blanks (WHATWG URL, section 4.4). Then another route could serve the request than the
//! one that API Gateway authorized and throttled.

use std::{borrow::Cow, fmt::Write as _};

/// Escapes a path so that a URL preserves its segments. Existing escapes are kept, because gateways send either form.
pub(crate) fn escaped(path: &str) -> String {
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// Escapes the characters of a query that no URL contains: clients may send any, and gateways pass them on.
pub(crate) fn escaped_query(query: &str) -> String {
    let mut escaped = String::with_capacity(query.len());
    for byte in query.bytes() {
        let is_plain = byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%[]|^`{}".contains(&byte);
        if is_plain {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

/// Returns a route's path in axum's spelling: a variable that matches the rest of the path is `{name+}` for API Gateway (API Gateway
/// developer guide, "Set up a proxy integration with a proxy resource"), and `{*name}` for axum.
pub(crate) fn pattern(path: &str) -> Cow<'_, str> {
    let greedy = path.rsplit_once('/').and_then(|(parent, last)| {
        let name = last.strip_prefix('{')?.strip_suffix("+}")?;
        Some(format!("{parent}/{{*{name}}}"))
    });
    greedy.map_or(Cow::Borrowed(path), Cow::Owned)
}

fn segment(segment: &str) -> String {
    let dots = segment.replace("%2e", ".").replace("%2E", ".");
    if [".", ".."].contains(&dots.as_str()) {
        // A URL resolves these segments even if escaped once. No route and no ID contains one.
        return dots.replace('.', "%252E");
    }
    let mut escaped = String::with_capacity(segment.len());
    for (place, byte) in segment.bytes().enumerate() {
        let escape = byte == b'%' && segment.as_bytes().get(place + 1..place + 3).is_some_and(is_hex);
        if escape || byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

fn is_hex(digits: &[u8]) -> bool {
    digits.iter().all(u8::is_ascii_hexdigit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greedy_variable_has_axum_s_spelling() {
        for (path, expected) in [
            ("/files/{path+}", "/files/{*path}"),
            ("/{all+}", "/{*all}"),
            ("/files/{id}", "/files/{id}"),
            ("/files", "/files"),
            ("/", "/"),
        ] {
            assert_eq!(pattern(path), expected);
        }
    }

    #[test]
    fn plain_paths_are_unchanged() {
        for path in
            ["", "/", "/media/7f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b", "/a//b/", "/a.b/...", "/a%2Fb/%FF", "/x@y:z~"]
        {
            assert_eq!(escaped(path), path);
        }
    }

    #[test]
    fn a_query_keeps_its_escapes_and_loses_what_no_url_contains() {
        for (query, expected) in [
            ("", ""),
            ("a=1&b=x%20y+z", "a=1&b=x%20y+z"),
            ("q=<a> \"b\"", "q=%3Ca%3E%20%22b%22"),
            ("q=ü#x\\\n", "q=%C3%BC%23x%5C%0A"),
        ] {
            assert_eq!(escaped_query(query), expected);
            assert!(format!("http://localhost/?{expected}").parse::<axum::http::Uri>().is_ok(), "{expected}");
        }
    }

    #[test]
    fn characters_that_a_url_would_change_are_escaped() {
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
            assert_eq!(escaped(path), expected);
        }
    }
}
