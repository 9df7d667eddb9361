//! Paths of files: which ones are stored, and how URLs become paths.

/// The longest path, in bytes.
pub const MAX_BYTES: usize = 900;

/// Checks a path. Keys of objects are made of paths, so no path may leave its source's folder in any reading.
///
/// # Errors
/// Why the path is refused.
pub fn check(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        return Err("the path is empty");
    }
    if path.len() > MAX_BYTES {
        return Err("the path is too long");
    }
    if path.starts_with('/') {
        return Err("the path starts with a slash");
    }
    if path.chars().any(|character| character.is_control() || is_invisible(character)) {
        return Err("the path has control characters");
    }
    // Some clients decode percent signs, some treat backslashes as slashes.
    let decoded = decode(&decode(path));
    let mut segments = path.split('/').chain(decoded.split(['/', '\\']));
    if segments.any(|segment| matches!(segment, "." | "..")) {
        return Err("the path has dot segments");
    }
    if decoded.chars().any(char::is_control) {
        return Err("the path has encoded control characters");
    }
    Ok(())
}

/// Characters that hide or reorder text: <https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters>.
const fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Decodes percent signs; what is not UTF-8 afterwards is replaced.
pub(super) fn decode(text: &str) -> String {
    let digit = |byte: u8| (byte as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let pair = (bytes.get(index + 1).copied().and_then(digit), bytes.get(index + 2).copied().and_then(digit));
        match (bytes[index], pair) {
            (b'%', (Some(high), Some(low))) => {
                decoded.push(high * 16 + low);
                index += 3;
            }
            (byte, _) => {
                decoded.push(byte);
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// The path of a file at a URL: its host and port, and the decoded path. A query is kept, because it may select the file.
pub(super) fn of_url(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split('#').next().unwrap_or_default();
    let (address, query) = rest.split_once('?').map_or((rest, None), |(address, query)| (address, Some(query)));
    let (authority, path) = address.split_once('/').unwrap_or((address, ""));
    let host = authority.to_ascii_lowercase().replace(['[', ']'], "").replace(':', "_");
    let path = decode(path);
    let path = if path.is_empty() || path.ends_with('/') { format!("{path}index") } else { path };
    let query = query.map(|query| format!("?{}", decode(query).replace('/', "_"))).unwrap_or_default();
    format!("{host}/{path}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leaves_its_folder() {
        for path in ["a.txt", "b/c.json", "ä/日本.txt", "a b", "%", "100%.txt", "a..b/..c", "a//b", "a/b/"] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
        let long = "a".repeat(901);
        for path in [
            "",
            "/a",
            "..",
            "a/../b",
            "./a",
            "a/%2e%2e/b",
            "a/%2E./b",
            "a/%252e%252e/b",
            "a%2f..%2fb",
            "a\\..\\b",
            "a\nb",
            "a\0",
            "a%00b",
            "a%0ab",
            "a\u{202e}txt.exe",
            "a\u{7f}",
            long.as_str(),
        ] {
            assert!(check(path).is_err(), "{path:?}");
        }
        assert_eq!(check(&"a".repeat(900)), Ok(()));
    }

    #[test]
    fn urls_become_paths() {
        for (url, path) in [
            ("https://Files.example/a/b.txt", "files.example/a/b.txt"),
            ("https://files.example:8443/a%20b.txt#c", "files.example_8443/a b.txt"),
            ("https://files.example", "files.example/index"),
            ("https://files.example/a/?id=1/2", "files.example/a/index?id=1_2"),
            ("http://[2606::1]/a", "2606__1/a"),
        ] {
            assert_eq!(of_url(url), path, "{url}");
        }
        assert!(check(&of_url("https://files.example/%2e%2e/%2e%2e/secret")).is_err());
    }
}
