//! Puts a static site into its bucket: what a page refers to under names that tell its content, and kept by browsers for
//! good; then what keeps its name, and is kept by none.
//!
//! What is there already, with the same content and headers, is left alone. A change of what keeps its name is told to the
//! distribution. Should that be lost to a kill, it costs a second, the longest that CloudFront keeps what says it must not be
//! kept. What no page refers to any longer stays, for pages that are still open.

pub mod files;

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use miette::Diagnostic;
use serde::Serialize;
use sha2::{Digest, Sha256};
use stacks::rendered::{RenderedSite, RenderedSystem};
use thiserror::Error;

use self::files::{Files, FilesError, Object, Served};
use crate::{
    aws::{AwsError, Clients},
    deploy::Outputs,
    ui::Ui,
    workspace::Workspace,
};

/// Where a site goes, and what it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The bucket.
    pub bucket: String,
    /// The bucket's region, where that is not the stage's.
    pub region: Option<String>,
    /// The distribution in front of it.
    pub distribution: Option<String>,
    /// The path that its keys are served below.
    pub base: String,
    /// What `config.json` says.
    pub config: BTreeMap<String, String>,
}

/// What was done to a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Published {
    /// The site.
    pub name: String,
    /// Its bucket.
    pub bucket: String,
    /// The keys that were uploaded, in this order.
    pub uploaded: Vec<String>,
    /// How many objects were there already.
    pub unchanged: usize,
    /// The paths that the distribution was told to ask for again.
    pub invalidated: Vec<String>,
}

/// A site was not published.
#[derive(Debug, Error, Diagnostic)]
pub enum SiteError {
    /// A file or folder cannot be read.
    #[error("failed to read {path}, of site {site}")]
    Read {
        /// The site.
        site: String,
        /// What cannot be read.
        path: Utf8PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The folder cannot be published as it is.
    #[error("site {site} cannot be published from {folder}")]
    Files {
        /// The site.
        site: String,
        /// The folder.
        folder: Utf8PathBuf,
        /// Why.
        #[source]
        #[diagnostic_source]
        source: FilesError,
    },
    /// A stack does not say what is needed.
    #[error("site {site} was not published: stack {stack} has no output {output}")]
    #[diagnostic(help("deploy the whole system: `cargo xtask deploy --stage STAGE --system SYSTEM`"))]
    Output {
        /// The site.
        site: String,
        /// The stack.
        stack: String,
        /// The output.
        output: String,
    },
    /// Nobody said that it may change.
    #[error("site {site} was not published: {files} files differ from what is served, and that was not confirmed")]
    #[diagnostic(help("confirm it at a terminal, or run the command with --yes"))]
    NotConfirmed {
        /// The site.
        site: String,
        /// How many files would be uploaded.
        files: usize,
    },
    /// AWS refused.
    #[error("site {site} was not published to bucket {bucket}")]
    #[diagnostic(help("the functions are released; run the command again, and it goes on with the site"))]
    Aws {
        /// The site.
        site: String,
        /// The bucket.
        bucket: String,
        /// Why.
        source: AwsError,
    },
}

/// Looks for everything that can be wrong with a system's sites without AWS.
///
/// # Errors
///
/// When a site's folder cannot be published.
pub fn check(systems: &[RenderedSystem], workspace: &Workspace) -> Result<(), SiteError> {
    for site in systems.iter().flat_map(|system| &system.sites) {
        prepared(site, &BTreeMap::new(), "/", workspace)?;
    }
    Ok(())
}

/// Where a site of a system goes, as its stacks' outputs say. `told` is what an output is to be replaced by where the stage
/// serves something elsewhere than its stack says, and `base` the path that a bucket's keys are served below.
///
/// # Errors
///
/// When a stack lacks an output.
pub fn place(
    system: &RenderedSystem,
    site: &RenderedSite,
    outputs: &Outputs,
    told: impl Fn(&str, &str) -> Option<String>,
    base: impl Fn(&str) -> String,
) -> Result<Place, SiteError> {
    let find = |stack: &str, output: &str| {
        let rendered = system.stacks.iter().find(|rendered| rendered.stack == stack);
        let name = rendered.map_or(stack, |rendered| rendered.name.as_str());
        let value = outputs.get(name).and_then(|outputs| outputs.get(output)).cloned();
        value.ok_or_else(|| SiteError::Output {
            site: site.name.clone(),
            stack: name.to_owned(),
            output: output.to_owned(),
        })
    };
    let mut config = BTreeMap::new();
    for (field, value) in &site.config {
        let told = told(&value.stack, &value.output);
        config.insert(field.clone(), told.map_or_else(|| find(&value.stack, &value.output), Ok)?);
    }
    let stack = system.stacks.iter().find(|stack| stack.stack == site.stack);
    let bucket = find(&site.stack, &site.bucket_output)?;
    Ok(Place {
        base: base(&bucket),
        bucket,
        region: stack.and_then(|stack| stack.region.clone()),
        distribution: find(&site.stack, &site.distribution_output).ok().filter(|id| !id.is_empty()),
        config,
    })
}

/// The SHA-256 of a site's files.
///
/// # Errors
///
/// When the folder cannot be published.
pub fn fingerprint(site: &RenderedSite, workspace: &Workspace) -> Result<String, SiteError> {
    let mut hash = Sha256::new();
    for object in prepared(site, &BTreeMap::new(), "/", workspace)? {
        hash.update(object.key.as_bytes());
        hash.update([0]);
        hash.update(Sha256::digest(&object.body));
    }
    Ok(hex::encode(hash.finalize()))
}

/// Publishes a site; what is there already stays untouched. `approve` is asked with the number of files before any is uploaded.
///
/// # Errors
///
/// When the folder cannot be read, it is not approved, or a call fails; the same again goes on from there.
pub async fn publish(
    site: &RenderedSite,
    place: &Place,
    approve: impl Fn(usize) -> bool,
    workspace: &Workspace,
    clients: &Clients,
    ui: &Ui,
) -> Result<Published, SiteError> {
    let objects = prepared(site, &place.config, &place.base, workspace)?;
    let step = ui.step(format!("Publish {}", site.name));
    let failed = |source| SiteError::Aws { site: site.name.clone(), bucket: place.bucket.clone(), source };
    let changed = compare(place, &objects, clients).await.map_err(failed)?;
    if !changed.is_empty() && !approve(changed.len()) {
        return Err(SiteError::NotConfirmed { site: site.name.clone(), files: changed.len() });
    }
    let published = put(site, place, (&changed, objects.len()), clients).await.map_err(failed)?;
    let (uploaded, unchanged) = (published.uploaded.len(), published.unchanged);
    let told = if published.invalidated.is_empty() { "" } else { ", CloudFront asks for the page again" };
    step.done(if uploaded == 0 {
        format!("unchanged, {unchanged} files")
    } else {
        format!("{uploaded} files uploaded, {unchanged} unchanged{told}")
    });
    Ok(published)
}

/// The objects that are not there as they should be.
async fn compare<'a>(place: &Place, objects: &'a [Object], clients: &Clients) -> Result<Vec<&'a Object>, AwsError> {
    let s3 = clients.s3_in(place.region.as_deref());
    let mut found: BTreeMap<String, Served> = BTreeMap::new();
    for object in objects {
        if let Some(served) = s3.served(&place.bucket, &object.key).await? {
            found.insert(object.key.clone(), served);
        }
    }
    Ok(files::changed(objects, &found))
}

async fn put(
    site: &RenderedSite,
    place: &Place,
    (changed, of): (&[&Object], usize),
    clients: &Clients,
) -> Result<Published, AwsError> {
    let s3 = clients.s3_in(place.region.as_deref());
    for object in changed {
        s3.serve(&place.bucket, &object.key, object.body.clone(), &object.served).await?;
    }
    let mut invalidated = files::invalidated(changed);
    match &place.distribution {
        Some(distribution) if !invalidated.is_empty() => clients.invalidate(distribution, &invalidated).await?,
        _ => invalidated.clear(),
    }
    Ok(Published {
        name: site.name.clone(),
        bucket: place.bucket.clone(),
        uploaded: changed.iter().map(|object| object.key.clone()).collect(),
        unchanged: of - changed.len(),
        invalidated,
    })
}

/// The site's objects, from its folder.
fn prepared(
    site: &RenderedSite,
    config: &BTreeMap<String, String>,
    base: &str,
    workspace: &Workspace,
) -> Result<Vec<Object>, SiteError> {
    let folder = workspace.root().join(&site.source);
    let mut files = Files::new();
    read(&folder, "", &mut files).map_err(|(path, source)| SiteError::Read {
        site: site.name.clone(),
        path,
        source,
    })?;
    files::objects(&files, config, base).map_err(|source| SiteError::Files { site: site.name.clone(), folder, source })
}

/// Reads a folder's files, but for hidden ones, which editors and file managers leave.
fn read(folder: &Utf8Path, below: &str, files: &mut Files) -> Result<(), (Utf8PathBuf, std::io::Error)> {
    let failed = |source| (folder.to_owned(), source);
    for entry in folder.read_dir_utf8().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (name, path) = (entry.file_name(), entry.path());
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            read(path, &format!("{below}{name}/"), files)?;
        } else {
            let bytes = std::fs::read(path).map_err(|source| (path.to_owned(), source))?;
            files.insert(format!("{below}{name}"), bytes);
        }
    }
    Ok(())
}
