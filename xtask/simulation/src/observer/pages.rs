//! The pages of sites, as a browser reads them.
//!
//! A page is published after the files that it refers to, and as a step of its release that the ledger contains
//! (xtask/docs/decisions/sites.md). A rollback to the present release restores its page without a new release.

use serde_json::Value;
use sha2::{Digest, Sha256};
use simulated_aws::account::Account;

use super::{ledgers::Ledgers, view};

/// The key of a site's page.
pub(super) const PAGE: &str = "index.html";
/// The ledger's name of the step that publishes pages.
const STEP: &str = "the pages of its sites";

/// Checks a page that a run has written to the bucket of a system's site; returns what is wrong.
pub(super) fn written(account: &Account, bucket: &str, system: &str, ledgers: &Ledgers) -> Vec<String> {
    let found = view::bucket(account, bucket);
    let Some((found, (_, page))) = found.and_then(|found| Some((found, found.current(PAGE)?))) else {
        return Vec::new();
    };
    let text = String::from_utf8_lossy(&page.body);
    let missing = references(&text).filter(|key| found.current(key).is_none());
    let mut wrong: Vec<_> =
        missing.map(|key| format!("the page in {bucket} refers to {key}, which does not exist")).collect();
    let is_recorded = match ledgers.open(system) {
        Some(open) => open.steps.iter().any(|step| step == STEP),
        None => is_present(account, system, &page.body, ledgers),
    };
    if !is_recorded {
        wrong
            .push(format!("a page is written to {bucket}, but no open release of {system} has begun to publish pages"));
    }
    wrong
}

/// Whether a page is that of the present release.
fn is_present(account: &Account, system: &str, page: &[u8], ledgers: &Ledgers) -> bool {
    let sha256 = hex::encode(Sha256::digest(page));
    let mut manifests = ledgers.present(system).into_iter().flat_map(|entry| entry.sites.values());
    manifests.any(|name| {
        let text = view::document(account, &format!("sites/{system}/manifests/{name}.json")).unwrap_or_default();
        let manifest: Value = serde_json::from_slice(&text).unwrap_or_default();
        manifest["files"][PAGE]["sha256"] == sha256
    })
}

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
