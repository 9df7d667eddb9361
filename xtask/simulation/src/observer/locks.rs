//! Two deployers never interleave on one system.
//!
//! A run may change a system while the system's lock is its own. A lock can be lost at any time, and no check can exclude that it is lost
//! between the check and the change. So a change while the lock is not the run's own is a violation unless the run's last *fence* came
//! shortly before it. A fence is a read of the lock's document that showed the lock as the run's own, or a conditional write of the
//! system's ledger, which fails as soon as another run has written the entry. Renewals are no fences: a run that only renews its lock does
//! not look before it changes something.
//!
//! "Shortly" is [`PROMPT`] for a call that AWS received at the first attempt, and [`PATIENT`] for one that was repeated, because the SDK
//! repeats a call without asking the engine, and for a run with faults, whose responses may be slow.
//!
//! A run may take over the lock of another run that has released it, has not renewed it for [`EXPIRY`], or was a process of the same machine
//! and has ended (xtask/docs/decisions/locking.md). `lock break` may release any lock.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::Value;
use simulated_aws::{account::Account, time::Moment, wire::Call};

use super::{effect::Effect, view};

/// How long after its fence a change may arrive.
const PROMPT: Duration = Duration::from_secs(5);
/// The same for a repeated call, or in a run with faults: longer than the SDK takes for all its attempts.
const PATIENT: Duration = Duration::from_secs(150);

/// How long after its last renewal a lock expires.
const EXPIRY: Duration = Duration::from_secs(90);

/// What was seen of locks.
#[derive(Debug, Clone, Default)]
pub(super) struct Locks {
    /// The last fence of each process and system.
    fences: BTreeMap<(String, String), Moment>,
    /// The processes that ever owned the lock of a system.
    owners: BTreeMap<(String, String), Moment>,
    /// The lock of each system as it was last written.
    written: BTreeMap<String, Written>,
    /// The processes that have ended.
    ended: BTreeSet<String>,
}

/// A lock's document, and when it was written by S3's clock.
#[derive(Debug, Clone)]
struct Written {
    owner: Owner,
    at: Moment,
}

/// The owner of a lock, as its document says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    /// `<host>/<process>`, the name of a process of the simulation.
    pub(super) process: String,
    /// Whether it was released or broken.
    pub(super) released: bool,
}

/// Reads a lock.
pub(super) fn owner(account: &Account, system: &str) -> Option<Owner> {
    let text = view::document(account, &format!("locks/{system}.json"))?;
    let lock: Value = serde_json::from_slice(&text).ok()?;
    let process = format!("{}/{}", lock["host"].as_str()?, lock["process"].as_u64()?);
    Some(Owner { process, released: lock["released"].as_bool()? })
}

/// The machine of a process.
fn machine(process: &str) -> &str {
    process.split_once('/').map_or(process, |(machine, _)| machine)
}

fn written(account: &Account, system: &str) -> Option<Written> {
    let bucket = view::bucket(account, super::artifact_bucket())?;
    let (version, _) = bucket.current(&format!("locks/{system}.json"))?;
    Some(Written { owner: owner(account, system)?, at: version.written })
}

impl Locks {
    /// A process has ended.
    pub(super) fn ends(&mut self, process: &str) {
        self.ended.insert(process.to_owned());
    }

    /// Takes note of all locks, without a check.
    pub(super) fn look(&mut self, account: &Account) {
        let keys = view::bucket(account, super::artifact_bucket()).into_iter().flat_map(|bucket| bucket.keys("locks/"));
        let systems = keys.map_while(|(key, _)| key.strip_prefix("locks/")).filter_map(|key| key.strip_suffix(".json"));
        self.written = systems.filter_map(|system| Some((system.to_owned(), written(account, system)?))).collect();
    }

    /// Checks who has written a lock; returns what is wrong. `breaks` is whether the run is `lock break`.
    pub(super) fn wrote(&mut self, account: &Account, process: &str, system: &str, breaks: bool) -> Option<String> {
        let now = written(account, system);
        let before = match &now {
            Some(now) => self.written.insert(system.to_owned(), now.clone()),
            None => self.written.remove(system),
        };
        let Owner { process: owner, released } = now?.owner;
        if breaks && released {
            return None;
        }
        if owner != process {
            return Some(format!("{process} writes the lock of {system} in the name of {owner}"));
        }
        let before = before.filter(|before| !before.owner.released && before.owner.process != process)?;
        let (silence, other) = (account.now().since(before.at), &before.owner.process);
        let has_ended = machine(other) == machine(process) && self.ended.contains(other);
        (silence <= EXPIRY && !has_ended).then(|| {
            format!(
                "{process} takes over the lock of {system} {:.1} s after its renewal by {other}",
                silence.as_secs_f64()
            )
        })
    }

    /// Notes fences.
    pub(super) fn note(&mut self, account: &Account, process: &str, call: &Call, effect: &Effect) {
        let now = account.now();
        if call.service != "s3" {
            return;
        }
        let (bucket, key) = super::effect::object(call);
        if bucket != super::artifact_bucket() {
            return;
        }
        let is_own =
            |system: &str| owner(account, system).is_some_and(|owner| owner.process == process && !owner.released);
        if let Some(system) = key.strip_prefix("locks/").and_then(|key| key.strip_suffix(".json")) {
            if is_own(system) {
                let entry = (process.to_owned(), system.to_owned());
                if *effect == Effect::None {
                    self.fences.insert(entry.clone(), now);
                }
                self.owners.entry(entry).or_insert(now);
            }
        } else if let Effect::Put { key, .. } = effect
            && let Some((system, _)) = key.strip_prefix("releases/").and_then(|key| key.split_once('/'))
        {
            self.fences.insert((process.to_owned(), system.to_owned()), now);
        }
    }

    /// Checks a change of a system; returns what is wrong.
    pub(super) fn check(
        &self,
        account: &Account,
        process: &str,
        (call, effect): (&Call, &Effect),
        has_faults: bool,
    ) -> Option<String> {
        let system = effect.system()?;
        let is_fenced = match effect {
            Effect::Put { key, .. } => key.starts_with("releases/"),
            // A version that is published receives no traffic before a release is recorded.
            Effect::None | Effect::Other | Effect::Publish { .. } => false,
            _ => true,
        };
        let held = owner(account, system);
        let is_own = held.as_ref().is_some_and(|owner| owner.process == process && !owner.released);
        if !is_fenced || is_own || view::bucket(account, super::artifact_bucket()).is_none() {
            return None;
        }
        let key = (process.to_owned(), system.to_owned());
        let attempt = call.header("amz-sdk-request").unwrap_or_default();
        let is_first = attempt.starts_with("attempt=1;") || attempt == "attempt=1";
        let limit = if is_first && !has_faults { PROMPT } else { PATIENT };
        let now = account.now();
        let state = match &held {
            Some(owner) if owner.released => "is free".to_owned(),
            Some(owner) => format!("belongs to {}", owner.process),
            None => "does not exist".to_owned(),
        };
        match (self.owners.get(&key), self.fences.get(&key)) {
            (Some(_), Some(fence)) if now.since(*fence) <= limit => None,
            (Some(_), Some(fence)) => Some(format!(
                "{process} changes {system} ({}) {:.1} s after its last look at the lock, which {state}",
                call.name(),
                now.since(*fence).as_secs_f64()
            )),
            _ => Some(format!("{process} changes {system} ({}) without its lock, which {state}", call.name())),
        }
    }
}
