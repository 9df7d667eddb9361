//! What a run may do besides: to locks, pages and canaries.

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
    world.aws.change(|account| simulated_aws::handle(account, &lock(owner, false))).expect("written");
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
    world.aws.change(|account| simulated_aws::handle(account, &call)).expect("updated");
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
