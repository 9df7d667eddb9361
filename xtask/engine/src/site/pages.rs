//! The sites of a system as part of its releases.
//!
//! Before a release begins, the files that its pages refer to are uploaded to the site's bucket, where no user sees them yet,
//! and copies for later restoration to the artifact bucket. Once the release's functions are live, the page and `config.json`
//! follow: a release and its reversal upload nothing else.

use std::{
    collections::BTreeMap,
    fmt::{Debug, Formatter},
    sync::{Mutex, MutexGuard, PoisonError},
};

use model::rendered::{RenderedSite, RenderedSystem};
use plan::preview::SitePreview;
use sha2::{Digest, Sha256};

use super::{
    Destination, Published, SiteError, destination,
    files::{self, SiteObject},
    manifest::{self, Manifest, StackOutput, config_outputs},
    site_objects,
};
use crate::{
    aws::{AwsError, Clients, documents::Documents, s3::ObjectHeaders},
    deploy::Outputs,
    error::chain,
    parallel,
    ui::Ui,
    workspace::Workspace,
};

/// The sites of a system.
pub(crate) struct Pages<'a> {
    system: &'a RenderedSystem,
    /// The outputs of the deployed stacks.
    outputs: Outputs,
    /// The artifact bucket.
    artifacts: String,
    store: Documents,
    clients: &'a Clients,
    ui: &'a Ui,
    progress: Mutex<BTreeMap<String, SiteProgress>>,
}

/// What this run has done with a site.
#[derive(Debug, Clone, Default)]
struct SiteProgress {
    published: Published,
    /// The manifest that users receive, if this run has published it.
    manifest: Option<String>,
}

impl Debug for Pages<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Pages").field("system", &self.system.name).finish_non_exhaustive()
    }
}

impl<'a> Pages<'a> {
    /// Returns the sites of a system, whose stacks have these outputs.
    pub(crate) fn new(
        system: &'a RenderedSystem,
        outputs: Outputs,
        artifacts: &str,
        clients: &'a Clients,
        ui: &'a Ui,
    ) -> Self {
        let store = clients.documents(artifacts.to_owned());
        Self { system, outputs, artifacts: artifacts.to_owned(), store, clients, ui, progress: Mutex::default() }
    }

    /// Returns what this run has done with the sites.
    pub(crate) fn published(&self) -> Vec<Published> {
        let progress = self.progress();
        let touched = progress.values().map(|progress| &progress.published).filter(|site| !site.name.is_empty());
        touched.cloned().collect()
    }

    /// Notes sites whose manifests users receive already: they are neither prepared nor published again.
    pub(crate) fn are_published(&self, manifests: &BTreeMap<String, String>) {
        for (site, manifest) in manifests {
            self.progress().entry(site.clone()).or_default().manifest = Some(manifest.clone());
        }
    }

    /// Returns whether users receive a site's manifest, as far as this run knows.
    pub(crate) fn is_published(&self, site: &str, manifest: &str) -> bool {
        self.progress().get(site).is_some_and(|progress| progress.manifest.as_deref() == Some(manifest))
    }

    /// Returns the names of the system's sites.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.system.sites.iter().map(|site| site.name.as_str())
    }

    /// Returns the entries of `sites` that the system still defines.
    pub(crate) fn known(&self, sites: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let known = sites.iter().filter(|(name, _)| self.site(name).is_some());
        known.map(|(name, manifest)| (name.clone(), manifest.clone())).collect()
    }

    /// Prepares the workspace's sites for a release: uploads the files that their pages refer to, and stores the copies that a
    /// later restoration needs. Returns each site's manifest. `approve` decides about a site by its name and the number of
    /// changed files.
    pub(crate) async fn prepare(
        &self,
        workspace: &Workspace,
        approve: impl Fn(&str, usize) -> bool,
    ) -> Result<BTreeMap<String, String>, SiteError> {
        let mut manifests = BTreeMap::new();
        for site in &self.system.sites {
            let destination = self.destination(site, &config_outputs(site))?;
            let objects = self.objects(site, &destination, workspace)?;
            let name = Manifest::new(site, &objects).name();
            if self.is_published(&site.name, &name) {
                let published = unchanged(site, &destination, objects.len());
                self.progress().entry(site.name.clone()).or_default().published = published;
                manifests.insert(site.name.clone(), name);
                continue;
            }
            let changed = self.changed(site, &destination, &objects).await?;
            if !changed.is_empty() && !approve(&site.name, changed.len()) {
                return Err(SiteError::NotConfirmed { site: site.name.clone(), files: changed.len() });
            }
            let assets: Vec<_> = changed.into_iter().filter(|object| object.hashed).collect();
            self.upload(site, &destination, &assets).await?;
            let manifest = Manifest::new(site, &objects);
            self.store_copies(site, &manifest, &objects).await?;
            self.progress().entry(site.name.clone()).or_default().published.unchanged = objects.len() - assets.len();
            manifests.insert(site.name.clone(), manifest.name());
        }
        Ok(manifests)
    }

    /// Returns the workspace's sites that are deployed, as they are reported when nothing is published.
    pub(crate) fn unchanged(&self, workspace: &Workspace) -> Result<Vec<Published>, SiteError> {
        self.deployed(workspace, |site, destination, objects| unchanged(site, destination, objects.len()))
    }

    /// Returns the manifests of the workspace's sites that are deployed.
    pub(crate) fn manifests(&self, workspace: &Workspace) -> Result<BTreeMap<String, String>, SiteError> {
        let named = |site: &RenderedSite, _: &Destination, objects: &[SiteObject]| {
            (site.name.clone(), Manifest::new(site, objects).name())
        };
        self.deployed(workspace, named)
    }

    /// Returns something of each of the workspace's sites that are deployed, with its destination and files.
    fn deployed<T, C: FromIterator<T>>(
        &self,
        workspace: &Workspace,
        of_site: impl Fn(&RenderedSite, &Destination, &[SiteObject]) -> T,
    ) -> Result<C, SiteError> {
        let sites = self.system.sites.iter().filter_map(|site| {
            let destination = self.destination(site, &config_outputs(site)).ok()?;
            let objects = self.objects(site, &destination, workspace);
            Some(objects.map(|objects| of_site(site, &destination, &objects)))
        });
        sites.collect()
    }

    /// Reads the files of a deployed site from the workspace.
    fn objects(
        &self,
        site: &RenderedSite,
        destination: &Destination,
        workspace: &Workspace,
    ) -> Result<Vec<SiteObject>, SiteError> {
        site_objects(site, &destination.config, &self.base(&destination.bucket), workspace)
    }

    /// Returns the files of the workspace's sites that differ from the published ones; all of a site without a bucket.
    ///
    /// Of a site whose manifest is the released one, only files that keep their names are compared: the others were there when it was
    /// released, and none with another content can have their names.
    pub(crate) async fn changed_files(
        &self,
        workspace: &Workspace,
        released: &BTreeMap<String, String>,
    ) -> Result<Vec<SitePreview>, SiteError> {
        let mut previews = Vec::new();
        for site in &self.system.sites {
            let keys: Vec<_> = match self.destination(site, &config_outputs(site)) {
                Ok(destination) => {
                    let mut objects = self.objects(site, &destination, workspace)?;
                    if released.get(&site.name) == Some(&Manifest::new(site, &objects).name()) {
                        objects.retain(|object| !object.hashed);
                    }
                    let changed = self.changed(site, &destination, &objects).await?;
                    changed.into_iter().map(|object| object.key.clone()).collect()
                }
                Err(SiteError::MissingOutput { .. }) => {
                    let objects = site_objects(site, &BTreeMap::new(), "/", workspace)?;
                    objects.into_iter().map(|object| object.key).collect()
                }
                Err(error) => return Err(error),
            };
            if !keys.is_empty() {
                previews.push(SitePreview { site: site.name.clone(), files: keys });
            }
        }
        Ok(previews)
    }

    /// Describes the files that these manifests need and that no longer exist.
    pub(crate) async fn deleted_files(&self, manifests: &BTreeMap<String, String>) -> Result<Vec<String>, SiteError> {
        let mut deleted = Vec::new();
        for (name, manifest) in manifests {
            let Some(site) = self.site(name) else { continue };
            let (manifest, destination) = match self.read_manifest(site, manifest).await {
                Err(SiteError::Deleted { what, .. }) => {
                    deleted.push(format!("{what} no longer exists"));
                    continue;
                }
                read => read?,
            };
            match self.mutable_objects(site, &manifest).await {
                Err(SiteError::Deleted { what, .. }) => deleted.push(format!("{what} no longer exists")),
                objects => drop(objects?),
            }
            for (key, file) in manifest.hashed_files() {
                if self.existing(site, &destination, key).await?.as_ref() != Some(&file.headers) {
                    deleted.push(format!("file {key} of site {name} no longer exists"));
                }
            }
        }
        Ok(deleted)
    }

    /// Publishes the pages of these manifests; objects that exist already stay untouched. A repeated call publishes the rest.
    pub(crate) async fn publish(&self, manifests: &BTreeMap<String, String>) -> Result<(), SiteError> {
        for (name, manifest) in manifests {
            let Some(site) = self.site(name) else { continue };
            if !self.is_published(name, manifest) {
                self.publish_site(site, manifest).await?;
            }
        }
        Ok(())
    }

    async fn publish_site(&self, site: &RenderedSite, name: &str) -> Result<(), SiteError> {
        let step = self.ui.step(format!("Publish {}", site.name));
        let (manifest, destination) = self.read_manifest(site, name).await?;
        // The page comes last, after everything that it requests.
        let mut objects = vec![files::config_object(&destination.config)];
        objects.extend(self.mutable_objects(site, &manifest).await?);
        let changed = self.changed(site, &destination, &objects).await?;
        // Until the last file is uploaded, users receive files of two releases.
        self.progress().entry(site.name.clone()).or_default().manifest = None;
        self.upload(site, &destination, &changed).await?;
        let invalidated = self.invalidate(site, &destination, &changed).await;
        let published = {
            let mut progress = self.progress();
            let progress = progress.entry(site.name.clone()).or_default();
            progress.manifest = Some(name.to_owned());
            let uploaded = progress.published.uploaded.len();
            progress.published.unchanged = (manifest.files.len() + 1).saturating_sub(uploaded);
            progress.published.invalidated = invalidated;
            progress.published.clone()
        };
        step.done(summary(&published));
        Ok(())
    }

    fn progress(&self) -> MutexGuard<'_, BTreeMap<String, SiteProgress>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn site(&self, name: &str) -> Option<&RenderedSite> {
        self.system.sites.iter().find(|site| site.name == name)
    }

    /// Returns the URL path of a bucket's keys: an emulator serves the bucket itself.
    fn base(&self, bucket: &str) -> String {
        self.clients.endpoint().map_or_else(|| "/".to_owned(), |_| format!("/{bucket}/"))
    }

    fn destination(
        &self,
        site: &RenderedSite,
        config: &BTreeMap<String, StackOutput>,
    ) -> Result<Destination, SiteError> {
        destination(self.system, site, config, &self.outputs)
    }

    /// Reads a manifest, and resolves its site's present destination.
    async fn read_manifest(&self, site: &RenderedSite, name: &str) -> Result<(Manifest, Destination), SiteError> {
        let document =
            self.store.read(&manifest::key(&self.system.name, name)).await.map_err(self.artifacts_failed(site))?;
        let manifest = document.and_then(|document| Manifest::parse(name, &document.text));
        let what = || format!("the manifest of site {}", site.name);
        let manifest = manifest.ok_or_else(|| SiteError::Deleted { site: site.name.clone(), what: what() })?;
        let destination = self.destination(site, &manifest.config)?;
        Ok((manifest, destination))
    }

    /// Reads the copies of a manifest's files that keep their names.
    async fn mutable_objects(&self, site: &RenderedSite, manifest: &Manifest) -> Result<Vec<SiteObject>, SiteError> {
        let mut objects = Vec::new();
        for (key, file) in manifest.mutable_files() {
            let copy = manifest::file_key(&self.system.name, &file.headers.sha256);
            let document = self.store.read(&copy).await.map_err(self.artifacts_failed(site))?;
            let what = || format!("the earlier {key} of site {}", site.name);
            let body = document.map(|document| document.text.into_bytes());
            let body = body.filter(|body| hex::encode(Sha256::digest(body)) == file.headers.sha256);
            let body = body.ok_or_else(|| SiteError::Deleted { site: site.name.clone(), what: what() })?;
            objects.push(SiteObject { key: key.clone(), body, headers: file.headers.clone(), hashed: false });
        }
        Ok(objects)
    }

    /// Stores the files that keep their names, and the manifest last: where a manifest exists, it is complete.
    async fn store_copies(
        &self,
        site: &RenderedSite,
        manifest: &Manifest,
        objects: &[SiteObject],
    ) -> Result<(), SiteError> {
        let system = &self.system.name;
        let mutable = objects.iter().filter(|object| manifest.mutable_files().any(|(key, _)| *key == object.key));
        let copies = mutable.map(|object| {
            let text = String::from_utf8_lossy(&object.body).into_owned();
            (manifest::file_key(system, &object.headers.sha256), text)
        });
        for (key, text) in copies.chain([(manifest::key(system, &manifest.name()), manifest.text())]) {
            let s3 = self.clients.s3();
            if !s3.exists(&self.artifacts, &key).await.map_err(self.artifacts_failed(site))? {
                s3.put_text(&self.artifacts, &key, text).await.map_err(self.artifacts_failed(site))?;
            }
        }
        Ok(())
    }

    /// Returns the objects that differ from the existing ones.
    async fn changed<'o>(
        &self,
        site: &RenderedSite,
        destination: &Destination,
        objects: &'o [SiteObject],
    ) -> Result<Vec<&'o SiteObject>, SiteError> {
        let existing = objects.iter().map(async |object| {
            let headers = self.existing(site, destination, &object.key).await?;
            Ok::<_, SiteError>(headers.map(|headers| (object.key.clone(), headers)))
        });
        let existing: BTreeMap<_, _> = parallel::each(existing).await?.into_iter().flatten().collect();
        Ok(files::changed(objects, &existing))
    }

    async fn existing(
        &self,
        site: &RenderedSite,
        destination: &Destination,
        key: &str,
    ) -> Result<Option<ObjectHeaders>, SiteError> {
        let s3 = self.clients.s3_in(destination.region.as_deref());
        s3.object_headers(&destination.bucket, key).await.map_err(failed(site, &destination.bucket))
    }

    async fn upload(
        &self,
        site: &RenderedSite,
        destination: &Destination,
        objects: &[&SiteObject],
    ) -> Result<(), SiteError> {
        let bucket = &destination.bucket;
        let s3 = self.clients.s3_in(destination.region.as_deref());
        for object in objects {
            let uploaded = s3.put_object(bucket, &object.key, object.body.clone(), &object.headers).await;
            uploaded.map_err(failed(site, bucket))?;
            let mut progress = self.progress();
            progress.entry(site.name.clone()).or_default().published.uploaded.push(object.key.clone());
        }
        let mut progress = self.progress();
        let published = &mut progress.entry(site.name.clone()).or_default().published;
        (published.name, published.bucket) = (site.name.clone(), bucket.clone());
        Ok(())
    }

    /// Invalidates the distribution; returns the paths. A failure is a warning only: the files are uploaded, and edges request
    /// them again by themselves.
    async fn invalidate(&self, site: &RenderedSite, destination: &Destination, changed: &[&SiteObject]) -> Vec<String> {
        let paths = files::invalidation_paths(changed);
        let Some(distribution) = destination.distribution.as_ref().filter(|_| !paths.is_empty()) else {
            return Vec::new();
        };
        match self.clients.invalidate(distribution, &paths).await.map_err(failed(site, &destination.bucket)) {
            Ok(_) => paths,
            Err(error) => {
                let error = chain(&error).join(": ");
                self.ui.warn(format_args!("users may receive the earlier page for a while: {error}"));
                Vec::new()
            }
        }
    }

    fn artifacts_failed(&self, site: &RenderedSite) -> impl Fn(AwsError) -> SiteError + use<> {
        failed(site, &self.artifacts)
    }
}

fn unchanged(site: &RenderedSite, destination: &Destination, files: usize) -> Published {
    let (name, bucket) = (site.name.clone(), destination.bucket.clone());
    Published { name, bucket, unchanged: files, ..Published::default() }
}

fn failed(site: &RenderedSite, bucket: &str) -> impl Fn(AwsError) -> SiteError + use<> {
    let (site, bucket) = (site.name.clone(), bucket.to_owned());
    move |source| SiteError::Aws { source: source.below(&bucket), site: site.clone(), bucket: bucket.clone() }
}

fn summary(published: &Published) -> String {
    let (uploaded, unchanged) = (published.uploaded.len(), published.unchanged);
    let invalidated = if published.invalidated.is_empty() { "" } else { ", CloudFront invalidated" };
    match uploaded {
        0 => format!("unchanged, {unchanged} files"),
        1 => format!("1 file uploaded, {unchanged} unchanged{invalidated}"),
        _ => format!("{uploaded} files uploaded, {unchanged} unchanged{invalidated}"),
    }
}
