//! The folders of a worker: one workspace for each stage file, the files of sites, and the zips.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use camino::{Utf8Path, Utf8PathBuf};
use engine::workspace::Workspace;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::{
    builds::Zips,
    project::{STAGE, stage_file},
    shape::Shape,
};

/// How many contents a site may have.
pub const CONTENTS: u8 = 8;

/// The folders. They are removed with the last clone.
#[derive(Debug, Clone)]
pub struct Folders {
    base: Arc<TempDir>,
    root: Utf8PathBuf,
    written: Arc<Mutex<BTreeSet<String>>>,
    /// The zips of all builds.
    pub zips: Zips,
}

impl Folders {
    /// Makes the folders in the system's temporary folder.
    ///
    /// # Errors
    ///
    /// When they cannot be written.
    pub fn new() -> std::io::Result<Self> {
        let base = tempfile::Builder::new().prefix("simulation-").tempdir()?;
        let root = Utf8PathBuf::from_path_buf(base.path().to_owned())
            .map_err(|path| std::io::Error::other(format!("{} is not UTF-8", path.display())))?;
        let zips = root.join("zips");
        fs_err::create_dir_all(&zips)?;
        Ok(Self { base: Arc::new(base), root, written: Arc::default(), zips: Zips::in_folder(&zips) })
    }

    /// Returns the workspace of a shape: its stage file and the sources of its sites.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn workspace(&self, shape: &Shape) -> std::io::Result<Workspace> {
        let file = stage_file(shape);
        let name = hex::encode(&Sha256::digest(&file)[..8]);
        let root = self.root.join(&name);
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.insert(name) {
            write(&root, &file)?;
        }
        let target = root.join("target");
        Ok(Workspace::with_target(root, target))
    }

    /// The folder that holds all others.
    #[must_use]
    pub fn base(&self) -> &std::path::Path {
        self.base.path()
    }
}

fn write(root: &Utf8Path, stage_file: &str) -> std::io::Result<()> {
    let stages = root.join("stacks/stages");
    fs_err::create_dir_all(&stages)?;
    fs_err::write(stages.join(format!("{STAGE}.yaml")), stage_file)?;
    for content in 0..CONTENTS {
        let folder = root.join(format!("sites/{content}"));
        fs_err::create_dir_all(&folder)?;
        for (file, text) in site_files(content) {
            fs_err::write(folder.join(file), text)?;
        }
    }
    Ok(())
}

/// The files of a site's content. Two contents in a row share their style.
#[must_use]
pub fn site_files(content: u8) -> [(&'static str, String); 2] {
    let page = format!("<!doctype html><link rel=\"stylesheet\" href=\"style.css\"><p>Content {content}</p>\n");
    [("index.html", page), ("style.css", format!("body {{ margin: {}px }}\n", content / 2))]
}
