use serde_json::json;

use super::*;
use crate::changes::compare;

/// A stack of a test: name, templates, and the stacks that are deployed before it.
struct Case {
    stack: &'static str,
    region: &'static str,
    old: Value,
    new: Option<Value>,
    after: &'static [&'static str],
}

fn stack(stack: &'static str, old: Value, new: Value) -> Case {
    Case {
        stack,
        region: "eu-central-1",
        old: json!({ "Resources": old }),
        new: Some(json!({ "Resources": new })),
        after: &[],
    }
}

/// The conflicts of a plan, each as `<stack>/<logical ID>: <reason>`.
fn found(cases: &[Case]) -> Vec<String> {
    let none = BTreeMap::new();
    let known = |template| Known { template, parameters: &none };
    let compared: Vec<_> = cases
        .iter()
        .map(|case| {
            let (old, new) = (Some(known(&case.old)), case.new.as_ref().map(known));
            let changes = new.map(|new| compare(old, Some(new), &BTreeMap::new())).unwrap_or_default();
            let after: BTreeSet<_> = case.after.iter().map(|name| (*name).to_owned()).collect();
            (case, old, new, changes, after)
        })
        .collect();
    let sides: Vec<_> = compared
        .iter()
        .map(|(case, old, new, changes, after)| StackSides {
            stack: case.stack,
            region: case.region,
            old: *old,
            new: *new,
            changes,
            after,
        })
        .collect();
    conflicts(&sides).iter().map(|found| format!("{}/{}: {}", found.stack, found.logical_id, found.why)).collect()
}

fn queue(name: &str) -> Value {
    json!({ "Type": "AWS::SQS::Queue", "Properties": { "QueueName": name } })
}

fn alarm(name: &str) -> Value {
    json!({ "Type": "AWS::CloudWatch::Alarm", "Properties": { "AlarmName": name } })
}

#[test]
fn a_renamed_logical_id_with_the_same_name_is_refused_with_both_ids() {
    let refused = found(&[stack("s", json!({ "Old": alarm("a") }), json!({ "New": alarm("a") }))]);
    let [why] = refused.as_slice() else { panic!("{refused:?}") };
    assert!(
        why.starts_with("s/New: its AlarmName `a` is taken: Old has it until CloudFormation has created the new"),
        "{why}"
    );
    assert!(why.contains("keep the logical ID Old"), "{why}");
    assert!(why.ends_with("or deploy twice: first without both, then with New"), "{why}");
    let renamed = stack("s", json!({ "Old": alarm("a") }), json!({ "New": alarm("b") }));
    assert_eq!(found(&[renamed]), [""; 0]);
}

#[test]
fn generated_names_never_conflict() {
    let unnamed = || json!({ "Type": "AWS::SQS::Queue" });
    assert_eq!(found(&[stack("s", json!({ "Old": unnamed() }), json!({ "New": unnamed() }))]), [""; 0]);
}

#[test]
fn a_retained_resource_keeps_its_name() {
    let mut old = queue("q");
    old["DeletionPolicy"] = json!("Retain");
    let refused = found(&[stack("s", json!({ "Old": old }), json!({ "New": queue("q") }))]);
    assert!(refused[0].contains("Old has it, and is retained") && !refused[0].contains("twice"), "{refused:?}");
}

#[test]
fn a_resource_that_moves_to_another_stack_is_refused_unless_the_old_stack_goes_first() {
    let gone = || stack("first", json!({ "A": alarm("a") }), json!({}));
    let mut taker = stack("second", json!({}), json!({ "A": alarm("a") }));
    let refused = found(&[gone(), taker]);
    assert!(
        refused[0].starts_with("second/A: its AlarmName `a` is taken: first/A has it, and its stack is not"),
        "{refused:?}"
    );
    taker = stack("second", json!({}), json!({ "A": alarm("a") }));
    taker.after = &["first"];
    assert_eq!(found(&[gone(), taker]), [""; 0]);

    let mut taker = stack("second", json!({}), json!({ "B": alarm("a") }));
    taker.after = &["first"];
    assert_eq!(found(&[stack("first", json!({ "A": alarm("a") }), json!({ "A": alarm("b") })), taker]), [""; 0]);

    // A queue's name stays taken for a while.
    let gone = stack("first", json!({ "A": queue("q") }), json!({}));
    let mut taker = stack("second", json!({}), json!({ "A": queue("q") }));
    taker.after = &["first"];
    let refused = found(&[gone, taker]);
    assert!(refused[0].contains("60 seconds"), "{refused:?}");
}

#[test]
fn a_stack_that_the_plan_does_not_touch_keeps_its_names() {
    let mut other = stack("other", json!({ "A": alarm("a") }), json!({}));
    other.new = None;
    let refused = found(&[other, stack("s", json!({}), json!({ "B": alarm("a") }))]);
    assert!(
        refused[0].starts_with("s/B: its AlarmName `a` is taken: other/A has it; keep other/A or give B"),
        "{refused:?}"
    );
}

#[test]
fn two_new_resources_cannot_have_one_name() {
    let refused = found(&[stack("s", json!({}), json!({ "A": alarm("a"), "B": alarm("a") }))]);
    assert!(refused.iter().any(|why| why.contains("B has the same AlarmName `a`")), "{refused:?}");
    let same = json!({ "A": alarm("a") });
    assert_eq!(found(&[stack("s", same.clone(), same)]), [""; 0]);
}

#[test]
fn names_are_regional_or_global() {
    let role = || json!({ "Type": "AWS::IAM::Role", "Properties": { "RoleName": "r" } });
    let in_region = |region, resource: Value| Case { region, ..stack(region, json!({}), json!({ "A": resource })) };
    assert_eq!(found(&[in_region("eu-central-1", alarm("a")), in_region("us-east-1", alarm("a"))]), [""; 0]);
    assert_eq!(found(&[in_region("eu-central-1", role()), in_region("us-east-1", role())]).len(), 2);
    let bucket =
        || json!({ "Type": "AWS::S3::Bucket", "Properties": { "BucketName": { "Fn::Sub": "b-${AWS::Region}" } } });
    assert_eq!(found(&[in_region("eu-central-1", bucket()), in_region("us-east-1", bucket())]), [""; 0]);
}

#[test]
fn names_within_a_parent_conflict_only_there() {
    let group = |pool: &str| json!({ "Type": "AWS::Cognito::UserPoolGroup", "Properties": { "GroupName": "g", "UserPoolId": { "Ref": pool } } });
    let pool = || json!({ "Type": "AWS::Cognito::UserPool" });
    let of = |group: Value| json!({ "One": pool(), "Two": pool(), "Old": group });
    let mut moved = of(group("Two"));
    moved["New"] = moved["Old"].take();
    moved.as_object_mut().expect("resources").remove("Old");
    assert_eq!(found(&[stack("s", of(group("One")), moved)]), [""; 0]);
    let mut renamed = of(group("One"));
    renamed["New"] = renamed["Old"].take();
    renamed.as_object_mut().expect("resources").remove("Old");
    assert_eq!(found(&[stack("s", of(group("One")), renamed)]).len(), 1);
}

#[test]
fn an_alias_moves_between_distributions_in_two_deploys() {
    let distribution = |aliases: &[&str]| json!({ "Type": "AWS::CloudFront::Distribution", "Properties": { "DistributionConfig": { "Aliases": aliases } } });
    let old = json!({ "A": distribution(&["x.example.com"]), "B": distribution(&[]) });
    let new = json!({ "A": distribution(&[]), "B": distribution(&["x.example.com"]) });
    let refused = found(&[stack("s", old, new)]);
    assert!(refused[0].starts_with("s/B: its DistributionConfig/Aliases"), "{refused:?}");
}

#[test]
fn a_mapping_cannot_be_replaced_while_its_source_and_function_stay() {
    let mapping = |position: &str| {
        json!({ "A": { "Type": "AWS::Lambda::EventSourceMapping", "Properties": {
            "EventSourceArn": "arn:stream", "FunctionName": "f", "StartingPosition": position } } })
    };
    let refused = found(&[stack("s", mapping("LATEST"), mapping("TRIM_HORIZON"))]);
    assert!(refused[0].contains("the combination of EventSourceArn, FunctionName must be unique"), "{refused:?}");
}

#[test]
fn a_web_acl_of_another_scope_may_keep_its_name() {
    let acl =
        |scope: &str| json!({ "A": { "Type": "AWS::WAFv2::WebACL", "Properties": { "Name": "n", "Scope": scope } } });
    assert_eq!(found(&[stack("s", acl("REGIONAL"), acl("CLOUDFRONT"))]), [""; 0]);
    let mut replaced = acl("REGIONAL");
    replaced["B"] = replaced["A"].take();
    replaced.as_object_mut().expect("resources").remove("A");
    assert_eq!(found(&[stack("s", acl("REGIONAL"), replaced)]).len(), 1);
}
