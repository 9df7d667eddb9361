//! The sites of a system as parts of its releases: kept so that they can come back, and put where users get them.
//!
//! What a page refers to lies in the site's bucket before a release begins, and nobody sees it yet. The page itself, and
//! `config.json`, follow once the release's functions are live: they are all that a release puts there, forwards or back.

use std::{
    collections::BTreeMap,
    fmt::{Debug, Formatter},
    sync::{Mutex, MutexGuard, PoisonError},
};

use model::rendered::{RenderedSite, RenderedSystem};
use plan::preview::SitePreview;
use sha2::{Digest, Sha256};

use super::{
    Place, Published, SiteError,
    files::{self, Object},
    manifest::{self, Manifest, Source, sources},
    place, prepared,
};
use crate::{
    aws::{AwsError, Clients, documents::Documents, s3::ObjectHeaders},
    deploy::Outputs,
    error::chain,
    ui::Ui,
    workspace::Workspace,
};

/// The sites of a system.
pub struct Pages<'a> {
    system: &'a RenderedSystem,
    /// Where everything is now.
    outputs: Outputs,
    artifacts: String,
    store: Documents,
    clients: &'a Clients,
    ui: &'a Ui,
    done: Mutex<BTreeMap<String, Done>>,
}

/// What this run did to a site.
#[derive(Debug, Clone, Default)]
struct Done {
    published: Published,
    /// The manifest that users get.
    manifest: Option<String>,
}

impl Debug for Pages<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Pages").field("system", &self.system.name).finish_non_exhaustive()
    }
}

impl<'a> Pages<'a> {
    /// The sites of a system, of which these outputs say where they go and what they are told.
    #[must_use]
    pub fn new(
        system: &'a RenderedSystem,
        outputs: Outputs,
        artifacts: &str,
        clients: &'a Clients,
        ui: &'a Ui,
    ) -> Self {
        let store = clients.documents(artifacts.to_owned());
        Self { system, outputs, artifacts: artifacts.to_owned(), store, clients, ui, done: Mutex::default() }
    }

    /// What this run did to the sites.
    #[must_use]
    pub fn published(&self) -> Vec<Published> {
        self.done().values().map(|done| done.published.clone()).collect()
    }

    /// The system's sites, by name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.system.sites.iter().map(|site| site.name.as_str())
    }

    /// Those of these sites that the system still has.
    #[must_use]
    pub fn known(&self, sites: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let known = sites.iter().filter(|(name, _)| self.site(name).is_some());
        known.map(|(name, manifest)| (name.clone(), manifest.clone())).collect()
    }

    /// Makes the workspace's sites ready for a release: what their pages refer to is uploaded, and all that it takes to put them
    /// there again is kept. Returns each site's manifest. `approve` is asked with a site's name and the number of its files that differ.
    ///
    /// # Errors
    ///
    /// When a folder cannot be read, it is not approved, or a call fails; the same again goes on from there.
    pub async fn keep(
        &self,
        workspace: &Workspace,
        approve: impl Fn(&str, usize) -> bool,
    ) -> Result<BTreeMap<String, String>, SiteError> {
        let mut kept = BTreeMap::new();
        for site in &self.system.sites {
            let place = self.place(site, &sources(site))?;
            let objects = prepared(site, &place.config, &self.base(&place.bucket), workspace)?;
            let changed = self.compare(site, &place, &objects).await?;
            if !changed.is_empty() && !approve(&site.name, changed.len()) {
                return Err(SiteError::NotConfirmed { site: site.name.clone(), files: changed.len() });
            }
            let assets: Vec<_> = changed.into_iter().filter(|object| object.hashed).collect();
            self.serve(site, &place, &assets).await?;
            let manifest = Manifest::of(site, &objects);
            self.remember(site, &manifest, &objects).await?;
            self.done().entry(site.name.clone()).or_default().published.unchanged = objects.len() - assets.len();
            kept.insert(site.name.clone(), manifest.name());
        }
        Ok(kept)
    }

    /// The files of the workspace's sites that users do not get as they are; all, where there is no bucket yet.
    ///
    /// # Errors
    ///
    /// When a folder cannot be read, or a call fails.
    pub async fn differing(&self, workspace: &Workspace) -> Result<Vec<SitePreview>, SiteError> {
        let mut differing = Vec::new();
        for site in &self.system.sites {
            let keys = match self.place(site, &sources(site)) {
                Ok(place) => {
                    let objects = prepared(site, &place.config, &self.base(&place.bucket), workspace)?;
                    let changed = self.compare(site, &place, &objects).await?;
                    changed.into_iter().map(|object| object.key.clone()).collect()
                }
                Err(SiteError::Output { .. }) => {
                    let objects = prepared(site, &BTreeMap::new(), "/", workspace)?;
                    objects.into_iter().map(|object| object.key).collect::<Vec<_>>()
                }
                Err(error) => return Err(error),
            };
            if !keys.is_empty() {
                differing.push(SitePreview { site: site.name.clone(), files: keys });
            }
        }
        Ok(differing)
    }

    /// What it takes to show these sites again and is gone, in words.
    ///
    /// # Errors
    ///
    /// When a stack lacks an output, or a call fails.
    pub async fn gone(&self, wanted: &BTreeMap<String, String>) -> Result<Vec<String>, SiteError> {
        let mut gone = Vec::new();
        for (name, manifest) in wanted {
            let Some(site) = self.site(name) else { continue };
            let (manifest, place) = match self.read(site, manifest).await {
                Err(SiteError::Gone { what, .. }) => {
                    gone.push(format!("{what} is gone"));
                    continue;
                }
                read => read?,
            };
            match self.kept(site, &manifest).await {
                Err(SiteError::Gone { what, .. }) => gone.push(format!("{what} is gone")),
                kept => drop(kept?),
            }
            for (key, file) in manifest.hashed() {
                if self.served(site, &place, key).await?.as_ref() != Some(&file.served) {
                    gone.push(format!("file {key} of site {name} is gone"));
                }
            }
        }
        Ok(gone)
    }

    /// Puts the pages of these manifests where users get them; what is there already stays untouched.
    ///
    /// # Errors
    ///
    /// When something is gone, a stack lacks an output, or a call fails; the same again goes on from there.
    pub async fn put(&self, wanted: &BTreeMap<String, String>) -> Result<(), SiteError> {
        for (name, manifest) in wanted {
            let Some(site) = self.site(name) else { continue };
            if self.done().get(name).is_some_and(|done| done.manifest.as_ref() == Some(manifest)) {
                continue;
            }
            let step = self.ui.step(format!("Publish {name}"));
            let (read, place) = self.read(site, manifest).await?;
            // The page last: what it asks for is there then.
            let mut objects = vec![files::config(&place.config)];
            objects.extend(self.kept(site, &read).await?);
            let changed = self.compare(site, &place, &objects).await?;
            // From here on what users get is a mix, until the last file is there.
            self.done().entry(name.clone()).or_default().manifest = None;
            self.serve(site, &place, &changed).await?;
            let invalidated = match self.invalidate(site, &place, &changed).await {
                Ok(invalidated) => invalidated,
                // The files are there, and edges ask for them again by themselves: no reason to take a release back.
                Err(error) => {
                    self.ui
                        .warn(format_args!("users may get the earlier page for a while: {}", chain(&error).join(": ")));
                    Vec::new()
                }
            };
            let published = {
                let mut done = self.done();
                let done = done.entry(name.clone()).or_default();
                done.manifest = Some(manifest.clone());
                done.published.unchanged = (read.files.len() + 1).saturating_sub(done.published.uploaded.len());
                done.published.invalidated = invalidated;
                done.published.clone()
            };
            step.done(in_words(&published));
        }
        Ok(())
    }

    fn done(&self) -> MutexGuard<'_, BTreeMap<String, Done>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn site(&self, name: &str) -> Option<&RenderedSite> {
        self.system.sites.iter().find(|site| site.name == name)
    }

    /// The path that a bucket's keys are served below: an emulator serves the bucket itself.
    fn base(&self, bucket: &str) -> String {
        self.clients.endpoint().map_or_else(|| "/".to_owned(), |_| format!("/{bucket}/"))
    }

    fn place(&self, site: &RenderedSite, config: &BTreeMap<String, Source>) -> Result<Place, SiteError> {
        place(self.system, site, config, &self.outputs)
    }

    /// A manifest, and where its site goes now.
    async fn read(&self, site: &RenderedSite, name: &str) -> Result<(Manifest, Place), SiteError> {
        let found = self.store.read(&manifest::key(&self.system.name, name)).await.map_err(self.failed(site))?;
        let manifest = found.and_then(|document| Manifest::read(name, &document.text));
        let what = || format!("the list of the files of site {}", site.name);
        let manifest = manifest.ok_or_else(|| SiteError::Gone { site: site.name.clone(), what: what() })?;
        let place = self.place(site, &manifest.config)?;
        Ok((manifest, place))
    }

    /// The files of a manifest that keep their names, with their bytes.
    async fn kept(&self, site: &RenderedSite, manifest: &Manifest) -> Result<Vec<Object>, SiteError> {
        let mut objects = Vec::new();
        for (key, file) in manifest.unhashed() {
            let kept = manifest::file_key(&self.system.name, &file.served.sha256);
            let found = self.store.read(&kept).await.map_err(self.failed(site))?;
            let what = || format!("the earlier {key} of site {}", site.name);
            let body = found.map(|document| document.text.into_bytes());
            let body = body.filter(|body| hex::encode(Sha256::digest(body)) == file.served.sha256);
            let body = body.ok_or_else(|| SiteError::Gone { site: site.name.clone(), what: what() })?;
            objects.push(Object { key: key.clone(), body, served: file.served.clone(), hashed: false });
        }
        Ok(objects)
    }

    /// Keeps what cannot be found by its name later, and the manifest last: where it is, all of it is.
    async fn remember(&self, site: &RenderedSite, manifest: &Manifest, objects: &[Object]) -> Result<(), SiteError> {
        let system = &self.system.name;
        let bytes = objects.iter().filter(|object| manifest.unhashed().any(|(key, _)| *key == object.key));
        let bytes = bytes.map(|object| {
            let text = String::from_utf8_lossy(&object.body).into_owned();
            (manifest::file_key(system, &object.served.sha256), text)
        });
        for (key, text) in bytes.chain([(manifest::key(system, &manifest.name()), manifest.text())]) {
            let s3 = self.clients.s3();
            if !s3.exists(&self.artifacts, &key).await.map_err(self.failed(site))? {
                s3.put_text(&self.artifacts, &key, text).await.map_err(self.failed(site))?;
            }
        }
        Ok(())
    }

    /// The objects that are not there as they should be.
    async fn compare<'o>(
        &self,
        site: &RenderedSite,
        place: &Place,
        objects: &'o [Object],
    ) -> Result<Vec<&'o Object>, SiteError> {
        let mut found: BTreeMap<String, ObjectHeaders> = BTreeMap::new();
        for object in objects {
            if let Some(served) = self.served(site, place, &object.key).await? {
                found.insert(object.key.clone(), served);
            }
        }
        Ok(files::changed(objects, &found))
    }

    async fn served(&self, site: &RenderedSite, place: &Place, key: &str) -> Result<Option<ObjectHeaders>, SiteError> {
        let s3 = self.clients.s3_in(place.region.as_deref());
        s3.object_headers(&place.bucket, key).await.map_err(failed_in(site, &place.bucket))
    }

    async fn serve(&self, site: &RenderedSite, place: &Place, objects: &[&Object]) -> Result<(), SiteError> {
        let s3 = self.clients.s3_in(place.region.as_deref());
        for object in objects {
            let served = s3.put_object(&place.bucket, &object.key, object.body.clone(), &object.served).await;
            served.map_err(failed_in(site, &place.bucket))?;
            let mut done = self.done();
            let published = &mut done.entry(site.name.clone()).or_default().published;
            published.uploaded.push(object.key.clone());
        }
        let mut done = self.done();
        let published = &mut done.entry(site.name.clone()).or_default().published;
        (published.name, published.bucket) = (site.name.clone(), place.bucket.clone());
        Ok(())
    }

    async fn invalidate(
        &self,
        site: &RenderedSite,
        place: &Place,
        changed: &[&Object],
    ) -> Result<Vec<String>, SiteError> {
        let paths = files::invalidated(changed);
        match &place.distribution {
            Some(distribution) if !paths.is_empty() => {
                let told = self.clients.invalidate(distribution, &paths).await;
                told.map_err(failed_in(site, &place.bucket))?;
                Ok(paths)
            }
            _ => Ok(Vec::new()),
        }
    }

    fn failed(&self, site: &RenderedSite) -> impl Fn(AwsError) -> SiteError + use<> {
        failed_in(site, &self.artifacts)
    }
}

fn failed_in(site: &RenderedSite, bucket: &str) -> impl Fn(AwsError) -> SiteError + use<> {
    let (site, bucket) = (site.name.clone(), bucket.to_owned());
    move |source| SiteError::Aws { site: site.clone(), bucket: bucket.clone(), source }
}

fn in_words(published: &Published) -> String {
    let (uploaded, unchanged) = (published.uploaded.len(), published.unchanged);
    let told = if published.invalidated.is_empty() { "" } else { ", CloudFront asks for the page again" };
    match uploaded {
        0 => format!("unchanged, {unchanged} files"),
        1 => format!("1 file uploaded, {unchanged} unchanged{told}"),
        _ => format!("{uploaded} files uploaded, {unchanged} unchanged{told}"),
    }
}
