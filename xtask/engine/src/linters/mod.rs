//! The linters whose findings a project may accept: zizmor for workflows, checkov for templates.
//!
//! Both run offline, in their pinned versions, without settings files and with none of the caller's variables: the same sources have the
//! same findings on every machine. The module `exceptions` judges the findings.

mod checkov;
mod exceptions;
mod report;
mod zizmor;

use std::process::{Output, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use miette::Diagnostic;
use serde::Deserialize;
use thiserror::Error;
use tokio::process::Command;

use self::exceptions::{Exceptions, ExceptionsError};
pub(crate) use self::{checkov::CHECKOV, zizmor::ZIZMOR};
use crate::{
    process,
    python::{Program, PythonError},
    ui::Ui,
    workspace::Workspace,
};

/// The variables that a linter inherits: where programs and temporary files are.
const INHERITED: [&str; 4] = ["PATH", "TMPDIR", "TEMP", "SYSTEMROOT"];

/// A linter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Linter {
    /// zizmor, for workflows.
    Zizmor,
    /// checkov, for templates.
    Checkov,
}

/// A finding of a linter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The rule's name.
    rule: String,
    /// The file, and the item in it: a resource, or the keys above the finding.
    place: String,
    /// The line in the file.
    line: usize,
    /// What the rule requires.
    title: String,
}

/// A linter cannot be run.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum LinterError {
    /// It cannot be installed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Install(#[from] PythonError),
    /// The exceptions cannot be read.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Exceptions(#[from] ExceptionsError),
    /// A file or process operation failed.
    #[error("failed to {action} for {linter}")]
    #[diagnostic(help("check the folder's permissions and the disk's free space"))]
    Io {
        /// The operation.
        action: &'static str,
        /// The linter.
        linter: &'static str,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// It ended with an error.
    #[error("failed to run {linter}: {output}")]
    #[diagnostic(help("fix the file that it names, then run the command again"))]
    Run {
        /// The linter.
        linter: &'static str,
        /// Its messages.
        output: String,
    },
    /// Its output has an unknown form.
    #[error("failed to parse the output of {linter}")]
    #[diagnostic(help("check that the pinned version prints the expected JSON"))]
    Output {
        /// The linter.
        linter: &'static str,
        /// The parser's error.
        source: serde_json::Error,
    },
    /// It could not read a file.
    #[error("failed to check {files} with {linter}: it cannot parse them")]
    #[diagnostic(help("fix the YAML of these files"))]
    Unread {
        /// The linter.
        linter: &'static str,
        /// The files.
        files: String,
    },
}

impl Linter {
    /// Its name: the check's and the one in the exceptions.
    pub(crate) const fn name(self) -> &'static str {
        self.program().name
    }

    /// The arguments of its program.
    pub(crate) const fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Zizmor => zizmor::ARGUMENTS,
            Self::Checkov => checkov::ARGUMENTS,
        }
    }

    const fn program(self) -> Program {
        match self {
            Self::Zizmor => ZIZMOR,
            Self::Checkov => CHECKOV,
        }
    }

    /// Runs it on the workspace and reports findings without an exception, and exceptions without a finding. Returns whether there are
    /// none.
    ///
    /// # Errors
    ///
    /// When the linter or the exceptions cannot be used.
    pub(crate) async fn passes(self, workspace: &Workspace, ui: &Ui) -> Result<bool, LinterError> {
        let exceptions = Exceptions::read(workspace.root())?;
        let program = self.program().install(workspace.target(), ui).await?.join(self.name());
        let findings = self.findings(&program, workspace).await?;
        let verdict = exceptions.judge(self, &findings);
        ui.say(report::text(self, &verdict));
        Ok(verdict.is_clean())
    }

    async fn findings(self, program: &Utf8Path, workspace: &Workspace) -> Result<Vec<Finding>, LinterError> {
        let folder = tempfile::tempdir().map_err(self.io("create a temporary folder"))?;
        let home = Utf8PathBuf::from_path_buf(folder.path().to_owned()).map_err(|_| std::io::ErrorKind::InvalidData);
        let home = home.map_err(|kind| self.io("name a temporary folder")(kind.into()))?;
        match self {
            Self::Zizmor if !workspace.root().join(zizmor::WORKFLOWS).is_dir() => Ok(Vec::new()),
            Self::Zizmor => {
                let output = self.run(program, workspace.root(), &home).await?;
                zizmor::findings(&output).map_err(|source| LinterError::Output { linter: self.name(), source })
            }
            Self::Checkov => {
                let copied = checkov::copy_templates(&workspace.templates(), &home);
                if copied.map_err(self.io("copy the templates"))? == 0 {
                    return Ok(Vec::new());
                }
                checkov::findings(&self.run(program, &home, &home).await?)
            }
        }
    }

    /// Runs the program in a folder and returns its output. `home` holds none of the user's settings.
    async fn run(self, program: &Utf8Path, folder: &Utf8Path, home: &Utf8Path) -> Result<Vec<u8>, LinterError> {
        let mut command = Command::from(process::command(program.as_str()));
        let inherited = INHERITED.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
        command.args(self.arguments()).current_dir(folder).env_clear().envs(inherited).env("HOME", home);
        if self == Self::Checkov {
            command.envs([checkov::ENVIRONMENT]);
        }
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
        let Output { status, stdout, stderr } = output.map_err(self.io("start the program"))?;
        if status.success() {
            return Ok(stdout);
        }
        let printed = String::from_utf8_lossy(&stderr).trim().to_owned();
        let output = if printed.is_empty() { format!("it printed nothing and ended with {status}") } else { printed };
        Err(LinterError::Run { linter: self.name(), output })
    }

    fn io(self, action: &'static str) -> impl FnOnce(std::io::Error) -> LinterError {
        move |source| LinterError::Io { action, linter: self.name(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Creates a program. A shell writes it, because another test's child process may inherit a file that this process has open for
    /// writing, which then cannot be run.
    fn program(folder: &Utf8Path, script: &str) -> Utf8PathBuf {
        let path = folder.join("program");
        let text = format!("#!/bin/sh\n{script}\n");
        let mut shell = process::command("sh");
        shell.args(["-c", "printf %s \"$1\" >\"$0\" && chmod +x \"$0\"", path.as_str(), &text]);
        assert!(shell.status().expect("sh is everywhere").success());
        path
    }

    fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = Utf8PathBuf::from_path_buf(folder.path().to_path_buf()).expect("UTF-8");
        (folder, path)
    }

    #[tokio::test]
    async fn a_linter_gets_none_of_the_callers_variables() {
        let (_folder, path) = folder();
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some(), "cargo sets variables for its tests");
        let output = Linter::Checkov.run(&program(&path, "env"), &path, &path).await.expect("it runs");
        let output = String::from_utf8(output).expect("UTF-8");
        assert!(output.contains(&format!("HOME={path}\n")), "{output}");
        let of_shell = ["HOME", "CKV_SKIP_PACKAGE_UPDATE_CHECK", "PWD", "OLDPWD", "SHLVL", "_"];
        let names = output.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name);
        let others: Vec<_> = names.filter(|name| !INHERITED.contains(name) && !of_shell.contains(name)).collect();
        assert_eq!(others, Vec::<&str>::new());
    }

    #[tokio::test]
    async fn the_messages_of_a_linter_that_fails_are_in_the_error() {
        let (_folder, path) = folder();
        let failing = program(&path, "echo '[]'; echo 'invalid YAML syntax' >&2; exit 1");
        let error = Linter::Zizmor.run(&failing, &path, &path).await.expect_err("it fails").to_string();
        assert_eq!(error, "failed to run zizmor: invalid YAML syntax");
    }

    #[tokio::test]
    async fn a_workspace_without_workflows_and_templates_has_no_findings() {
        let (_folder, path) = folder();
        let workspace = Workspace::at(path.clone());
        for linter in [Linter::Zizmor, Linter::Checkov] {
            let findings = linter.findings(Utf8Path::new("no-such-program"), &workspace).await;
            assert_eq!(findings.expect("nothing to check"), []);
        }
    }
}
