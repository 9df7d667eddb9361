//! The repository's rules that no compiler checks: boundaries between crates, and the words of user-facing text.

mod assumptions;
mod boundaries;
mod features;
mod literals;
mod processes;
mod readme;
mod words;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The workspace's root.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's root").to_owned()
}

/// The files below these folders, relative to the root, that git tracks or would track.
fn files(folders: &[&str]) -> Vec<String> {
    let mut git = engine::process::git(root());
    git.args(["ls-files", "--cached", "--others", "--exclude-standard", "--"]).args(folders);
    let listed = run(git);
    let mut files: Vec<_> = listed.lines().filter(|file| root().join(file).is_file()).map(str::to_owned).collect();
    files.sort_unstable();
    files.dedup();
    assert!(!files.is_empty(), "{folders:?} has no files");
    files
}

fn read(file: &str) -> String {
    fs_err::read_to_string(root().join(file)).expect("the file is text")
}

/// Runs a command that must succeed, and returns what it printed.
fn run(mut command: Command) -> String {
    let output = command.current_dir(root()).output().expect("the program starts");
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}
