//! The engine's matcher and the tests' own judge agree about any statements and any request.

use model::statements::{Decision, PolicyStatement, Request, decide};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};

use super::policy::{Need, Statement, allows};

/// The key whose values a request has.
const KEY: &str = "s3:prefix";

fn action_pattern() -> impl Strategy<Value = &'static str> {
    select(vec!["*", "s3:*", "s3:Get*", "S3:PUTOBJECT", "s3:???Object", "dynamodb:GetItem", "sqs:*"])
}

fn text() -> impl Strategy<Value = String> {
    "[ab/*?]{0,5}"
}

fn condition() -> impl Strategy<Value = Option<(String, Vec<String>)>> {
    let quantifiers = select(vec!["", "ForAllValues:", "ForAnyValue:"]);
    let operators = select(vec!["StringEquals", "StringLike"]);
    let operator = (quantifiers, operators, any::<bool>()).prop_map(|(quantifier, operator, if_exists)| {
        format!("{quantifier}{operator}{}", if if_exists { "IfExists" } else { "" })
    });
    prop::option::of((operator, vec(text(), 1..3)))
}

prop_compose! {
    fn statement()(
        allows in prop::bool::weighted(0.8),
        actions in vec(action_pattern(), 1..3),
        is_not_action in prop::bool::weighted(0.2),
        resources in vec(text(), 1..3),
        is_not_resource in prop::bool::weighted(0.2),
        condition in condition(),
    ) -> Value {
        let mut statement = json!({ "Effect": if allows { "Allow" } else { "Deny" } });
        statement[if is_not_action { "NotAction" } else { "Action" }] = json!(actions);
        statement[if is_not_resource { "NotResource" } else { "Resource" }] = json!(resources);
        if let Some((operator, values)) = condition {
            statement["Condition"] = json!({ operator: { KEY: values } });
        }
        statement
    }
}

prop_compose! {
    fn request()(
        action in select(vec!["s3:GetObject", "s3:PutObject", "s3:putobject", "dynamodb:GetItem", "sqs:SendMessage"]),
        resource in text(),
        values in vec(text(), 0..3),
    ) -> Request {
        values.into_iter().fold(Request::new(action, resource).knowing(KEY), |request, value| request.with(KEY, value))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 4096, ..ProptestConfig::default() })]

    #[test]
    fn the_matcher_agrees_with_the_tests_judge(statements in vec(statement(), 0..4), request in request()) {
        let parsed: Vec<_> = statements.iter().map(PolicyStatement::parse).collect();
        let resolve = |value: &Value| value.as_str().expect("a text").to_owned();
        let judged: Vec<_> = statements.iter().map(|statement| Statement::read(statement, resolve)).collect();
        let is_allowed = decide(&parsed, &request) == Decision::Allowed;
        prop_assert_eq!(is_allowed, allows(&judged, &Need::of(&request)));
    }
}
