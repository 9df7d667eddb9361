//! The pages of sites, as a browser reads them.

/// The key of a site's page.
pub(super) const PAGE: &str = "index.html";

/// The keys of the files that a page refers to.
pub(super) fn references(page: &str) -> impl Iterator<Item = &str> {
    let own = parts(page).filter_map(|(_, reference)| reference).filter(|reference| !is_elsewhere(reference));
    own.map(|reference| reference.trim_start_matches("./").trim_start_matches('/'))
}

/// A URL of another site, or a fragment of the page.
fn is_elsewhere(reference: &str) -> bool {
    reference.contains(':') || reference.starts_with('#')
}

/// A page without the names of the files that it refers to.
pub(super) fn without_references(page: &str) -> String {
    parts(page)
        .map(|(text, reference)| format!("{text}{}", reference.filter(|name| is_elsewhere(name)).unwrap_or("")))
        .collect()
}

/// The parts of a page: a text, and the value of `href` or `src` that follows it.
fn parts(page: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut rest = page;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let starts = ["href=\"", "src=\""].into_iter().filter_map(|name| rest.find(name).map(|at| at + name.len()));
        let Some((start, end)) = starts.min().and_then(|start| Some((start, start + rest[start..].find('"')?))) else {
            return Some((std::mem::take(&mut rest), None));
        };
        let part = (&rest[..start], Some(&rest[start..end]));
        rest = &rest[end..];
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_and_removed() {
        let page = "<a href=\"https://example.com\"><link href=\"/style-0a.css\"><script src=\"./app.js\"></script>";
        assert_eq!(references(page).collect::<Vec<_>>(), ["style-0a.css", "app.js"]);
        let bare = "<a href=\"https://example.com\"><link href=\"\"><script src=\"\"></script>";
        assert_eq!(without_references(page), bare);
        assert_eq!(without_references("<p>plain</p>"), "<p>plain</p>");
    }
}
