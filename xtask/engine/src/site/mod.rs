//! Publishes static sites: first the files that a page refers to, under names with their hash, which browsers cache forever;
//! then the files that keep their names, which no cache may keep.
//!
//! An object that exists with the same content and headers is not uploaded again. When a file that keeps its name changes, the
//! distribution is invalidated. If a kill prevents that, CloudFront serves the old file for one second at most. Files that no
//! page refers to any longer stay, for pages that are still open, until no kept release contains them.

mod error;
pub(crate) mod files;
pub(crate) mod manifest;
mod pages;

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
pub(crate) use error::SiteError;
use model::rendered::{RenderedSite, RenderedSystem};
pub(crate) use pages::Pages;
use plan::full_name;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use self::{
    files::{Files, SiteObject},
    manifest::StackOutput,
};
use crate::{deploy::Outputs, workspace::Workspace};

/// The resources of a deployed site, and the values of its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Destination {
    bucket: String,
    /// The bucket's region, if it differs from the stage's.
    region: Option<String>,
    /// The distribution in front of the bucket.
    distribution: Option<String>,
    /// The fields of `config.json`.
    config: BTreeMap<String, String>,
}

/// A site after this run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Published {
    pub(crate) name: String,
    pub(crate) bucket: String,
    /// The uploaded keys, in this order.
    pub(crate) uploaded: Vec<String>,
    /// How many objects existed already.
    pub(crate) unchanged: usize,
    /// The invalidated paths of the distribution.
    pub(crate) invalidated: Vec<String>,
}

/// Checks everything about these systems' sites that can be checked without AWS.
pub(crate) fn check(systems: &[RenderedSystem], workspace: &Workspace) -> Result<(), SiteError> {
    for site in systems.iter().flat_map(|system| &system.sites) {
        site_objects(site, &BTreeMap::new(), "/", workspace)?;
    }
    Ok(())
}

/// Returns the SHA-256 of a site's files.
pub(crate) fn fingerprint(site: &RenderedSite, workspace: &Workspace) -> Result<String, SiteError> {
    let mut hash = Sha256::new();
    for object in site_objects(site, &BTreeMap::new(), "/", workspace)? {
        hash.update(object.key.as_bytes());
        hash.update([0]);
        hash.update(Sha256::digest(&object.body));
    }
    Ok(hex::encode(hash.finalize()))
}

/// Resolves a site's destination and configuration by the outputs of its system's stacks.
fn destination(
    system: &RenderedSystem,
    site: &RenderedSite,
    config: &BTreeMap<String, StackOutput>,
    outputs: &Outputs,
) -> Result<Destination, SiteError> {
    let value = |stack: &str, output: &str| {
        let rendered = system.stacks.iter().find(|rendered| rendered.stack == stack);
        let name = rendered.map_or(stack, |rendered| rendered.name.as_str());
        let value = outputs.get(name).and_then(|outputs| outputs.get(output)).cloned();
        value.ok_or_else(|| SiteError::MissingOutput {
            site: site.name.clone(),
            stack: name.to_owned(),
            output: output.to_owned(),
            stage: stage_of(system).into(),
            system: system.name.as_str().into(),
        })
    };
    let config = config.iter().map(|(field, of)| Ok((field.clone(), value(&of.stack, &of.output)?)));
    let stack = system.stacks.iter().find(|stack| stack.stack == site.stack);
    Ok(Destination {
        bucket: value(&site.stack, &site.bucket_output)?,
        region: stack.and_then(|stack| stack.region.clone()),
        distribution: value(&site.stack, &site.distribution_output).ok().filter(|id| !id.is_empty()),
        config: config.collect::<Result<_, _>>()?,
    })
}

/// Returns the stage that a system is rendered for, from a stack's name.
fn stage_of(system: &RenderedSystem) -> String {
    let stage =
        system.stacks.iter().find_map(|stack| stack.name.strip_prefix(&full_name(&system.name, &stack.stack, "")));
    stage.unwrap_or_default().to_owned()
}

/// Reads a site's folder and returns its objects.
fn site_objects(
    site: &RenderedSite,
    config: &BTreeMap<String, String>,
    base: &str,
    workspace: &Workspace,
) -> Result<Vec<SiteObject>, SiteError> {
    let folder = workspace.root().join(&site.source);
    let mut files = Files::new();
    read_folder(&folder, "", &mut files).map_err(|(path, source)| SiteError::Read {
        site: site.name.clone(),
        path,
        source,
    })?;
    files::objects(&files, config, base).map_err(|source| SiteError::Files { site: site.name.clone(), folder, source })
}

/// Reads a folder's files, except hidden ones, which editors and file managers create.
fn read_folder(folder: &Utf8Path, prefix: &str, files: &mut Files) -> Result<(), (Utf8PathBuf, std::io::Error)> {
    let failed = |source| (folder.to_owned(), source);
    for entry in folder.read_dir_utf8().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (name, path) = (entry.file_name(), entry.path());
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            read_folder(path, &format!("{prefix}{name}/"), files)?;
        } else {
            let bytes = std::fs::read(path).map_err(|source| (path.to_owned(), source))?;
            files.insert(format!("{prefix}{name}"), bytes);
        }
    }
    Ok(())
}
