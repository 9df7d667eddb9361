//! What the execution role of the example may do, decided as IAM decides it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    example::{Example, NOTES},
    foundation::{SYSTEM, complete, only_narrows, pipeline},
    project::Project as _,
    rendered::{RenderedStack, RenderedSystem},
    statements::{Decision, PolicyStatement, Request, decide, list},
};

const ACCOUNT: &str = "111122223333";
/// The condition keys that every request of these tests knows: a key without a value is absent from the request.
const KEYS: [&str; 6] = [
    "acm:DomainNames",
    "aws:RequestTag/stage",
    "aws:RequestTag/system",
    "aws:ResourceTag/stage",
    "aws:ResourceTag/system",
    "iam:PermissionsBoundary",
];
const OWN: [(&str, &str); 2] = [("aws:ResourceTag/stage", "prod"), ("aws:ResourceTag/system", NOTES)];
const OTHERS: [(&str, &str); 2] = [("aws:ResourceTag/stage", "staging"), ("aws:ResourceTag/system", NOTES)];
const REQUESTED: [(&str, &str); 2] = [("aws:RequestTag/stage", "prod"), ("aws:RequestTag/system", NOTES)];

fn systems(deployed: &[RenderedStack]) -> Vec<RenderedSystem> {
    let stage = Example::stage_named("prod");
    complete(&stage, Example.render(&stage).expect("rendered"), deployed).expect("complete")
}

fn roles_of(systems: &[RenderedSystem]) -> &RenderedStack {
    let stacks = systems.iter().filter(|system| system.name == SYSTEM).flat_map(|system| &system.stacks);
    stacks.into_iter().find(|stack| stack.stack == pipeline::STACK).expect("the stack")
}

/// The statements of a role's policies, whose logical IDs begin with this.
fn statements(stack: &RenderedStack, policies: &str) -> Vec<Value> {
    let resources = stack.template["Resources"].as_object().expect("resources").iter();
    let own = resources.filter(|(logical_id, _)| logical_id.starts_with(policies));
    let documents = own.map(|(_, policy)| list(&policy["Properties"]["PolicyDocument"]["Statement"]));
    documents.flatten().map(|statement| filled(statement.clone())).collect()
}

/// Fills in the pseudo parameters, as CloudFormation does.
fn filled(value: Value) -> Value {
    match value {
        Value::Object(fields) => match fields.get("Fn::Sub").and_then(Value::as_str) {
            Some(text) => {
                let text = text.replace("${AWS::Partition}", "aws").replace("${AWS::AccountId}", ACCOUNT);
                json!(text.replace("${AWS::Region}", "eu-central-1"))
            }
            None => fields.into_iter().map(|(name, value)| (name, filled(value))).collect(),
        },
        Value::Array(items) => items.into_iter().map(filled).collect(),
        scalar => scalar,
    }
}

fn may(statements: &[Value], action: &str, resource: &str, keys: &[&[(&str, &str)]]) -> bool {
    let request = KEYS.iter().fold(Request::new(action, resource), |request, key| request.knowing(key));
    let request = keys.iter().copied().flatten().fold(request, |request, (key, value)| request.with(key, *value));
    let parsed: Vec<_> = statements.iter().map(PolicyStatement::parse).collect();
    decide(&parsed, &request) == Decision::Allowed
}

#[test]
fn resources_with_generated_ids_are_changed_only_with_the_stage_s_tags() {
    let systems = systems(&[]);
    let execution = statements(roles_of(&systems), "ExecutionPolicy");
    let pool = format!("arn:aws:cognito-idp:eu-central-1:{ACCOUNT}:userpool/eu-central-1_abc");
    let distribution = format!("arn:aws:cloudfront::{ACCOUNT}:distribution/E1");
    let api = "arn:aws:apigateway:eu-central-1::/restapis/abc";
    for (action, resource) in [
        ("cognito-idp:DeleteUserPool", pool.as_str()),
        ("cognito-idp:UpdateUserPoolClient", &pool),
        ("cloudfront:UpdateDistribution", &distribution),
        ("cloudfront:DeleteDistribution", &distribution),
        ("apigateway:DELETE", api),
        ("apigateway:PATCH", &format!("{api}/stages/prod")),
        ("apigateway:PUT", &format!("{api}/resources/r/methods/GET")),
    ] {
        assert!(may(&execution, action, resource, &[&OWN]), "{action}");
        for foreign in [&[][..], &OTHERS, &OWN[..1], &OWN[1..]] {
            assert!(!may(&execution, action, resource, &[foreign]), "{action} with {foreign:?}");
        }
    }
    for (action, resource) in [("cognito-idp:DescribeUserPool", pool.as_str()), ("apigateway:GET", api)] {
        assert!(may(&execution, action, resource, &[&OWN]) && may(&execution, action, resource, &[]), "{action}");
        assert!(!may(&execution, action, resource, &[&OTHERS]), "{action}");
    }
}

#[test]
fn resources_are_created_and_tagged_only_with_the_stage_s_tags() {
    let systems = systems(&[]);
    let execution = statements(roles_of(&systems), "ExecutionPolicy");
    let collection = "arn:aws:apigateway:eu-central-1::/restapis";
    for (action, resource) in
        [("cognito-idp:CreateUserPool", "*"), ("cloudfront:CreateDistribution", "*"), ("apigateway:POST", collection)]
    {
        assert!(may(&execution, action, resource, &[&REQUESTED]), "{action}");
        assert!(!may(&execution, action, resource, &[]) && !may(&execution, action, resource, &[&OWN]), "{action}");
    }
    let pool = format!("arn:aws:cognito-idp:eu-central-1:{ACCOUNT}:userpool/eu-central-1_abc");
    let tags = |keys: &[&[(&str, &str)]]| may(&execution, "cognito-idp:TagResource", &pool, keys);
    assert!(tags(&[&REQUESTED]) && tags(&[&OWN]));
    assert!(!tags(&[]) && !tags(&[&REQUESTED, &OTHERS]));
    let path = "arn:aws:apigateway:eu-central-1::/tags/arn%3Aaws%3Aapigateway";
    assert!(may(&execution, "apigateway:PUT", path, &[&REQUESTED]));
    assert!(!may(&execution, "apigateway:PUT", path, &[&[("aws:RequestTag/stage", "staging")]]));
}

#[test]
fn a_role_s_trust_is_changed_only_under_the_boundary() {
    let systems = systems(&[]);
    let execution = statements(roles_of(&systems), "ExecutionPolicy");
    let role = format!("arn:aws:iam::{ACCOUNT}:role/notes-api-ApiFunctionRole-prod");
    let boundary = format!("arn:aws:iam::{ACCOUNT}:policy/foundation-boundary-prod");
    for action in ["iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:PutRolePolicy"] {
        assert!(may(&execution, action, &role, &[&[("iam:PermissionsBoundary", boundary.as_str())]]), "{action}");
        assert!(!may(&execution, action, &role, &[]), "{action}");
        assert!(!may(&execution, action, &role, &[&[("iam:PermissionsBoundary", "arn:aws:iam::aws:policy/A")]]));
    }
    assert!(!may(&execution, "iam:DeleteRole", &role.replace("-prod", "-p"), &[]));
    assert!(may(&execution, "iam:DeleteRole", &role, &[]));
}

#[test]
fn patterns_end_in_a_separator() {
    let systems = systems(&[]);
    for statement in
        statements(roles_of(&systems), "ExecutionPolicy").iter().chain(&statements(roles_of(&systems), "Role"))
    {
        for resource in list(&statement["Resource"]).iter().filter_map(Value::as_str) {
            let before = resource.strip_suffix('*').and_then(|prefix| prefix.chars().last());
            assert!(before.is_none_or(|last| "-/:".contains(last)), "{resource}");
        }
    }
}

#[test]
fn a_deployed_resource_without_tags_keeps_its_service_unbound_until_it_has_them() {
    let pool = json!({ "Type": "AWS::Cognito::UserPool", "Properties": {} });
    let [system, name, full_name] = [NOTES, "old", "notes-old-prod"].map(str::to_owned);
    let template = json!({ "Resources": { "Pool": pool } });
    let before = systems(&[RenderedStack::deployed(system, name, full_name, None, template)]);
    let after = systems(&[]);
    let deletes = |systems: &[RenderedSystem]| {
        let pool = format!("arn:aws:cognito-idp:eu-central-1:{ACCOUNT}:userpool/eu-central-1_abc");
        may(&statements(roles_of(systems), "ExecutionPolicy"), "cognito-idp:DeleteUserPool", &pool, &[])
    };
    assert!(deletes(&before) && !deletes(&after));
    let (before, after) = (&roles_of(&before).template, &roles_of(&after).template);
    assert!(only_narrows(before, after) && !only_narrows(after, before));
}

#[test]
fn the_deploy_role_cannot_delete_the_ledger_or_import_what_tags_bind() {
    let systems = systems(&[]);
    let role = &roles_of(&systems).template["Resources"]["DeployRole"]["Properties"]["Policies"][0]["PolicyDocument"];
    let deploy: Vec<_> = list(&role["Statement"]).iter().map(|statement| filled(statement.clone())).collect();
    let bucket = format!("arn:aws:s3:::artifacts-prod-{ACCOUNT}-eu-central-1");
    for (key, is_deleted) in [
        ("artifacts/notes-api-0.zip", true),
        ("sites/notes/manifests/0.json", true),
        ("releases/notes/00000001.json", false),
        ("locks/notes.json", false),
        ("templates/notes-api-prod-0.json", false),
    ] {
        let resource = format!("{bucket}/{key}");
        assert!(may(&deploy, "s3:PutObject", &resource, &[]), "{key}");
        assert_eq!(may(&deploy, "s3:DeleteObject", &resource, &[]), is_deleted, "{key}");
        assert!(!may(&deploy, "s3:DeleteObjectVersion", &resource, &[]), "{key}");
    }
    let stack = format!("arn:aws:cloudformation:eu-central-1:{ACCOUNT}:stack/notes-api-prod/id");
    let imports = |types: &[&str]| {
        let key = "cloudformation:ImportResourceTypes";
        let request = Request::new("cloudformation:CreateChangeSet", &stack).knowing(key);
        let request = types.iter().fold(request, |request, name| request.with(key, *name));
        let parsed: Vec<_> = deploy.iter().map(PolicyStatement::parse).collect();
        decide(&parsed, &request) == Decision::Allowed
    };
    assert!(imports(&[]) && imports(&["AWS::DynamoDB::Table"]));
    assert!(!imports(&["AWS::DynamoDB::Table", "AWS::Cognito::UserPool"]));
    assert!(may(&deploy, "cloudformation:UpdateTerminationProtection", &stack, &[]));
}

#[test]
fn each_action_reaches_the_resources_that_it_concerns_and_no_others() {
    let tags = super::Tags { stage: "prod", systems: [NOTES].into(), untagged: BTreeSet::new() };
    let arn = |service: &str, rest: &str| format!("arn:aws:{service}::{ACCOUNT}:{rest}");
    let allowed = |service: &str, actions: &[&'static str], arns: &[String]| -> Vec<Value> {
        let actions = actions.iter().copied().collect();
        let statements = super::statements(service, &actions, &arns.iter().cloned().collect(), &tags);
        let document = crate::parts::policy::document(&statements);
        list(&document["Statement"]).to_vec()
    };
    let arns = ["distribution/*", "function/prod-www", "origin-access-control/*"].map(|rest| arn("cloudfront", rest));
    let actions = [
        "cloudfront:DeleteOriginAccessControl",
        "cloudfront:TagResource",
        "cloudfront:UpdateDistribution",
        "cloudfront:UpdateFunction",
    ];
    let statements = allowed("cloudfront", &actions, &arns);
    let (function, other) = (arn("cloudfront", "function/prod-www"), arn("cloudfront", "function/other"));
    let (distribution, control) = (arn("cloudfront", "distribution/E1"), arn("cloudfront", "origin-access-control/E1"));
    for (action, resource, keys, is_allowed) in [
        ("cloudfront:UpdateFunction", &function, &[][..], true),
        ("cloudfront:TagResource", &function, &[], true),
        ("cloudfront:UpdateFunction", &other, &[], false),
        ("cloudfront:UpdateFunction", &distribution, &OWN, false),
        ("cloudfront:UpdateDistribution", &distribution, &OWN, true),
        ("cloudfront:UpdateDistribution", &distribution, &[], false),
        ("cloudfront:UpdateDistribution", &function, &OWN, false),
        ("cloudfront:DeleteOriginAccessControl", &control, &[], true),
        ("cloudfront:DeleteOriginAccessControl", &distribution, &OWN, false),
    ] {
        assert_eq!(may(&statements, action, resource, &[keys]), is_allowed, "{action} on {resource}");
    }
    let stages = "arn:aws:apigateway:eu-central-1::/restapis/*/stages/*".to_owned();
    let acl = arn("wafv2", "regional/webacl/notes-api-prod/*");
    let statements = allowed("wafv2", &["wafv2:AssociateWebACL", "wafv2:DeleteWebACL"], &[stages, acl.clone()]);
    assert!(may(&statements, "wafv2:DeleteWebACL", &acl.replace('*', "1"), &[]));
    let stage = "arn:aws:apigateway:eu-central-1::/restapis/abc/stages/prod";
    assert!(
        may(&statements, "wafv2:AssociateWebACL", stage, &[]) && !may(&statements, "wafv2:DeleteWebACL", stage, &[])
    );
}

#[test]
fn http_apis_and_their_stages_of_other_stages_are_excluded() {
    let tags = super::Tags { stage: "prod", systems: [NOTES].into(), untagged: BTreeSet::new() };
    let arn = |path: &str| format!("arn:aws:apigateway:eu-central-1::{path}");
    let actions = ["apigateway:DELETE", "apigateway:GET", "apigateway:PATCH", "apigateway:POST"].into();
    let arns = ["/apis", "/apis/*"].map(arn).into();
    let document = crate::parts::policy::document(&super::statements("apigateway", &actions, &arns, &tags));
    let statements = list(&document["Statement"]).to_vec();
    let may = |action: &str, path: &str, keys: &[&[(&str, &str)]]| may(&statements, action, &arn(path), keys);
    assert!(may("apigateway:POST", "/apis", &[&REQUESTED]) && !may("apigateway:POST", "/apis", &[]));
    assert!(may("apigateway:DELETE", "/apis/abc", &[&OWN]) && !may("apigateway:DELETE", "/apis/abc", &[&OTHERS]));
    // A route has no tags, and inherits none.
    assert!(may("apigateway:PATCH", "/apis/abc/routes/r", &[]));
    let stages = "/apis/abc/stages";
    assert!(may("apigateway:POST", stages, &[&REQUESTED]));
    assert!(!may("apigateway:POST", stages, &[&[("aws:RequestTag/stage", "staging")]]));
    assert!(!may("apigateway:DELETE", "/restapis/abc", &[&OWN]));
}

#[test]
fn the_boundary_limits_user_pools_by_their_tags() {
    let stage = Example::stage_named("prod");
    let mut systems = Example.render(&stage).expect("rendered");
    let stack = &mut systems[0].stacks[0];
    let pool = json!({ "Fn::GetAtt": ["Users", "Arn"] });
    let lists = json!({ "Effect": "Allow", "Action": ["cognito-idp:ListUsers"], "Resource": [pool] });
    let policies = json!([{ "PolicyName": "access", "PolicyDocument": { "Statement": [lists] } }]);
    stack.template["Resources"]["Lister"] = json!({ "Type": "AWS::IAM::Role", "Properties": { "Policies": policies } });
    let complete = complete(&stage, systems, &[]).expect("complete");
    let boundary = statements(roles_of(&complete), "RoleBoundary");
    let pool = format!("arn:aws:cognito-idp:eu-central-1:{ACCOUNT}:userpool/eu-central-1_abc");
    let may = |keys: &[(&str, &str)]| may(&boundary, "cognito-idp:ListUsers", &pool, &[keys]);
    assert!(may(&OWN) && !may(&OTHERS) && !may(&[]));
}
