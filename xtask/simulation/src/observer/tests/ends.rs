//! The end of runs: the account is compared with the workspace.

use simulated_aws::faults::Fault;

use super::*;
use crate::{
    alone::Before, by_hand::cloudformation, faults::PlannedFault, observer::expected::Expected, project::ACCOUNT,
    shape::Change,
};

fn difference(world: &World, account: &Account) -> String {
    let state = world.state.borrow();
    let expected = Expected::of(&world.tools, &state.shape, &state.codes);
    expected.difference(account).unwrap_or_default()
}

/// The difference after this change by hand.
fn after(world: &World, call: &Call) -> String {
    let mut account = world.aws.read(Account::clone);
    simulated_aws::handle(&mut account, call).expect("carried out");
    let later = account.now().plus(std::time::Duration::from_secs(3600));
    account.advance(later, |_| {});
    difference(world, &account)
}

fn assert_differs(difference: &str, what: &str) {
    assert!(difference.contains(what), "`{difference}` does not contain `{what}`");
}

#[test]
fn an_account_equals_the_workspace_after_a_deploy_and_each_difference_is_found() {
    played(async || {
        let world = deployed_as(shape(true)).await;
        assert_eq!(world.aws.read(|account| difference(&world, account)), "");
        let released = live(&world).version;
        let other = if released == "1" { "2" } else { "1" };
        let alias = |body: Value| after(&world, &lambda("PUT", "/aliases/live", &body));
        assert_differs(&alias(json!({ "FunctionVersion": other })), "has the code");
        let weights = json!({ "AdditionalVersionWeights": { other: 0.1 } });
        assert_differs(&alias(json!({ "FunctionVersion": released, "RoutingConfig": weights })), "shares its traffic");
        let delete = cloudformation("DeleteStack", REGION, &stack_name("alpha", "data"));
        assert_differs(&after(&world, &delete), "does not exist");
        let mut entry = release(&world, 2);
        entry["outcome"] = json!({ "state": "open" });
        let open = s3("PUT", artifact_bucket(), "releases/alpha/00000003.json", entry.to_string().as_bytes());
        assert_differs(&after(&world, &open), "is open");
        entry["outcome"] = json!({ "state": "reverted" });
        let reverted = s3("PUT", artifact_bucket(), "releases/alpha/00000003.json", entry.to_string().as_bytes());
        assert_differs(&after(&world, &reverted), "is reverted and leaves");
    });
}

#[test]
fn each_difference_of_a_site_is_found() {
    played(async || {
        let world = deployed_as(shape(true)).await;
        let bucket = format!("alpha-web-{STAGE}-{ACCOUNT}");
        let site = |method: &str, key: &str, body: &[u8]| {
            let mut call = s3(method, &bucket, key, body);
            call.region = model::parts::cdn::REGION.to_owned();
            call.host = format!("{bucket}.s3.{}.amazonaws.com", call.region);
            after(&world, &call)
        };
        assert_differs(&site("PUT", "index.html", b"<p>Content 2</p>\n"), "instead of that of content 1");
        let style = world.aws.read(|account| {
            let keys = view::bucket(account, &bucket).map(|bucket| bucket.keys("style").map(|(key, _)| key.to_owned()));
            keys.and_then(|mut keys| keys.next()).expect("a style")
        });
        assert_differs(&site("DELETE", &style, b""), "does not exist");
        assert_differs(&site("PUT", &style, b"body {}"), "is not style.css of content 1");
        assert_differs(&site("PUT", "config.json", b"{}"), "apiUrl in config.json");
    });
}

#[test]
fn a_workspace_that_was_not_deployed_differs_from_the_account() {
    played(async || {
        let world = deployed().await;
        let compared = || world.aws.read(|account| difference(&world, account));
        change_code(&world, 3, Conduct::Good);
        assert_differs(&compared(), "has the code");
        world.state.borrow_mut().shape.apply(&Change::Variable(0, 3));
        assert_differs(&compared(), "/VALUE is \"0\" instead of \"3\"");
        deploy(&world).await;
        assert_eq!(compared(), "");
    });
}

fn run(command: Command) -> Run {
    Run { machine: 0, command, faults: Vec::new(), interrupted: None }
}

fn deploy_of_all() -> Run {
    run(Command::Deploy { scope: Scope::All, allows: true })
}

/// The sizes of functions that a deploy must reach.
fn enlarge(world: &World) {
    world.state.borrow_mut().shape.apply(&Change::Memory(0, 512));
}

#[test]
fn a_deploy_that_succeeds_must_reach_the_workspace() {
    played(async || {
        let world = deployed().await;
        let run = deploy_of_all();
        enlarge(&world);
        let before = Before::of(&world, &run);
        let done = deploy(&world).await;
        assert_eq!(before.check(&world, &run, (&done.0, &done.1)), [""; 0]);
        enlarge(&world);
        world.state.borrow_mut().shape.apply(&Change::Variable(0, 4));
        let before = Before::of(&world, &run);
        let wrong = before.check(&world, &run, (&done.0, &done.1)).join("; ");
        assert_differs(&wrong, "succeeds, but the template of stack alpha-data-rehearsal differs");
    });
}

#[test]
fn only_a_deploy_that_something_hinders_may_fail() {
    played(async || {
        let world = deployed().await;
        let run = deploy_of_all();
        let wrong =
            |run: &Run| Before::of(&world, run).check(&world, run, ("machine0/9", &Finished::Killed)).join("; ");
        assert_differs(&wrong(&run), "fails although nothing hinders it");
        let fault = PlannedFault { call: 3, calls: 1, kind: Fault::LostResponse };
        assert_differs(&wrong(&Run { faults: vec![fault], ..run.clone() }), "fails although nothing hinders it");
        let throttled = PlannedFault { kind: Fault::Throttled, ..fault };
        assert_eq!(wrong(&Run { faults: vec![throttled], ..run.clone() }), "");
        assert_eq!(wrong(&Run { interrupted: Some(9), ..run.clone() }), "");
        change_code(&world, 3, Conduct::Broken);
        assert_eq!(wrong(&run), "");
        change_code(&world, 3, Conduct::Good);
        let lock = json!({ "host": "machine1", "process": 3, "released": false }).to_string();
        by_hand(&world, &s3("PUT", artifact_bucket(), "locks/alpha.json", lock.as_bytes()));
        assert_eq!(wrong(&run), "");
        tokio::time::sleep(std::time::Duration::from_secs(100)).await;
        assert_differs(&wrong(&run), "fails although nothing hinders it");
        world.state.borrow_mut().shape.apply(&Change::ReplaceTable(0));
        assert_eq!(wrong(&run), "");
    });
}

#[test]
fn a_run_without_faults_must_settle_its_release() {
    played(async || {
        let world = deployed().await;
        let run = run(Command::Abort);
        let before = Before::of(&world, &run);
        let wrong = || before.check(&world, &run, ("machine0/9", &Finished::Killed)).join("; ");
        assert_eq!(wrong(), "");
        let released = live(&world).version;
        let other = if released == "1" { "2" } else { "1" };
        let weights = json!({ "AdditionalVersionWeights": { other: 0.1 } });
        by_hand(&world, &lambda("PUT", "/aliases/live", &json!({ "RoutingConfig": weights })));
        assert_differs(&wrong(), "the traffic of alpha-function0-rehearsal is split");
        assert_eq!(Before::of(&world, &run).check(&world, &run, ("machine0/9", &Finished::Killed)), [""; 0]);
        let mut entry = release(&world, 2);
        (entry["number"], entry["outcome"]) = (json!(3), json!({ "state": "open" }));
        by_hand(&world, &s3("PUT", artifact_bucket(), "releases/alpha/00000003.json", entry.to_string().as_bytes()));
        assert_differs(&wrong(), "release 3 of alpha is open");
    });
}

#[test]
fn a_deploy_that_nothing_hinders_must_not_change_busy_functions() {
    played(async || {
        let world = deployed().await;
        let run = deploy_of_all();
        let before = Before::of(&world, &run);
        let done = deploy(&world).await;
        let call = lambda("POST", "/versions", &json!({}));
        let reply = simulated_aws::wire::Reply::json(409, &json!({}));
        world.aws.read(|account| {
            world.observer.lock().step(account, &Step::Called { process: &done.0, call: &call, reply: &reply });
        });
        let wrong = before.check(&world, &run, (&done.0, &done.1)).join("; ");
        assert_differs(&wrong, "changes functions that are being updated");
    });
}

#[test]
fn a_destruction_that_succeeds_must_leave_no_stack_and_no_data() {
    played(async || {
        for data in [false, true] {
            let world = deployed_as(shape(true)).await;
            let run = run(Command::Destroy { system: None, data });
            let before = Before::of(&world, &run);
            let ended = |finished: &Finished| before.check(&world, &run, ("machine0/9", finished)).join("; ");
            let (_, succeeded) = process::run(&world, &deploy_of_all()).await;
            assert_differs(&ended(&succeeded), "succeeds, but stack foundation-artifacts-rehearsal exists");
            assert_eq!(ended(&Finished::Killed), "");
            let (_, finished) = process::run(&world, &run).await;
            assert!(finished.has_succeeded(), "{}", finished.why());
            assert_eq!(ended(&finished), "");
            assert_eq!(found(&world), []);
            if data {
                world.aws.change(|account| {
                    let mut bucket = simulated_aws::s3::Bucket::new(REGION, ACCOUNT);
                    let stack = stack_name("alpha", "web");
                    bucket.tags.insert("aws:cloudformation:stack-name".to_owned(), stack);
                    account.buckets.insert("pages", bucket);
                });
                assert_differs(&ended(&finished), "succeeds, but bucket pages of stack alpha-web-rehearsal exists");
            }
        }
    });
}
