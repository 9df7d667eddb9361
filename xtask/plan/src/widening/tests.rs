//! Each way of widening, and its narrower counterpart.

use serde_json::{Value, json};

use crate::{policy::Policies, sides::Sides, widening::widenings as between_policies};

fn role(properties: Value) -> Value {
    json!({ "Type": "AWS::IAM::Role", "Properties": properties })
}

fn with(statements: Value) -> Value {
    role(json!({ "Policies": [{ "PolicyName": "p", "PolicyDocument": { "Statement": statements } }] }))
}

fn widenings(old: Option<&Value>, new: Option<&Value>, loses_protection: bool) -> Vec<String> {
    let sides = Sides { stack: "s", old, new, loses_protection };
    between_policies(&sides, &Policies::of(old), &Policies::of(new))
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
fn attached_managed_policies_are_reported_and_detached_ones_are_not() {
    let (none, admin) = (json!([]), json!(["arn:aws:iam::aws:policy/AdministratorAccess"]));
    let of = |arns: &Value| role(json!({ "ManagedPolicyArns": arns }));
    assert_eq!(
        between(&of(&none), &of(&admin)),
        ["attach managed policy `arn:aws:iam::aws:policy/AdministratorAccess`"]
    );
    assert_eq!(between(&role(json!({})), &of(&admin)).len(), 1);
    assert_eq!(between(&of(&admin), &of(&none)), [""; 0]);
    assert_eq!(between(&of(&admin), &of(&admin)), [""; 0]);
}

#[test]
fn a_new_role_is_reported_for_policies_from_outside_its_template() {
    let of = |arn: Value| widenings(None, Some(&role(json!({ "ManagedPolicyArns": [arn] }))), false);
    assert_eq!(of(json!({ "Ref": "ExecutionPolicy1" })), [""; 0]);
    let text = json!({ "Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/PowerUserAccess" });
    assert_eq!(of(text), ["attach managed policy `arn:${AWS::Partition}:iam::aws:policy/PowerUserAccess`"]);
    let (had, gets) = (role(json!({})), role(json!({ "ManagedPolicyArns": [{ "Ref": "Own" }] })));
    assert_eq!(between(&had, &gets).len(), 1, "an existing role has more");
}

#[test]
fn lost_conditions_are_reported() {
    let tagged = json!({ "StringEquals": { "aws:ResourceTag/stage": "prod" } });
    assert_eq!(
        between(&read(tagged.clone()), &read(Value::Null)),
        ["allow `s3:GetObject` on `arn:x/*` without its former condition"]
    );
    assert_eq!(between(&read(tagged.clone()), &read(json!({}))).len(), 1);
    assert_eq!(between(&read(Value::Null), &read(tagged)), [""; 0]);
}

#[test]
fn looser_conditions_are_reported_and_stricter_ones_are_not() {
    let equals = |operator: &str, values: Value| read(json!({ operator: { "aws:PrincipalTag/team": values } }));
    let is_reported = |old: &Value, new: &Value| between(old, new).join("").contains("under another condition");
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
        assert!(is_reported(narrow, wide), "{narrow:#} {wide:#}");
        assert_eq!(between(wide, narrow), [""; 0], "{narrow:#} {wide:#}");
    }
    assert_eq!(between(&one, &cased), [""; 0], "keys have no case");
    assert!(is_reported(&one, &equals("StringEquals", json!("other"))), "not the same, and not narrower");
    assert!(is_reported(&one, &equals("StringLike", json!("a"))), "another operator is not known to be narrower");
}

#[test]
fn conditions_of_trust_policies_are_compared_too() {
    let trust = |subjects: Value| {
        role(json!({ "AssumeRolePolicyDocument": { "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": { "Federated": "arn:provider" },
            "Condition": { "StringEquals": { "token.actions.githubusercontent.com:sub": subjects } },
        }] } }))
    };
    let main = trust(json!(["repo:o/r:environment:production"]));
    let found =
        between(&main, &trust(json!(["repo:o/r:environment:production", "repo:o/other:environment:production"])));
    let expected =
        "allow `sts:AssumeRoleWithWebIdentity` on `itself` for `Federated arn:provider` under another condition";
    assert_eq!(found, [expected]);
    assert_eq!(between(&main, &main), [""; 0]);
}

#[test]
fn conditions_lost_on_some_resources_are_reported() {
    let tagged = json!({ "StringEquals": { "aws:ResourceTag/stage": "prod" } });
    let part = with(json!([
        { "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:x/*", "Condition": tagged },
        { "Effect": "Allow", "Action": ["s3:GETobject"], "Resource": "arn:x/secret" },
    ]));
    assert_eq!(
        between(&read(tagged.clone()), &part),
        ["allow `s3:GETobject` on `arn:x/secret` without its former condition"]
    );
    // A permission that another statement grants unconditionally loses no condition.
    let free = with(json!([
        { "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:x/*", "Condition": tagged },
        { "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:x/*" },
    ]));
    assert_eq!(between(&free, &read(Value::Null)), [""; 0]);
    // A new permission has lost no condition; only wildcards are reported then.
    let other = with(json!([{ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:other" }]));
    assert_eq!(between(&read(tagged), &other), [""; 0]);
}

#[test]
fn removed_and_replaced_boundaries_are_reported() {
    let bounded = |arn: &str| role(json!({ "PermissionsBoundary": { "Fn::Sub": arn } }));
    let free = role(json!({}));
    assert_eq!(between(&bounded("arn:a"), &free), ["lose its permissions boundary `arn:a`"]);
    assert_eq!(
        between(&bounded("arn:a"), &bounded("arn:b")),
        ["replace its permissions boundary `arn:a` with `arn:b`"]
    );
    assert_eq!(between(&free, &bounded("arn:a")), [""; 0]);
    assert_eq!(between(&bounded("arn:a"), &bounded("arn:a")), [""; 0]);
    assert_eq!(widenings(Some(&bounded("arn:a")), None, false), [""; 0], "a deleted role can do nothing");
}

#[test]
fn removed_and_narrowed_denials_are_reported() {
    let deny = |actions: Value, resource: &str, condition: Value| {
        with(json!([{ "Effect": "Deny", "Action": actions, "Resource": resource, "Condition": condition }]))
    };
    let insecure = json!({ "Bool": { "aws:SecureTransport": "false" } });
    let all = deny(json!("s3:*"), "*", insecure.clone());
    let none = with(json!([]));
    assert_eq!(between(&all, &none), ["no longer fully deny `s3:*` on `*`"]);
    assert_eq!(between(&none, &all), [""; 0]);
    for shrunk in [
        deny(json!("s3:Get*"), "*", insecure.clone()),
        deny(json!("s3:*"), "arn:x", insecure.clone()),
        deny(json!("s3:*"), "*", json!({ "Bool": { "aws:SecureTransport": "false" }, "StringEquals": { "a:b": "c" } })),
    ] {
        assert_eq!(between(&all, &shrunk).len(), 1, "{shrunk:#}");
        assert_eq!(between(&shrunk, &all), [""; 0], "{shrunk:#}");
    }
    assert_eq!(between(&all, &deny(json!(["S3:*"]), "*", Value::Null)), [""; 0], "denied regardless of the condition");
    let spared = |spared: Value| with(json!([{ "Effect": "Deny", "NotAction": spared, "Resource": "*" }]));
    assert_eq!(
        between(&spared(json!(["iam:*"])), &spared(json!(["iam:*", "sts:*"]))),
        ["no longer fully deny all except `iam:*` on `*`"]
    );
    assert_eq!(between(&spared(json!(["iam:*", "sts:*"])), &spared(json!(["iam:*"]))), [""; 0]);
}

#[test]
fn a_deleted_policy_s_denials_are_reported_while_its_resource_remains() {
    let document = json!({ "Statement": { "Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "q" } });
    let policy = json!({ "Type": "AWS::SQS::QueuePolicy", "Properties": { "PolicyDocument": document } });
    assert_eq!(widenings(Some(&policy), None, true), ["no longer fully deny `sqs:*` on `q` for `*`"]);
    assert_eq!(widenings(Some(&policy), None, false), [""; 0]);
}

#[test]
fn every_permission_is_reported_on_its_own() {
    let actions: Vec<_> = (0..9).map(|number| format!("a:Call{number}")).collect();
    let of = |condition: Value| {
        with(json!({ "Effect": "Allow", "Action": actions, "Resource": "r", "Condition": condition }))
    };
    let found = between(&of(json!({ "Bool": { "x:y": "true" } })), &of(json!({})));
    assert_eq!(found.len(), 9);
    assert_eq!(found[2], "allow `a:Call2` on `r` without its former condition");
}

#[test]
fn a_new_key_that_only_its_account_administers_opens_nothing() {
    let key = |principal: Value| {
        let statement = json!({ "Effect": "Allow", "Principal": principal, "Action": "kms:*", "Resource": "*" });
        json!({ "Type": "AWS::KMS::Key", "Properties": { "KeyPolicy": { "Statement": [statement] } } })
    };
    let own = key(json!({ "AWS": { "Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root" } }));
    assert_eq!(widenings(None, Some(&own), false), [""; 0]);
    for other in [json!("*"), json!({ "AWS": "arn:aws:iam::111122223333:root" })] {
        assert_eq!(widenings(None, Some(&key(other.clone())), false).len(), 2, "{other}");
        assert!(!widenings(Some(&own), Some(&key(other)), false).is_empty());
    }
}
