//! Errors of the local cloud, each with a hint.

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
        /// The operation.
        what: &'static str,
        /// The reason.
        source: std::io::Error,
    },
    /// `XTASK_LOCAL_PORT` is not a port.
    #[error("failed to read XTASK_LOCAL_PORT: `{value}` is not a port number from 1 to 65535")]
    #[diagnostic(help("set XTASK_LOCAL_PORT to a number, or unset it to use a free port"))]
    NoPort {
        /// The variable's value.
        value: String,
    },
    /// MiniStack cannot be installed.
    #[error(transparent)]
    #[diagnostic(help(
        "install python3 (3.10 or later) with venv and pip, or set XTASK_PYTHON to its path, and check that pip reaches its package index; \
         or set AWS_ENDPOINT_URL to another emulator's address"
    ))]
    Python(#[from] PythonError),
    /// Another program uses the configured port.
    #[error("failed to start the local cloud: another program uses port {port}")]
    #[diagnostic(help("set XTASK_LOCAL_PORT to a free port, or unset it to use any free port"))]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// MiniStack runs on another port than the configured one.
    #[error("failed to use port {port}: the local cloud already runs on port {running}")]
    #[diagnostic(help("run `cargo xtask local down` first"))]
    OtherPort {
        /// Its port.
        running: u16,
        /// The configured port.
        port: u16,
    },
    /// The gate has no keys to verify signatures with.
    #[error("failed to start the local cloud's gate: its folder has no keys")]
    #[diagnostic(help("run `cargo xtask local up`, which starts the gate with new keys"))]
    NoKeys,
    /// The emulator ended behind its gate.
    #[error("failed to keep the local cloud running: MiniStack ended with {status}")]
    #[diagnostic(help("run `cargo xtask local up` to start it again"))]
    EmulatorEnded {
        /// Its exit status.
        status: std::process::ExitStatus,
    },
    /// MiniStack ended during its start.
    #[error("failed to start the local cloud: MiniStack ended with {status}; its log {log} ends with\n{lines}")]
    #[diagnostic(help(
        "run `cargo xtask local up` to start it again; if the log names a port, another program has taken that port"
    ))]
    EndedEarly {
        /// Its exit status.
        status: std::process::ExitStatus,
        /// Its log.
        log: Utf8PathBuf,
        /// The log's last lines.
        lines: String,
    },
    /// MiniStack started and does not respond.
    #[error("failed to start the local cloud: no response within {seconds} s; its log {log} ends with\n{lines}")]
    #[diagnostic(help("run the command again when the machine is less busy"))]
    NoResponse {
        /// The time limit.
        seconds: u64,
        /// Its log.
        log: Utf8PathBuf,
        /// The log's last lines.
        lines: String,
    },
    /// MiniStack ended after its start.
    #[error(
        "the local cloud (MiniStack) has ended, and all resources deployed to it are lost; its log ends with\n{lines}"
    )]
    #[diagnostic(help("run the command again: it starts a new local cloud"))]
    Gone {
        /// The log's last lines.
        lines: String,
    },
    /// MiniStack does not stop.
    #[error("failed to stop the local cloud: process {pid} survived SIGKILL")]
    #[diagnostic(help("inspect it with `ps -p {pid}`; it is probably stuck in the kernel"))]
    Unstoppable {
        /// The process.
        pid: u32,
    },
    /// No program listens at the address of the user's own emulator.
    #[error("failed to reach AWS_ENDPOINT_URL {url}: {why}")]
    #[diagnostic(help("start the emulator, or unset AWS_ENDPOINT_URL to use the built-in local cloud"))]
    Unreachable {
        /// The address.
        url: String,
        /// The reason.
        why: String,
    },
}

/// Converts an I/O error of an operation.
pub(super) fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> LocalError {
    move |source| LocalError::Io { what, source }
}
