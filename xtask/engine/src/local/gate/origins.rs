//! The origins whose browsers may use the local cloud: its own, and those that the stage's file allows.
//!
//! The engine writes them to a file when it opens the stage; the gate reads the file again when it has changed.

use std::{
    collections::BTreeSet,
    os::unix::fs::MetadataExt,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use camino::{Utf8Path, Utf8PathBuf};

use crate::local::{LocalError, error::io};

/// The file's name within the local cloud's folder.
const FILE: &str = "origins.json";

/// The allowed origins, as the gate knows them.
#[derive(Debug)]
pub(super) struct Origins {
    own: [String; 2],
    file: Utf8PathBuf,
    read: Mutex<(Version, BTreeSet<String>)>,
}

/// What changes whenever the file is replaced: its inode, and the time of its last change. `None` without a file.
type Version = Option<(u64, SystemTime)>;

impl Origins {
    /// The origins of the gate at `port`, whose files are in `directory`.
    pub(super) fn new(directory: &Utf8Path, port: u16) -> Self {
        let own = ["127.0.0.1", "localhost"].map(|host| format!("http://{host}:{port}"));
        Self { own, file: directory.join(FILE), read: Mutex::default() }
    }

    /// Returns whether browsers of an origin may use the local cloud.
    pub(super) fn allow(&self, origin: &str) -> bool {
        if self.own.iter().any(|own| own == origin) {
            return true;
        }
        let metadata = std::fs::metadata(&self.file);
        let version = metadata.and_then(|metadata| Ok((metadata.ino(), metadata.modified()?))).ok();
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.0 != version {
            let text = std::fs::read(&self.file).unwrap_or_default();
            *read = (version, serde_json::from_slice(&text).unwrap_or_default());
        }
        read.1.contains(origin)
    }
}

/// Writes the origins that the stage allows, if they have changed.
///
/// # Errors
///
/// When the file cannot be written.
pub(in crate::local) fn write(directory: &Utf8Path, origins: &BTreeSet<String>) -> Result<(), LocalError> {
    let failed = || io("record the origins that the stage allows");
    let text = serde_json::to_vec(origins).map_err(|error| failed()(error.into()))?;
    if std::fs::read(directory.join(FILE)).is_ok_and(|written| written == text) {
        return Ok(());
    }
    let file = tempfile::NamedTempFile::new_in(directory).map_err(failed())?;
    fs_err::write(file.path(), text).map_err(failed())?;
    file.persist(directory.join(FILE)).map_err(|error| failed()(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stages_origins_replace_those_of_before() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let directory = Utf8Path::from_path(folder.path()).expect("UTF-8");
        let origins = Origins::new(directory, 4566);
        assert!(origins.allow("http://127.0.0.1:4566") && origins.allow("http://localhost:4566"));
        assert!(!origins.allow("http://localhost:3000") && !origins.allow("http://localhost:45660"));
        write(directory, &["http://localhost:3000".to_owned()].into()).expect("written");
        assert!(origins.allow("http://localhost:3000"));
        write(directory, &["http://localhost:5173".to_owned()].into()).expect("written");
        assert!(!origins.allow("http://localhost:3000") && origins.allow("http://localhost:5173"));
    }
}
