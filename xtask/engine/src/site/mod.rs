//! Puts a static site into its bucket: what a page refers to under names that tell its content, and kept by browsers for
//! good; then what keeps its name, and is kept by none.
//!
//! What is there already, with the same content and headers, is left alone. A change of what keeps its name is told to the
//! distribution. Should that be lost to a kill, it costs a second, the longest that CloudFront keeps what says it must not be
//! kept. What no page refers to any longer stays, for pages that are still open, until no release that is kept names it.

pub mod files;
pub mod manifest;
mod pages;

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use miette::Diagnostic;
use model::rendered::{RenderedSite, RenderedSystem};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

pub use self::pages::Pages;
use self::{
    files::{Files, FilesError, Object},
    manifest::Source,
};
use crate::{aws::AwsError, deploy::Outputs, workspace::Workspace};

/// Where a site goes, and what it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The bucket.
    pub bucket: String,
    /// The bucket's region, where that is not the stage's.
    pub region: Option<String>,
    /// The distribution in front of it.
    pub distribution: Option<String>,
    /// What `config.json` says.
    pub config: BTreeMap<String, String>,
}

/// What was done to a site.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    #[diagnostic(help("run the command again, and it goes on with the site"))]
    Aws {
        /// The site.
        site: String,
        /// The bucket.
        bucket: String,
        /// Why.
        source: AwsError,
    },
    /// What an earlier release was made of is not there any more.
    #[error("site {site} cannot be shown as it was: {what} is gone")]
    #[diagnostic(help("deploy the commit of that release again"))]
    Gone {
        /// The site.
        site: String,
        /// What is gone.
        what: String,
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

/// Where a site of a system goes, and what its `config.json` says, as its stacks' outputs are.
fn place(
    system: &RenderedSystem,
    site: &RenderedSite,
    config: &BTreeMap<String, Source>,
    outputs: &Outputs,
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
    let values = config.iter().map(|(field, of)| Ok((field.clone(), find(&of.stack, &of.output)?)));
    let stack = system.stacks.iter().find(|stack| stack.stack == site.stack);
    Ok(Place {
        bucket: find(&site.stack, &site.bucket_output)?,
        region: stack.and_then(|stack| stack.region.clone()),
        distribution: find(&site.stack, &site.distribution_output).ok().filter(|id| !id.is_empty()),
        config: values.collect::<Result<_, _>>()?,
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
