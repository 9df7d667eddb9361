//! Releases on the emulator: entered, listed, rolled back, finished or reverted when interrupted, one at a time.

use std::{
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    cloud::{Cloud, text},
    refusals::refused,
};

const SYSTEM: &str = "media-uploader";
const FUNCTION: &str = "media-uploader-upload-local";

#[test]
fn releases_are_entered_rolled_back_and_settled() {
    let cloud = Cloud::new();
    refused(&cloud.xtask(&["rollback", "--stage", "local"]), 1, &["has no artifact bucket"]);
    cloud.deploy();
    let first = releases(&cloud);
    assert_eq!(first.len(), 1, "{first:#?}");
    assert_eq!(first[0]["outcome"]["state"], "released");
    assert_eq!(first[0]["functions"].as_object().map(serde_json::Map::len), Some(5), "{first:#?}");
    let moved = &first[0]["functions"][FUNCTION];
    assert_eq!((&moved["before"], &moved["after"]), (&Value::Null, &json!("1")), "{first:#?}");
    assert!(first[0]["needs"].as_object().is_some_and(|needs| !needs.is_empty()), "{first:#?}");
    refused(&cloud.xtask(&["rollback", "--stage", "local"]), 1, &["no earlier release"]);

    // Nothing changed, nothing entered.
    cloud.deploy();
    assert_eq!(releases(&cloud).len(), 1);

    // A configuration changed by hand is another version to release.
    reconfigure(&cloud, 300);
    cloud.deploy();
    assert_eq!(live(&cloud), "2");
    assert_eq!(releases(&cloud).len(), 2);

    let back = cloud.success(&["rollback", "--stage", "local", "--system", SYSTEM]);
    assert!(text(&back).contains("release 3: rollback to 1"), "{}", text(&back));
    assert_eq!(live(&cloud), "1");
    // What users get is not what was deployed last, and a plan says that the next deploy changes that.
    let plan = ["plan", "--stage", "local", "--online", "--exit-code"];
    refused(&cloud.xtask(&plan), 2, &[FUNCTION, "`live` does not point to the last deployed version"]);
    refused(&cloud.xtask(&["rollback", "--stage", "local", "--system", SYSTEM]), 1, &["no earlier release"]);
    assert_eq!(live(&cloud), "1", "a second rollback must not go forward again");
    let forth = ["rollback", "--stage", "local", "--system", SYSTEM, "--to", "2"];
    cloud.success(&forth);
    assert_eq!(live(&cloud), "2");
    let shown = cloud.success(&["release", "show", "3", "--stage", "local"]);
    assert!(text(&shown).contains("rollback to 1, released"), "{}", text(&shown));
    refused(&cloud.xtask(&["release", "show", "99", "--stage", "local"]), 1, &["no release 99", "release list"]);
    refused(&cloud.xtask(&["rollback", "--stage", "local", "--system", SYSTEM, "--to", "99"]), 1, &["no release 99"]);

    weights_left_behind_are_taken_away(&cloud);
    an_interrupted_release_is_settled(&cloud);
    a_canary_settles_and_a_bad_one_is_reverted(&cloud);
    one_that_does_not_answer_any_more_is_reverted(&cloud);
    what_is_gone_does_not_come_back(&cloud);
}

/// A run was killed in its canary, and the version it gave a share to has gone bad meanwhile: it must not keep that.
fn one_that_does_not_answer_any_more_is_reverted(cloud: &Cloud) {
    let before = live(cloud);
    let broken = publish_broken(cloud);
    enter_open_to(cloud, &before, &broken);
    weigh(cloud, &broken);
    let resumed = cloud.xtask(&["release", "resume", "--stage", "local"]);
    refused(&resumed, 1, &["was reverted", "the probe of"]);
    assert_eq!((live(cloud), weights(cloud)), (before, 0));
    let newest = newest(cloud);
    assert_eq!(newest["outcome"]["state"], "reverted", "{newest:#}");
}

fn weights_left_behind_are_taken_away(cloud: &Cloud) {
    weigh(cloud, "1");
    let said = format!("{FUNCTION}: weighted alias");
    refused(&cloud.xtask(&["doctor", "--stage", "local"]), 1, &[&said, "--fix sends all traffic to version 2"]);
    refused(&cloud.xtask(&["doctor", "--stage", "local", "--fix"]), 0, &["done"]);
    refused(&cloud.xtask(&["doctor", "--stage", "local"]), 0, &["All is well"]);
}

/// A version that lacks what it needs to start.
#[tokio::main(flavor = "current_thread")]
async fn publish_broken(cloud: &Cloud) -> String {
    let empty = aws_sdk_lambda::types::Environment::builder().variables("NOTHING", "here").build();
    let request = cloud.lambda().update_function_configuration().function_name(FUNCTION).environment(empty);
    request.send().await.expect("the environment changes");
    let published = cloud.lambda().publish_version().function_name(FUNCTION).send().await.expect("it is published");
    published.version().expect("a number").to_owned()
}

#[tokio::main(flavor = "current_thread")]
async fn weigh(cloud: &Cloud, version: &str) {
    let weights = aws_sdk_lambda::types::AliasRoutingConfiguration::builder();
    let weights = weights.additional_version_weights(version, 0.1).build();
    let request = cloud.lambda().update_alias().function_name(FUNCTION).name("live").routing_config(weights);
    request.send().await.expect("the alias is weighted");
}

fn an_interrupted_release_is_settled(cloud: &Cloud) {
    refused(
        &cloud.xtask(&["release", "resume", "--stage", "local"]),
        1,
        &["no release of stage local was interrupted"],
    );
    enter_open(cloud);
    cloud.success(&["release", "abort", "--stage", "local"]);
    assert_eq!(live(cloud), "1");
    // Without a number, the one that was interrupted is what there is to go back from.
    enter_open(cloud);
    let back = cloud.success(&["rollback", "--stage", "local", "--system", SYSTEM]);
    assert!(text(&back).contains("was interrupted: returning to the release before it"), "{}", text(&back));
    assert_eq!((live(cloud).as_str(), newest(cloud)["outcome"]["state"].as_str()), ("1", Some("reverted")));
    // What may refuse a rollback does so before anything moves.
    enter_open(cloud);
    let nowhere = cloud.xtask(&["rollback", "--stage", "local", "--system", SYSTEM, "--to", "99"]);
    refused(&nowhere, 1, &["no release 99"]);
    assert_eq!(newest(cloud)["outcome"]["state"], "open");
    cloud.success(&["release", "abort", "--stage", "local"]);
    enter_open(cloud);
    cloud.success(&["release", "resume", "--stage", "local"]);
    assert_eq!(live(cloud), "2");
    // The next deploy finishes what was open without being asked.
    enter_open(cloud);
    cloud.deploy();
    assert_eq!(live(cloud), "2");
    let entries = releases(cloud);
    assert!(entries.iter().all(|entry| entry["outcome"]["state"] != "open"), "{entries:#?}");
    let mut numbers: Vec<_> = entries.iter().filter_map(|entry| entry["number"].as_u64()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
}

/// The emulator counts no requests, so of the good one probes decide, and of the bad one metrics that are put there.
fn a_canary_settles_and_a_bad_one_is_reverted(cloud: &Cloud) {
    let deploy = ["deploy", "--stage", "local", "--yes", "--strategy", "canary", "--bake"];
    reconfigure(cloud, 400);
    let good = cloud.success(&[&deploy[..], &["1"]].concat());
    assert!(text(&good).contains("Canary at 25 %"), "{}", text(&good));
    assert_eq!((live(cloud).as_str(), weights(cloud)), ("3", 0));
    let newest = releases(cloud).remove(0);
    assert_eq!(newest["steps"].as_array().map(Vec::len), Some(3), "{newest:#}");

    reconfigure(cloud, 500);
    let failing = AtomicBool::new(true);
    let bad = std::thread::scope(|scope| {
        let metrics = scope.spawn(|| fail(cloud, "4", &failing));
        let bad = cloud.xtask(&[&deploy[..], &["10"]].concat());
        failing.store(false, Ordering::SeqCst);
        metrics.join().expect("metrics were put");
        bad
    });
    refused(&bad, 1, &["was reverted: at 5 % of the traffic", "% errors", FUNCTION]);
    assert_eq!((live(cloud).as_str(), weights(cloud)), ("3", 0));
    assert_eq!(releases(cloud).remove(0)["outcome"]["state"], "reverted");
}

/// Counts requests that one version fails, for as long as it is told to.
#[tokio::main(flavor = "current_thread")]
async fn fail(cloud: &Cloud, version: &str, failing: &AtomicBool) {
    let resource = format!("{FUNCTION}:live");
    let dimensions = [("FunctionName", FUNCTION), ("Resource", &resource), ("ExecutedVersion", version)];
    let dimensions = dimensions.map(|(name, value)| json!({ "Name": name, "Value": value }));
    let datum = |metric: &str| json!({ "MetricName": metric, "Value": 10.0, "Dimensions": dimensions });
    let input = json!({ "Namespace": "AWS/Lambda", "MetricData": [datum("Invocations"), datum("Errors")] });
    while failing.load(Ordering::SeqCst) {
        cloud.cloudwatch("PutMetricData", &input).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn weights(cloud: &Cloud) -> usize {
    let alias = cloud.lambda().get_alias().function_name(FUNCTION).name("live").send().await.expect("the alias");
    let routing = alias.routing_config().and_then(|routing| routing.additional_version_weights());
    routing.map_or(0, std::collections::HashMap::len)
}

fn what_is_gone_does_not_come_back(cloud: &Cloud) {
    let before = live(cloud);
    delete_version(cloud, "1");
    let gone = cloud.xtask(&["rollback", "--stage", "local", "--system", SYSTEM, "--to", "1"]);
    refused(
        &gone,
        1,
        &[
            "failed to return to release 1",
            &format!("version 1 of {FUNCTION} no longer exists"),
            "no traffic was shifted",
        ],
    );
    assert_eq!(live(cloud), before);
}

#[test]
fn two_runs_never_interleave() {
    let cloud = Cloud::new();
    cloud.success(&["deploy", "--stage", "local", "--system", "foundation", "--yes"]);
    let shown = || text(&cloud.success(&["lock", "show", "--stage", "local", "--system", "foundation"]));
    assert!(shown().contains("foundation: free"), "{}", shown());

    // Somebody on another machine is at work.
    let mut owner = json!({
        "token": "theirs", "who": "arn:aws:iam::000000000000:user/colleague", "host": "elsewhere", "process": 1,
        "command": "deploy", "since": now(), "renewed": now(), "released": false,
    });
    put(&cloud, "locks/foundation.json", &owner);
    let prune = || cloud.xtask(&["prune", "--stage", "local", "--system", "foundation"]);
    refused(&prune(), 1, &["foundation is locked by", "user/colleague", "nothing was touched", "lock break"]);
    assert!(shown().contains("locked by arn:aws:iam::000000000000:user/colleague"), "{}", shown());
    // A plan does not mind, nor does a deploy that has nothing to do.
    cloud.success(&["plan", "--stage", "local", "--system", "foundation"]);
    cloud.success(&["deploy", "--stage", "local", "--system", "foundation", "--yes"]);
    cloud.success(&["lock", "break", "--stage", "local", "--system", "foundation"]);
    assert!(prune().status.success());

    // The clock of another machine, which runs behind, does not make its lock stale: S3 has just received it.
    owner["renewed"] = json!(now() - 600);
    put(&cloud, "locks/foundation.json", &owner);
    refused(&prune(), 1, &["foundation is locked by", "user/colleague", "nothing was touched"]);
    cloud.success(&["lock", "break", "--stage", "local", "--system", "foundation"]);

    // Of two at once, one works and the other is told, or comes after it.
    let start = || {
        let mut command: Command = cloud.command(&["prune", "--stage", "local", "--system", "foundation"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("xtask starts")
    };
    let both = [start(), start()].map(|child| child.wait_with_output().expect("it ends"));
    assert!(both.iter().any(|output| output.status.success()));
    for output in both.iter().filter(|output| !output.status.success()) {
        refused(output, 1, &["foundation is locked by"]);
    }
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs()
}

fn releases(cloud: &Cloud) -> Vec<Value> {
    let listed = cloud.json(&["release", "list", "--stage", "local", "--system", SYSTEM, "--format", "json"]);
    listed.as_array().expect("a list").clone()
}

/// The release with the highest number, whenever it says that it began.
fn newest(cloud: &Cloud) -> Value {
    let entries = releases(cloud).into_iter();
    entries.max_by_key(|entry| entry["number"].as_u64()).expect("a release")
}

/// An entry as a killed run leaves it: about to move `upload` from 1 to 2.
fn enter_open(cloud: &Cloud) {
    enter_open_to(cloud, "1", "2");
}

fn enter_open_to(cloud: &Cloud, before: &str, after: &str) {
    let number = releases(cloud).len() + 1;
    let mut entry = releases(cloud).into_iter().find(|entry| entry["number"] == 2).expect("release 2");
    entry["number"] = json!(number);
    entry["outcome"] = json!({ "state": "open" });
    entry["functions"][FUNCTION]["before"] = json!(before);
    entry["functions"][FUNCTION]["after"] = json!(after);
    entry["token"] = json!(format!("token {number}"));
    put(cloud, &format!("releases/{SYSTEM}/{number:08}.json"), &entry);
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn put(cloud: &Cloud, key: &str, document: &Value) {
    let listed = cloud.s3().list_buckets().send().await.expect("buckets are listed");
    let bucket = listed.buckets().iter().filter_map(|bucket| bucket.name()).find(|name| name.starts_with("artifacts-"));
    let body = document.to_string().into_bytes().into();
    let request = cloud.s3().put_object().bucket(bucket.expect("the artifact bucket")).key(key).body(body);
    request.send().await.expect("written");
}

#[tokio::main(flavor = "current_thread")]
async fn live(cloud: &Cloud) -> String {
    let alias = cloud.lambda().get_alias().function_name(FUNCTION).name("live").send().await.expect("the alias");
    alias.function_version().expect("a version").to_owned()
}

#[tokio::main(flavor = "current_thread")]
async fn reconfigure(cloud: &Cloud, memory: i32) {
    let request = cloud.lambda().update_function_configuration().function_name(FUNCTION).memory_size(memory);
    request.send().await.expect("the memory changes");
}

#[tokio::main(flavor = "current_thread")]
async fn delete_version(cloud: &Cloud, version: &str) {
    let request = cloud.lambda().delete_function().function_name(FUNCTION).qualifier(version);
    request.send().await.expect("the version goes");
}
