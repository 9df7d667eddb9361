//! Marks files of sites, and the manifests and copies that a restoration needs.
//!
//! Only files with hashed keys go. Of a site whose published release is unknown, no file goes.

use std::collections::BTreeMap;

use model::rendered::{RenderedSite, RenderedSystem};

use super::{Mark, Target, completed_and_open, versions::versions_of};
use crate::{
    aws::{AwsError, Clients},
    deploy::Outputs,
    ledger::{Entry, Outcome},
    site::{
        files::{PAGE, is_hashed},
        manifest::{self, Manifest},
    },
};

/// Keys, and the number of the newest kept release with each.
type KeptKeys = BTreeMap<String, u32>;

/// The keys that kept releases of a system's sites need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct KeptFiles {
    /// The files of each site whose published release is known.
    files: BTreeMap<String, KeptKeys>,
    /// Manifests and copies in the artifact bucket.
    documents: KeptKeys,
}

impl KeptFiles {
    /// Returns the keys of the newest `keep` completed releases, of the present one and of open ones. `read` returns a manifest
    /// by its name.
    fn new(system: &str, entries: &[Entry], keep: usize, read: impl Fn(&str) -> Option<Manifest>) -> Self {
        let mut kept = Self::default();
        for entry in kept_releases(entries, keep) {
            for (site, name) in &entry.sites {
                let Some(manifest) = read(name) else { continue };
                let copies = manifest.mutable_files().map(|(_, file)| manifest::file_key(system, &file.headers.sha256));
                for key in copies.chain([manifest::key(system, name)]) {
                    kept.documents.entry(key).or_insert(entry.number);
                }
                let files = kept.files.entry(site.clone()).or_default();
                for (key, _) in manifest.hashed_files() {
                    files.entry(key.clone()).or_insert(entry.number);
                }
            }
        }
        let present = present_release(entries);
        let is_known = |site: &str| present.and_then(|present| read(present.sites.get(site)?)).is_some();
        kept.files.retain(|site, _| is_known(site));
        kept
    }

    /// Marks the files in a site's bucket, whose published page is `page`.
    fn mark_files(&self, site: &str, keys: &[String], page: &str, bucket: &SiteBucket) -> Vec<Mark> {
        let kept = self.files.get(site);
        let decide = |key: &String| match kept {
            None => (true, "the site's published release is unknown".to_owned()),
            Some(_) if !is_hashed(key) => (true, "its key does not contain its hash".to_owned()),
            Some(_) if page.contains(key.as_str()) => (true, "the page refers to it".to_owned()),
            Some(kept) => match kept.get(key) {
                Some(number) => (true, format!("release {number} needs it")),
                None => (false, "no kept release needs it".to_owned()),
            },
        };
        let mark = |key: &String| {
            let ((keep, why), SiteBucket { region, name }) = (decide(key), bucket.clone());
            let target = Target::SiteFile { region, bucket: name, key: key.clone() };
            Mark { what: format!("{site} {key}"), keep, why, target }
        };
        keys.iter().map(mark).collect()
    }

    /// Marks manifests and copies in the artifact bucket.
    fn mark_documents(&self, keys: Vec<String>) -> Vec<Mark> {
        let mark = |key: String| {
            let (keep, why) = match self.documents.get(&key) {
                Some(number) => (true, format!("release {number} needs it")),
                None => (false, "no kept release needs it".to_owned()),
            };
            Mark { what: key.clone(), keep, why, target: Target::Artifact { key } }
        };
        keys.into_iter().map(mark).collect()
    }
}

/// Returns the release that users receive.
fn present_release(entries: &[Entry]) -> Option<&Entry> {
    entries.iter().rev().find(|entry| entry.outcome == Outcome::Released)
}

/// Returns the releases whose sites stay, the present one first.
fn kept_releases(entries: &[Entry], keep: usize) -> impl Iterator<Item = &Entry> {
    let content = |entry: &Entry| (versions_of(entry), entry.sites.clone());
    present_release(entries).into_iter().chain(completed_and_open(entries, keep, content))
}

/// The bucket of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SiteBucket {
    region: Option<String>,
    name: String,
}

/// The ledger of a system, and how many of its releases stay.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeptEntries<'a> {
    pub(crate) entries: &'a [Entry],
    pub(crate) keep: usize,
}

/// Marks the files, manifests and copies of a system's sites.
pub(crate) async fn mark(
    clients: &Clients,
    system: &RenderedSystem,
    outputs: &Outputs,
    artifacts: &str,
    KeptEntries { entries, keep }: KeptEntries<'_>,
) -> Result<Vec<Mark>, AwsError> {
    if system.sites.is_empty() {
        return Ok(Vec::new());
    }
    let store = clients.documents(artifacts.to_owned());
    let mut manifests = BTreeMap::new();
    for name in kept_releases(entries, keep).flat_map(|entry| entry.sites.values()) {
        if manifests.contains_key(name) {
            continue;
        }
        let document = store.read(&manifest::key(&system.name, name)).await?;
        manifests.insert(name.clone(), document.and_then(|document| Manifest::parse(name, &document.text)));
    }
    let kept = KeptFiles::new(&system.name, entries, keep, |name| manifests.get(name).cloned().flatten());
    let mut marks = kept.mark_documents(clients.s3().keys(artifacts, &manifest::prefix(&system.name)).await?);
    for site in &system.sites {
        let Some(bucket) = site_bucket(system, site, outputs) else { continue };
        let region = bucket.region.as_deref();
        let keys = clients.s3_in(region).keys(&bucket.name, "").await?;
        let page = clients.documents_in(region, bucket.name.clone()).read(PAGE).await?;
        let page = page.map(|page| page.text).unwrap_or_default();
        marks.extend(kept.mark_files(&site.name, &keys, &page, &bucket));
    }
    Ok(marks)
}

fn site_bucket(system: &RenderedSystem, site: &RenderedSite, outputs: &Outputs) -> Option<SiteBucket> {
    let stack = system.stacks.iter().find(|stack| stack.stack == site.stack)?;
    let name = outputs.get(&stack.name)?.get(&site.bucket_output)?.clone();
    Some(SiteBucket { region: stack.region.clone(), name })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{aws::s3::ObjectHeaders, ledger::tests::entry, site::manifest::ManifestFile};

    fn manifest(assets: &[&str]) -> Manifest {
        let file = |key: &str, hashed| {
            let headers = ObjectHeaders {
                sha256: format!("sha of {key}"),
                content_type: String::new(),
                cache_control: String::new(),
            };
            (key.to_owned(), ManifestFile { headers, hashed })
        };
        let files = assets.iter().map(|key| file(key, true)).chain([file("index.html", false)]).collect();
        Manifest { site: "Site".to_owned(), files, config: BTreeMap::new() }
    }

    fn asset(number: u32) -> String {
        format!("style-{number:016x}.css")
    }

    /// A release whose site has one asset of its own; `None` is a release without manifests.
    fn release(number: u32, of: Option<u32>, outcome: Outcome) -> Entry {
        let sites = of.map(|of| ("Site".to_owned(), of.to_string())).into_iter().collect();
        Entry { sites, ..entry(number, "1", outcome) }
    }

    fn read(name: &str) -> Option<Manifest> {
        Some(manifest(&[&asset(name.parse().ok()?)]))
    }

    fn deleted(entries: &[Entry], keep: usize, page: &str) -> BTreeSet<String> {
        let keys: Vec<_> = (1..=9).map(asset).chain(["index.html".to_owned(), "by-hand.css".to_owned()]).collect();
        let bucket = SiteBucket { region: None, name: "b".to_owned() };
        let marks = KeptFiles::new("s", entries, keep, read).mark_files("Site", &keys, page, &bucket);
        assert_eq!(marks.len(), keys.len());
        let deleted = keys.iter().zip(&marks).filter(|(_, mark)| !mark.keep);
        deleted.map(|(key, _)| key.clone()).collect()
    }

    fn all_but(kept: &[u32]) -> BTreeSet<String> {
        (1..=9).filter(|number| !kept.contains(number)).map(asset).collect()
    }

    #[test]
    fn files_of_kept_and_open_releases_and_of_the_page_stay() {
        let reverted = Outcome::reverted("");
        let entries = [
            release(1, Some(1), Outcome::Released),
            release(2, Some(2), Outcome::Released),
            release(3, Some(3), reverted),
            release(4, Some(4), Outcome::Released),
            release(5, Some(5), Outcome::Open),
        ];
        assert_eq!(deleted(&entries, 2, ""), all_but(&[2, 4, 5]));
        // The present release stays, even if none is to be kept.
        assert_eq!(deleted(&entries, 0, ""), all_but(&[4, 5]));
        assert_eq!(deleted(&entries, 0, &format!("<link href=\"/{}\">", asset(7))), all_but(&[4, 5, 7]));
    }

    #[test]
    fn no_file_goes_if_the_published_release_is_unknown() {
        let entries = [release(1, Some(1), Outcome::Released), release(2, None, Outcome::Released)];
        assert_eq!(deleted(&entries, 5, ""), BTreeSet::new());
        assert_eq!(deleted(&[], 5, ""), BTreeSet::new());
        // A manifest that cannot be read counts as missing.
        let entries = [Entry {
            sites: BTreeMap::from([("Site".to_owned(), "lost".to_owned())]),
            ..entry(1, "1", Outcome::Released)
        }];
        assert_eq!(deleted(&entries, 5, ""), BTreeSet::new());
    }

    #[test]
    fn manifests_and_copies_go_with_the_last_release_that_needs_them() {
        let entries: Vec<_> = (1..=3).map(|number| release(number, Some(number), Outcome::Released)).collect();
        let keys = (1..=3).map(|number| manifest::key("s", &number.to_string()));
        let keys: Vec<_> =
            keys.chain([manifest::file_key("s", "sha of index.html"), manifest::file_key("s", "x")]).collect();
        let marks = KeptFiles::new("s", &entries, 2, read).mark_documents(keys);
        assert_eq!(marks.iter().map(|mark| mark.keep).collect::<Vec<_>>(), [false, true, true, true, false]);
        assert_eq!(marks[1].why, "release 2 needs it");
    }
}
