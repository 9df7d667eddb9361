//! The local cloud: installs, starts, finds and stops one MiniStack per checkout, behind a gate of its own.
//!
//! It does not know what is deployed. MiniStack keeps its state in memory: a stop loses everything, and a deploy restores it in seconds.
//! (`PERSIST_STATE` only writes on a clean exit, but S3's files are written at once. They would disagree after a crash, so neither is
//! used.)

mod error;
mod gate;
mod health;
mod instance;
mod keys;
mod logs;
mod start;

use std::{collections::BTreeSet, fs::File, path::PathBuf, time::Duration};

use camino::Utf8PathBuf;

pub use self::{
    error::LocalError,
    gate::run as run_gate,
    keys::Keys,
    logs::{last_log_lines, log_path, logs},
};
use self::{
    error::io,
    instance::{Instance, Leader},
};
use crate::{poll::Schedule, python::Program, ui::Ui, workspace::Workspace};

/// The program that runs the local cloud, installed once for all instances.
pub(crate) const MINISTACK: Program =
    Program { name: "MiniStack", folder: "local-venv", requirements: include_str!("requirements.txt") };

/// The number of log lines in an error.
const LINES_IN_ERRORS: usize = 20;

/// The folders and the port of the local cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The instance's own files: log, temporary files, process ID.
    pub directory: Utf8PathBuf,
    /// The folder of the installation, which all instances share.
    pub target: Utf8PathBuf,
    /// The port; `None` means 4566, or any free one if that is taken.
    pub port: Option<u16>,
    /// The program that runs the gate.
    pub gate: GateProgram,
}

/// The program that runs the gate: it calls [`run_gate`] with the two arguments that are appended to these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateProgram {
    /// The program.
    pub program: PathBuf,
    /// Its first arguments.
    pub arguments: Vec<String>,
}

impl Default for GateProgram {
    /// This program.
    fn default() -> Self {
        // Without its path, a start fails with the error of the program that is not found.
        let program = std::env::current_exe().unwrap_or_default();
        Self { program, arguments: ["local", "gate"].map(str::to_owned).to_vec() }
    }
}

/// A running MiniStack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its URL.
    pub endpoint: String,
    /// The port in `endpoint`.
    pub port: u16,
    /// The process of its gate, the leader of the process group of MiniStack and the functions.
    pub pid: u32,
    /// The file with the keys that calls are signed with.
    pub credentials: Utf8PathBuf,
    /// Its log.
    pub log: Utf8PathBuf,
    /// Whether this call started it.
    pub started: bool,
}

/// An emulator in the place of AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emulator {
    /// Its URL.
    pub url: String,
    /// The keys that calls are signed with.
    pub keys: Keys,
}

impl Emulator {
    /// An emulator that verifies no signature.
    #[must_use]
    pub fn open(url: String) -> Self {
        Self { url, keys: Keys::well_known() }
    }
}

impl Settings {
    /// The settings of the workspace's instance, changed by `XTASK_LOCAL_DIRECTORY` and `XTASK_LOCAL_PORT`.
    ///
    /// # Errors
    ///
    /// When `XTASK_LOCAL_PORT` is not a port.
    pub(crate) fn from_workspace(workspace: &Workspace) -> Result<Self, LocalError> {
        let directory = std::env::var("XTASK_LOCAL_DIRECTORY").ok().filter(|value| !value.is_empty());
        let port = std::env::var("XTASK_LOCAL_PORT").ok().filter(|value| !value.is_empty());
        Ok(Self {
            directory: directory
                .map_or_else(|| workspace.target().join("local"), |directory| workspace.root().join(directory)),
            target: workspace.target().to_path_buf(),
            port: port.map(|value| parse_port(&value)).transpose()?,
            gate: GateProgram::default(),
        })
    }
}

fn parse_port(value: &str) -> Result<u16, LocalError> {
    value.parse().ok().filter(|port| *port > 0).ok_or_else(|| LocalError::NoPort { value: value.to_owned() })
}

/// Starts MiniStack, unless it runs already.
///
/// # Errors
///
/// When it cannot be installed, the configured port is taken, or it does not respond in time.
pub async fn up(settings: &Settings, ui: &Ui) -> Result<Running, LocalError> {
    fs_err::create_dir_all(&settings.directory).map_err(io("create the local cloud's folder"))?;
    let _lock = lock(settings.directory.join("up.lock")).await?;
    if let Some(running) = find(settings, BUSY).await? {
        return match settings.port {
            Some(port) if port != running.port => Err(LocalError::OtherPort { running: running.port, port }),
            _ => Ok(running),
        };
    }
    down(settings).await?;
    let python = MINISTACK.install(&settings.target, ui).await?.join("python");
    start::start(settings, &python, ui).await
}

/// Stops MiniStack and its functions; returns whether it was running.
///
/// # Errors
///
/// When it survives SIGKILL, or its files cannot be removed.
pub async fn down(settings: &Settings) -> Result<bool, LocalError> {
    let Some(instance) = Instance::read(settings)? else { return Ok(false) };
    let was_running = instance.leader() == Leader::Instance;
    instance.stop().await?;
    Keys::remove(&settings.directory)?;
    Instance::remove(settings)?;
    Ok(was_running)
}

/// Finds the running MiniStack. Changes nothing.
///
/// # Errors
///
/// When the instance's file cannot be read.
pub async fn status(settings: &Settings) -> Result<Option<Running>, LocalError> {
    find(settings, Duration::ZERO).await
}

/// Finds the running MiniStack, which has `patience` to respond.
async fn find(settings: &Settings, patience: Duration) -> Result<Option<Running>, LocalError> {
    let Some(instance) = Instance::read(settings)? else { return Ok(None) };
    if !instance.has_gate
        || instance.leader() != Leader::Instance
        || !health::answers_within(instance.port, patience).await
    {
        return Ok(None);
    }
    Ok(Some(instance.running(settings, false)))
}

/// Stops MiniStack, which loses everything that was deployed, and starts it.
///
/// # Errors
///
/// As for [`up`] and [`down`].
pub async fn reset(settings: &Settings, ui: &Ui) -> Result<Running, LocalError> {
    down(settings).await?;
    up(settings, ui).await
}

/// Returns the emulator to deploy to: the user's `AWS_ENDPOINT_URL`, or MiniStack, which is started if it does not run. Browsers of
/// `origins` may use the latter.
///
/// # Errors
///
/// When no program listens at the user's URL, or as for [`up`].
pub(crate) async fn emulator(settings: &Settings, origins: &BTreeSet<String>, ui: &Ui) -> Result<Emulator, LocalError> {
    match std::env::var("AWS_ENDPOINT_URL").ok().filter(|url| !url.is_empty()) {
        Some(url) => {
            health::listens(&url).await?;
            external(url, settings, ui)
        }
        None => {
            let running = up(settings, ui).await?;
            gate::origins::write(&settings.directory, origins)?;
            let keys = Keys::read(&settings.directory)?.ok_or(LocalError::NoKeys)?;
            Ok(Emulator { url: running.endpoint, keys })
        }
    }
}

/// Returns the user's own emulator. If the local cloud's folder has keys, calls are signed with them: the URL may lead to its gate.
///
/// # Errors
///
/// When the keys cannot be read.
pub(crate) fn external(url: String, settings: &Settings, ui: &Ui) -> Result<Emulator, LocalError> {
    ui.say(format_args!(
        "AWS_ENDPOINT_URL names {url}; only the local cloud that xtask starts is protected from web pages"
    ));
    let keys = Keys::read(&settings.directory)?.unwrap_or_else(Keys::well_known);
    Ok(Emulator { url, keys })
}

/// After a failed call: returns an error if MiniStack has ended since it was started.
pub fn died(settings: &Settings) -> Option<LocalError> {
    let instance = Instance::read(settings).ok().flatten()?;
    (instance.leader() != Leader::Instance)
        .then(|| LocalError::Gone { lines: last_log_lines(settings, LINES_IN_ERRORS).join("\n") })
}

/// Waits for a lock that another process may hold. It is released when the file is dropped.
async fn lock(path: Utf8PathBuf) -> Result<File, LocalError> {
    let locked = tokio::task::spawn_blocking(move || {
        let file = File::create(path)?;
        file.lock()?;
        Ok(file)
    });
    locked.await.map_err(std::io::Error::other).and_then(|locked| locked).map_err(io("lock the local cloud's folder"))
}

/// The time after which a running MiniStack that does not respond is replaced.
const BUSY: Duration = Duration::from_secs(10);
/// For operations that take moments.
const SOON: Schedule = Schedule::every(Duration::from_millis(50));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_a_number_from_1_to_65535() {
        assert_eq!(parse_port("4567").ok(), Some(4567));
        for wrong in ["0", "65536", "http", "-1", " 80"] {
            assert!(matches!(parse_port(wrong), Err(LocalError::NoPort { value }) if value == wrong));
        }
    }

    #[test]
    fn an_instance_that_never_ran_has_not_ended() {
        let directory = Utf8PathBuf::from("/nonexistent/local");
        let settings = Settings { target: directory.clone(), directory, port: None, gate: GateProgram::default() };
        assert!(died(&settings).is_none());
    }
}
