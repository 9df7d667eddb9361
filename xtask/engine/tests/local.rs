//! The local cloud's life: started, found again, recovered, stopped. Against a real MiniStack.
//!
//! Each test has a folder and a port of its own; all share the installation, as users' checkouts do.

#![cfg(unix)]

use std::{
    io::{Cursor, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Command, Output},
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use camino::Utf8PathBuf;
use engine::{
    http::{Client, Request},
    local::{self, LocalError, Running, Settings},
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
        let settings = Settings { directory: path, target, port: Some(free_port()) };
        Self { settings, ui: Ui::new(), _directory: directory }
    }

    async fn up(&self) -> Running {
        local::up(&self.settings, &self.ui).await.expect("MiniStack starts")
    }

    async fn down(&self) -> bool {
        local::down(&self.settings).await.expect("MiniStack stops")
    }
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
    let listening = listening_sockets(running.pid);
    assert_eq!(listening, [format!("127.0.0.1:{}", running.port)]);
    assert!(cloud.down().await);
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
    start_function(&running).await;
    assert!(cloud.down().await);
    wait_for("the group to end", || group_members(running.pid) == 0).await;
    assert!(!connects(running.port));
    assert_eq!(local::status(&cloud.settings).await.expect("readable"), None);
    assert!(!cloud.down().await, "there is nothing left to stop");
}

#[tokio::test]
async fn functions_that_a_crash_left_behind_are_stopped() {
    let cloud = Cloud::new();
    let running = cloud.up().await;
    start_function(&running).await;
    signal("KILL", &running.pid.to_string());
    wait_for("its end to be noticed", || local::died(&cloud.settings).is_some()).await;
    assert!(group_members(running.pid) > 0, "the function outlives the crash");
    assert!(!cloud.down().await, "it no longer ran");
    wait_for("the function to end", || group_members(running.pid) == 0).await;
}

#[tokio::test]
async fn reset_forgets_what_was_made() {
    let cloud = Cloud::new();
    let first = cloud.up().await;
    let client = Client::default();
    let bucket = |running: &Running| format!("{}/kept", running.endpoint);
    let made = client.send(Request::new("PUT", bucket(&first))).await.expect("a response");
    assert_eq!(made.status, 200, "{made:?}");
    let found = client.send(Request::new("HEAD", bucket(&first))).await.expect("a response");
    assert_eq!(found.status, 200, "{found:?}");

    let second = local::reset(&cloud.settings, &cloud.ui).await.expect("it starts afresh");
    let found = client.send(Request::new("HEAD", bucket(&second))).await.expect("a response");
    assert_eq!(found.status, 404);
}

/// Has MiniStack start a function that stays busy, and waits until it does.
async fn start_function(running: &Running) {
    let client = Client::default();
    let functions = format!("{}/2015-03-31/functions", running.endpoint);
    let function = serde_json::json!({
        "FunctionName": "busy",
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Role": "arn:aws:iam::000000000000:role/busy",
        "Timeout": 60,
        "Code": { "ZipFile": BASE64_STANDARD.encode(zipped("bootstrap", "#!/bin/sh\nexec sleep 60\n")) },
    });
    let created = client.send(Request::new("POST", &functions).json(&function)).await.expect("a response");
    assert_eq!(created.status, 201, "{created:?}");
    let invocation = Request::new("POST", format!("{functions}/busy/invocations"));
    let invocation = invocation.header("x-amz-invocation-type", "Event").body(b"{}".to_vec());
    let invoked = client.send(invocation).await.expect("a response");
    assert_eq!(invoked.status, 202, "{invoked:?}");
    wait_for("the function to start", || group_members(running.pid) > 1).await;
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
fn group_members(group: u32) -> usize {
    let listed = run("ps", &["-A", "-o", "pgid=,stat="]);
    assert!(listed.status.success());
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let living = |line: &&str| {
        let mut fields = line.split_whitespace();
        fields.next() == Some(&group.to_string()) && fields.next().is_some_and(|state| !state.starts_with('Z'))
    };
    listed.lines().filter(living).count()
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
