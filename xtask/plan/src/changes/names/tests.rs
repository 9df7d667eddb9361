use serde_json::json;

use super::*;
use crate::changes::compare;

/// A stack of a test: name, templates, and the stacks that are deployed before it.
struct Case {
    stack: &'static str,
    region: Option<&'static str>,
    old: Value,
    new: Option<Value>,
    after: &'static [&'static str],
    changing: BTreeMap<String, Certainty>,
}

fn stack(stack: &'static str, old: Value, new: Value) -> Case {
    Case {
        stack,
        region: Some("eu-central-1"),
        old: json!({ "Resources": old }),
        new: Some(json!({ "Resources": new })),
        after: &[],
        changing: BTreeMap::new(),
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
            let changes = new.map(|new| compare(old, Some(new), &case.changing)).unwrap_or_default();
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
            changing: &case.changing,
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
fn only_global_names_of_a_stack_in_an_unknown_region_are_taken() {
    let role = |name: Value| json!({ "Type": "AWS::IAM::Role", "Properties": { "RoleName": name } });
    let regional = || json!({ "Fn::Sub": "r-${AWS::Region}" });
    let resources = || json!({ "A": alarm("a"), "B": role(json!("r")), "C": role(regional()) });
    let other = Case { region: None, new: None, ..stack("other", resources(), json!({})) };
    let refused = found(&[other, stack("s", json!({}), resources())]);
    let [why] = refused.as_slice() else { panic!("{refused:?}") };
    assert!(why.starts_with("s/B: its RoleName `r` is taken: other/B has it"), "{why}");
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
    let in_region =
        |region, resource: Value| Case { region: Some(region), ..stack(region, json!({}), json!({ "A": resource })) };
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
fn one_function_reads_several_topics_queues_and_databases_of_a_source() {
    let mapping = |source: Value| {
        let mut properties = json!({ "EventSourceArn": "arn:cluster", "FunctionName": "f" });
        let fields = source.as_object().expect("an object").clone();
        properties.as_object_mut().expect("an object").extend(fields);
        json!({ "Type": "AWS::Lambda::EventSourceMapping", "Properties": properties })
    };
    let database = |name: &str, collection: &str| json!({ "DocumentDBEventSourceConfig": { "DatabaseName": name, "CollectionName": collection } });
    for (one, other) in [
        (json!({ "Topics": ["a"] }), json!({ "Topics": ["b"] })),
        (json!({ "Queues": ["a"] }), json!({ "Queues": ["b"] })),
        (database("a", "x"), database("b", "x")),
        (database("a", "x"), database("a", "y")),
    ] {
        let both = json!({ "A": mapping(one.clone()), "B": mapping(other) });
        assert_eq!(found(&[stack("s", json!({}), both)]), [""; 0]);
        let same = json!({ "A": mapping(one.clone()), "B": mapping(one) });
        assert_eq!(found(&[stack("s", json!({}), same)]).len(), 2);
    }
}

#[test]
fn names_within_an_api_conflict_once_and_not_under_another_parameter() {
    let api = json!({ "Ref": "Api" });
    for (kind, properties, name) in [
        ("Authorizer", json!({ "RestApiId": api, "Name": "users" }), "its Name `users`"),
        ("BasePathMapping", json!({ "DomainName": "a.example.com" }), "its DomainName `a.example.com`"),
        ("GatewayResponse", json!({ "RestApiId": api, "ResponseType": "THROTTLED" }), "its ResponseType `THROTTLED`"),
        ("Method", json!({ "RestApiId": api, "ResourceId": "r", "HttpMethod": "GET" }), "its HttpMethod `GET`"),
        ("Model", json!({ "RestApiId": api, "Name": "note" }), "its Name `note`"),
        ("Resource", json!({ "RestApiId": api, "ParentId": "r", "PathPart": "notes" }), "its PathPart `notes`"),
        ("Stage", json!({ "RestApiId": api, "StageName": "dev" }), "its StageName `dev`"),
    ] {
        let resource = json!({ "Type": format!("AWS::ApiGateway::{kind}"), "Properties": properties });
        let renamed = || stack("s", json!({ "Old": resource }), json!({ "New": resource }));
        let refused = found(&[renamed()]);
        assert!(refused.len() == 1 && refused[0].contains(name), "{kind}: {refused:?}");
        assert!(refused[0].contains("Old has it until CloudFormation has created the new"), "{refused:?}");

        let mut unknown = renamed();
        for template in std::iter::once(&mut unknown.old).chain(&mut unknown.new) {
            template["Parameters"] = json!({ "Api": { "Type": "String" } });
        }
        assert_eq!(found(&[unknown]).len(), usize::from(kind == "BasePathMapping"), "{kind}");
    }
}

#[test]
fn routes_stages_and_authorizers_of_an_http_api_conflict_within_it() {
    let api = json!({ "Ref": "Api" });
    for (kind, properties, name) in [
        ("Authorizer", json!({ "ApiId": api, "Name": "users" }), "its Name `users`"),
        ("Route", json!({ "ApiId": api, "RouteKey": "GET /notes" }), "its RouteKey `GET /notes`"),
        ("Stage", json!({ "ApiId": api, "StageName": "$default" }), "its StageName `$default`"),
    ] {
        let resource = json!({ "Type": format!("AWS::ApiGatewayV2::{kind}"), "Properties": properties });
        let refused = found(&[stack("s", json!({ "Old": resource }), json!({ "New": resource }))]);
        assert!(refused.len() == 1 && refused[0].contains(name), "{kind}: {refused:?}");
    }
    let route = |api: &str| json!({ "Type": "AWS::ApiGatewayV2::Route", "Properties": { "ApiId": { "Ref": api }, "RouteKey": "GET /" } });
    assert_eq!(found(&[stack("s", json!({ "Old": route("A") }), json!({ "New": route("B") }))]), [""; 0]);
}

#[test]
fn a_name_that_a_change_in_place_frees_is_taken_without_a_dependency() {
    let authorizer = |name: &str| json!({ "Type": "AWS::ApiGateway::Authorizer", "Properties": { "RestApiId": "api", "Name": name } });
    let renamed =
        |new: Value| found(&[stack("s", json!({ "A": authorizer("x") }), json!({ "A": authorizer("y"), "B": new }))]);
    let refused = renamed(authorizer("x"));
    let [why] = refused.as_slice() else { panic!("{refused:?}") };
    assert!(why.starts_with("s/B: its Name `x` is taken: A has it until CloudFormation has changed A"), "{why}");
    for named in [json!("A"), json!(["A"])] {
        let mut later = authorizer("x");
        later["DependsOn"] = named;
        assert_eq!(renamed(later), [""; 0]);
    }

    let first = || stack("first", json!({ "A": authorizer("x") }), json!({ "A": authorizer("y") }));
    let taker = |after| Case { after, ..stack("second", json!({}), json!({ "B": authorizer("x") })) };
    assert_eq!(found(&[first(), taker(&["first"])]), [""; 0]);
    assert_eq!(found(&[first(), taker(&[])]).len(), 1);
}

#[test]
fn a_name_within_a_changing_parameter_is_free() {
    let authorizer = json!({ "Type": "AWS::ApiGateway::Authorizer", "Properties": {
        "RestApiId": { "Ref": "ApiId" }, "Name": "users" } });
    let renamed = |certainty: Option<Certainty>| {
        let mut case = stack("s", json!({ "Old": authorizer }), json!({ "New": authorizer }));
        for template in std::iter::once(&mut case.old).chain(&mut case.new) {
            // The value is known, but may be the old one.
            template["Parameters"] = json!({ "ApiId": { "Type": "String", "Default": "abc" } });
        }
        case.changing.extend(certainty.map(|certainty| ("ApiId".to_owned(), certainty)));
        found(&[case]).len()
    };
    assert_eq!(renamed(None), 1);
    assert_eq!(renamed(Some(Certainty::Certain)), 0);
}

#[test]
fn both_versions_of_a_domain_name_are_one() {
    let domain = |version: &str| json!({ "Type": format!("AWS::ApiGateway{version}::DomainName"), "Properties": { "DomainName": "a.example.com" } });
    let refused = found(&[stack("s", json!({ "Old": domain("") }), json!({ "New": domain("V2") }))]);
    assert!(refused.len() == 1 && refused[0].contains("its DomainName `a.example.com` is taken"), "{refused:?}");
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
