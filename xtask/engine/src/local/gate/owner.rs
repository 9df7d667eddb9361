//! The process of the gate, which owns the emulator's: both start together, and each ends with the other.

use std::{io::ErrorKind, net::Ipv4Addr, process::ExitStatus, sync::Arc};

use camino::Utf8Path;
use nix::{
    sys::{
        resource::{Resource, getrlimit, setrlimit},
        signal::{Signal, kill},
    },
    unistd::Pid,
};
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    signal::unix::{SignalKind, signal},
};

use super::{Gate, SOCKET};
use crate::{
    local::{
        Keys, LocalError,
        error::io,
        start::{PORT_VARIABLE, USUAL_PORT},
    },
    process,
};

/// How many seconds the emulator keeps an idle connection; longer than the gate does.
const KEEP_ALIVE: &str = "75";
/// The permissions that the socket does not have: only its owner may connect. Decimal, for 0177.
const UMASK: &str = "127";

/// Runs the gate in the current folder, with the emulator that `python` is installed for, until the emulator ends. `token` identifies the
/// processes.
///
/// # Errors
///
/// When the port is taken, or the emulator does not start or ends by itself.
pub async fn run(token: &str, python: &str) -> Result<(), LocalError> {
    let port = std::env::var(PORT_VARIABLE).ok().and_then(|port| port.parse().ok()).unwrap_or(USUAL_PORT);
    let keys = Keys::read(Utf8Path::new("."))?.ok_or(LocalError::NoKeys)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => LocalError::PortTaken { port },
        _ => io("listen on the local cloud's port")(error),
    })?;
    let mut terminated = signal(SignalKind::terminate()).map_err(io("wait for signals"))?;
    raise_descriptors();
    let mut emulator = spawn(token, python)?;
    let serving = tokio::spawn(Arc::new(Gate::new(Utf8Path::new("."), keys, port)).serve(listener));
    let mut is_stopping = false;
    let ended: ExitStatus = loop {
        tokio::select! {
            ended = emulator.wait() => break ended.map_err(io("watch MiniStack"))?,
            Some(()) = terminated.recv() => {
                is_stopping = true;
                terminate(&emulator);
            }
        }
    };
    serving.abort();
    if is_stopping { Ok(()) } else { Err(LocalError::EmulatorEnded { status: ended }) }
}

/// Starts the emulator on its socket. It inherits the environment of the gate, except for the gate's own log.
fn spawn(token: &str, python: &str) -> Result<Child, LocalError> {
    let bind = format!("unix:{SOCKET}");
    Command::from(process::command(python))
        // Python ignores unknown -X options; the token there identifies the process.
        .args(["-X", token, "-m", "hypercorn", "ministack.app:app", "--bind", &bind])
        // Zero workers: the server is this process.
        .args(["--workers", "0", "--keep-alive", KEEP_ALIVE, "--umask", UMASK])
        .env_remove("RUST_LOG")
        .env_remove("NO_COLOR")
        .kill_on_drop(true)
        .spawn()
        .map_err(io("start MiniStack"))
}

/// Asks the emulator to end.
fn terminate(emulator: &Child) {
    if let Some(pid) = emulator.id().and_then(|pid| i32::try_from(pid).ok()) {
        let _ended = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
}

/// Raises the limit of open files to the highest allowed: each client has two connections. The emulator inherits it.
fn raise_descriptors() {
    if let Ok((_, highest)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _refused = setrlimit(Resource::RLIMIT_NOFILE, highest, highest);
    }
}
