//! Each way of widening, and what is none.

use serde_json::{Value, json};

use super::widenings;

fn role(properties: Value) -> Value {
    json!({ "Type": "AWS::IAM::Role", "Properties": properties })
}

fn with(statements: Value) -> Value {
    role(json!({ "Policies": [{ "PolicyName": "p", "PolicyDocument": { "Statement": statements } }] }))
}

fn between(old: &Value, new: &Value) -> Vec<String> {
    widenings(Some(old), Some(new), false)
}

/// An allowing statement with this condition, or none.
fn read(condition: Value) -> Value {
    let mut statement = json!({ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:x/*" });
    if !condition.is_null() {
        statement["Condition"] = condition;
    }
    with(json!([statement]))
}

#[test]
fn a_managed_policy_that_comes_is_told_and_one_that_goes_is_not() {
    let (none, admin) = (json!([]), json!(["arn:aws:iam::aws:policy/AdministratorAccess"]));
    let of = |arns: &Value| role(json!({ "ManagedPolicyArns": arns }));
    assert_eq!(between(&of(&none), &of(&admin)), ["get managed policy `arn:aws:iam::aws:policy/AdministratorAccess`"]);
    assert_eq!(between(&role(json!({})), &of(&admin)).len(), 1);
    assert_eq!(between(&of(&admin), &of(&none)), [""; 0]);
    assert_eq!(between(&of(&admin), &of(&admin)), [""; 0]);
}

#[test]
fn a_new_role_is_asked_about_the_policies_that_are_not_in_its_template() {
    let of = |arn: Value| widenings(None, Some(&role(json!({ "ManagedPolicyArns": [arn] }))), false);
    assert_eq!(of(json!({ "Ref": "ExecutionPolicy1" })), [""; 0]);
    let text = json!({ "Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/PowerUserAccess" });
    assert_eq!(of(text), ["get managed policy `arn:${AWS::Partition}:iam::aws:policy/PowerUserAccess`"]);
    let (had, gets) = (role(json!({})), role(json!({ "ManagedPolicyArns": [{ "Ref": "Own" }] })));
    assert_eq!(between(&had, &gets).len(), 1, "what exists gets more");
}

#[test]
fn a_condition_that_goes_is_told() {
    let tagged = json!({ "StringEquals": { "aws:ResourceTag/stage": "prod" } });
    assert_eq!(
        between(&read(tagged.clone()), &read(Value::Null)),
        ["allow `s3:GetObject` on `arn:x/*` without the condition it had"]
    );
    assert_eq!(between(&read(tagged.clone()), &read(json!({}))).len(), 1);
    assert_eq!(between(&read(Value::Null), &read(tagged)), [""; 0]);
}

#[test]
fn a_condition_that_is_looser_is_told_and_one_that_is_stricter_is_not() {
    let equals = |operator: &str, values: Value| read(json!({ operator: { "aws:PrincipalTag/team": values } }));
    let told = |old: &Value, new: &Value| between(old, new).join("").contains("under another condition");
    let one = equals("StringEquals", json!("a"));
    let two = equals("StringEquals", json!(["a", "b"]));
    let both = read(json!({ "StringEquals": { "aws:PrincipalTag/team": "a", "aws:SourceVpc": "v" } }));
    let cased = read(json!({ "StringEquals": { "AWS:principaltag/TEAM": ["a"] } }));
    for (wide, narrow) in [
        (&two, &one),
        (&one, &both),
        (&equals("StringEqualsIfExists", json!("a")), &one),
        (&equals("StringLike", json!("a*")), &equals("StringLike", json!("ab*"))),
        (&equals("StringNotEquals", json!(["a"])), &equals("StringNotEquals", json!(["a", "b"]))),
    ] {
        assert!(told(narrow, wide), "{narrow:#} {wide:#}");
        assert_eq!(between(wide, narrow), [""; 0], "{narrow:#} {wide:#}");
    }
    assert_eq!(between(&one, &cased), [""; 0], "keys have no case");
    assert!(told(&one, &equals("StringEquals", json!("other"))), "not the same, and not narrower");
    assert!(told(&one, &equals("StringLike", json!("a"))), "another operator is not known to be narrower");
}

#[test]
fn who_is_trusted_under_which_condition_counts_too() {
    let trust = |subjects: Value| {
        role(json!({ "AssumeRolePolicyDocument": { "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": { "Federated": "arn:provider" },
            "Condition": { "StringEquals": { "token.actions.githubusercontent.com:sub": subjects } },
        }] } }))
    };
    let main = trust(json!(["repo:o/r:environment:production"]));
    let found =
        between(&main, &trust(json!(["repo:o/r:environment:production", "repo:o/other:environment:production"])));
    let expected = "allow `sts:AssumeRoleWithWebIdentity` on `itself` for `Federated arn:provider` under another condition than it had";
    assert_eq!(found, [expected]);
    assert_eq!(between(&main, &main), [""; 0]);
}

#[test]
fn a_condition_is_lost_on_a_part_of_what_had_it_too() {
    let tagged = json!({ "StringEquals": { "aws:ResourceTag/stage": "prod" } });
    let part = with(json!([
        { "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:x/*", "Condition": tagged },
        { "Effect": "Allow", "Action": ["s3:GETobject"], "Resource": "arn:x/secret" },
    ]));
    assert_eq!(
        between(&read(tagged.clone()), &part),
        ["allow `s3:GETobject` on `arn:x/secret` without the condition it had"]
    );
    // What had no condition elsewhere loses none.
    let free = with(json!([
        { "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:x/*", "Condition": tagged },
        { "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:x/*" },
    ]));
    assert_eq!(between(&free, &read(Value::Null)), [""; 0]);
    // What nobody was allowed before has lost no condition; wildcards are told apart from this.
    let other = with(json!([{ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:other" }]));
    assert_eq!(between(&read(tagged), &other), [""; 0]);
}

#[test]
fn a_boundary_that_goes_or_becomes_another_is_told() {
    let bounded = |arn: &str| role(json!({ "PermissionsBoundary": { "Fn::Sub": arn } }));
    let free = role(json!({}));
    assert_eq!(between(&bounded("arn:a"), &free), ["lose its permissions boundary `arn:a`"]);
    assert_eq!(between(&bounded("arn:a"), &bounded("arn:b")), ["have permissions boundary `arn:b` instead of `arn:a`"]);
    assert_eq!(between(&free, &bounded("arn:a")), [""; 0]);
    assert_eq!(between(&bounded("arn:a"), &bounded("arn:a")), [""; 0]);
    assert_eq!(widenings(Some(&bounded("arn:a")), None, false), [""; 0], "what goes does nothing");
}

#[test]
fn a_denial_that_goes_or_shrinks_is_told() {
    let deny = |actions: Value, resource: &str, condition: Value| {
        with(json!([{ "Effect": "Deny", "Action": actions, "Resource": resource, "Condition": condition }]))
    };
    let insecure = json!({ "Bool": { "aws:SecureTransport": "false" } });
    let all = deny(json!("s3:*"), "*", insecure.clone());
    let none = with(json!([]));
    assert_eq!(between(&all, &none), ["no longer deny `s3:*` on `*` as it did"]);
    assert_eq!(between(&none, &all), [""; 0]);
    for shrunk in [
        deny(json!("s3:Get*"), "*", insecure.clone()),
        deny(json!("s3:*"), "arn:x", insecure.clone()),
        deny(json!("s3:*"), "*", json!({ "Bool": { "aws:SecureTransport": "false" }, "StringEquals": { "a:b": "c" } })),
    ] {
        assert_eq!(between(&all, &shrunk).len(), 1, "{shrunk:#}");
        assert_eq!(between(&shrunk, &all), [""; 0], "{shrunk:#}");
    }
    assert_eq!(between(&all, &deny(json!(["S3:*"]), "*", Value::Null)), [""; 0], "denied whatever the condition");
    let spared = |spared: Value| with(json!([{ "Effect": "Deny", "NotAction": spared, "Resource": "*" }]));
    assert_eq!(
        between(&spared(json!(["iam:*"])), &spared(json!(["iam:*", "sts:*"]))),
        ["no longer deny all but `iam:*` on `*` as it did"]
    );
    assert_eq!(between(&spared(json!(["iam:*", "sts:*"])), &spared(json!(["iam:*"]))), [""; 0]);
}

#[test]
fn a_policy_that_goes_with_its_denials_is_told_where_what_it_is_on_stays() {
    let document = json!({ "Statement": { "Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "q" } });
    let policy = json!({ "Type": "AWS::SQS::QueuePolicy", "Properties": { "PolicyDocument": document } });
    assert_eq!(widenings(Some(&policy), None, true), ["no longer deny `sqs:*` on `q` for `*` as it did"]);
    assert_eq!(widenings(Some(&policy), None, false), [""; 0]);
}

#[test]
fn many_calls_are_told_as_a_few() {
    let actions: Vec<_> = (0..9).map(|number| format!("a:Call{number}")).collect();
    let of = |condition: Value| {
        with(json!({ "Effect": "Allow", "Action": actions, "Resource": "r", "Condition": condition }))
    };
    let found = between(&of(json!({ "Bool": { "x:y": "true" } })), &of(json!({})));
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("`a:Call2` on `r` and 6 more without"), "{found:?}");
}
