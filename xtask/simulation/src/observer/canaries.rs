//! Canaries: each share of the traffic lasts its bake time, no canary is skipped, and a version that fails is given no further traffic
//! (xtask/docs/decisions/releasing.md, "A canary compares with the old version").
//!
//! Whether a version fails is read from CloudWatch whenever the run itself reads metrics: a run cannot know more.

use std::{collections::BTreeMap, time::Duration};

use simulated_aws::{account::Account, time::Moment, wire::Call};

use super::{ledgers::Entry, view, view::Live};

/// How long each share of the traffic is observed, as the stage file says: [`crate::project::stage_file`].
const BAKE: Duration = Duration::from_secs(60);
/// So many failures, and so large a share of the requests, are not chance. A version that fails fails three of ten requests:
/// [`crate::builds::Conduct::Noisy`].
const FAILURES: f64 = 20.0;
const FAILING: f64 = 0.15;
/// Up to this share of failures, a version works.
const WORKING: f64 = 0.05;

/// What was seen of canaries: the split of each function.
#[derive(Debug, Clone, Default)]
pub(super) struct Canaries(BTreeMap<String, Split>);

#[derive(Debug, Clone)]
struct Split {
    /// The process that has split the traffic last.
    process: String,
    since: Moment,
    /// How the new version fails, if the process can know.
    failure: Option<String>,
}

/// A shift of a function's traffic by a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shift<'a> {
    pub(super) process: &'a str,
    pub(super) function: &'a str,
    pub(super) before: Option<&'a Live>,
    pub(super) after: &'a Live,
    /// The open release of the system.
    pub(super) open: Option<&'a Entry>,
    /// Whether the run releases by canaries.
    pub(super) is_canary: bool,
}

impl Canaries {
    /// A run reads metrics. `is_exact` is whether no fault shows it others than CloudWatch has.
    pub(super) fn measured(&mut self, account: &Account, process: &str, call: &Call, is_exact: bool) {
        let body = String::from_utf8_lossy(&call.body);
        let own = self.0.iter_mut().filter(|(_, split)| is_exact && split.process == process);
        for (function, split) in own.filter(|(function, _)| body.contains(&format!("\"{function}\""))) {
            split.failure = failure(account, function, split.since);
        }
    }

    /// Checks a shift; returns what is wrong.
    pub(super) fn shifted(&mut self, now: Moment, shift: Shift<'_>) -> Option<String> {
        let Shift { process, function, before, after, .. } = shift;
        let earlier = self.0.remove(function);
        if !after.shares.is_empty() {
            let split = Split { process: process.to_owned(), since: now, failure: None };
            self.0.insert(function.to_owned(), split);
        }
        let before = before?;
        let gains = before.shares.iter().find(|(version, share)| after.share(version) > **share);
        let Some((version, share)) = gains else { return skipped(before, shift) };
        let split = earlier.filter(|split| split.process == process)?;
        let baked = now.since(split.since);
        let percent = f64::from(*share) / 100.0;
        if baked < BAKE {
            let seconds = baked.as_secs_f64();
            return Some(format!(
                "version {version} of {function} had {percent} % of the traffic for {seconds:.1} s only"
            ));
        }
        let failure = split.failure?;
        Some(format!("version {version} of {function} is given more than {percent} % of the traffic, but {failure}"))
    }
}

/// What is wrong with a shift of all traffic at once.
fn skipped(before: &Live, shift: Shift<'_>) -> Option<String> {
    let Shift { function, after, open, is_canary, .. } = shift;
    let change = open?.functions.get(function)?;
    let is_whole = change.before.as_ref() == Some(&before.version)
        && before.version != after.version
        && after.version == change.after
        && after.shares.is_empty();
    (is_canary && is_whole)
        .then(|| format!("version {} of {function} is given all traffic without a canary", after.version))
}

/// How the version that receives a share fails, while the other one works: by the data points of the whole minutes since then.
fn failure(account: &Account, function: &str, since: Moment) -> Option<String> {
    let live = view::live(account, function)?;
    let start = Moment::after_start(Duration::from_secs(since.elapsed().as_secs().div_ceil(60) * 60));
    let (requests, errors) = view::served(account, function, &live.version, start);
    if errors > requests * WORKING {
        return None;
    }
    live.shares.keys().find_map(|version| {
        let (requests, errors) = view::served(account, function, version, start);
        let is_failing = errors >= FAILURES && errors >= requests * FAILING;
        is_failing.then(|| format!("{errors} of its {requests} requests have failed"))
    })
}
