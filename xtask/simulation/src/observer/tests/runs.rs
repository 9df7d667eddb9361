//! What a run may do besides: to locks, pages and canaries.

use simulated_aws::cloudwatch::{Traffic, set_traffic};

use super::*;
use crate::{by_hand::cloudformation, project::ACCOUNT};

fn lock(owner: &str, released: bool) -> Call {
    let (host, process) = owner.split_once('/').expect("a process");
    let process: u32 = process.parse().expect("a number");
    let lock = json!({ "token": "t", "who": "w", "host": host, "process": process, "command": "deploy",
                       "since": 1, "renewed": 1, "released": released });
    s3("PUT", artifact_bucket(), "locks/alpha.json", lock.to_string().as_bytes())
}

/// The lock as another process has written it.
fn locked_by(world: &World, owner: &str) {
    by_hand(world, &lock(owner, false));
}

async fn pass(seconds: u64) {
    tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
}

#[test]
fn a_lock_is_taken_over_only_if_it_is_free_or_expired_or_of_an_ended_process_of_the_machine() {
    played(async || {
        let world = deployed().await;
        let take = || plant(&world, &lock(PROCESS, false));
        assert_eq!(take(), [], "it is free");
        pass(30).await;
        assert_eq!(take(), [], "its owner renews it");
        locked_by(&world, "machine1/3");
        pass(91).await;
        assert_eq!(take(), [], "it is expired");
        locked_by(&world, "machine2/3");
        world.observer.ends("machine2/3");
        assert_eq!(take(), [], "its owner on this machine has ended");
        locked_by(&world, "machine1/3");
        world.observer.ends("machine1/3");
        pass(89).await;
        assert_found(&take(), Invariant::Lock, "machine2/9 takes over the lock of alpha 89.0 s after its renewal");
    });
}

#[test]
fn only_lock_break_releases_the_lock_of_another_run() {
    played(async || {
        let world = deployed().await;
        locked_by(&world, "machine1/3");
        let breaks = Running { breaks_locks: true, ..Running::default() };
        assert_eq!(plant_in(&world, breaks, &lock("machine1/3", true)), []);
        locked_by(&world, "machine1/3");
        assert_found(&plant(&world, &lock("machine1/3", true)), Invariant::Lock, "in the name of machine1/3");
    });
}

#[test]
fn only_a_destruction_of_the_whole_stage_with_its_data_empties_the_artifact_bucket() {
    played(async || {
        let world = deployed().await;
        let delete = || s3("DELETE", artifact_bucket(), "releases/alpha/00000001.json", b"");
        let destroys = Running { destroys: Some(true), ..Running::default() };
        assert_eq!(plant_in(&world, destroys.clone(), &delete()), []);
        let of_system = Running { systems: Some(vec!["alpha".to_owned()]), ..destroys };
        let found = plant_in(&world, of_system, &delete());
        assert_found(&found, Invariant::InUse, "keeps every release");
        assert_found(&found, Invariant::Lock, "without its lock");
    });
}

/// A write of an object of the site's bucket.
fn site(key: &str, body: &[u8]) -> Call {
    let bucket = format!("alpha-web-{STAGE}-{ACCOUNT}");
    let mut call = s3("PUT", &bucket, key, body);
    call.region = model::parts::cdn::REGION.to_owned();
    call.host = format!("{bucket}.s3.{}.amazonaws.com", call.region);
    call
}

#[test]
fn a_page_is_written_after_its_files_and_in_a_release_that_publishes_pages() {
    played(async || {
        let world = deployed_as(shape(true)).await;
        locked_by(&world, PROCESS);
        let published = world.aws.read(|account| {
            let bucket = view::bucket(account, &format!("alpha-web-{STAGE}-{ACCOUNT}")).expect("a site");
            bucket.current("index.html").expect("a page").1.body.to_vec()
        });
        assert_eq!(plant(&world, &site("index.html", &published)), [], "it is that of the present release");
        let mut entry = release(&world, 2);
        (entry["number"], entry["outcome"]) = (json!(3), json!({ "state": "open" }));
        entry["steps"] = json!([{ "at": "", "what": "the pages of its sites" }]);
        let put =
            |entry: &Value| s3("PUT", artifact_bucket(), "releases/alpha/00000003.json", entry.to_string().as_bytes());
        let released = live(&world).version;
        entry["functions"][FUNCTION]["before"] = json!(released);
        assert_eq!(plant(&world, &put(&entry)), []);
        assert_eq!(plant(&world, &site("index.html", b"<p>other</p>")), [], "the release publishes its pages");
        let refers = site("index.html", b"<link href=\"/style-00.css\">");
        assert_found(&plant(&world, &refers), Invariant::Pages, "refers to style-00.css, which does not exist");
        entry["outcome"] = json!({ "state": "reverted", "why": "" });
        plant(&world, &put(&entry));
        let late = plant(&world, &site("index.html", b"<p>late</p>"));
        assert_found(&late, Invariant::Pages, "no open release of alpha has begun to publish pages");
    });
}

/// An update of a stack by which its secret gets another name: CloudFormation creates a new one and retains the old one.
fn rename_secret(world: &World) {
    let stack = stack_name("alpha", "data");
    let mut template = world.aws.read(|account| {
        view::deployed(account, REGION, &stack).and_then(|(_, template)| template.cloned()).expect("a template")
    });
    template["Resources"]["Secret2"]["Properties"]["Name"] = json!("other");
    let mut call = cloudformation("UpdateStack", REGION, &stack);
    let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let mut body = format!("&TemplateBody={}", encoded(&template.to_string()));
    body.push_str("&Capabilities.member.1=CAPABILITY_NAMED_IAM&Capabilities.member.2=CAPABILITY_IAM");
    for (index, name) in template["Parameters"].as_object().expect("parameters").keys().enumerate() {
        let member = format!("Parameters.member.{}", index + 1);
        body.push_str(&format!("&{member}.ParameterKey={name}&{member}.UsePreviousValue=true"));
    }
    call.body.extend(body.bytes());
    by_hand(world, &call);
}

#[test]
fn a_retained_resource_that_is_replaced_is_found_unless_it_was_asked_for() {
    played(async || {
        for asked in [false, true] {
            let world = deployed().await;
            let may_delete = if asked { vec![format!("{}/Secret2", stack_name("alpha", "data"))] } else { Vec::new() };
            world.observer.starts(PROCESS, Running { may_delete, ..Running::default() });
            rename_secret(&world);
            pass(600).await;
            world.aws.read(|_| ());
            let found = found(&world);
            match asked {
                false => assert_found(&found, Invariant::Data, "Secret2) is retained and replaced by"),
                true => assert_eq!(found, []),
            }
        }
    });
}

/// A world whose function is released twice, the second time with this conduct, and gets a thousand requests a minute. An open release
/// of the second version follows the first one.
async fn canary(conduct: Conduct) -> (World, impl Fn(&World, f64) -> Call) {
    let world = deployed().await;
    let id = function_name(&world.state.borrow().shape.systems[0], 0).into();
    let zip = behavior(&id, Code { number: 9, conduct }).zip();
    let zip = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, zip);
    by_hand(&world, &lambda("PUT", "/code", &json!({ "ZipFile": zip })));
    pass(60).await;
    by_hand(&world, &lambda("POST", "/versions", &json!({})));
    world.aws.change(|account| {
        let traffic = Traffic { alias: "live".to_owned(), per_minute: 1000.0, throttled: 0.0 };
        set_traffic(account, REGION, FUNCTION, traffic);
    });
    pass(60).await;
    locked_by(&world, PROCESS);
    let released = live(&world).version;
    let new = (released.parse::<u64>().expect("a number") + 1).to_string();
    let mut entry = release(&world, 2);
    (entry["number"], entry["outcome"]) = (json!(3), json!({ "state": "open" }));
    entry["functions"][FUNCTION] = json!({ "before": released, "after": new });
    let put = s3("PUT", artifact_bucket(), "releases/alpha/00000003.json", entry.to_string().as_bytes());
    assert_eq!(plant(&world, &put), []);
    let shift = move |_: &World, share: f64| match share {
        1.0 => lambda("PUT", "/aliases/live", &json!({ "FunctionVersion": new, "RoutingConfig": {} })),
        _ => {
            let weights = json!({ "AdditionalVersionWeights": { new.as_str(): share } });
            lambda("PUT", "/aliases/live", &json!({ "FunctionVersion": released, "RoutingConfig": weights }))
        }
    };
    (world, shift)
}

/// A shift of a share of the traffic by a run that releases by canaries.
fn shifted(world: &World, call: &Call) -> Vec<(Invariant, String)> {
    locked_by(world, PROCESS);
    plant_in(world, Running { is_canary: true, ..Running::default() }, call)
}

/// A read of the function's metrics.
fn measure(world: &World) {
    let input = json!({ "MetricDataQueries": [{ "Id": "a", "MetricStat": { "Metric": {
        "Namespace": "AWS/Lambda", "MetricName": "Errors", "Dimensions": [{ "Name": "FunctionName", "Value": FUNCTION }],
    }, "Period": 60, "Stat": "Sum" } }], "StartTime": 1, "EndTime": 2 });
    let (service, operation, body) =
        ("monitoring".to_owned(), "GetMetricData".to_owned(), input.to_string().into_bytes());
    plant(world, &Call { service, operation, region: REGION.to_owned(), body, ..Call::default() });
}

#[test]
fn a_share_that_is_not_observed_for_its_bake_time_is_found() {
    played(async || {
        let (world, shift) = canary(Conduct::Good).await;
        assert_eq!(shifted(&world, &shift(&world, 0.1)), []);
        pass(61).await;
        assert_eq!(shifted(&world, &shift(&world, 0.5)), []);
        pass(30).await;
        let found = shifted(&world, &shift(&world, 1.0));
        assert_found(&found, Invariant::Canary, "had 50 % of the traffic for 30.0 s only");
    });
}

#[test]
fn a_canary_may_be_reverted_at_any_time_and_may_not_be_skipped() {
    played(async || {
        let (world, shift) = canary(Conduct::Good).await;
        assert_eq!(shifted(&world, &shift(&world, 0.1)), []);
        pass(3).await;
        assert_eq!(shifted(&world, &shift(&world, 0.0)), []);
        let found = shifted(&world, &shift(&world, 1.0));
        assert_found(&found, Invariant::Canary, "all traffic without a canary");
    });
}

#[test]
fn a_version_that_is_known_to_fail_is_given_no_further_traffic() {
    played(async || {
        for conduct in [Conduct::Good, Conduct::Noisy] {
            let (world, shift) = canary(conduct).await;
            assert_eq!(shifted(&world, &shift(&world, 0.5)), []);
            pass(300).await;
            measure(&world);
            let found = shifted(&world, &shift(&world, 1.0));
            match conduct {
                Conduct::Noisy => assert_found(&found, Invariant::Canary, "requests have failed"),
                _ => assert_eq!(found, []),
            }
        }
    });
}
