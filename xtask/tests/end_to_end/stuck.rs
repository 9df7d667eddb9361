//! States of stacks that only AWS can show: answered as its documentation prints them, in front of a real emulator.

use std::{
    process::{Output, Stdio},
    time::{Duration, Instant},
};

use crate::{
    cloud::{Cloud, text},
    proxy::{Call, Proxy, Verdict, scripted},
    refusals::refused,
};

pub(crate) const STACK: &str = "foundation-artifacts-local";

/// `DescribeStacks`, as in the CloudFormation API reference.
pub(crate) fn described(status: &str) -> (u16, String) {
    let body = format!(
        r#"<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks><member>
<StackName>{STACK}</StackName><StackId>arn:aws:cloudformation:us-east-1:000000000000:stack/{STACK}/1</StackId>
<CreationTime>2026-01-01T00:00:00Z</CreationTime><StackStatus>{status}</StackStatus>
</member></Stacks></DescribeStacksResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></DescribeStacksResponse>"#
    );
    (200, body)
}

/// An error of the Query protocol, as in the CloudFormation API reference, "Common errors".
fn error(status: u16, code: &str, message: &str) -> (u16, String) {
    let body = format!(
        r#"<ErrorResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"#
    );
    (status, body)
}

/// `DescribeEvents`, as in the CloudFormation user guide, "Validate stack deployments".
fn validation_error(id: &str, kind: &str, name: &str, reason: &str) -> (u16, String) {
    let body = format!(
        r#"<DescribeEventsResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeEventsResult><OperationEvents>
<member><EventId>2</EventId><OperationId>1</OperationId><OperationType>CREATE_CHANGESET</OperationType><EventType>VALIDATION_ERROR</EventType>
<LogicalResourceId>{id}</LogicalResourceId><ResourceType>{kind}</ResourceType><ValidationName>{name}</ValidationName><ValidationStatus>FAILED</ValidationStatus>
<ValidationFailureMode>FAIL</ValidationFailureMode><ValidationStatusReason>{reason}</ValidationStatusReason><ValidationPath>/Resources/{id}</ValidationPath></member>
<member><EventId>1</EventId><OperationId>1</OperationId><OperationType>CREATE_CHANGESET</OperationType><EventType>STACK_EVENT</EventType></member>
</OperationEvents></DescribeEventsResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></DescribeEventsResponse>"#
    );
    (200, body)
}

/// `DescribeChangeSet`.
fn change_set(status: &str, reason: &str) -> (u16, String) {
    let body = format!(
        r#"<DescribeChangeSetResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeChangeSetResult>
<StackName>{STACK}</StackName><Status>{status}</Status><StatusReason>{reason}</StatusReason><ExecutionStatus>UNAVAILABLE</ExecutionStatus><Changes/>
</DescribeChangeSetResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></DescribeChangeSetResponse>"#
    );
    (200, body)
}

fn deploy(cloud: &Cloud, proxy: &Proxy) -> Output {
    cloud
        .command(&["deploy", "--stage", "local", "--system", "foundation", "--yes"])
        .env("AWS_ENDPOINT_URL", proxy.endpoint())
        .output()
        .expect("xtask starts")
}

/// A cloud that runs, and a proxy in front of it.
fn behind(judge: impl Fn(&Call) -> Verdict + Send + Sync + 'static) -> (Cloud, Proxy) {
    let cloud = Cloud::new();
    cloud.success(&["local", "up"]);
    let proxy = Proxy::start(&cloud.endpoint(), judge);
    (cloud, proxy)
}

fn deployed(output: &Output) {
    assert!(output.status.success(), "{}", text(output));
}

#[test]
fn a_stack_that_never_came_to_be_is_made_again() {
    // An empty stack may have been created since it was read, so it is not deleted.
    for (status, deletions) in [("ROLLBACK_COMPLETE", 1), ("REVIEW_IN_PROGRESS", 0)] {
        // Once for the lock, once for the plan, once for the deploy.
        let answers = [described(status), described(status), described(status)];
        let (cloud, proxy) = behind(scripted("DescribeStacks", STACK, answers));
        let output = deploy(&cloud, &proxy);
        deployed(&output);
        assert!(
            text(&output).contains(&format!("{STACK} is in {status}, so it was never created")),
            "{}",
            text(&output)
        );
        assert_eq!(proxy.count("DeleteStack"), deletions);
        assert_eq!(proxy.count("ExecuteChangeSet"), 1);
        let again = deploy(&cloud, &proxy);
        assert!(text(&again).contains("No change"), "{}", text(&again));
    }
}

/// `DescribeStacks` is eventually consistent: right after a change set is executed, it may still tell what was before.
#[test]
fn an_answer_from_before_the_change_is_not_taken_for_its_end() {
    let executed = std::sync::atomic::AtomicBool::new(false);
    let stale = std::sync::atomic::AtomicU32::new(3);
    let (cloud, proxy) = behind(move |call| {
        use std::sync::atomic::Ordering::SeqCst;
        if call.is("ExecuteChangeSet") {
            executed.store(true, SeqCst);
        }
        // Events come late too.
        let late = ["DescribeStacks", "DescribeStackEvents"].contains(&call.operation.as_str());
        if !late || !executed.load(SeqCst) || stale.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_err() {
            return Verdict::Forward;
        }
        let (status, body) = error(400, "ValidationError", &format!("Stack [{STACK}] does not exist"));
        Verdict::Answer(status, body)
    });
    deployed(&deploy(&cloud, &proxy));
    let again = deploy(&cloud, &proxy);
    assert!(text(&again).contains("No change"), "{}", text(&again));
}

#[test]
fn a_stack_somebody_is_at_work_on_is_waited_for() {
    let busy = || described("UPDATE_IN_PROGRESS");
    let (cloud, proxy) = behind(scripted("DescribeStacks", STACK, [busy(), busy(), busy(), busy()]));
    let output = deploy(&cloud, &proxy);
    deployed(&output);
    assert!(text(&output).contains(&format!("{STACK} is in UPDATE_IN_PROGRESS: waiting")), "{}", text(&output));
    assert_eq!(proxy.count("DeleteStack"), 0);
}

#[test]
fn a_stack_that_needs_a_decision_is_told_with_its_repair() {
    let stuck = || described("UPDATE_ROLLBACK_FAILED");
    let (cloud, proxy) = behind(scripted("DescribeStacks", STACK, [stuck(), stuck(), stuck()]));
    refused(&deploy(&cloud, &proxy), 1, &[STACK, "UPDATE_ROLLBACK_FAILED", "cargo xtask doctor"]);
    assert_eq!(proxy.count("CreateChangeSet"), 0);
}

#[test]
fn a_change_set_that_fails_gives_its_reason_and_an_empty_one_is_no_change() {
    let reason = "Template error: instance of Fn::GetAtt references undefined resource Ghost";
    let (cloud, proxy) = behind(scripted("DescribeChangeSet", STACK, [change_set("FAILED", reason)]));
    refused(&deploy(&cloud, &proxy), 1, &["failed to create a change set", STACK, reason]);
    assert_eq!(proxy.count("ExecuteChangeSet"), 0);
    // What the failed run left behind is in nobody's way.
    deployed(&deploy(&cloud, &proxy));

    let reason =
        "The submitted information didn&apos;t contain changes. Submit different information to create a change set.";
    let (cloud, proxy) = behind(scripted("DescribeChangeSet", STACK, [change_set("FAILED", reason)]));
    deployed(&deploy(&cloud, &proxy));
    assert_eq!(proxy.count("ExecuteChangeSet"), 0);
}

#[test]
fn a_change_set_that_validation_refuses_gives_the_resource_and_its_reason() {
    let general = "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]. To troubleshoot \
                   Early Validation errors, use the DescribeEvents API for detailed failure information.";
    let reason = "Resource of type 'AWS::S3::Bucket' with identifier 'artifacts-local' already exists.";
    let (cloud, proxy) = behind(move |call| {
        let (status, body) = match call.operation.as_str() {
            "DescribeChangeSet" => change_set("FAILED", general),
            "DescribeEvents" => validation_error("Artifacts", "AWS::S3::Bucket", "NAME_CONFLICT_VALIDATION", reason),
            _ => return Verdict::Forward,
        };
        Verdict::Answer(status, body)
    });
    let output = deploy(&cloud, &proxy);
    refused(&output, 1, &["failed to create a change set", STACK, "Artifacts (AWS::S3::Bucket)", reason]);
    assert!(!text(&output).contains("use the DescribeEvents API"), "{}", text(&output));
}

#[test]
fn a_failed_creation_is_told_by_what_failed_first() {
    let events = r#"<DescribeStackEventsResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStackEventsResult><StackEvents>
<member><EventId>4</EventId><LogicalResourceId>foundation</LogicalResourceId><ResourceType>AWS::CloudFormation::Stack</ResourceType><ResourceStatus>ROLLBACK_COMPLETE</ResourceStatus></member>
<member><EventId>3</EventId><LogicalResourceId>Second</LogicalResourceId><ResourceType>AWS::S3::BucketPolicy</ResourceType><ResourceStatus>CREATE_FAILED</ResourceStatus><ResourceStatusReason>Resource creation cancelled</ResourceStatusReason></member>
<member><EventId>2</EventId><LogicalResourceId>First</LogicalResourceId><ResourceType>AWS::S3::Bucket</ResourceType><ResourceStatus>CREATE_FAILED</ResourceStatus><ResourceStatusReason>taken already exists</ResourceStatusReason></member>
</StackEvents></DescribeStackEventsResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></DescribeStackEventsResponse>"#;
    // Nothing there for the plan and the deploy; once executed, it has failed.
    let executed = std::sync::atomic::AtomicBool::new(false);
    let (cloud, proxy) = behind(move |call| {
        use std::sync::atomic::Ordering::SeqCst;
        if call.is("ExecuteChangeSet") {
            executed.store(true, SeqCst);
        }
        match call.operation.as_str() {
            "DescribeStacks" if executed.load(SeqCst) => {
                let (status, body) = described("ROLLBACK_COMPLETE");
                Verdict::Answer(status, body)
            }
            "DescribeStackEvents" if executed.load(SeqCst) => Verdict::Answer(200, events.to_owned()),
            _ => Verdict::Forward,
        }
    });
    let output = deploy(&cloud, &proxy);
    refused(&output, 1, &["First (AWS::S3::Bucket): taken already exists", "ROLLBACK_COMPLETE"]);
    assert!(!text(&output).contains("creation cancelled"), "{}", text(&output));
}

#[test]
fn expired_credentials_are_told_as_such_and_nothing_is_touched() {
    let expired = || error(403, "ExpiredToken", "The security token included in the request is expired");
    let (cloud, proxy) = behind(scripted("GetCallerIdentity", "", [expired()]));
    refused(&deploy(&cloud, &proxy), 1, &["security token included in the request is expired", "sign in again"]);
    let reads = |call: &Call| call.is("GetCallerIdentity") || call.operation.starts_with("GET ");
    assert!(proxy.calls().iter().all(reads), "{:?}", proxy.calls());
}

#[test]
fn interrupted_it_says_what_goes_on_and_the_next_run_finishes() {
    let executed = std::sync::atomic::AtomicBool::new(false);
    let interrupted = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let over = std::sync::Arc::clone(&interrupted);
    let (cloud, proxy) = behind(move |call| {
        use std::sync::atomic::Ordering::SeqCst;
        if call.is("ExecuteChangeSet") {
            executed.store(true, SeqCst);
        }
        if call.is("DescribeStacks") && executed.load(SeqCst) && !over.load(SeqCst) {
            let (status, body) = described("CREATE_IN_PROGRESS");
            return Verdict::Answer(status, body);
        }
        Verdict::Forward
    });
    let child = cloud
        .command(&["deploy", "--stage", "local", "--system", "foundation", "--yes"])
        .env("AWS_ENDPOINT_URL", proxy.endpoint())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("xtask starts");
    let deadline = Instant::now() + Duration::from_secs(60);
    while proxy.count("ExecuteChangeSet") == 0 {
        assert!(Instant::now() < deadline, "the change set was never executed: {:?}", proxy.calls());
        std::thread::sleep(Duration::from_millis(10));
    }
    let signalled = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(signalled.expect("kill starts").success());
    let output = child.wait_with_output().expect("xtask ends");
    refused(&output, 130, &[&format!("CloudFormation continues to deploy {STACK}"), "run the same command again"]);
    interrupted.store(true, std::sync::atomic::Ordering::SeqCst);
    deployed(&deploy(&cloud, &proxy));
}

#[test]
fn lost_answers_and_cut_connections_are_tried_again() {
    for operation in ["CreateChangeSet", "ExecuteChangeSet", "DescribeStacks", "DescribeChangeSet"] {
        for verdict in [Verdict::LoseResponse, Verdict::Reset] {
            let (once, what) = (std::sync::atomic::AtomicBool::new(true), verdict.clone());
            let (cloud, proxy) = behind(move |call| {
                let first = call.is(operation) && once.swap(false, std::sync::atomic::Ordering::SeqCst);
                if first { what.clone() } else { Verdict::Forward }
            });
            let output = deploy(&cloud, &proxy);
            assert!(output.status.success(), "{operation} {verdict:?}\n{}", text(&output));
            let again = deploy(&cloud, &proxy);
            assert!(text(&again).contains("No change"), "{operation} {verdict:?}\n{}", text(&again));
        }
    }
}
