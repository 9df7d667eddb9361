//! Each requirement, broken and fulfilled, in any system; and the systems of the example.

use serde_json::{Value, json};

use super::*;
use crate::{
    example::Example,
    parts::policy::{self, Statement},
    template::{Resource, Stack, System, Text},
};

pub(super) fn found_in(stage: &str, stack: Stack) -> Vec<String> {
    let stage = Stage::example(stage);
    let system = System::new("shop", [stack]).render(&stage).expect("rendered");
    let found = violations(&stage, &[system]);
    found.iter().map(|found| format!("{}: {}: {}", found.requirement, found.logical_id, found.message)).collect()
}

/// The violations of one resource, without those of the rest that a system has.
fn found(resource: Resource) -> Vec<String> {
    let mut stack = Stack::new("data", "Data.");
    stack.resource("A", resource);
    found_in("dev", stack)
}

/// The violations of one requirement by a resource `A` with these properties.
pub(super) fn found_of(requirement: Requirement, kind: &str, properties: Value) -> Vec<String> {
    let prefix = format!("{requirement}: A: ");
    found(of(kind, properties)).into_iter().filter(|found| found.starts_with(&prefix)).collect()
}

pub(super) fn of(kind: &str, properties: Value) -> Resource {
    Resource::new(kind, properties)
}

fn role(statements: &[Statement]) -> Resource {
    Resource::of(policy::role(&policy::service_trust("lambda.amazonaws.com"), statements))
}

fn assert_breaks(requirement: Requirement, resource: Resource) {
    let found = found(resource);
    assert!(found.iter().any(|found| found.starts_with(&format!("{requirement}: A: "))), "{requirement}: {found:?}");
}

#[test]
fn every_action_on_every_resource_is_refused() {
    let all = Statement::allow(["dynamodb:*"], [Text::from("*")]);
    let found = found(role(&[all]));
    assert!(found[0].starts_with("wildcard-action: A: `dynamodb:*`"), "{found:?}");
    assert!(found[1].starts_with("wildcard-resource: A: `dynamodb:*` is allowed on `*`"), "{found:?}");
    assert_breaks(
        Requirement::WildcardResource,
        role(&[Statement::allow_except(["s3:GetObject"], [Text::from("arn:aws:s3:::photos/*")])]),
    );
    let scan = Statement::allow(["dynamodb:Scan"], [Text::from("arn:aws:dynamodb:eu-central-1:111122223333:table/a")]);
    assert_breaks(Requirement::TableScan, role(&[scan]));
    let not =
        json!({ "PolicyDocument": { "Statement": { "Effect": "Allow", "NotAction": "iam:*", "Resource": "arn:x" } } });
    assert_breaks(Requirement::WildcardAction, of("AWS::IAM::ManagedPolicy", not));
}

#[test]
fn actions_without_resources_and_given_reasons_are_accepted() {
    let traces = Statement::allow(["xray:PutTraceSegments"], [Text::from("*")]);
    assert_eq!(found(role(&[traces])), [""; 0]);
    let send = || Statement::allow(["ses:SendEmail"], [Text::from("*")]);
    assert_breaks(Requirement::WildcardResource, role(&[send()]));
    assert_eq!(found(role(&[send().because("Every identity of the account may be used.")])), [""; 0]);
    assert_breaks(Requirement::WildcardResource, role(&[send().because(" ")]));
    // The reason is for this statement only.
    let other = Statement::allow(["sns:Publish"], [Text::from("*")]);
    assert_breaks(Requirement::WildcardResource, role(&[send().because("A reason."), other]));
    let tagged = Statement::allow(["cognito-idp:AdminGetUser"], [Text::from("*")])
        .when(json!({ "StringEquals": { "aws:ResourceTag/stage": "dev" } }));
    assert_eq!(found(role(&[tagged])), [""; 0]);
}

#[test]
fn actions_on_named_resources_are_listed() {
    let table = || Text::from("arn:aws:dynamodb:eu-central-1:111122223333:table/a");
    let mut stack = Stack::new("api", "Api.");
    let named = Statement::allow(["dynamodb:GetItem", "dynamodb:Querry"], [table()]);
    let wide = Statement::allow(["xray:PutTraceSegments"], [Text::from("*")]);
    let denied =
        json!({ "PolicyDocument": { "Statement": { "Effect": "Deny", "Action": "a:B", "Resource": "arn:x" } } });
    stack.resource("A", role(&[named, wide]));
    stack.resource("B", of("AWS::IAM::ManagedPolicy", denied));
    let system = System::new("shop", [stack]).render(&Stage::example("dev")).expect("rendered");
    let found: Vec<_> =
        granted_actions(&system.stacks[0]).iter().map(|granted| (granted.logical_id, granted.action)).collect();
    assert_eq!(found, [("A", "dynamodb:GetItem"), ("A", "dynamodb:Querry")]);
}

#[test]
fn reasons_are_metadata_of_the_resource_and_no_part_of_its_policy() {
    let mut stack = Stack::new("api", "Api.");
    let send = Statement::allow(["ses:SendEmail"], [Text::from("*")]).because("Every identity may be used.");
    stack.resource("A", role(&[send]));
    let system = System::new("shop", [stack]).render(&Stage::example("dev")).expect("rendered");
    let resource = &system.stacks[0].template["Resources"]["A"];
    let expected = json!([{
        "Rule": "wildcard-resource", "Actions": ["ses:SendEmail"], "Reason": "Every identity may be used."
    }]);
    assert_eq!(resource["Metadata"]["Exceptions"], expected);
    let statement = &resource["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][0];
    assert_eq!(*statement, json!({ "Effect": "Allow", "Action": ["ses:SendEmail"], "Resource": ["*"] }));
}

#[test]
fn data_is_encrypted_retained_and_reachable_over_tls() {
    let queue = |properties: Value| of("AWS::SQS::Queue", properties);
    assert_breaks(Requirement::Encryption, queue(json!({ "SqsManagedSseEnabled": false })));
    assert_breaks(Requirement::Encryption, of("AWS::Kinesis::Stream", json!({})));
    let key = json!({ "SqsManagedSseEnabled": false, "KmsMasterKeyId": "alias/a" });
    for encrypted in
        [queue(json!({})), queue(key), of("AWS::DynamoDB::Table", json!({})), of("AWS::S3::Bucket", json!({}))]
    {
        let found = found(encrypted);
        assert!(found.iter().all(|found| !found.starts_with("encryption")), "{found:?}");
    }
    assert_breaks(Requirement::Tls, queue(json!({ "SqsManagedSseEnabled": true })));
    assert_breaks(Requirement::Retention, of("AWS::S3::Bucket", json!({})));
    assert_breaks(Requirement::Retention, of("AWS::Logs::LogGroup", json!({})));
    assert_breaks(Requirement::Retention, of("AWS::Lambda::Function", json!({ "FunctionName": "f" })));
    assert_eq!(found(of("AWS::Logs::LogGroup", json!({ "RetentionInDays": 7 }))), [""; 0]);

    let mut stack = Stack::new("data", "Data.");
    let queue = stack.resource("A", queue(json!({ "SqsManagedSseEnabled": true })));
    let deny = policy::deny_without_tls("sqs:*", &[queue.attribute("Arn")]);
    let document = policy::resource_policy(vec![deny]);
    let properties = json!({ "Queues": [queue.id()], "PolicyDocument": document });
    stack.resource("B", of("AWS::SQS::QueuePolicy", properties));
    assert_eq!(found_in("dev", stack), [""; 0]);
}

#[test]
fn a_log_group_belongs_to_its_function_in_every_form_of_the_name() {
    let region = json!({ "Fn::Sub": "x-${AWS::Region}" });
    let joined = json!({ "Fn::Join": ["-", ["x", { "Ref": "AWS::Region" }]] });
    for (function, group, is_found) in [
        (json!("f"), json!("/aws/lambda/f"), true),
        (region.clone(), json!({ "Fn::Sub": "/aws/lambda/x-${AWS::Region}" }), true),
        (joined, json!({ "Fn::Sub": "/aws/lambda/x-${AWS::Region}" }), true),
        (region, json!({ "Fn::Sub": "/aws/lambda/y-${AWS::Region}" }), false),
        (json!("f"), json!({ "Fn::Sub": "/aws/lambda/${A}" }), true),
        (Value::Null, json!({ "Fn::Join": ["", ["/aws/lambda/", { "Ref": "A" }]] }), true),
    ] {
        let mut stack = Stack::new("data", "Data.");
        stack.resource("A", of("AWS::Lambda::Function", json!({ "FunctionName": function })));
        stack.resource("B", of("AWS::Logs::LogGroup", json!({ "LogGroupName": group, "RetentionInDays": 7 })));
        let found = found_in("dev", stack);
        assert_eq!(found.is_empty(), is_found, "{function} {group}: {found:?}");
    }
}

#[test]
fn a_policy_names_its_queue_in_every_form() {
    for (target, is_found) in [
        (json!({ "Ref": "A" }), true),
        (json!({ "Fn::GetAtt": ["A", "QueueUrl"] }), true),
        (json!({ "Fn::GetAtt": "A.QueueUrl" }), true),
        (json!({ "Fn::Sub": "${A}" }), true),
        (json!({ "Ref": "Other" }), false),
    ] {
        let mut stack = Stack::new("data", "Data.");
        stack.resource("A", of("AWS::SQS::Queue", json!({})));
        let document = policy::resource_policy(vec![policy::deny_without_tls("sqs:*", &[Text::from("arn:q")])]);
        stack.resource("B", of("AWS::SQS::QueuePolicy", json!({ "Queues": [target], "PolicyDocument": document })));
        let found = found_in("dev", stack);
        assert_eq!(found.is_empty(), is_found, "{target}: {found:?}");
    }
}

#[test]
fn every_topic_denies_requests_without_tls() {
    assert_breaks(Requirement::Tls, of("AWS::SNS::Topic", json!({ "TopicName": "alarms" })));
    for target in [json!({ "Ref": "A" }), json!({ "Fn::GetAtt": ["A", "TopicArn"] })] {
        let mut stack = Stack::new("data", "Data.");
        stack.resource("A", of("AWS::SNS::Topic", json!({})));
        let deny = policy::deny_without_tls("sns:Publish", &[Text::from("arn:t")]);
        let document = policy::resource_policy(vec![deny]);
        stack.resource("B", of("AWS::SNS::TopicPolicy", json!({ "Topics": [target], "PolicyDocument": document })));
        assert_eq!(found_in("dev", stack), [""; 0], "{target}");
    }
}

/// The violations of one resource in a stage with these settings.
fn found_with(settings: &str, resource: Resource) -> Vec<String> {
    let text = format!("account: '111122223333'\nregion: eu-central-1\nsystems: {{}}\n{settings}");
    let stage = Stage::parse("prod", &text, "prod.yaml").expect("a stage");
    let mut stack = Stack::new("data", "Data.");
    stack.resource("A", resource);
    let system = System::new("shop", [stack]).render(&stage).expect("rendered");
    violations(&stage, &[system]).iter().map(|found| format!("{}: {}", found.requirement, found.message)).collect()
}

#[test]
fn tables_and_pools_of_a_protected_stage_refuse_their_deletion() {
    let kept = |kind: &str, properties: Value| of(kind, properties).removal(crate::template::RemovalPolicy::Retain);
    for (kind, on) in [
        ("AWS::DynamoDB::Table", json!({ "DeletionProtectionEnabled": true })),
        ("AWS::Cognito::UserPool", json!({ "DeletionProtection": "ACTIVE" })),
    ] {
        let found = found_with("protected: true", kept(kind, json!({})));
        assert!(found.len() == 1 && found[0].starts_with("protection: AWS would accept its deletion"), "{found:?}");
        assert_eq!(found_with("protected: true", kept(kind, on)), [""; 0], "{kind}");
        assert_eq!(found_with("", kept(kind, json!({}))), [""; 0], "{kind}");
    }
}

#[test]
fn resources_with_generated_ids_have_the_stage_s_tags_where_workflows_deploy() {
    let pipeline = "pipeline: { repository: a/b, owner_id: 1, repository_id: 2, environment: p, branch: main }";
    let api = |tags: Value| of("AWS::ApiGateway::RestApi", json!({ "Tags": tags }));
    let tag = |key: &str, value: &str| json!({ "Key": key, "Value": value });
    let own = json!([tag("stack", "data"), tag("stage", "prod"), tag("system", "shop")]);
    let found = found_with(pipeline, api(json!([tag("stage", "prod")])));
    assert!(found.len() == 1 && found[0].starts_with("tags: the deploy role could not change it"), "{found:?}");
    assert_eq!(found_with(pipeline, api(own)), [""; 0]);
    assert_eq!(found_with("", api(json!([]))), [""; 0]);
}

#[test]
fn distributions_and_domains_require_modern_tls() {
    let distribution = |config: Value| of("AWS::CloudFront::Distribution", json!({ "DistributionConfig": config }));
    assert_breaks(
        Requirement::Tls,
        distribution(json!({ "DefaultCacheBehavior": { "ViewerProtocolPolicy": "allow-all" } })),
    );
    let old = json!({ "AcmCertificateArn": "arn:aws:acm:us-east-1:111122223333:certificate/1", "MinimumProtocolVersion": "TLSv1" });
    assert_breaks(Requirement::Tls, distribution(json!({ "ViewerCertificate": old })));
    let origin = json!([{ "CustomOriginConfig": { "OriginProtocolPolicy": "http-only" } }]);
    assert_breaks(Requirement::Tls, distribution(json!({ "Origins": origin })));
    assert_breaks(Requirement::Tls, of("AWS::ApiGateway::DomainName", json!({ "SecurityPolicy": "TLS_1_0" })));
    assert_breaks(Requirement::Tls, of("AWS::ApiGateway::DomainName", json!({})));
    assert_eq!(found(of("AWS::ApiGateway::DomainName", json!({ "SecurityPolicy": "TLS_1_2" }))), [""; 0]);
    // HTTP and WebSocket APIs have no older version.
    let second = |configuration: Value| {
        of("AWS::ApiGatewayV2::DomainName", json!({ "DomainNameConfigurations": [configuration] }))
    };
    assert_breaks(Requirement::Tls, second(json!({ "SecurityPolicy": "TLS_1_0" })));
    assert_eq!(found(second(json!({ "EndpointType": "REGIONAL" }))), [""; 0]);
}

#[test]
fn certificates_are_in_the_region_and_account_of_their_use() {
    let distribution = |certificate: Value| {
        let viewer = json!({ "AcmCertificateArn": certificate, "MinimumProtocolVersion": "TLSv1.2_2021" });
        of("AWS::CloudFront::Distribution", json!({ "DistributionConfig": { "ViewerCertificate": viewer } }))
    };
    let arn = |region: &str, account: &str| json!(format!("arn:aws:acm:{region}:{account}:certificate/1"));
    assert_eq!(found(distribution(arn("us-east-1", "111122223333"))), [""; 0]);
    assert_breaks(Requirement::Region, distribution(arn("eu-central-1", "111122223333")));
    assert_breaks(Requirement::Region, distribution(arn("us-east-1", "444455556666")));
    let here = json!({ "Fn::Sub": "arn:${AWS::Partition}:acm:${AWS::Region}:${AWS::AccountId}:certificate/1" });
    assert_breaks(Requirement::Region, distribution(here.clone()));
    let domain = |certificate: Value| {
        let configuration = json!([{ "CertificateArn": certificate, "SecurityPolicy": "TLS_1_2" }]);
        of("AWS::ApiGatewayV2::DomainName", json!({ "DomainNameConfigurations": configuration }))
    };
    assert_eq!(found(domain(here)), [""; 0]);
    assert_breaks(Requirement::Region, domain(arn("us-east-1", "111122223333")));

    // A certificate that the stack makes is in the stack's region.
    let with = |stack: Stack| {
        let mut stack = stack;
        let certificate = stack.resource("Certificate", of("AWS::CertificateManager::Certificate", json!({})));
        stack.resource("A", distribution(json!(certificate.id())));
        found_in("dev", stack)
    };
    assert_eq!(with(Stack::new("cdn", "CDN.").in_region("us-east-1")), [""; 0]);
    assert!(
        with(Stack::new("cdn", "CDN."))[0]
            .contains("Certificate is in eu-central-1, but CloudFront requires us-east-1")
    );
    assert_breaks(Requirement::Region, of("AWS::WAFv2::WebACL", json!({ "Scope": "CLOUDFRONT" })));
}

#[test]
fn code_comes_from_the_bucket_and_tags_from_the_stack() {
    assert_breaks(Requirement::InlineCode, of("AWS::Lambda::Function", json!({ "Code": { "ZipFile": "" } })));
    let tagged = |value: &str| of("AWS::SSM::Parameter", json!({ "Tags": [{ "Key": "stage", "Value": value }] }));
    assert_breaks(Requirement::Tags, tagged("prod"));
    assert_eq!(found(tagged("dev")), [""; 0]);
    let mapping = json!({ "FunctionName": "arn:aws:lambda:eu-central-1:111122223333:function:f:$LATEST" });
    assert_breaks(Requirement::Alias, of("AWS::Lambda::EventSourceMapping", mapping));
}

#[test]
fn an_exception_is_for_one_requirement_of_one_resource() {
    let group = || of("AWS::Logs::LogGroup", json!({}));
    assert_eq!(found(group().except(Requirement::Retention, "An auditor requires all events.")), [""; 0]);
    assert_breaks(Requirement::Retention, group().except(Requirement::Encryption, "Another one."));
    let mut stack = Stack::new("data", "Data.");
    stack.resource("A", group());
    stack.resource("B", group());
    stack.except("A", Requirement::Retention, "An auditor requires all events.");
    let found = found_in("dev", stack.clone());
    assert!(found.len() == 1 && found[0].starts_with("retention: B"), "{found:?}");
    stack.except("C", Requirement::Retention, "A reason.");
    assert!(System::new("shop", [stack]).render(&Stage::example("dev")).is_err());
}

#[test]
fn the_example_s_systems_fulfil_every_requirement() {
    for name in ["local", "prod"] {
        let stage = Example::stage_named(name);
        assert_eq!(violations(&stage, &Example::systems(&stage)), [], "{name}");
    }
}
