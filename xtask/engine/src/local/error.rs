//! Why the local cloud could not be had, each with what to do now.

use camino::Utf8PathBuf;
use miette::Diagnostic;
use thiserror::Error;

use crate::python::PythonError;

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
    /// It cannot be installed.
    #[error(transparent)]
    #[diagnostic(help(
        "install python3 (3.10 or later) with venv and pip, or name one with XTASK_PYTHON, and see that pip reaches its package \
         index; or set AWS_ENDPOINT_URL to another emulator's address"
    ))]
    Python(#[from] PythonError),
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
