//! This machine and its processes, one of which may own a lock.

use std::time::Duration;

use super::{LockRecord, LockState};

/// Returns the present state of a lock, whose owner may be a process of this machine, by the time since its last renewal.
pub(super) fn current_state(record: &LockRecord, silence: Option<Duration>) -> LockState {
    record.state(silence, &host(), is_alive)
}

/// Returns the machine's name and what distinguishes a container or a CI runner from others on it.
pub(super) fn host() -> String {
    let read = |path: &str| fs_err::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let name = read("/proc/sys/kernel/hostname").or_else(|| std::env::var("HOSTNAME").ok());
    // Process numbers start afresh after a reboot.
    let boot = read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    // Two containers of one machine may share its name without seeing each other's processes.
    let namespace = fs_err::read_link("/proc/self/ns/pid").ok();
    let namespace =
        namespace.and_then(|link| link.to_str().map(|text| text.replace(|c: char| !c.is_ascii_digit(), "")));
    let name = name.unwrap_or_else(|| "unknown".to_owned());
    let parts = [name.as_str(), boot.get(..8).unwrap_or_default(), namespace.as_deref().unwrap_or_default()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Where processes cannot be listed, all count as alive, and locks only expire.
fn is_alive(process: u32) -> bool {
    let processes = std::path::Path::new("/proc");
    !processes.join("self").exists() || processes.join(process.to_string()).exists()
}
