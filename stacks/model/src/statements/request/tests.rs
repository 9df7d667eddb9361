//! Requests that statements allow, and their counterparts.

use serde_json::{Value, json};

use super::*;

fn statements(statements: Value) -> Vec<PolicyStatement> {
    statements.as_array().expect("a list").iter().map(PolicyStatement::parse).collect()
}

fn is_allowed(statements: &[PolicyStatement], request: &Request) -> bool {
    decide(statements, request) == Decision::Allowed
}

#[test]
fn action_and_resource_must_both_match() {
    let role = statements(json!([{"Effect": "Allow", "Action": ["s3:Get*"], "Resource": "arn:aws:s3:::b/videos/?*"}]));
    assert!(is_allowed(&role, &Request::new("s3:GetObject", "arn:aws:s3:::b/videos/x")));
    assert!(is_allowed(&role, &Request::new("S3:getobject", "arn:aws:s3:::b/videos/x")), "actions have no case");
    assert!(is_allowed(&role, &Request::new("s3:GetObject", "arn:aws:s3:::b/videos/*")), "a key with an asterisk");
    for (action, resource) in [
        ("s3:PutObject", "arn:aws:s3:::b/videos/x"),
        ("s3:GetObject", "arn:aws:s3:::b/videos/"),
        ("s3:GetObject", "arn:aws:s3:::B/videos/x"),
        ("s3:GetObject", "*"),
    ] {
        assert_eq!(decide(&role, &Request::new(action, resource)), Decision::NotAllowed, "{action} {resource}");
    }
    assert_eq!(decide(&[], &Request::new("s3:GetObject", "x")), Decision::NotAllowed);
}

#[test]
fn exceptions_include_everything_else() {
    let topics = statements(json!([{"Effect": "Allow", "Action": "sns:Publish", "NotResource": "arn:aws:sns:*:*:*"}]));
    assert!(is_allowed(&topics, &Request::new("sns:Publish", "+4900000")));
    assert!(!is_allowed(&topics, &Request::new("sns:Publish", "arn:aws:sns:r:1:topic")));
    let most = statements(json!([{"Effect": "Allow", "NotAction": ["iam:*"], "Resource": "*"}]));
    assert!(is_allowed(&most, &Request::new("sqs:SendMessage", "q")));
    assert!(!is_allowed(&most, &Request::new("IAM:PassRole", "r")));
}

#[test]
fn a_denial_beats_every_permission() {
    let role = statements(json!([
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "dynamodb:Scan", "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
    ]));
    assert!(is_allowed(&role, &Request::new("dynamodb:Query", "t")));
    assert_eq!(decide(&role, &Request::new("dynamodb:Scan", "t")), Decision::Denied(&role[1]));
    let read = Request::new("s3:GetObject", "o");
    assert!(is_allowed(&role, &read.clone().with("aws:SecureTransport", "true")));
    assert_eq!(decide(&role, &read.clone().with("aws:SecureTransport", "false")), Decision::Denied(&role[2]));
    assert_eq!(decide(&role, &read), Decision::Conditional(&role[2]), "unknown, not absent");
}

#[test]
fn a_condition_is_met_as_its_operator_says() {
    let list = Request::new("s3:ListBucket", "b");
    let (inside, outside) = (list.clone().with("s3:prefix", "a/x"), list.clone().with("s3:prefix", "z"));
    let absent = list.clone().knowing("s3:prefix");
    for (operator, of_inside, of_outside, of_absent) in [
        ("StringLike", true, false, false),
        ("StringLikeIfExists", true, false, true),
        ("StringNotLike", false, true, true),
        ("ForAllValues:StringLike", true, false, true),
        ("ForAnyValue:StringLike", true, false, false),
        ("ForAnyValue:StringNotLike", false, true, false),
        ("StringEquals", false, false, false),
        ("StringNotEquals", true, true, true),
    ] {
        let condition = json!({ operator: { "S3:Prefix": ["a/*", "c/*"] } });
        let role = statements(json!([
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "b", "Condition": condition},
        ]));
        for (request, expected) in [(&inside, of_inside), (&outside, of_outside), (&absent, of_absent)] {
            assert_eq!(is_allowed(&role, request), expected, "{operator} {request:?}");
        }
        assert_eq!(decide(&role, &list), Decision::Conditional(&role[0]), "{operator}");
    }
    let both = inside.with("s3:prefix", "z");
    let with = |operator: &str| {
        statements(json!([{"Effect": "Allow", "Action": "*", "Resource": "*",
            "Condition": {operator: {"s3:prefix": "a/*"}}}]))
    };
    assert!(is_allowed(&with("ForAnyValue:StringLike"), &both));
    assert!(!is_allowed(&with("ForAllValues:StringLike"), &both));
}

#[test]
fn every_key_of_a_condition_must_be_met() {
    let role = statements(json!([{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {
        "ArnLike": {"aws:SourceArn": "arn:aws:sns:*:1:t*"}, "Null": {"aws:TokenIssueTime": "false"},
    }}]));
    let request = |arn: &str| Request::new("sqs:SendMessage", "q").with("aws:SourceArn", arn);
    let issued = |request: Request| request.with("aws:TokenIssueTime", "2026-01-01");
    assert!(is_allowed(&role, &issued(request("arn:aws:sns:eu:1:topic"))));
    assert!(!is_allowed(&role, &issued(request("arn:aws:sns:eu:2:topic"))));
    assert!(!is_allowed(&role, &issued(request("arn:aws:sns:eu:9:1:t"))), "a wildcard does not match a colon");
    assert_eq!(decide(&role, &request("arn:aws:sns:eu:1:topic").knowing("aws:TokenIssueTime")), Decision::NotAllowed);
    let unevaluated = statements(json!([{"Effect": "Allow", "Action": "*", "Resource": "*",
        "Condition": {"NumericLessThan": {"s3:max-keys": "10"}}}]));
    let listed = Request::new("s3:ListBucket", "b").with("s3:max-keys", "5");
    assert_eq!(decide(&unevaluated, &listed), Decision::Conditional(&unevaluated[0]));
}

#[test]
fn the_closest_statement_has_the_action_or_else_the_resource() {
    let role = statements(json!([
        {"Effect": "Allow", "Action": "dynamodb:Query", "Resource": "arn:t/tasks"},
        {"Effect": "Allow", "Action": ["dynamodb:GetItem"], "Resource": ["arn:t/users"]},
        {"Effect": "Allow", "Action": ["dynamodb:GetItem"], "Resource": ["arn:z"]},
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"},
    ]));
    let nearest = |action: &str| closest(&role, &Request::new(action, "arn:t/tasks")).map(ToString::to_string);
    assert_eq!(nearest("dynamodb:GetItem").as_deref(), Some("allow dynamodb:GetItem on arn:t/users"));
    assert_eq!(nearest("dynamodb:PutItem").as_deref(), Some("allow dynamodb:Query on arn:t/tasks"));
    assert_eq!(nearest("sqs:SendMessage"), None);
}

#[test]
fn a_permission_is_for_the_requests_that_it_includes() {
    let role = statements(json!([
        {"Effect": "Allow", "Action": ["s3:Get*", "s3:PutObject"], "Resource": "arn:b/*"},
        {"Effect": "Allow", "NotAction": "s3:*", "NotResource": "arn:secret"},
    ]));
    let permissions = |statement: usize| role[statement].permissions();
    let read = Request::new("s3:getObject", "arn:b/x");
    assert_eq!(permissions(0).iter().map(|one| one.is_for(&read)).collect::<Vec<_>>(), [true, false]);
    assert!(!permissions(1)[0].is_for(&read));
    assert!(permissions(1)[0].is_for(&Request::new("sqs:SendMessage", "q")));
    assert!(!permissions(1)[0].is_for(&Request::new("sqs:SendMessage", "arn:secret")));
}
