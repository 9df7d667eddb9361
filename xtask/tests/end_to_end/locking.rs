//! Locks of runs that end in the middle, and of runs whose lock is taken away in the middle.

use std::{
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    cloud::{Cloud, text},
    proxy::{Call, Proxy, Verdict, kill},
    refusals::refused,
    stuck::described,
};

const SYSTEM: &str = "media-uploader";
const FUNCTION: &str = "media-uploader-upload-local";

fn foundation() -> Cloud {
    let cloud = Cloud::new();
    cloud.success(&["deploy", "--stage", "local", "--system", "foundation", "--yes"]);
    cloud
}

fn shown(cloud: &Cloud, system: &str) -> String {
    text(&cloud.success(&["lock", "show", "--stage", "local", "--system", system]))
}

/// A deploy of foundation that has its lock, and then waits for a stack that is never done.
fn waiting(cloud: &Cloud) -> (Child, Proxy) {
    let proxy = Proxy::start(&cloud.endpoint(), move |call| {
        if call.is("DescribeStacks") {
            let (status, body) = described("UPDATE_IN_PROGRESS");
            return Verdict::Answer(status, body);
        }
        Verdict::Forward
    });
    let mut command = deploy(cloud, &proxy, "foundation");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("xtask starts");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !shown(cloud, "foundation").contains("foundation: locked by") {
        assert!(Instant::now() < deadline, "it was never locked: {:?}", proxy.calls());
        assert!(child.try_wait().expect("it can be asked").is_none(), "the deploy has ended");
    }
    (child, proxy)
}

fn deploy(cloud: &Cloud, proxy: &Proxy, system: &str) -> Command {
    let mut command = cloud.command(&["deploy", "--stage", "local", "--system", system, "--yes"]);
    command.env("AWS_ENDPOINT_URL", proxy.endpoint());
    command
}

#[test]
fn an_interrupted_run_gives_its_lock_back() {
    let cloud = foundation();
    // Not SIGHUP: a test that `nohup` started ignores it, and so does its child.
    for (signal, code, said) in [("-INT", 130, "interrupted"), ("-TERM", 143, "interrupted by SIGTERM")] {
        let (child, _proxy) = waiting(&cloud);
        let signalled = Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(signalled.expect("kill starts").success());
        let since = Instant::now();
        refused(&child.wait_with_output().expect("xtask ends"), code, &[said, "run the same command again"]);
        assert!(since.elapsed() < Duration::from_secs(20), "it took {:?}", since.elapsed());
        assert!(shown(&cloud, "foundation").contains("foundation: free"), "{}", shown(&cloud, "foundation"));
    }
    // The next run resumes.
    cloud.success(&["deploy", "--stage", "local", "--system", "foundation", "--yes"]);
}

#[test]
fn the_lock_of_a_run_that_was_killed_is_shown_as_stale() {
    let cloud = foundation();
    let (child, _proxy) = waiting(&cloud);
    kill(child.id());
    child.wait_with_output().expect("xtask ends");
    let shown = shown(&cloud, "foundation");
    assert!(shown.contains("foundation: stale: its process is gone; it was locked by "), "{shown}");
}

/// Deploys, and takes the lock away at the first call that is this one. What was called from then on.
fn robbed(cloud: &Arc<Cloud>, at: impl Fn(&Call) -> bool + Send + Sync + 'static) -> (Output, Vec<Call>) {
    let (robber, done) = (Arc::clone(cloud), AtomicBool::new(false));
    let broken = Arc::new(std::sync::Mutex::new(None));
    let at_call = Arc::clone(&broken);
    let proxy = Proxy::start(&cloud.endpoint(), move |call| {
        if at(call) && !done.swap(true, Ordering::SeqCst) {
            robber.success(&["lock", "break", "--stage", "local", "--system", SYSTEM]);
            *at_call.lock().expect("a number") = Some(call.number);
        }
        Verdict::Forward
    });
    let output = deploy(cloud, &proxy, SYSTEM).output().expect("xtask starts");
    let Some(number) = *broken.lock().expect("a number") else { panic!("nothing was broken\n{}", text(&output)) };
    (output, proxy.calls().into_iter().filter(|call| call.number > number).collect())
}

/// Does this change what is deployed, or what users get?
fn changes(call: &Call) -> bool {
    let (method, path) = call.operation.split_once(' ').unwrap_or_default();
    call.is("ExecuteChangeSet")
        || call.is("DeleteStack")
        || (method == "PUT" && (path.ends_with("/code") || path.contains("/aliases/") || path.contains("/releases/")))
        || (method == "POST" && path.ends_with("/versions"))
}

/// Nobody renews a lock more often than twice a minute, and the next one is at work at once.
#[test]
fn whoever_loses_the_lock_changes_nothing_more() {
    let cloud = Arc::new(foundation());
    let stopped = |what: &str, (output, calls): (Output, Vec<Call>)| {
        refused(&output, 1, &["this run lost the lock of media-uploader: it was broken", "it resumes where"]);
        let changing: Vec<_> = calls.iter().filter(|call| changes(call)).collect();
        assert!(changing.is_empty(), "{what}: {changing:?}\n{}", text(&output));
    };
    stopped("change sets", robbed(&cloud, |call| call.is("DescribeChangeSet")));
    cloud.success(&["deploy", "--stage", "local", "--system", SYSTEM, "--yes"]);

    exchange_code(&cloud);
    let locked = AtomicBool::new(false);
    let once_locked = move |call: &Call| {
        let locks = call.operation.starts_with("PUT ") && call.operation.ends_with("/locks/media-uploader.json");
        locked.fetch_or(locks, Ordering::SeqCst)
    };
    stopped("code", robbed(&cloud, once_locked));
    cloud.success(&["deploy", "--stage", "local", "--system", SYSTEM, "--yes"]);

    let before = live(&cloud);
    reconfigure(&cloud);
    stopped("a release", robbed(&cloud, |call| call.operation.ends_with("/invocations")));
    assert_eq!(live(&cloud), before);
    cloud.success(&["deploy", "--stage", "local", "--system", SYSTEM, "--yes"]);
    assert_ne!(live(&cloud), before);
}

/// Gives `upload` another function's code, as somebody by hand might.
#[tokio::main(flavor = "current_thread")]
async fn exchange_code(cloud: &Cloud) {
    let s3 = cloud.s3();
    let buckets = s3.list_buckets().send().await.expect("buckets are listed");
    let bucket =
        buckets.buckets().iter().filter_map(|bucket| bucket.name()).find(|name| name.starts_with("artifacts-"));
    let bucket = bucket.expect("the artifact bucket");
    let objects = s3.list_objects_v2().bucket(bucket).send().await.expect("objects are listed");
    let key = objects.contents().iter().filter_map(|object| object.key()).find(|key| key.contains("retrieve"));
    let request = cloud.lambda().update_function_code().function_name(FUNCTION);
    request.s3_bucket(bucket).s3_key(key.expect("its zip")).send().await.expect("the code changes");
}

#[tokio::main(flavor = "current_thread")]
async fn reconfigure(cloud: &Cloud) {
    let request = cloud.lambda().update_function_configuration().function_name(FUNCTION).memory_size(300);
    request.send().await.expect("the memory changes");
}

#[tokio::main(flavor = "current_thread")]
async fn live(cloud: &Cloud) -> String {
    let alias = cloud.lambda().get_alias().function_name(FUNCTION).name("live").send().await.expect("the alias");
    alias.function_version().expect("a version").to_owned()
}
