//! The local cloud's life: started, found again, recovered, stopped. Against a real MiniStack.
//!
//! Each test has a folder and a port of its own; all share the installation, as users' checkouts do.

#![cfg(unix)]

use std::{
    io::{Cursor, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    process::{Command, Output},
    time::{Duration, Instant},
};

use aws_sdk_lambda::{
    primitives::Blob,
    types::{FunctionCode, InvocationType, Runtime},
};
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use camino::Utf8PathBuf;
use engine::{
    http::{Client, Request},
    local::{self, GateProgram, Keys, LocalError, Running, Settings},
    ui::Ui,
};

/// How long the system may take to do what was asked.
const PATIENCE: Duration = Duration::from_secs(10);

/// An instance of a test's own, killed with the test whatever comes of it.
struct Cloud {
    settings: Settings,
    ui: Ui,
    _directory: tempfile::TempDir,
}

impl Cloud {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary folder");
        let path = Utf8PathBuf::from_path_buf(directory.path().join("local")).expect("UTF-8");
        let target = Utf8PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let target = target.parent().expect("a folder in the target folder").to_path_buf();
        let settings = Settings { directory: path, target, port: Some(free_port()), gate: own_gate() };
        Self { settings, ui: Ui::new(), _directory: directory }
    }

    async fn up(&self) -> Running {
        local::up(&self.settings, &self.ui).await.expect("MiniStack starts")
    }

    async fn down(&self) -> bool {
        local::down(&self.settings).await.expect("MiniStack stops")
    }

    /// A client of S3 that signs with the keys of this cloud.
    fn s3(&self, running: &Running) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::Config::builder().behavior_version(BehaviorVersion::latest());
        let config = config.region(Region::new("us-east-1")).endpoint_url(&running.endpoint).force_path_style(true);
        let http = aws_smithy_http_client::Builder::new().build_http();
        aws_sdk_s3::Client::from_conf(config.credentials_provider(self.credentials()).http_client(http).build())
    }

    /// As [`Self::s3`], of Lambda.
    fn lambda(&self, running: &Running) -> aws_sdk_lambda::Client {
        let config = aws_sdk_lambda::Config::builder().behavior_version(BehaviorVersion::latest());
        let config = config.region(Region::new("us-east-1")).endpoint_url(&running.endpoint);
        let http = aws_smithy_http_client::Builder::new().build_http();
        aws_sdk_lambda::Client::from_conf(config.credentials_provider(self.credentials()).http_client(http).build())
    }

    fn credentials(&self) -> Credentials {
        let keys = Keys::read(&self.settings.directory).expect("readable").expect("the keys of a running cloud");
        Credentials::new(keys.access_key(), keys.secret(), None, None, "tests")
    }
}

/// The gate is this program, run again.
fn own_gate() -> GateProgram {
    let program = std::env::current_exe().expect("this program");
    GateProgram { program, arguments: ["the_gate", "--exact", "--ignored", "--nocapture"].map(str::to_owned).to_vec() }
}

/// The gate of the clouds in these tests. The last two arguments are the gate's; to the test runner, they are names of tests.
#[test]
#[ignore = "runs only as the gate of another test's cloud"]
fn the_gate() {
    let arguments: Vec<String> = std::env::args().collect();
    let [.., token, python] = arguments.as_slice() else { panic!("no arguments: {arguments:?}") };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(local::run_gate(token, python)).unwrap_or_else(|error| panic!("{error}"));
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let Ok(written) = std::fs::read(self.settings.directory.join("instance.json")) else { return };
        let written: serde_json::Value = serde_json::from_slice(&written).unwrap_or_default();
        if let Some(pid) = written["pid"].as_u64() {
            signal("KILL", &format!("-{pid}"));
        }
    }
}

#[tokio::test]
async fn only_this_machine_can_connect() {
    let cloud = Cloud::new();
    let running = cloud.up().await;
    assert_eq!(running.endpoint, format!("http://127.0.0.1:{}", running.port));
    assert_eq!(Some(running.port), cloud.settings.port);
    let members = members(running.pid);
    assert_eq!(members.len(), 2, "the gate and the emulator: {members:?}");
    let listening: Vec<_> = members.into_iter().flat_map(listening_sockets).collect();
    assert_eq!(listening, [format!("127.0.0.1:{}", running.port)], "the emulator listens on its socket only");
    for file in ["credentials", "emulator.sock"] {
        let mode = std::fs::metadata(cloud.settings.directory.join(file)).expect("it exists").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    assert!(cloud.down().await);
    assert!(!cloud.settings.directory.join("credentials").exists());
}

#[tokio::test]
async fn only_signed_calls_reach_the_emulator() {
    let cloud = Cloud::new();
    let running = cloud.up().await;
    let functions = format!("{}/2015-03-31/functions", running.endpoint);
    let function = serde_json::json!({
        "FunctionName": "evil",
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Role": "arn:aws:iam::000000000000:role/evil",
        // A zip without files.
        "Code": { "ZipFile": "UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==" },
    });
    // What a page of another site can send without asking: a form's content type.
    let evil = || {
        let request = Request::new("POST", &functions).header("content-type", "text/plain");
        request.body(function.to_string().into_bytes())
    };
    for (request, why) in [
        (evil().header("origin", "http://127.0.0.1:8000"), "the origin is not in `allowed_origins`"),
        (evil().header("host", "evil.example"), "the Host header"),
        (evil(), "not signed"),
    ] {
        let response = Client::default().send(request).await.expect("a response");
        let text = String::from_utf8_lossy(&response.body).into_owned();
        assert!(response.status == 403 && text.contains(why), "{} {text}", response.status);
    }
    let listed = cloud.lambda(&running).list_functions().send().await.expect("a signed call passes");
    assert!(listed.functions().is_empty());
}

#[tokio::test]
async fn the_gate_ends_with_its_emulator() {
    let cloud = Cloud::new();
    let running = cloud.up().await;
    let emulator = members(running.pid).into_iter().find(|pid| *pid != running.pid).expect("the emulator");
    signal("KILL", &emulator.to_string());
    wait_for("the end to be noticed", || local::died(&cloud.settings).is_some()).await;
    assert!(!connects(running.port));
    let last = local::last_log_lines(&cloud.settings, 20).join("\n");
    assert!(last.contains("MiniStack ended with signal: 9"), "{last}");
    assert_ne!(cloud.up().await.pid, running.pid);
}

/// What a version of the tool without a gate has started is no local cloud to deploy to.
#[tokio::test]
async fn an_instance_without_a_gate_is_replaced() {
    let cloud = Cloud::new();
    let first = cloud.up().await;
    let path = cloud.settings.directory.join("instance.json");
    let written = std::fs::read_to_string(&path).expect("the record");
    let of_before = written.replace(",\"has_gate\":true", "");
    assert_ne!(of_before, written);
    std::fs::write(&path, of_before).expect("written");
    assert_eq!(local::status(&cloud.settings).await.expect("readable"), None);
    let second = cloud.up().await;
    assert!(second.started && second.pid != first.pid);
    wait_for("the first one to end", || members(first.pid).is_empty()).await;
}

#[tokio::test]
async fn a_second_up_finds_the_first() {
    let cloud = Cloud::new();
    let (one, two) = tokio::join!(local::up(&cloud.settings, &cloud.ui), local::up(&cloud.settings, &cloud.ui));
    let (one, two) = (one.expect("it starts"), two.expect("it is found"));
    assert_eq!((one.pid, one.port), (two.pid, two.port));
    assert!(one.started != two.started, "exactly one call starts it");
    assert_eq!(local::status(&cloud.settings).await.expect("readable").map(|running| running.pid), Some(one.pid));

    let elsewhere = Settings { port: Some(free_port()), ..cloud.settings.clone() };
    let error = local::up(&elsewhere, &cloud.ui).await.expect_err("it runs on another port");
    assert!(matches!(error, LocalError::OtherPort { running, .. } if running == one.port), "{error}");
}

#[tokio::test]
async fn after_a_crash_it_is_said_and_recovered_from() {
    let cloud = Cloud::new();
    let first = cloud.up().await;
    assert!(local::died(&cloud.settings).is_none());
    signal("KILL", &first.pid.to_string());
    wait_for("the port to close", || !connects(first.port)).await;
    wait_for("its end to be noticed", || local::died(&cloud.settings).is_some()).await;
    let gone = local::died(&cloud.settings).expect("just seen").to_string();
    let last = local::last_log_lines(&cloud.settings, 1).concat();
    assert!(!last.is_empty() && gone.contains(&last), "{gone}");
    assert_eq!(local::status(&cloud.settings).await.expect("readable"), None);

    let second = cloud.up().await;
    assert!(second.started);
    assert_ne!(first.pid, second.pid);
    assert!(connects(second.port));
    assert!(local::died(&cloud.settings).is_none());
}

#[tokio::test]
async fn a_taken_port_is_named_and_nothing_is_left_behind() {
    let cloud = Cloud::new();
    let port = cloud.settings.port.expect("set");
    let _other = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("it was free");
    let error = local::up(&cloud.settings, &cloud.ui).await.expect_err("it is taken");
    assert!(matches!(error, LocalError::PortTaken { port: taken } if taken == port), "{error}");
    assert!(!cloud.settings.directory.join("instance.json").exists());
    assert!(!cloud.down().await);
}

#[tokio::test]
async fn down_stops_the_functions_too() {
    let cloud = Cloud::new();
    let running = cloud.up().await;
    start_function(&cloud, &running).await;
    assert!(cloud.down().await);
    wait_for("the group to end", || members(running.pid).is_empty()).await;
    assert!(!connects(running.port));
    assert_eq!(local::status(&cloud.settings).await.expect("readable"), None);
    assert!(!cloud.down().await, "there is nothing left to stop");
}

#[tokio::test]
async fn functions_that_a_crash_left_behind_are_stopped() {
    let cloud = Cloud::new();
    let running = cloud.up().await;
    start_function(&cloud, &running).await;
    signal("KILL", &running.pid.to_string());
    wait_for("its end to be noticed", || local::died(&cloud.settings).is_some()).await;
    assert!(!members(running.pid).is_empty(), "the function outlives the crash");
    assert!(!cloud.down().await, "it no longer ran");
    wait_for("the function to end", || members(running.pid).is_empty()).await;
}

#[tokio::test]
async fn reset_forgets_what_was_made() {
    let cloud = Cloud::new();
    let first = cloud.up().await;
    let s3 = cloud.s3(&first);
    s3.create_bucket().bucket("kept").send().await.expect("created");
    s3.head_bucket().bucket("kept").send().await.expect("found");

    let second = local::reset(&cloud.settings, &cloud.ui).await.expect("it starts afresh");
    let found = cloud.s3(&second).head_bucket().bucket("kept").send().await;
    assert!(found.expect_err("it is gone").into_service_error().is_not_found());
}

/// Has MiniStack start a function that stays busy, and waits until it does.
async fn start_function(cloud: &Cloud, running: &Running) {
    let lambda = cloud.lambda(running);
    let code = FunctionCode::builder().zip_file(Blob::new(zipped("bootstrap", "#!/bin/sh\nexec sleep 60\n"))).build();
    let created = lambda.create_function().function_name("busy").runtime(Runtime::Providedal2023).handler("bootstrap");
    let created = created.role("arn:aws:iam::000000000000:role/busy").timeout(60).code(code).send().await;
    created.expect("created");
    let invoked = lambda.invoke().function_name("busy").invocation_type(InvocationType::Event);
    invoked.payload(Blob::new("{}")).send().await.expect("invoked");
    wait_for("the function to start", || members(running.pid).len() > 2).await;
}

fn zipped(name: &str, content: &str) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(name, zip::write::SimpleFileOptions::default().unix_permissions(0o755)).expect("a new entry");
    zip.write_all(content.as_bytes()).expect("memory is enough");
    zip.finish().expect("memory is enough").into_inner()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("bound").port()
}

fn connects(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

async fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited too long for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().expect("it runs")
}

fn signal(name: &str, target: &str) {
    run("/bin/kill", &["-s", name, "--", target]);
}

/// The group's living processes; those that only wait to be noticed by their parent do not count.
fn members(group: u32) -> Vec<u32> {
    let listed = run("ps", &["-A", "-o", "pgid=,pid=,stat="]);
    assert!(listed.status.success());
    let living = |line: &str| {
        let mut fields = line.split_whitespace();
        let is_member = fields.next() == Some(group.to_string().as_str());
        let pid = fields.next().filter(|_| is_member)?.parse().ok()?;
        fields.next().is_some_and(|state| !state.starts_with('Z')).then_some(pid)
    };
    String::from_utf8_lossy(&listed.stdout).lines().filter_map(living).collect()
}

/// What the process listens on, read from the kernel: any address, TCP over IPv4 and IPv6.
#[cfg(target_os = "linux")]
fn listening_sockets(pid: u32) -> Vec<String> {
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it is our child");
    let sockets: Vec<String> = descriptors
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    ["tcp", "tcp6"]
        .into_iter()
        .flat_map(|table| {
            let table = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
            table.lines().skip(1).filter_map(|line| listening_address(line, &sockets)).collect::<Vec<_>>()
        })
        .collect()
}

/// A line of `/proc/net/tcp` (proc_pid_net(5)): fields 1, 3 and 9 are the address, the state (0A: listening)
/// and the socket.
#[cfg(target_os = "linux")]
fn listening_address(line: &str, sockets: &[String]) -> Option<String> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let ours = fields.get(3) == Some(&"0A") && sockets.iter().any(|socket| Some(&socket.as_str()) == fields.get(9));
    let (address, port) = fields.get(1).filter(|_| ours)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let Ok(address) = u32::from_str_radix(address, 16) else { return Some(format!("[{address}]:{port}")) };
    Some(format!("{}:{port}", Ipv4Addr::from(address.to_ne_bytes())))
}

/// What the process listens on.
#[cfg(not(target_os = "linux"))]
fn listening_sockets(pid: u32) -> Vec<String> {
    let listed = run("lsof", &["-nP", "-a", "-p", &pid.to_string(), "-iTCP", "-sTCP:LISTEN", "-Fn"]);
    String::from_utf8_lossy(&listed.stdout)
        .lines()
        .filter_map(|line| Some(line.strip_prefix('n')?.to_owned()))
        .collect()
}
