//! This machine and its processes: the owner of a lock may have been one of them.

use super::{Record, Verdict, judge, now};

/// What is to be said of a lock, whose process may be one of this machine.
#[must_use]
pub fn standing(record: &Record) -> Verdict {
    judge(record, now(), &host(), is_alive)
}

/// The machine's name, with what makes a container's or a runner's its own.
pub(super) fn host() -> String {
    let read = |path: &str| fs_err::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let name = read("/proc/sys/kernel/hostname").or_else(|| std::env::var("HOSTNAME").ok());
    // Processes are counted anew after a restart.
    let boot = read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    // Two containers of one machine may share its name and not see each other's processes.
    let processes = fs_err::read_link("/proc/self/ns/pid").ok();
    let processes =
        processes.and_then(|link| link.to_str().map(|text| text.replace(|c: char| !c.is_ascii_digit(), "")));
    let name = name.unwrap_or_else(|| "unknown".to_owned());
    let parts = [name.as_str(), boot.get(..8).unwrap_or_default(), processes.as_deref().unwrap_or_default()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Where processes cannot be looked at, every one counts as alive, and locks only expire.
fn is_alive(process: u32) -> bool {
    let processes = std::path::Path::new("/proc");
    !processes.join("self").exists() || processes.join(process.to_string()).exists()
}
