//! Why the local cloud could not be had, each with what to do now.

use camino::Utf8PathBuf;
use miette::Diagnostic;
use thiserror::Error;

/// The local cloud could not be installed, started, reached or stopped.
#[derive(Debug, Error, Diagnostic)]
pub enum LocalError {
    /// A file or process operation failed.
    #[error("failed to {what}")]
    #[diagnostic(help("check the folder's permissions and the disk's free space"))]
    Io {
        /// What was being done.
        what: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// `XTASK_LOCAL_PORT` is no port.
    #[error("failed to read XTASK_LOCAL_PORT: `{value}` is no port number from 1 to 65535")]
    #[diagnostic(help("set XTASK_LOCAL_PORT to a number, or unset it to have a free port chosen"))]
    NoPort {
        /// The variable's value.
        value: String,
    },
    /// No Python at all.
    #[error("failed to find Python 3.10 or later, which the local cloud (MiniStack) runs on; tried {tried}")]
    #[diagnostic(help(
        "install python3, or name one with XTASK_PYTHON, or set AWS_ENDPOINT_URL to another emulator's address"
    ))]
    NoPython {
        /// The commands tried.
        tried: String,
    },
    /// Only an old Python.
    #[error("failed to find Python 3.10 or later, which the local cloud (MiniStack) runs on; found {found}")]
    #[diagnostic(help(
        "install a newer python3, or name one with XTASK_PYTHON, or set AWS_ENDPOINT_URL to another emulator's address"
    ))]
    OldPython {
        /// What was found, with its version.
        found: String,
    },
    /// Python without `venv`, or without the pip that comes with it.
    #[error("failed to make a virtual environment with {python}: {output}")]
    #[diagnostic(help(
        "install Python's venv and pip modules (Debian, Ubuntu: `apt-get install python3-venv`), or set \
         AWS_ENDPOINT_URL to another emulator's address"
    ))]
    NoVenv {
        /// The interpreter.
        python: String,
        /// What it said.
        output: String,
    },
    /// pip failed.
    #[error("failed to install MiniStack with pip: {output}")]
    #[diagnostic(help(
        "check that pip reaches its package index and run the command again, or set AWS_ENDPOINT_URL to another \
         emulator's address"
    ))]
    Pip {
        /// pip's last lines.
        output: String,
    },
    /// The configured port belongs to somebody else.
    #[error("failed to start the local cloud: port {port} is taken by another program")]
    #[diagnostic(help("set XTASK_LOCAL_PORT to a free port, or unset it to have one chosen"))]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// It runs, elsewhere than configured.
    #[error("failed to use port {port}: the local cloud already runs on port {running}")]
    #[diagnostic(help("run `cargo xtask local down` first"))]
    OtherPort {
        /// The port it has.
        running: u16,
        /// The port it was to have.
        port: u16,
    },
    /// It ended while it was starting.
    #[error("failed to start the local cloud: MiniStack ended with {status}; its log {log} ends with\n{lines}")]
    #[diagnostic(help("`cargo xtask local up` starts it again; a log that names a port means that it was just taken"))]
    EndedEarly {
        /// How it ended.
        status: std::process::ExitStatus,
        /// Its log.
        log: Utf8PathBuf,
        /// The log's last lines.
        lines: String,
    },
    /// It started and does not answer.
    #[error("failed to start the local cloud: no answer within {seconds} s; its log {log} ends with\n{lines}")]
    #[diagnostic(help("run the command again when the machine is less busy"))]
    NoAnswer {
        /// How long it was waited for.
        seconds: u64,
        /// Its log.
        log: Utf8PathBuf,
        /// The log's last lines.
        lines: String,
    },
    /// It ended after it was started.
    #[error("the local cloud (MiniStack) is gone, and all that was deployed to it; its log ends with\n{lines}")]
    #[diagnostic(help("run the command again: it starts a new one"))]
    Gone {
        /// The log's last lines.
        lines: String,
    },
    /// It does not stop.
    #[error("failed to stop the local cloud: process {pid} survived SIGKILL")]
    #[diagnostic(help("look at it with `ps -p {pid}`; it is probably stuck in the kernel"))]
    Unstoppable {
        /// The process.
        pid: u32,
    },
    /// Nothing listens at the user's own emulator's address.
    #[error("failed to reach AWS_ENDPOINT_URL {url}: {why}")]
    #[diagnostic(help("start what should listen there, or unset AWS_ENDPOINT_URL to use the built-in local cloud"))]
    Unreachable {
        /// The address.
        url: String,
        /// Why not.
        why: String,
    },
}

/// Turns an I/O error into ours, saying what was being done.
pub(super) fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> LocalError {
    move |source| LocalError::Io { what, source }
}
