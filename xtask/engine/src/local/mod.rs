//! The local cloud: one MiniStack per checkout, installed, started, found again and stopped.
//!
//! Knows nothing of what is deployed to it. MiniStack keeps its state in memory: stopping it forgets everything,
//! and a deploy brings it back in seconds. (`PERSIST_STATE` writes only on a clean exit, while S3's files are
//! written at once; after a crash the two would disagree, so neither is used.)

mod error;
mod health;
mod instance;
mod logs;
mod start;

use std::{fs::File, time::Duration};

use camino::Utf8PathBuf;

pub use self::{
    error::LocalError,
    logs::{last_log_lines, log_path, logs},
};
use self::{
    error::io,
    instance::{Instance, Leader},
};
use crate::{poll::Schedule, python::Program, ui::Ui, workspace::Workspace};

/// What runs the local cloud, and how it is installed: once for all instances.
pub(crate) const MINISTACK: Program =
    Program { name: "MiniStack", folder: "local-venv", requirements: include_str!("requirements.txt") };

/// How many of the log's last lines an error shows.
const LINES_IN_ERRORS: usize = 20;

/// Where the local cloud lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The instance's own files: its log, its temporary files, who it is.
    pub directory: Utf8PathBuf,
    /// Where the installation goes, which all instances share.
    pub target: Utf8PathBuf,
    /// The port to use; without it 4566, or any free one when that is taken.
    pub port: Option<u16>,
}

/// A running MiniStack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Where it answers.
    pub endpoint: String,
    /// The port in `endpoint`.
    pub port: u16,
    /// Its process, which leads the group that the functions run in.
    pub pid: u32,
    /// Its log.
    pub log: Utf8PathBuf,
    /// Was it started by this call?
    pub started: bool,
}

/// The cloud that `--stage local` talks to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// The MiniStack that this module runs.
    Managed(Running),
    /// Whatever the user's `AWS_ENDPOINT_URL` names.
    External(String),
}

impl Endpoint {
    /// Where it answers.
    #[must_use]
    pub fn url(&self) -> &str {
        match self {
            Self::Managed(running) => &running.endpoint,
            Self::External(url) => url,
        }
    }
}

impl Settings {
    /// The workspace's own instance, or the one that `XTASK_LOCAL_DIRECTORY` and `XTASK_LOCAL_PORT` describe.
    ///
    /// # Errors
    ///
    /// When `XTASK_LOCAL_PORT` is no port.
    pub fn from_workspace(workspace: &Workspace) -> Result<Self, LocalError> {
        let directory = std::env::var("XTASK_LOCAL_DIRECTORY").ok().filter(|value| !value.is_empty());
        let port = std::env::var("XTASK_LOCAL_PORT").ok().filter(|value| !value.is_empty());
        Ok(Self {
            directory: directory
                .map_or_else(|| workspace.target().join("local"), |directory| workspace.root().join(directory)),
            target: workspace.target().to_path_buf(),
            port: port.map(|value| parse_port(&value)).transpose()?,
        })
    }
}

fn parse_port(value: &str) -> Result<u16, LocalError> {
    value.parse().ok().filter(|port| *port > 0).ok_or_else(|| LocalError::NoPort { value: value.to_owned() })
}

/// Starts MiniStack, or finds the one that runs.
///
/// # Errors
///
/// When it cannot be installed, the configured port is taken, or it does not answer in time.
pub async fn up(settings: &Settings, ui: &Ui) -> Result<Running, LocalError> {
    fs_err::create_dir_all(&settings.directory).map_err(io("create the local cloud's folder"))?;
    let _lock = lock(settings.directory.join("up.lock")).await?;
    if let Some(running) = found(settings, BUSY).await? {
        return match settings.port {
            Some(port) if port != running.port => Err(LocalError::OtherPort { running: running.port, port }),
            _ => Ok(running),
        };
    }
    down(settings).await?;
    let python = MINISTACK.install(&settings.target, ui).await?.join("python");
    start::start(settings, &python, ui).await
}

/// Stops MiniStack and the functions it runs. `false` when there was nothing to stop.
///
/// # Errors
///
/// When it survives being killed, or its files cannot be removed.
pub async fn down(settings: &Settings) -> Result<bool, LocalError> {
    let Some(instance) = Instance::read(settings)? else { return Ok(false) };
    let was_running = instance.leader() == Leader::Ours;
    instance.stop().await?;
    Instance::forget(settings)?;
    Ok(was_running)
}

/// The running MiniStack, if any. Changes nothing.
///
/// # Errors
///
/// When the instance's file cannot be read.
pub async fn status(settings: &Settings) -> Result<Option<Running>, LocalError> {
    found(settings, Duration::ZERO).await
}

/// The running MiniStack, given `patience` to answer.
async fn found(settings: &Settings, patience: Duration) -> Result<Option<Running>, LocalError> {
    let Some(instance) = Instance::read(settings)? else { return Ok(None) };
    if instance.leader() != Leader::Ours || !health::answers_within(instance.port, patience).await {
        return Ok(None);
    }
    Ok(Some(instance.running(settings, false)))
}

/// Stops MiniStack, forgets everything that was deployed, and starts it.
///
/// # Errors
///
/// As for [`up`] and [`down`].
pub async fn reset(settings: &Settings, ui: &Ui) -> Result<Running, LocalError> {
    down(settings).await?;
    up(settings, ui).await
}

/// The cloud to deploy to: the user's `AWS_ENDPOINT_URL` when set, else our own MiniStack, started if need be.
///
/// # Errors
///
/// When nothing listens at the user's URL, or as for [`up`].
pub async fn endpoint(settings: &Settings, ui: &Ui) -> Result<Endpoint, LocalError> {
    match std::env::var("AWS_ENDPOINT_URL").ok().filter(|url| !url.is_empty()) {
        Some(url) => {
            health::listens(&url).await?;
            Ok(Endpoint::External(url))
        }
        None => up(settings, ui).await.map(Endpoint::Managed),
    }
}

/// After a failed call: has our MiniStack died since it was started?
#[must_use]
pub fn died(settings: &Settings) -> Option<LocalError> {
    let instance = Instance::read(settings).ok().flatten()?;
    (instance.leader() != Leader::Ours)
        .then(|| LocalError::Gone { lines: last_log_lines(settings, LINES_IN_ERRORS).join("\n") })
}

/// Waits for a lock that other processes may hold; released when the file is dropped.
async fn lock(path: Utf8PathBuf) -> Result<File, LocalError> {
    let locked = tokio::task::spawn_blocking(move || {
        let file = File::create(path)?;
        file.lock()?;
        Ok(file)
    });
    locked.await.map_err(std::io::Error::other).and_then(|locked| locked).map_err(io("lock the local cloud's folder"))
}

/// How long a running MiniStack may be busy before it counts as broken and is replaced.
const BUSY: Duration = Duration::from_secs(10);
/// For something that takes moments.
const SOON: Schedule = Schedule::every(Duration::from_millis(50));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_a_number_that_can_be_listened_on() {
        assert_eq!(parse_port("4567").ok(), Some(4567));
        for wrong in ["0", "65536", "http", "-1", " 80"] {
            assert!(matches!(parse_port(wrong), Err(LocalError::NoPort { value }) if value == wrong));
        }
    }

    #[test]
    fn what_never_ran_has_not_died() {
        let directory = Utf8PathBuf::from("/nonexistent/local");
        let settings = Settings { target: directory.clone(), directory, port: None };
        assert!(died(&settings).is_none());
    }
}
