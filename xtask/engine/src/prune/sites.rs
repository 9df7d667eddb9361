//! Files of sites that no release names any longer, and what was kept to bring them back.
//!
//! Only files whose names tell their content go. Where it is not known what users get now, none does.

use std::collections::BTreeMap;

use model::rendered::{RenderedSite, RenderedSystem};

use super::{Target, Verdict, kept, versions};
use crate::{
    aws::{AwsError, Clients},
    deploy::Outputs,
    ledger::{Entry, Outcome},
    site::{
        files::{PAGE, is_hashed},
        manifest::{self, Manifest},
    },
};

/// Keys that releases name, and the number of the newest that does.
type Named = BTreeMap<String, u32>;

/// What releases name of a system's sites.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remembered {
    /// The files of each site; none of a site of which it is not known what users get.
    files: BTreeMap<String, Named>,
    /// What is kept in the artifact bucket.
    documents: Named,
}

impl Remembered {
    /// What the newest `keep` completed releases name, the one that users have and open ones. `read` gives a manifest by its name.
    #[must_use]
    pub fn of(system: &str, entries: &[Entry], keep: usize, read: impl Fn(&str) -> Option<Manifest>) -> Self {
        let mut remembered = Self::default();
        let now = newest(entries);
        for entry in relevant(entries, keep) {
            for (site, name) in &entry.sites {
                let Some(manifest) = read(name) else { continue };
                let bytes = manifest.unhashed().map(|(_, file)| manifest::file_key(system, &file.served.sha256));
                for key in bytes.chain([manifest::key(system, name)]) {
                    remembered.documents.entry(key).or_insert(entry.number);
                }
                let files = remembered.files.entry(site.clone()).or_default();
                for (key, _) in manifest.hashed() {
                    files.entry(key.clone()).or_insert(entry.number);
                }
            }
        }
        let is_known = |site: &str| now.and_then(|now| read(now.sites.get(site)?)).is_some();
        remembered.files.retain(|site, _| is_known(site));
        remembered
    }

    /// Marks the files in a site's bucket, of which `page` is the page that users get.
    #[must_use]
    pub fn mark_files(&self, site: &str, keys: &[String], page: &str, place: &Place) -> Vec<Verdict> {
        let named = self.files.get(site);
        let judge = |key: &String| match named {
            None => (true, "what users get of the site is not known".to_owned()),
            Some(_) if !is_hashed(key) => (true, "its name does not tell its content".to_owned()),
            Some(_) if page.contains(key.as_str()) => (true, "the page refers to it".to_owned()),
            Some(named) => named.get(key).map_or_else(
                || (false, "no kept release names it".to_owned()),
                |number| (true, format!("release {number} needs it")),
            ),
        };
        let verdict = |key: &String| {
            let ((keep, why), place) = (judge(key), place.clone());
            let target = Target::SiteFile { region: place.region, bucket: place.bucket, key: key.clone() };
            Verdict { what: format!("{site} {key}"), keep, why, target }
        };
        keys.iter().map(verdict).collect()
    }

    /// Marks what is kept in the artifact bucket.
    #[must_use]
    pub fn mark_documents(&self, keys: Vec<String>) -> Vec<Verdict> {
        let verdict = |key: String| {
            let (keep, why) = match self.documents.get(&key) {
                Some(number) => (true, format!("release {number} needs it")),
                None => (false, "no kept release names it".to_owned()),
            };
            Verdict { what: key.clone(), keep, why, target: Target::Artifact { key } }
        };
        keys.into_iter().map(verdict).collect()
    }
}

/// The release that users have.
fn newest(entries: &[Entry]) -> Option<&Entry> {
    entries.iter().rev().find(|entry| entry.outcome == Outcome::Released)
}

/// The releases whose sites stay, those that users got last first.
fn relevant(entries: &[Entry], keep: usize) -> impl Iterator<Item = &Entry> {
    newest(entries).into_iter().chain(kept(entries, keep, |entry| (versions(entry), entry.sites.clone())))
}

/// Where a site's files lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    region: Option<String>,
    bucket: String,
}

/// Marks everything of the sites of a system, whose ledger this is.
///
/// # Errors
///
/// When a call fails.
pub async fn mark(
    system: &RenderedSystem,
    outputs: &Outputs,
    bucket: &str,
    (entries, keep): (&[Entry], usize),
    clients: &Clients,
) -> Result<Vec<Verdict>, AwsError> {
    if system.sites.is_empty() {
        return Ok(Vec::new());
    }
    let store = clients.documents(bucket.to_owned());
    let mut manifests = BTreeMap::new();
    for name in relevant(entries, keep).flat_map(|entry| entry.sites.values()) {
        if manifests.contains_key(name) {
            continue;
        }
        let found = store.read(&manifest::key(&system.name, name)).await?;
        manifests.insert(name.clone(), found.and_then(|document| Manifest::read(name, &document.text)));
    }
    let remembered = Remembered::of(&system.name, entries, keep, |name| manifests.get(name).cloned().flatten());
    let mut verdicts = remembered.mark_documents(clients.s3().keys(bucket, &manifest::prefix(&system.name)).await?);
    for site in &system.sites {
        let Some(place) = place(system, site, outputs) else { continue };
        let region = place.region.as_deref();
        let keys = clients.s3_in(region).keys(&place.bucket, "").await?;
        let page = clients.documents_in(region, place.bucket.clone()).read(PAGE).await?;
        let page = page.map(|page| page.text).unwrap_or_default();
        verdicts.extend(remembered.mark_files(&site.name, &keys, &page, &place));
    }
    Ok(verdicts)
}

fn place(system: &RenderedSystem, site: &RenderedSite, outputs: &Outputs) -> Option<Place> {
    let stack = system.stacks.iter().find(|stack| stack.stack == site.stack)?;
    let bucket = outputs.get(&stack.name)?.get(&site.bucket_output)?.clone();
    Some(Place { region: stack.region.clone(), bucket })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{aws::s3::ObjectHeaders, ledger::tests::entry, site::manifest::File};

    fn manifest(assets: &[&str]) -> Manifest {
        let file = |key: &str, hashed| {
            let served = ObjectHeaders {
                sha256: format!("sha of {key}"),
                content_type: String::new(),
                cache_control: String::new(),
            };
            (key.to_owned(), File { served, hashed })
        };
        let files = assets.iter().map(|key| file(key, true)).chain([file("index.html", false)]).collect();
        Manifest { site: "Site".to_owned(), files, config: BTreeMap::new() }
    }

    fn asset(number: u32) -> String {
        format!("style-{number:016x}.css")
    }

    /// A release whose site has one asset of its own; `None` is one of a version that kept no manifests.
    fn release(number: u32, of: Option<u32>, outcome: Outcome) -> Entry {
        let sites = of.map(|of| ("Site".to_owned(), of.to_string())).into_iter().collect();
        Entry { sites, ..entry(number, "1", outcome) }
    }

    fn read(name: &str) -> Option<Manifest> {
        Some(manifest(&[&asset(name.parse().ok()?)]))
    }

    fn gone(entries: &[Entry], keep: usize, page: &str) -> BTreeSet<String> {
        let keys: Vec<_> = (1..=9).map(asset).chain(["index.html".to_owned(), "by-hand.css".to_owned()]).collect();
        let place = Place { region: None, bucket: "b".to_owned() };
        let verdicts = Remembered::of("s", entries, keep, read).mark_files("Site", &keys, page, &place);
        assert_eq!(verdicts.len(), keys.len());
        let gone = keys.iter().zip(&verdicts).filter(|(_, verdict)| !verdict.keep);
        gone.map(|(key, _)| key.clone()).collect()
    }

    fn all_but(kept: &[u32]) -> BTreeSet<String> {
        (1..=9).filter(|number| !kept.contains(number)).map(asset).collect()
    }

    #[test]
    fn files_of_kept_releases_of_open_ones_and_of_the_page_stay() {
        let reverted = Outcome::Reverted { why: String::new() };
        let entries = [
            release(1, Some(1), Outcome::Released),
            release(2, Some(2), Outcome::Released),
            release(3, Some(3), reverted),
            release(4, Some(4), Outcome::Released),
            release(5, Some(5), Outcome::Open),
        ];
        assert_eq!(gone(&entries, 2, ""), all_but(&[2, 4, 5]));
        // What users have stays whatever is kept.
        assert_eq!(gone(&entries, 0, ""), all_but(&[4, 5]));
        assert_eq!(gone(&entries, 0, &format!("<link href=\"/{}\">", asset(7))), all_but(&[4, 5, 7]));
    }

    #[test]
    fn nothing_goes_where_it_is_not_known_what_users_get() {
        let entries = [release(1, Some(1), Outcome::Released), release(2, None, Outcome::Released)];
        assert_eq!(gone(&entries, 5, ""), BTreeSet::new());
        assert_eq!(gone(&[], 5, ""), BTreeSet::new());
        // A manifest that cannot be read is none.
        let entries = [Entry {
            sites: BTreeMap::from([("Site".to_owned(), "lost".to_owned())]),
            ..entry(1, "1", Outcome::Released)
        }];
        assert_eq!(gone(&entries, 5, ""), BTreeSet::new());
    }

    #[test]
    fn manifests_and_bytes_go_with_the_last_release_that_names_them() {
        let entries: Vec<_> = (1..=3).map(|number| release(number, Some(number), Outcome::Released)).collect();
        let keys = (1..=3).map(|number| manifest::key("s", &number.to_string()));
        let keys: Vec<_> =
            keys.chain([manifest::file_key("s", "sha of index.html"), manifest::file_key("s", "x")]).collect();
        let verdicts = Remembered::of("s", &entries, 2, read).mark_documents(keys);
        assert_eq!(verdicts.iter().map(|verdict| verdict.keep).collect::<Vec<_>>(), [false, true, true, true, false]);
        assert_eq!(verdicts[1].why, "release 2 needs it");
    }
}
