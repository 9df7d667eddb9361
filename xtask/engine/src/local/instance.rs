//! The process of the local cloud: recorded when MiniStack starts, and verified before it is signalled.
//!
//! The process is the gate's, which leads the group of MiniStack and its functions. A process ID alone is not enough, since the system
//! may have given it to another program. Therefore each start has a token among its arguments.

use std::time::Duration;

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};

use super::{LocalError, Running, SOON, Settings, error::io, keys, logs::log_path};

/// The longest shutdown of MiniStack; it gives open requests 3 s.
const GRACE: Duration = Duration::from_secs(6);
/// The longest time that the kernel takes to kill it.
const KILL: Duration = Duration::from_secs(5);

/// The record of a MiniStack that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Instance {
    pub(super) pid: u32,
    pub(super) port: u16,
    pub(super) token: String,
    /// Whether the process is a gate. Earlier versions of the tool started MiniStack without one; such an instance is replaced.
    #[serde(default)]
    pub(super) has_gate: bool,
}

/// The process that has the recorded ID now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leader {
    /// The process that was started.
    Instance,
    /// None, or one that has ended.
    None,
    /// A foreign process.
    Foreign,
}

impl Instance {
    /// Reads the record of the last start. An invalid file counts as none.
    pub(super) fn read(settings: &Settings) -> Result<Option<Self>, LocalError> {
        match fs_err::read(settings.directory.join("instance.json")) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io("read the local cloud's process ID")(error)),
        }
    }

    /// Writes the record atomically.
    pub(super) fn write(&self, settings: &Settings) -> Result<(), LocalError> {
        let failed = || io("record the local cloud's process ID");
        let file = tempfile::NamedTempFile::new_in(&settings.directory).map_err(failed())?;
        serde_json::to_writer(&file, self).map_err(|error| failed()(error.into()))?;
        file.persist(settings.directory.join("instance.json")).map_err(|error| failed()(error.error))?;
        Ok(())
    }

    /// Removes the record.
    pub(super) fn remove(settings: &Settings) -> Result<(), LocalError> {
        match fs_err::remove_file(settings.directory.join("instance.json")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(io("remove the record of the local cloud's process")(error))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn running(&self, settings: &Settings, started: bool) -> Running {
        Running {
            endpoint: format!("http://127.0.0.1:{}", self.port),
            port: self.port,
            pid: self.pid,
            credentials: settings.directory.join(keys::FILE),
            log: log_path(settings),
            started,
        }
    }

    /// Returns which process has the instance's ID now.
    pub(super) fn leader(&self) -> Leader {
        match arguments(self.pid) {
            None => Leader::None,
            Some(arguments) if arguments.contains(&self.token) => Leader::Instance,
            Some(_) => Leader::Foreign,
        }
    }

    /// Stops the process and its functions, which are in its group.
    pub(super) async fn stop(&self) -> Result<(), LocalError> {
        match (self.leader(), self.group()) {
            // The system does not reuse the ID while the group exists, so a foreign process means that no function runs.
            (Leader::Foreign, _) | (_, None) => Ok(()),
            (Leader::None, Some(group)) => {
                let _ = killpg(group, Signal::SIGKILL);
                Ok(())
            }
            (Leader::Instance, Some(group)) => {
                let _ = killpg(group, Signal::SIGTERM);
                self.ended_within(GRACE).await;
                let _ = killpg(group, Signal::SIGKILL);
                if self.ended_within(KILL).await { Ok(()) } else { Err(LocalError::Unstoppable { pid: self.pid }) }
            }
        }
    }

    async fn ended_within(&self, limit: Duration) -> bool {
        SOON.within(limit).until(async || self.leader() != Leader::Instance).await
    }

    /// The process group; never 0 or 1, which would mean the own group or all processes.
    fn group(&self) -> Option<Pid> {
        i32::try_from(self.pid).ok().filter(|pid| *pid > 1).map(Pid::from_raw)
    }
}

/// The arguments of a process; `None` if it has ended, even before its parent has waited for it.
#[cfg(target_os = "linux")]
fn arguments(pid: u32) -> Option<String> {
    let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    (!arguments.is_empty()).then(|| String::from_utf8_lossy(&arguments).into_owned())
}

/// The arguments of a process; `None` if it has ended, even before its parent has waited for it.
#[cfg(not(target_os = "linux"))]
fn arguments(pid: u32) -> Option<String> {
    let output = std::process::Command::new("ps").args(["-ww", "-o", "stat=,args=", "-p", &pid.to_string()]).output();
    let line = String::from_utf8_lossy(&output.ok()?.stdout).trim().to_owned();
    (!line.is_empty() && !line.starts_with('Z')).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::GateProgram;

    fn instance(pid: u32, token: &str) -> Instance {
        Instance { pid, port: 1, token: token.to_owned(), has_gate: true }
    }

    #[test]
    fn another_process_is_foreign() {
        assert_eq!(instance(std::process::id(), "xtask-no-such-token").leader(), Leader::Foreign);
    }

    #[tokio::test]
    async fn foreign_processes_are_not_stopped() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep is everywhere");
        instance(child.id(), "xtask-no-such-token").stop().await.expect("it does nothing");
        assert!(child.try_wait().expect("it is a child").is_none());
        child.kill().expect("it is a child");
        child.wait().expect("it was killed");
    }

    #[test]
    fn an_ended_process_is_none_before_its_parent_waits() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep is everywhere");
        let running = instance(child.id(), "sleep");
        child.kill().expect("it is a child");
        let start = std::time::Instant::now();
        while running.leader() != Leader::None {
            assert!(start.elapsed() < Duration::from_secs(5), "still there: {:?}", running.leader());
            std::thread::yield_now();
        }
        child.wait().expect("it was killed");
    }

    #[test]
    fn half_a_file_is_not_an_instance() {
        let directory = tempfile::tempdir().expect("a temporary folder");
        let path = camino::Utf8PathBuf::from_path_buf(directory.path().to_path_buf()).expect("UTF-8");
        let settings = Settings { target: path.clone(), directory: path, port: None, gate: GateProgram::default() };
        std::fs::write(settings.directory.join("instance.json"), "{\"pid\":").expect("written");
        assert_eq!(Instance::read(&settings).expect("readable"), None);
        let whole = instance(7, "token");
        whole.write(&settings).expect("written");
        assert_eq!(Instance::read(&settings).expect("readable"), Some(whole));
        let of_before = r#"{"pid":7,"port":4566,"token":"token"}"#;
        std::fs::write(settings.directory.join("instance.json"), of_before).expect("written");
        let read = Instance::read(&settings).expect("readable").expect("an instance that can be stopped");
        assert!(!read.has_gate);
    }
}
