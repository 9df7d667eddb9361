//! Which process is ours: written down when MiniStack starts, and proven before it is signalled.
//!
//! A process ID alone proves nothing, since it may have been given to another program. So each start has a
//! token among its arguments.

use std::time::Duration;

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};

use super::{LocalError, Running, SOON, Settings, error::io, logs::log_path};

/// How long MiniStack may take to end by itself; it gives open requests 3 s.
const GRACE: Duration = Duration::from_secs(6);
/// How long the kernel may take to end it.
const KILL: Duration = Duration::from_secs(5);

/// What is known of a MiniStack that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Instance {
    pub(super) pid: u32,
    pub(super) port: u16,
    pub(super) token: String,
}

/// The process that has the instance's ID now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leader {
    /// It is the one that was started.
    Ours,
    /// There is none, or it has ended.
    Gone,
    /// It is somebody else's.
    Stranger,
}

impl Instance {
    /// What was written down at the last start, if anything. A file that makes no sense is no instance.
    pub(super) fn read(settings: &Settings) -> Result<Option<Self>, LocalError> {
        match fs_err::read(settings.directory.join("instance.json")) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io("read which process the local cloud is")(error)),
        }
    }

    /// Writes it down, all or nothing.
    pub(super) fn write(&self, settings: &Settings) -> Result<(), LocalError> {
        let failed = || io("write down which process the local cloud is");
        let file = tempfile::NamedTempFile::new_in(&settings.directory).map_err(failed())?;
        serde_json::to_writer(&file, self).map_err(|error| failed()(error.into()))?;
        file.persist(settings.directory.join("instance.json")).map_err(|error| failed()(error.error))?;
        Ok(())
    }

    /// Forgets what was written down.
    pub(super) fn forget(settings: &Settings) -> Result<(), LocalError> {
        match fs_err::remove_file(settings.directory.join("instance.json")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(io("forget which process the local cloud was")(error))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn running(&self, settings: &Settings, started: bool) -> Running {
        Running {
            endpoint: format!("http://127.0.0.1:{}", self.port),
            port: self.port,
            pid: self.pid,
            log: log_path(settings),
            started,
        }
    }

    /// Who has the instance's process ID now?
    pub(super) fn leader(&self) -> Leader {
        match arguments(self.pid) {
            None => Leader::Gone,
            Some(arguments) if arguments.contains(&self.token) => Leader::Ours,
            Some(_) => Leader::Stranger,
        }
    }

    /// Ends the process and the functions it runs, which are in its group.
    pub(super) async fn stop(&self) -> Result<(), LocalError> {
        match (self.leader(), self.group()) {
            // A group keeps its leader's ID from being given away, so a stranger means that no function is left.
            (Leader::Stranger, _) | (_, None) => Ok(()),
            (Leader::Gone, Some(group)) => {
                let _ = killpg(group, Signal::SIGKILL);
                Ok(())
            }
            (Leader::Ours, Some(group)) => {
                let _ = killpg(group, Signal::SIGTERM);
                self.ended_within(GRACE).await;
                let _ = killpg(group, Signal::SIGKILL);
                if self.ended_within(KILL).await { Ok(()) } else { Err(LocalError::Unstoppable { pid: self.pid }) }
            }
        }
    }

    async fn ended_within(&self, limit: Duration) -> bool {
        SOON.within(limit).until(async || self.leader() != Leader::Ours).await
    }

    /// Never 0 or 1, which would mean our own group or everybody.
    fn group(&self) -> Option<Pid> {
        i32::try_from(self.pid).ok().filter(|pid| *pid > 1).map(Pid::from_raw)
    }
}

/// A living process's arguments; nothing for one that has ended, whether or not its parent has noticed.
#[cfg(target_os = "linux")]
fn arguments(pid: u32) -> Option<String> {
    let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    (!arguments.is_empty()).then(|| String::from_utf8_lossy(&arguments).into_owned())
}

/// A living process's arguments; nothing for one that has ended, whether or not its parent has noticed.
#[cfg(not(target_os = "linux"))]
fn arguments(pid: u32) -> Option<String> {
    let output = std::process::Command::new("ps").args(["-ww", "-o", "stat=,args=", "-p", &pid.to_string()]).output();
    let line = String::from_utf8_lossy(&output.ok()?.stdout).trim().to_owned();
    (!line.is_empty() && !line.starts_with('Z')).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(pid: u32, token: &str) -> Instance {
        Instance { pid, port: 1, token: token.to_owned() }
    }

    #[test]
    fn somebody_elses_process_is_a_stranger() {
        assert_eq!(instance(std::process::id(), "xtask-no-such-token").leader(), Leader::Stranger);
    }

    #[tokio::test]
    async fn strangers_are_left_alone() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep is everywhere");
        instance(child.id(), "xtask-no-such-token").stop().await.expect("nothing to do");
        assert!(child.try_wait().expect("it is our child").is_none());
        child.kill().expect("it is our child");
        child.wait().expect("it was killed");
    }

    #[test]
    fn an_ended_process_is_gone_before_its_parent_notices() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep is everywhere");
        let ours = instance(child.id(), "sleep");
        child.kill().expect("it is our child");
        let start = std::time::Instant::now();
        while ours.leader() != Leader::Gone {
            assert!(start.elapsed() < Duration::from_secs(5), "still there: {:?}", ours.leader());
            std::thread::yield_now();
        }
        child.wait().expect("it was killed");
    }

    #[test]
    fn a_torn_file_is_no_instance() {
        let directory = tempfile::tempdir().expect("a temporary folder");
        let path = camino::Utf8PathBuf::from_path_buf(directory.path().to_path_buf()).expect("UTF-8");
        let settings = Settings { target: path.clone(), directory: path, port: None };
        std::fs::write(settings.directory.join("instance.json"), "{\"pid\":").expect("written");
        assert_eq!(Instance::read(&settings).expect("readable"), None);
        let whole = instance(7, "token");
        whole.write(&settings).expect("written");
        assert_eq!(Instance::read(&settings).expect("readable"), Some(whole));
    }
}
