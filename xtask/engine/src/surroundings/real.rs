//! The real world: this machine, its clock and its processes.

use std::time::SystemTime;

pub(super) fn now() -> SystemTime {
    SystemTime::now()
}

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
pub(super) fn is_alive(process: u32) -> bool {
    let processes = std::path::Path::new("/proc");
    !processes.join("self").exists() || processes.join(process.to_string()).exists()
}
