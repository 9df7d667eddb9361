//! Creates the commands for every program that the engine starts.
//!
//! git sets variables such as `GIT_DIR` for its hooks and aliases. A git that inherits them works on the repository that they
//! name instead of the one around its folder, and cargo and pip start git in turn. So no program inherits them.

use std::{ffi::OsStr, path::Path, process::Command};

use cargo_metadata::{Metadata, MetadataCommand};

/// The variables by which git finds a repository or is configured for one: the output of `git rev-parse --local-env-vars`
/// (git-rev-parse manual), of this version and of older ones.
const OF_REPOSITORY: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// The variables that cargo sets for a program that it runs, or for the compilation of one (Cargo book, "Environment Variables").
const OF_CARGO: &[&str] = &[
    "CARGO",
    "CARGO_CRATE_NAME",
    "CARGO_MAKEFLAGS",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_LINKS",
    "CARGO_MANIFEST_PATH",
    "CARGO_PRIMARY_PACKAGE",
    "CARGO_TARGET_TMPDIR",
    "OUT_DIR",
];
/// The prefixes of such variables.
const PREFIXES_OF_CARGO: &[&str] = &["CARGO_BIN_", "CARGO_CFG_", "CARGO_FEATURE_", "CARGO_PKG_"];

/// Returns whether cargo sets a variable for what it runs, so that the user did not choose its value.
pub(crate) fn is_set_by_cargo(variable: &str) -> bool {
    OF_CARGO.contains(&variable) || PREFIXES_OF_CARGO.iter().any(|prefix| variable.starts_with(prefix))
}

/// Returns a command that inherits no repository from the caller.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    without_repository(Command::new(program))
}

/// Returns a command of git that works in the repository around `folder`.
pub fn git(folder: impl AsRef<Path>) -> Command {
    let mut command = command("git");
    command.arg("-C").arg(folder.as_ref());
    command
}

/// Returns a command of git for a repository that a test owns. The user's configuration has no effect on it: it may sign commits, or run
/// hooks that write elsewhere.
pub fn git_of_test(folder: impl AsRef<Path>) -> Command {
    let mut command = git(folder);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    command
}

/// Returns a command of cargo: the one that runs this program, or the one on the search path.
pub fn cargo() -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Returns a command of the cargo on the search path, as if the user had started it: the variables of the cargo that runs this program
/// would mislead it, or rebuild needlessly.
pub(crate) fn nested_cargo() -> Command {
    let mut cargo = command("cargo");
    for (name, _) in std::env::vars_os() {
        if is_set_by_cargo(&name.to_string_lossy()) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Reads the packages of a workspace, as [`MetadataCommand::exec`] does, but without the caller's repository.
///
/// # Errors
///
/// When cargo does not start, or cannot read the workspace.
pub fn metadata(metadata: &MetadataCommand) -> cargo_metadata::Result<Metadata> {
    let output = without_repository(metadata.cargo_command()).output()?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(cargo_metadata::Error::CargoMetadata { stderr });
    }
    let stdout = std::str::from_utf8(&output.stdout)?;
    let json = stdout.lines().find(|line| line.starts_with('{')).ok_or(cargo_metadata::Error::NoJson)?;
    MetadataCommand::parse(json)
}

fn without_repository(mut command: Command) -> Command {
    for variable in OF_REPOSITORY {
        command.env_remove(variable);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variables_are_those_that_git_lists() {
        let listed = git(".").args(["rev-parse", "--local-env-vars"]).output().expect("git starts");
        let listed = String::from_utf8(listed.stdout).expect("UTF-8");
        let missing: Vec<_> = listed.lines().filter(|variable| !OF_REPOSITORY.contains(variable)).collect();
        assert_eq!(missing, Vec::<&str>::new());
        assert!(listed.lines().any(|variable| variable == "GIT_DIR"), "{listed}");
    }

    #[test]
    fn the_user_s_settings_of_cargo_are_kept() {
        for own in ["CARGO_HOME", "CARGO_PROFILE_LAMBDA_LTO", "CARGO_TARGET_DIR", "CARGO_UNSTABLE_GC", "RUSTFLAGS"] {
            assert!(!is_set_by_cargo(own), "{own}");
        }
        for foreign in ["CARGO", "CARGO_PKG_NAME", "CARGO_MANIFEST_DIR", "CARGO_BIN_EXE_xtask", "OUT_DIR"] {
            assert!(is_set_by_cargo(foreign), "{foreign}");
        }
        // Tests are run by cargo.
        let removed: Vec<_> = nested_cargo().get_envs().map(|(name, _)| name.to_owned()).collect();
        assert!(removed.iter().any(|name| name == "CARGO_MANIFEST_DIR"), "{removed:?}");
    }

    #[test]
    fn no_command_inherits_a_repository() {
        for command in [command("true"), git("."), cargo()] {
            let removed: Vec<_> = command.get_envs().filter(|(_, value)| value.is_none()).collect();
            assert_eq!(removed.len(), OF_REPOSITORY.len(), "{command:?}");
        }
    }
}
