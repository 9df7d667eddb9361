//! Whatever goes wrong at whatever call, users keep what works, and one clean run more finishes the job.
//!
//! Each run deploys, changes code or shape or both, deploys, rolls back and prunes on a cloud of its own, with one fault at one
//! call, drawn from the run's number. `cargo xtask ci faults` is the full suite (`XTASK_FAULT_RUNS` says how many runs, `XTASK_FAULT_FROM` where to
//! begin); without, a few runs are made, spread over all calls.

#![expect(clippy::print_stderr, reason = "a long run tells how far it is, and ends in a table")]

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    cloud::{Cloud, text},
    deploying::{change_code, copy_workspace, only_the_media_uploader},
    offline::git,
    proxy::{Call, Proxy, Verdict, kill},
};

const SYSTEM: &str = "media-uploader";
const STAGE_FILE: &str = "stacks/stages/local.yaml";
const BEFORE: &str = "http://localhost:3000";
const AFTER: &str = "http://localhost:4000";
/// How many runs are made unless `XTASK_FAULT_RUNS` says otherwise.
const SLICE: usize = 8;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Throttled,
    ServerError,
    Timeout,
    Reset,
    LostResponse,
    ExpiredCredentials,
    KilledBefore,
    KilledAfter,
}

const FAULTS: [Fault; 8] = [
    Fault::Throttled,
    Fault::ServerError,
    Fault::Timeout,
    Fault::Reset,
    Fault::LostResponse,
    Fault::ExpiredCredentials,
    Fault::KilledBefore,
    Fault::KilledAfter,
];

/// What changes between the two deploys of a run: code alone goes past CloudFormation, shape goes through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    Shape,
    Code,
    Both,
}

const CHANGES: [Change; 3] = [Change::Shape, Change::Code, Change::Both];

/// One fault in one run: from which call on, and for how many calls, which outlasts some retries and not others.
#[derive(Debug, Clone, Copy)]
struct Plan {
    fault: Fault,
    position: usize,
    calls: usize,
}

impl Plan {
    /// The fault of a run, where a fault-free one makes `calls` calls: numbers near each other fall far apart.
    fn of(number: usize, calls: usize) -> Self {
        let fault = FAULTS[number % FAULTS.len()];
        // Steps of the golden ratio cover the calls evenly however many runs there are.
        let position = number * 618_034 % 1_000_000 * calls / 1_000_000;
        Self { fault, position, calls: 1 + (number / FAULTS.len()) % 4 }
    }
}

/// What the proxy does in a run.
struct Trouble {
    plan: Option<Plan>,
    on: AtomicBool,
    signed: AtomicUsize,
    process: AtomicU32,
}

impl Trouble {
    fn judge(&self, call: &Call) -> Verdict {
        // Calls of the API's own clients are not AWS's.
        if call.service.is_empty() {
            return Verdict::Forward;
        }
        let number = self.signed.fetch_add(1, Ordering::SeqCst);
        let Some(plan) = self.plan.filter(|_| self.on.load(Ordering::SeqCst)) else { return Verdict::Forward };
        if !(plan.position..plan.position + plan.calls).contains(&number) {
            return Verdict::Forward;
        }
        match plan.fault {
            Fault::Throttled => throttled(call),
            Fault::ServerError => Verdict::Answer(500, "<Error><Code>InternalFailure</Code></Error>".to_owned()),
            Fault::Timeout => {
                std::thread::sleep(Duration::from_millis(300));
                Verdict::Reset
            }
            Fault::Reset => Verdict::Reset,
            Fault::LostResponse => Verdict::LoseResponse,
            Fault::ExpiredCredentials => expired(call),
            Fault::KilledBefore => {
                kill(self.process.load(Ordering::SeqCst));
                Verdict::Reset
            }
            Fault::KilledAfter => Verdict::ThenKill(self.process.load(Ordering::SeqCst)),
        }
    }
}

/// As each protocol says it: Query, JSON and S3's XML.
fn told(call: &Call, status: u16, codes: [&str; 3], message: &str) -> Verdict {
    let [query, json, s3] = codes;
    let body = match call.service.as_str() {
        "lambda" | "apigateway" | "cognito-idp" | "monitoring" => {
            format!(r#"{{"__type":"{json}","message":"{message}"}}"#)
        }
        "s3" => format!("<Error><Code>{s3}</Code><Message>{message}</Message></Error>"),
        _ => format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{query}</Code><Message>{message}</Message></Error></ErrorResponse>"
        ),
    };
    Verdict::Answer(status, body)
}

fn throttled(call: &Call) -> Verdict {
    let status = match call.service.as_str() {
        "lambda" => 429,
        "s3" => 503,
        _ => 400,
    };
    told(call, status, ["Throttling", "TooManyRequestsException", "SlowDown"], "Rate exceeded")
}

fn expired(call: &Call) -> Verdict {
    let message = "The security token included in the request is expired";
    told(call, 403, ["ExpiredToken", "ExpiredTokenException", "ExpiredToken"], message)
}

/// A run's cloud, behind its proxy.
struct Run<'a> {
    cloud: &'a Cloud,
    proxy: Proxy,
    trouble: Arc<Trouble>,
}

impl<'a> Run<'a> {
    fn new(cloud: &'a Cloud, plan: Option<Plan>) -> Self {
        let (on, signed, process) = (AtomicBool::new(true), AtomicUsize::new(0), AtomicU32::new(0));
        let trouble = Arc::new(Trouble { plan, on, signed, process });
        let judge = Arc::clone(&trouble);
        let proxy = Proxy::start(&cloud.endpoint(), move |call| judge.judge(call));
        Self { cloud, proxy, trouble }
    }

    fn once(&self, arguments: &[&str]) -> Output {
        let child = self
            .cloud
            .command(arguments)
            .env("AWS_ENDPOINT_URL", self.proxy.endpoint())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("xtask starts");
        self.trouble.process.store(child.id(), Ordering::SeqCst);
        child.wait_with_output().expect("xtask ends")
    }

    /// Runs a command; where that fails, once more without faults, and that must succeed.
    fn at_most_twice(&self, arguments: &[&str]) -> Result<(), String> {
        if self.once(arguments).status.success() {
            return Ok(());
        }
        self.trouble.on.store(false, Ordering::SeqCst);
        let again = self.once(arguments);
        if again.status.success() { Ok(()) } else { Err(format!("{arguments:?} failed twice\n{}", text(&again))) }
    }
}

/// A client that calls the live version of every function all the time; what it could not do.
struct Client {
    stop: Arc<AtomicBool>,
    complaints: Arc<Mutex<Vec<String>>>,
    thread: Option<std::thread::JoinHandle<usize>>,
}

impl Client {
    fn start(cloud: &Cloud) -> Self {
        let (stop, complaints) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (lambda, stopped, told) = (cloud.lambda(), Arc::clone(&stop), Arc::clone(&complaints));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(call_until(lambda, &stopped, &told))
        });
        Self { stop, complaints, thread: Some(thread) }
    }

    /// How often it called, and what it complains of.
    fn stop(mut self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::SeqCst);
        let calls = self.thread.take().map_or(0, |thread| thread.join().expect("the client ends"));
        (calls, self.complaints.lock().expect("complaints").clone())
    }
}

async fn call_until(lambda: aws_sdk_lambda::Client, stop: &AtomicBool, told: &Mutex<Vec<String>>) -> usize {
    let mut calls = 0;
    for function in ["upload", "retrieve"].iter().cycle() {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let name = format!("{SYSTEM}-{function}-local");
        let payload = aws_sdk_lambda::primitives::Blob::new(r#"{"probe":"ready"}"#);
        let answer = lambda.invoke().function_name(&name).qualifier("live").payload(payload).send().await;
        calls += 1;
        let complaint = match answer {
            Ok(answer) => answer.function_error().map(|error| format!("{name} fails: {error}")),
            Err(error) => Some(format!("{name} cannot be invoked: {error:?}")),
        };
        told.lock().expect("complaints").extend(complaint);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    calls
}

/// What must be the same in the end, whatever went wrong on the way: what is live, what holds data, what is deployed.
#[derive(Debug, PartialEq)]
struct End {
    live: BTreeMap<String, Value>,
    buckets: Vec<String>,
    photo: bool,
    stacks: BTreeMap<String, String>,
}

#[tokio::main(flavor = "current_thread")]
async fn end(cloud: &Cloud) -> End {
    let (lambda, s3) = (cloud.lambda(), cloud.s3());
    let mut live = BTreeMap::new();
    for function in lambda.list_functions().send().await.expect("functions are listed").functions() {
        let name = function.function_name().expect("a name").to_owned();
        let request = lambda.get_function_configuration().function_name(&name).qualifier("live");
        let released = request.send().await.expect("what is live is there");
        let environment = released.environment().and_then(|environment| environment.variables()).cloned();
        let environment: BTreeMap<_, _> = environment.into_iter().flatten().collect();
        let shown = serde_json::json!({ "code": released.code_sha256(), "environment": environment });
        live.insert(name, shown);
    }
    let listed = s3.list_buckets().send().await.expect("buckets are listed");
    let buckets = listed.buckets().iter().filter_map(|bucket| bucket.name().map(str::to_owned)).collect();
    let photo = s3.head_object().bucket(raw_bucket()).key("kept").send().await.is_ok();
    let cloudformation = aws_sdk_cloudformation::Client::new(&cloud.sdk());
    let described = cloudformation.describe_stacks().send().await.expect("stacks are described");
    let stacks = described.stacks().iter().map(|stack| {
        let outputs: BTreeMap<_, _> = stack.outputs().iter().map(|output| (output.output_key(), ())).collect();
        (stack.stack_name().unwrap_or_default().to_owned(), format!("{outputs:?}"))
    });
    End { live, buckets, photo, stacks: stacks.collect() }
}

fn raw_bucket() -> &'static str {
    "local-media-raw-000000000000"
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

/// What all runs deploy: a checkout whose stage file changes, and the functions built from two sources.
struct Sources {
    checkout: TempDir,
    artifacts: [String; 2],
}

impl Sources {
    fn new() -> Self {
        let checkout = tempfile::tempdir().expect("a temporary folder");
        copy_workspace(checkout.path());
        only_the_media_uploader(checkout.path());
        // What is built is known by the sources that git tracks.
        git(checkout.path(), &["init", "--quiet"]);
        git(checkout.path(), &["add", "--all"]);
        let cloud = Cloud::of_checkout(checkout.path(), "faults");
        let artifacts = ["before", "after"].map(|name| {
            let folder = checkout.path().join("target").join(name).to_str().expect("UTF-8").to_owned();
            if name == "after" {
                change_code(checkout.path(), 1);
            }
            cloud.success(&["build", "--stage", "local", "--out", &folder]);
            folder
        });
        Self { checkout, artifacts }
    }

    fn path(&self) -> &Path {
        self.checkout.path()
    }
}

/// One run; what it violated, how it ended, and how many calls it made.
fn run(sources: &Sources, change: Change, plan: Option<Plan>) -> (Vec<String>, Option<End>, usize) {
    let checkout = sources.path();
    let cloud = Cloud::of_checkout(checkout, "faults");
    cloud.success(&["local", "up"]);
    let run = Run::new(&cloud, plan);
    let mut violations = Vec::new();
    let [before, after] = &sources.artifacts;
    let deploy = |artifacts| {
        run.at_most_twice(&["deploy", "--stage", "local", "--yes", "--format", "json", "--artifacts", artifacts])
    };
    set_origin(checkout, BEFORE);
    violations.extend(deploy(before).err());
    if !violations.is_empty() {
        return (violations, None, run.trouble.signed.load(Ordering::SeqCst));
    }
    keep_a_photo(&cloud);
    let client = Client::start(&cloud);
    set_origin(checkout, if change == Change::Code { BEFORE } else { AFTER });
    violations.extend(deploy(if change == Change::Shape { before } else { after }).err());
    violations.extend(run.at_most_twice(&["rollback", "--stage", "local", "--system", SYSTEM, "--to", "1"]).err());
    violations.extend(run.at_most_twice(&["prune", "--stage", "local", "--keep", "1"]).err());
    let (calls, complaints) = client.stop();
    if calls == 0 {
        violations.push("the client never called".to_owned());
    }
    violations.extend(complaints);
    run.trouble.on.store(false, Ordering::SeqCst);
    violations.extend(ledger(&cloud));
    let made = run.trouble.signed.load(Ordering::SeqCst);
    (violations, Some(end(&cloud)), made)
}

/// What is wrong with the ledger.
fn ledger(cloud: &Cloud) -> Vec<String> {
    let entries = cloud.json(&["release", "list", "--stage", "local", "--format", "json"]);
    let entries = entries.as_array().cloned().unwrap_or_default();
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
    let sources = Sources::new();
    let wanted = CHANGES.map(|change| {
        let (violations, end, calls) = run(&sources, change, None);
        assert_eq!(violations, Vec::<String>::new(), "without any fault");
        eprintln!("{change:?}: {calls} calls without any fault");
        (change, (end, calls))
    });
    let wanted = BTreeMap::from(wanted);
    let runs = number("XTASK_FAULT_RUNS", SLICE);
    let from = number("XTASK_FAULT_FROM", 0);
    let mut table: BTreeMap<Fault, (usize, Vec<String>)> = BTreeMap::new();
    for index in from..from + runs {
        let change = CHANGES[index % CHANGES.len()];
        let (wanted, calls) = &wanted[&change];
        let plan = Plan::of(index, *calls);
        let (mut violations, end, _) = run(&sources, change, Some(plan));
        if end.is_some() && end != *wanted {
            violations.push(format!("it ends as {end:#?}\ninstead of {wanted:#?}"));
        }
        eprintln!("run {index}: {change:?}, {plan:?}: {} violations {}", violations.len(), violations.join("\n"));
        let row = table.entry(plan.fault).or_default();
        row.0 += 1;
        row.1.extend(violations.into_iter().map(|violation| format!("run {index}, {change:?}, {plan:?}: {violation}")));
    }
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
