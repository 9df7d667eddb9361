//! The files of a layer: those that are zipped are those that are hashed.

use std::{collections::BTreeSet, io};

use camino::{Utf8Path, Utf8PathBuf};
use miette::Diagnostic;
use thiserror::Error;

use super::{SourcesError, git::Git};
use crate::error::one_line;

/// What file managers, archivers and git leave in a folder.
const LITTER: [&str; 5] = [".DS_Store", ".git", "Thumbs.db", "__MACOSX", "desktop.ini"];

/// One file of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LayerFile {
    /// Its path below `/opt`.
    pub(crate) name: String,
    /// Its path on disk.
    pub(crate) path: Utf8PathBuf,
    /// Whether its owner may execute it.
    pub(crate) executable: bool,
}

/// A layer's folder cannot be read.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum LayerError {
    /// A file or folder cannot be read.
    #[error("failed to read {path}")]
    File {
        /// The file or folder.
        path: Utf8PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The folder has no files.
    #[error("layer folder {path} has no files, apart from those that git ignores")]
    #[diagnostic(help("put the layer's files there, or correct the folder in the system's definition"))]
    Empty {
        /// The folder.
        path: Utf8PathBuf,
    },
    /// A link leads nowhere.
    #[error("{path} in a layer is a link to {target}, which does not exist")]
    #[diagnostic(help("correct or remove the link: a layer contains the targets of its links"))]
    DeadLink {
        /// The link.
        path: Utf8PathBuf,
        /// Its target, as the link has it.
        target: String,
    },
    /// A link leads to a folder that contains it.
    #[error("{path} in a layer is a link to a folder that contains it")]
    #[diagnostic(help("remove the link: a layer contains the targets of its links"))]
    Cycle {
        /// The link.
        path: Utf8PathBuf,
    },
    /// A socket, a pipe or a device.
    #[error("{path} in a layer is neither a file nor a folder")]
    #[diagnostic(help("remove it from the layer's folder"))]
    Special {
        /// It.
        path: Utf8PathBuf,
    },
    /// git cannot list the ignored files.
    #[error("failed to find the ignored files of layer folder {path}: {reason}")]
    Ignored {
        /// The folder.
        path: Utf8PathBuf,
        /// The reason.
        reason: String,
    },
}

/// Lists the files of a layer's folder, sorted by name. Links are followed: their targets are in the layer. Files that git ignores are
/// left out, unless the whole folder is ignored, and so is litter such as `.DS_Store`.
///
/// # Errors
///
/// When something cannot be read or zipped, or there are no files.
pub(crate) fn files(folder: &Utf8Path) -> Result<Vec<LayerFile>, LayerError> {
    let ignored = match Git::around(folder).and_then(|git| git.ignored()) {
        Ok(ignored) => ignored,
        // Without git, no file is ignored.
        Err(SourcesError::NoRepository { .. } | SourcesError::NoGit { .. }) => BTreeSet::new(),
        Err(error) => return Err(LayerError::Ignored { path: folder.to_owned(), reason: one_line(&error) }),
    };
    let root = folder.canonicalize_utf8().map_err(|source| LayerError::File { path: folder.to_owned(), source })?;
    let ignored = ignored.into_iter().map(|file| root.join(file)).collect();
    let mut walk = Walk { ignored, around: Vec::new(), found: Vec::new() };
    walk.enter(folder, "")?;
    if walk.found.is_empty() {
        return Err(LayerError::Empty { path: folder.to_owned() });
    }
    walk.found.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(walk.found)
}

/// The state of a walk through a folder.
struct Walk {
    /// The ignored files, by their path without links.
    ignored: BTreeSet<Utf8PathBuf>,
    /// The folder of the walk and those around it, without links.
    around: Vec<Utf8PathBuf>,
    found: Vec<LayerFile>,
}

impl Walk {
    fn enter(&mut self, folder: &Utf8Path, prefix: &str) -> Result<(), LayerError> {
        let failed = |source| LayerError::File { path: folder.to_owned(), source };
        let canonical = folder.canonicalize_utf8().map_err(failed)?;
        if self.around.contains(&canonical) {
            return Err(LayerError::Cycle { path: folder.to_owned() });
        }
        self.around.push(canonical.clone());
        for entry in folder.read_dir_utf8().map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let (name, path) = (format!("{prefix}{}", entry.file_name()), entry.path());
            if is_litter(entry.file_name()) || self.ignored.contains(&canonical.join(entry.file_name())) {
                continue;
            }
            let metadata = path.metadata().map_err(|source| unreadable(path, source))?;
            if metadata.is_dir() {
                self.enter(path, &format!("{name}/"))?;
            } else if metadata.is_file() {
                self.found.push(LayerFile { name, path: path.to_owned(), executable: is_executable(&metadata) });
            } else {
                return Err(LayerError::Special { path: path.to_owned() });
            }
        }
        self.around.pop();
        Ok(())
    }
}

/// The reason why a path cannot be read: a link's target may not exist, or the link may lead to itself.
fn unreadable(path: &Utf8Path, source: io::Error) -> LayerError {
    match path.read_link_utf8() {
        Ok(target) => LayerError::DeadLink { path: path.to_owned(), target: target.into_string() },
        Err(_) => LayerError::File { path: path.to_owned(), source },
    }
}

fn is_litter(name: &str) -> bool {
    // `._name` holds what macOS knows about a file on a disk of another system.
    LITTER.contains(&name) || name.starts_with("._")
}

#[cfg(unix)]
fn is_executable(metadata: &std::fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_metadata: &std::fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::process;

    /// A layer in a repository with a font, a program, litter, and an ignored file.
    fn example() -> (tempfile::TempDir, Utf8PathBuf) {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let root = Utf8PathBuf::from_path_buf(temporary.path().to_owned()).expect("UTF-8");
        let layer = root.join("layer");
        fs_err::create_dir_all(layer.join("bin")).expect("created");
        for (name, text) in [
            ("../.gitignore", "*.pyc\n/generated\n"),
            ("font.ttf", "font"),
            ("bin/tool", "#!/bin/sh\n"),
            (".DS_Store", "litter"),
            ("bin/._tool", "litter"),
            ("bin/tool.pyc", "ignored"),
        ] {
            fs_err::write(layer.join(name), text).expect("written");
        }
        fs_err::set_permissions(layer.join("bin/tool"), PermissionsExt::from_mode(0o755)).expect("set");
        assert!(process::git_of_test(&root).args(["init", "--quiet"]).status().expect("git").success());
        (temporary, layer)
    }

    fn listed(layer: &Utf8Path) -> Vec<(String, bool)> {
        files(layer).expect("listed").into_iter().map(|file| (file.name, file.executable)).collect()
    }

    #[test]
    fn litter_and_ignored_files_are_left_out_and_modes_are_kept() {
        let (_folder, layer) = example();
        assert_eq!(listed(&layer), [("bin/tool".to_owned(), true), ("font.ttf".to_owned(), false)]);
    }

    #[test]
    fn a_folder_that_is_ignored_as_a_whole_is_the_output_of_a_program() {
        let (_folder, layer) = example();
        let generated = layer.parent().expect("the repository").join("generated");
        fs_err::rename(&layer, &generated).expect("renamed");
        let names: Vec<_> = listed(&generated).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["bin/tool", "bin/tool.pyc", "font.ttf"]);
    }

    #[test]
    fn links_are_followed_or_refused_with_the_reason() {
        let (_folder, layer) = example();
        symlink("font.ttf", layer.join("same.ttf")).expect("linked");
        symlink("bin", layer.join("programs")).expect("linked");
        let names: Vec<_> = listed(&layer).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["bin/tool", "font.ttf", "programs/tool", "same.ttf"]);

        symlink("nowhere", layer.join("dead")).expect("linked");
        assert!(matches!(files(&layer), Err(LayerError::DeadLink { target, .. }) if target == "nowhere"));
        fs_err::remove_file(layer.join("dead")).expect("removed");
        symlink("..", layer.join("bin/around")).expect("linked");
        assert!(matches!(files(&layer), Err(LayerError::Cycle { .. })));
    }

    #[test]
    fn a_layer_without_files_is_refused() {
        let (_folder, layer) = example();
        fs_err::remove_file(layer.join("font.ttf")).expect("removed");
        fs_err::remove_file(layer.join("bin/tool")).expect("removed");
        assert!(matches!(files(&layer), Err(LayerError::Empty { .. })));
    }
}
