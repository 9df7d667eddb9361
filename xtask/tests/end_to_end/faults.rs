//! Whatever goes wrong at whatever call, users keep what works, and one clean run more finishes the job.
//!
//! Each run deploys, changes code or shape or both, deploys, rolls back and prunes on a cloud of its own, with one fault at one
//! call, drawn from the run's number. `cargo xtask ci faults` is the full suite (`XTASK_FAULT_RUNS` says how many runs,
//! `XTASK_FAULT_FROM` where to begin, `XTASK_FAULT_JOBS` how many at a time); without, a few runs are made, spread over all calls.

#![expect(clippy::print_stderr, reason = "a long run tells how far it is, and ends in a table")]

mod client;
mod end;
mod trouble;

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use client::Client;
use end::{End, end, raw_bucket};
use serde_json::Value;
use tempfile::TempDir;
use trouble::{ANSWER, CHANGES, Change, Fault, Plan, Trouble};

use crate::{
    cloud::{Cloud, text},
    deploying::{change_code, copy_workspace, only_the_media_uploader},
    offline::git,
    proxy::Proxy,
};

const SYSTEM: &str = "media-uploader";
const STAGE_FILE: &str = "stacks/stages/local.yaml";
const BEFORE: &str = "http://localhost:3000";
const AFTER: &str = "http://localhost:4000";
/// How many runs are made unless `XTASK_FAULT_RUNS` says otherwise.
const SLICE: usize = 8;

/// A run's cloud, behind its proxy.
struct Run<'a> {
    cloud: &'a Cloud,
    proxy: Proxy,
    trouble: Arc<Trouble>,
}

impl<'a> Run<'a> {
    fn new(cloud: &'a Cloud, plan: Option<Plan>) -> Self {
        let trouble = Arc::new(Trouble::new(plan));
        let judge = Arc::clone(&trouble);
        let proxy = Proxy::start(&cloud.endpoint(), move |call| judge.judge(call));
        Self { cloud, proxy, trouble }
    }

    fn once(&self, arguments: &[&str]) -> Output {
        let child = self
            .cloud
            .command(arguments)
            .env("AWS_ENDPOINT_URL", self.proxy.endpoint())
            .env("XTASK_ANSWER_SECONDS", ANSWER.as_secs().to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("xtask starts");
        self.trouble.aim_at(child.id());
        child.wait_with_output().expect("xtask ends")
    }

    /// Runs a command; where that fails, once more without faults, and that must succeed.
    fn at_most_twice(&self, arguments: &[&str]) -> Result<(), String> {
        if self.once(arguments).status.success() {
            return Ok(());
        }
        self.trouble.end();
        let again = self.once(arguments);
        if again.status.success() { Ok(()) } else { Err(format!("{arguments:?} failed twice\n{}", text(&again))) }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn keep_a_photo(cloud: &Cloud) {
    let request = cloud.s3().put_object().bucket(raw_bucket()).key("kept").body(b"photo".to_vec().into());
    request.send().await.expect("the photo is put");
}

fn set_origin(checkout: &Path, origin: &str) {
    let path = checkout.join(STAGE_FILE);
    let text = fs_err::read_to_string(&path).expect("the stage file");
    fs_err::write(&path, text.replace(BEFORE, origin).replace(AFTER, origin)).expect("written");
}

/// What all runs deploy: checkouts whose stage file changes, one for each run at a time, and the functions built from two
/// sources.
struct Sources {
    checkouts: Vec<TempDir>,
    artifacts: [String; 2],
}

impl Sources {
    fn new(jobs: usize) -> Self {
        let checkouts: Vec<_> = (0..jobs).map(|_| checkout()).collect();
        let first = checkouts[0].path();
        let cloud = Cloud::of_checkout(first, "faults");
        let artifacts = ["before", "after"].map(|name| {
            let folder = first.join("target").join(name).to_str().expect("UTF-8").to_owned();
            if name == "after" {
                change_code(first, 1);
            }
            cloud.success(&["build", "--stage", "local", "--out", &folder]);
            folder
        });
        Self { checkouts, artifacts }
    }
}

fn checkout() -> TempDir {
    let checkout = tempfile::tempdir().expect("a temporary folder");
    copy_workspace(checkout.path());
    only_the_media_uploader(checkout.path());
    // What is built is known by the sources that git tracks.
    git(checkout.path(), &["init", "--quiet"]);
    git(checkout.path(), &["add", "--all"]);
    checkout
}

/// What came of one run.
struct Ran {
    violations: Vec<String>,
    /// How it ended, where it got that far.
    end: Option<End>,
    /// How many calls it made.
    calls: usize,
}

/// One run.
fn run(checkout: &Path, artifacts: &[String; 2], change: Change, plan: Option<Plan>) -> Ran {
    let cloud = Cloud::of_checkout(checkout, "faults");
    cloud.success(&["local", "up"]);
    let run = Run::new(&cloud, plan);
    let mut violations = Vec::new();
    let [before, after] = artifacts;
    let deploy = |artifacts: &str| {
        // The checkout's code is always that of the change.
        let deploy =
            ["deploy", "--stage", "local", "--yes", "--format", "json", "--allow-other-sources", "--artifacts"];
        run.at_most_twice(&[&deploy[..], &[artifacts]].concat())
    };
    set_origin(checkout, BEFORE);
    violations.extend(deploy(before).err());
    if !violations.is_empty() {
        return Ran { violations, end: None, calls: run.trouble.calls() };
    }
    keep_a_photo(&cloud);
    let client = Client::start(&cloud);
    set_origin(checkout, if change == Change::Code { BEFORE } else { AFTER });
    violations.extend(deploy(if change == Change::Shape { before } else { after }).err());
    violations.extend(match first_released(&cloud) {
        // Where the very first release was reverted by a fault, it has another number.
        Some(to) => run.at_most_twice(&["rollback", "--stage", "local", "--system", SYSTEM, "--to", &to]).err(),
        None => Some("nothing was released".to_owned()),
    });
    violations.extend(run.at_most_twice(&["prune", "--stage", "local", "--keep", "1"]).err());
    let (called, complaints) = client.stop();
    if called == 0 {
        violations.push("the client never called".to_owned());
    }
    violations.extend(complaints);
    run.trouble.end();
    violations.extend(ledger(&cloud));
    let calls = run.trouble.calls();
    Ran { violations, end: Some(end(&cloud)), calls }
}

fn entries(cloud: &Cloud) -> Vec<Value> {
    let entries = cloud.json(&["release", "list", "--stage", "local", "--format", "json"]);
    entries.as_array().cloned().unwrap_or_default()
}

/// The number of the first release that was completed.
fn first_released(cloud: &Cloud) -> Option<String> {
    let entries = entries(cloud);
    let released = entries.iter().filter(|entry| entry["outcome"]["state"] == "released");
    released.filter_map(|entry| entry["number"].as_u64()).min().map(|number| number.to_string())
}

/// What is wrong with the ledger.
fn ledger(cloud: &Cloud) -> Vec<String> {
    let entries = entries(cloud);
    let mut numbers: Vec<_> = entries.iter().filter_map(|entry| entry["number"].as_u64()).collect();
    numbers.sort_unstable();
    let mut wrong = Vec::new();
    if numbers != (1..=numbers.len() as u64).collect::<Vec<_>>() {
        wrong.push(format!("the ledger has the numbers {numbers:?}"));
    }
    wrong.extend(
        entries.iter().filter(|entry| entry["outcome"]["state"] == "open").map(|entry| format!("open: {entry}")),
    );
    wrong
}

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn faults_at_any_call_leave_users_with_what_works() {
    let jobs = number("XTASK_FAULT_JOBS", 1).max(1);
    let sources = Sources::new(jobs);
    let wanted = CHANGES.map(|change| {
        let ran = run(sources.checkouts[0].path(), &sources.artifacts, change, None);
        assert_eq!(ran.violations, Vec::<String>::new(), "without any fault");
        eprintln!("{change:?}: {} calls without any fault", ran.calls);
        (change, (ran.end.expect("an end"), ran.calls))
    });
    let wanted = BTreeMap::from(wanted);
    let table = Mutex::new(Table::new());
    let (runs, from) = (number("XTASK_FAULT_RUNS", SLICE), number("XTASK_FAULT_FROM", 0));
    let next = AtomicUsize::new(from);
    std::thread::scope(|scope| {
        for checkout in &sources.checkouts {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::SeqCst);
                    if index >= from + runs {
                        break;
                    }
                    let (fault, violations) = numbered(index, checkout.path(), &sources.artifacts, &wanted);
                    let mut table = table.lock().expect("the table");
                    let row = table.entry(fault).or_default();
                    row.0 += 1;
                    row.1.extend(violations);
                }
            });
        }
    });
    let table = table.into_inner().expect("the table");
    let calls: Vec<_> = wanted.iter().map(|(change, (_, calls))| format!("{change:?} {calls}")).collect();
    let mut shown = format!("{:<20} {:>5} {:>10}   calls: {}\n", "fault", "runs", "violations", calls.join(", "));
    for (fault, (runs, violations)) in &table {
        shown.push_str(&format!("{:<20} {runs:>5} {:>10}\n", format!("{fault:?}"), violations.len()));
    }
    // What the full suite is run for.
    eprintln!("{shown}");
    let violations: Vec<_> = table.into_values().flat_map(|(_, violations)| violations).collect();
    assert!(violations.is_empty(), "{shown}\n{}", violations.join("\n"));
}

/// Runs by fault, and what they violated.
type Table = BTreeMap<Fault, (usize, Vec<String>)>;

/// The run of this number, held against one without a fault; what it violated.
fn numbered(
    index: usize,
    checkout: &Path,
    artifacts: &[String; 2],
    wanted: &BTreeMap<Change, (End, usize)>,
) -> (Fault, Vec<String>) {
    let change = CHANGES[index % CHANGES.len()];
    let (wanted, calls) = &wanted[&change];
    let plan = Plan::of(index, *calls);
    let started = std::time::Instant::now();
    let Ran { mut violations, end, .. } = run(checkout, artifacts, change, Some(plan));
    if let Some(end) = end.filter(|end| end != wanted) {
        violations.push(format!("it ends as {end:#?}\ninstead of {wanted:#?}"));
    }
    let (seconds, number) = (started.elapsed().as_secs(), violations.len());
    eprintln!("run {index}: {change:?}, {plan:?}: {number} violations, {seconds} s {}", violations.join("\n"));
    let told = |violation| format!("run {index}, {change:?}, {plan:?}: {violation}");
    (plan.fault, violations.into_iter().map(told).collect())
}
