//! What is wrong is said with its meaning and repaired: states only AWS gets into are answered by the proxy.

use std::process::Output;

use crate::{
    cloud::Cloud,
    proxy::{Call, Proxy, Verdict},
    refusals::refused,
    stuck::{STACK, described},
};

fn foundation() -> Cloud {
    let cloud = Cloud::new();
    cloud.success(&["deploy", "--stage", "local", "--system", "foundation", "--yes"]);
    cloud
}

fn doctor(cloud: &Cloud, proxy: &Proxy, arguments: &[&str]) -> Output {
    let arguments = [&["doctor", "--stage", "local", "--system", "foundation"], arguments].concat();
    cloud.command(&arguments).env("AWS_ENDPOINT_URL", proxy.endpoint()).output().expect("xtask starts")
}

/// A stack that is in `status` until `repair` is called, which is answered where the emulator would not know it. After that
/// `DescribeStacks`, which is eventually consistent, twice tells what was before, then that it is `at_work`.
fn ill(
    cloud: &Cloud,
    [status, at_work]: [&'static str; 2],
    repair: &'static str,
    answer: Option<&'static str>,
) -> Proxy {
    let repaired = std::sync::atomic::AtomicBool::new(false);
    let after = std::sync::Mutex::new(vec![at_work, status, status]);
    Proxy::start(&cloud.endpoint(), move |call: &Call| {
        use std::sync::atomic::Ordering::SeqCst;
        if call.is(repair) {
            repaired.store(true, SeqCst);
            return answer.map_or(Verdict::Forward, |answer| Verdict::Answer(200, answer.to_owned()));
        }
        if call.is("DescribeStacks") && call.subject == STACK {
            let next = if repaired.load(SeqCst) { after.lock().expect("answers").pop() } else { Some(status) };
            if let Some(next) = next {
                let (status, body) = described(next);
                return Verdict::Answer(status, body);
            }
        }
        Verdict::Forward
    })
}

#[test]
fn a_stage_that_is_well_is_said_to_be() {
    let cloud = foundation();
    let healthy = cloud.xtask(&["doctor", "--stage", "local", "--system", "foundation"]);
    refused(&healthy, 0, &["All is well"]);
}

#[test]
fn a_rollback_that_failed_is_continued() {
    let cloud = foundation();
    let done = r#"<ContinueUpdateRollbackResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><ContinueUpdateRollbackResult/></ContinueUpdateRollbackResponse>"#;
    let proxy =
        ill(&cloud, ["UPDATE_ROLLBACK_FAILED", "UPDATE_ROLLBACK_IN_PROGRESS"], "ContinueUpdateRollback", Some(done));
    refused(&doctor(&cloud, &proxy, &[]), 1, &[STACK, "so did the rollback", "--skip", STACK]);
    assert_eq!(proxy.count("ContinueUpdateRollback"), 0);
    let skip = format!("--skip={STACK}/ArtifactBucketPolicy");
    refused(&doctor(&cloud, &proxy, &["--fix", &skip]), 0, &["Repair", "done"]);
    assert_eq!(proxy.count("ContinueUpdateRollback"), 1);
    refused(&doctor(&cloud, &proxy, &[]), 0, &["All is well"]);
}

#[test]
fn a_stack_that_never_came_to_be_is_deleted() {
    let cloud = foundation();
    let proxy = ill(&cloud, ["REVIEW_IN_PROGRESS", "DELETE_IN_PROGRESS"], "DeleteStack", None);
    refused(&doctor(&cloud, &proxy, &["--fix"]), 0, &["it is empty", "done"]);
    assert_eq!(proxy.count("DeleteStack"), 1);
}

#[test]
fn a_deletion_that_failed_goes_on_only_with_what_is_named_retained() {
    let cloud = foundation();
    // The emulator's own stack is well, and it refuses to retain anything of such a one.
    let done = r#"<DeleteStackResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"/>"#;
    let proxy = ill(&cloud, ["DELETE_FAILED", "DELETE_IN_PROGRESS"], "DeleteStack", Some(done));
    refused(&doctor(&cloud, &proxy, &["--fix"]), 1, &["could not be deleted", "--retain"]);
    assert_eq!(proxy.count("DeleteStack"), 0);
    let retain = format!("--retain={STACK}/ArtifactBucket");
    refused(&doctor(&cloud, &proxy, &["--fix", &retain]), 0, &["done"]);
    assert_eq!(proxy.count("DeleteStack"), 1);
}

#[test]
fn an_update_is_stopped_only_when_it_is_named() {
    let cloud = foundation();
    let done = r#"<CancelUpdateStackResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"/>"#;
    let proxy = ill(&cloud, ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"], "CancelUpdateStack", Some(done));
    refused(&doctor(&cloud, &proxy, &[]), 1, &["it is being updated", "--cancel", STACK]);
    refused(&doctor(&cloud, &proxy, &["--fix", "--cancel=foundation-artefacts-local"]), 1, &["has no stack", STACK]);
    assert_eq!(proxy.count("CancelUpdateStack"), 0);
    refused(&doctor(&cloud, &proxy, &["--fix", &format!("--cancel={STACK}")]), 0, &["done"]);
    assert_eq!(proxy.count("CancelUpdateStack"), 1);
}
