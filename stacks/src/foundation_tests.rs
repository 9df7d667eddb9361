//! The permissions of foundation's roles, with the systems of this repository.

use std::collections::BTreeSet;

use model::{
    foundation::{SYSTEM, complete, only_narrows, pipeline},
    rendered::{RenderedStack, RenderedSystem},
    stage::Stage,
    template::RenderError,
};
use serde_json::{Value, json};

use crate::systems::render;

const PIPELINE: &str = "
account: '111122223333'
region: eu-central-1
pipeline: { repository: example/backends, owner_id: 7, repository_id: 42, environment: staging, branch: develop }
systems: { media-uploader: { allowed_origins: ['https://example.com'] } }
";

fn rendered(text: &str) -> Result<Vec<RenderedSystem>, RenderError> {
    let stage = Stage::parse("staging", text, "staging.yaml").expect("a stage");
    complete(&stage, render(&stage)?, &[])
}

fn pipeline() -> RenderedStack {
    let systems = rendered(PIPELINE).expect("rendered");
    let foundation = systems.into_iter().next().expect("foundation comes first");
    foundation.stacks.into_iter().find(|stack| stack.stack == pipeline::STACK).expect("the stack")
}

fn resource<'a>(stack: &'a RenderedStack, logical_id: &str) -> &'a Value {
    &stack.template["Resources"][logical_id]
}

/// Every statement of every policy in the stack.
fn statements(stack: &RenderedStack) -> Vec<Value> {
    statements_in(&stack.template)
}

fn statements_in(value: &Value) -> Vec<Value> {
    fn collect(value: &Value, found: &mut Vec<Value>) {
        match value {
            Value::Object(object) => {
                if object.contains_key("Effect") && object.contains_key("Action") && !object.contains_key("Principal") {
                    found.push(value.clone());
                }
                object.values().for_each(|value| collect(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(value, &mut found);
    found
}

/// The texts of a list, or none if there is no list, as in a statement with `NotResource`.
fn strings(value: &Value) -> Vec<String> {
    if value.is_null() {
        return Vec::new();
    }
    let items = value.as_array().expect("a list").iter();
    items.map(|item| item.as_str().or_else(|| item["Fn::Sub"].as_str()).expect("text").to_owned()).collect()
}

#[test]
fn two_workflows_of_one_branch_and_environment_are_trusted_with_both_forms_of_the_subject() {
    let stack = pipeline();
    let trust = |role: &str| resource(&stack, role)["Properties"]["AssumeRolePolicyDocument"]["Statement"][0].clone();
    let deploy = trust("DeployRole");
    assert_eq!(deploy["Action"], "sts:AssumeRoleWithWebIdentity");
    let equals = |name: &str| deploy["Condition"]["StringEquals"][format!("{}:{name}", pipeline::ISSUER)].clone();
    assert_eq!(equals("aud"), "sts.amazonaws.com");
    assert_eq!(equals("repository_id"), "42");
    assert_eq!(
        strings(&equals("sub")),
        ["repo:example/backends:environment:staging", "repo:example@7/backends@42:environment:staging"]
    );
    assert_eq!(equals("ref"), "refs/heads/develop");
    let workflow = |file: &str| format!("example/backends/.github/workflows/{file}@refs/heads/develop");
    assert_eq!(strings(&equals("job_workflow_ref")), [workflow("deploy.yml"), workflow("rollback.yml")]);
    let plan = trust("PlanRole");
    let equals = |name: &str| plan["Condition"]["StringEquals"][format!("{}:{name}", pipeline::ISSUER)].clone();
    assert_eq!(
        strings(&equals("sub")),
        ["repo:example/backends:ref:refs/heads/develop", "repo:example@7/backends@42:ref:refs/heads/develop"]
    );
    assert_eq!(equals("ref"), "refs/heads/develop");
    assert_eq!(strings(&equals("job_workflow_ref")), [workflow("deploy.yml")], "another workflow can read the stage");
    for role in [&deploy, &plan] {
        let conditions: Vec<_> = role["Condition"].as_object().expect("conditions").keys().collect();
        assert_eq!(conditions, ["StringEquals"], "a job is trusted by a pattern");
    }
}

#[test]
fn only_actions_that_templates_need_are_allowed_and_none_by_a_pattern() {
    let stack = pipeline();
    let own: BTreeSet<_> = statements(&stack).iter().flat_map(|statement| strings(&statement["Action"])).collect();
    assert!(own.iter().all(|action| !action.contains('*')), "{own:#?}");
    let services: BTreeSet<_> = own.iter().filter_map(|action| action.split(':').next()).collect();
    let expected = [
        "apigateway",
        "cloudformation",
        "cloudwatch",
        "cognito-identity",
        "cognito-idp",
        "iam",
        "lambda",
        "logs",
        "s3",
        "sns",
        "sqs",
        // In the boundary: the functions' traces.
        "xray",
    ];
    assert_eq!(services, BTreeSet::from(expected));
    for needed in ["lambda:CreateFunction", "s3:CreateBucket", "cognito-idp:CreateUserPool", "iam:PassRole"] {
        assert!(own.contains(needed), "{needed} is missing");
    }
}

#[test]
fn the_deploy_role_cannot_widen_its_own_permissions() {
    for statement in statements(&pipeline()) {
        let writes_roles = strings(&statement["Action"]).iter().any(|action| action.starts_with("iam:Put"));
        let foundations = strings(&statement["Resource"]).iter().any(|arn| arn == "*" || arn.contains("/foundation-"));
        assert!(!(writes_roles && foundations), "{statement:#}");
    }
    let deploys: Vec<_> = statements(&pipeline())
        .into_iter()
        .filter(|statement| strings(&statement["Action"]).contains(&"cloudformation:ExecuteChangeSet".to_owned()))
        .flat_map(|statement| strings(&statement["Resource"]))
        .filter(|arn| arn.contains("stack/foundation-"))
        .collect();
    assert_eq!(deploys, [""; 0], "only people change the permissions of deploys");
}

#[test]
fn roles_of_a_deploy_have_the_boundary_and_a_deploy_cannot_change_it() {
    let systems = rendered(PIPELINE).expect("rendered");
    let boundary = "arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/foundation-boundary-staging";
    let mut roles = 0;
    for stack in systems.iter().filter(|system| system.name != SYSTEM).flat_map(|system| &system.stacks) {
        for (logical_id, resource) in stack.template["Resources"].as_object().expect("resources") {
            if resource["Type"] == "AWS::IAM::Role" {
                assert_eq!(resource["Properties"]["PermissionsBoundary"]["Fn::Sub"], boundary, "{logical_id}");
                roles += 1;
            }
        }
    }
    let pools = systems.iter().flat_map(|system| &system.stacks).flat_map(|stack| {
        let resources = stack.template["Resources"].as_object().into_iter().flatten();
        resources
            .filter(|(_, resource)| resource["Type"] == "AWS::Cognito::UserPool")
            .map(move |(_, pool)| (stack, pool))
    });
    let mut tagged = 0;
    for (stack, pool) in pools {
        let tags = &pool["Properties"]["UserPoolTags"];
        assert_eq!((&tags["system"], &tags["stage"]), (&json!(stack.system), &json!("staging")), "{}", stack.name);
        tagged += 1;
    }
    assert!(tagged > 0, "there is a user pool");
    assert_eq!(roles, 8, "five functions' roles, two of the identity pool, the one that sends messages");
    assert_eq!(resource(&pipeline(), "RoleBoundary")["Properties"]["ManagedPolicyName"], "foundation-boundary-staging");
    for statement in statements(&pipeline()) {
        let actions = strings(&statement["Action"]);
        let gives_permissions = [
            "iam:AttachRolePolicy",
            "iam:CreateRole",
            "iam:PutRolePermissionsBoundary",
            "iam:PutRolePolicy",
            "iam:UpdateAssumeRolePolicy",
        ];
        if actions.iter().any(|action| gives_permissions.contains(&action.as_str())) {
            let condition = &statement["Condition"]["StringEquals"]["iam:PermissionsBoundary"]["Fn::Sub"];
            assert_eq!(condition, boundary, "{statement:#}");
        }
        assert!(!actions.contains(&"iam:DeleteRolePermissionsBoundary".to_owned()), "{statement:#}");
        let policies = strings(&statement["Resource"]).iter().any(|arn| arn.contains(":policy/"));
        assert!(!policies || !actions.iter().any(|action| action.contains("Policy")), "{statement:#}");
    }
}

#[test]
fn the_boundary_allows_exactly_the_actions_of_the_systems_roles() {
    let systems = rendered(PIPELINE).expect("rendered");
    let others = systems.iter().filter(|system| system.name != SYSTEM).flat_map(|system| &system.stacks);
    let resources = others.flat_map(|stack| stack.template["Resources"].as_object().expect("resources").values());
    let called: BTreeSet<_> = resources
        .filter(|resource| resource["Type"] == "AWS::IAM::Role")
        .flat_map(|role| statements_in(&role["Properties"]["Policies"]))
        .flat_map(|statement| strings(&statement["Action"]))
        .collect();
    let stack = pipeline();
    let document = &resource(&stack, "RoleBoundary")["Properties"]["PolicyDocument"];
    let limits = document["Statement"].as_array().expect("statements");
    let allowed: BTreeSet<_> = limits.iter().flat_map(|statement| strings(&statement["Action"])).collect();
    assert_eq!(allowed, called);
    let of = |action: &str| {
        let found = limits.iter().find(|statement| strings(&statement["Action"]).contains(&action.to_owned()));
        strings(&found.expect("a statement")["Resource"])
    };
    let bucket = "arn:${AWS::Partition}:s3:::staging-media-raw-${AWS::AccountId}";
    assert!(of("s3:GetObject").contains(&format!("{bucket}/*")), "{:?}", of("s3:GetObject"));
    assert!(of("s3:GetObject").iter().all(|arn| arn.contains("-media-")), "{:?}", of("s3:GetObject"));
    assert_eq!(of("xray:PutTraceSegments"), ["*"]);
    // Codes are sent to phones, and not to topics.
    let phones = limits.iter().find(|statement| strings(&statement["Action"]) == ["sns:Publish"]).expect("a statement");
    assert_eq!(strings(&phones["NotResource"]), ["arn:${AWS::Partition}:sns:*:*:*"], "{phones:#}");
}

#[test]
fn permissions_that_a_deployed_stack_needs_are_kept() {
    let stage = Stage::parse("staging", PIPELINE, "staging.yaml").expect("a stage");
    let role = json!({ "Type": "AWS::IAM::Role", "Properties": { "Policies": [{ "PolicyDocument": { "Statement": [
        { "Effect": "Allow", "Action": ["events:DisableRule"], "Resource": [{ "Fn::GetAtt": ["Rule", "Arn"] }] },
    ]}}]}});
    let rule = json!({ "Type": "AWS::Events::Rule", "Properties": { "Name": "old-work-staging" } });
    let old = |name: &str| name.to_owned();
    let template = json!({ "Resources": { "Rule": rule, "Role": role } });
    let deployed = RenderedStack::deployed(old("old"), old("work"), old("old-work-staging"), None, template);
    let over = complete(&stage, render(&stage).expect("rendered"), &[deployed]).expect("rendered");
    let over = over[0].stacks.iter().find(|stack| stack.stack == pipeline::STACK).expect("the stack");
    let of = |stack: &RenderedStack, action: &str| {
        let has = |statement: &Value| strings(&statement["Action"]).contains(&action.to_owned());
        statements(stack).into_iter().find(has).map(|statement| strings(&statement["Resource"]))
    };
    let own = ["arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/old-*-staging".to_owned()];
    for action in ["events:PutRule", "events:DeleteRule", "events:DisableRule"] {
        assert_eq!(of(over, action).as_deref(), Some(&own[..]), "{action}");
        assert_eq!(of(&pipeline(), action), None, "{action}");
    }
    assert!(only_narrows(&over.template, &pipeline().template));
    assert!(!only_narrows(&pipeline().template, &over.template));
}

#[test]
fn event_source_mappings_are_limited_by_their_functions() {
    let stage = Stage::parse("staging", PIPELINE, "staging.yaml").expect("a stage");
    let template =
        json!({ "Resources": { "Mapping": { "Type": "AWS::Lambda::EventSourceMapping", "Properties": {} } } });
    let old = |name: &str| name.to_owned();
    let deployed = RenderedStack::deployed(old("old"), old("work"), old("old-work-staging"), None, template);
    let over = complete(&stage, render(&stage).expect("rendered"), &[deployed]).expect("rendered");
    let over = over[0].stacks.iter().find(|stack| stack.stack == pipeline::STACK).expect("the stack");
    for action in ["lambda:CreateEventSourceMapping", "lambda:DeleteEventSourceMapping"] {
        let has = |statement: &Value| strings(&statement["Action"]).contains(&action.to_owned());
        let found: Vec<_> = statements(over).into_iter().filter(has).collect();
        let [statement] = &found[..] else { panic!("{action}: {found:#?}") };
        let functions = strings(&statement["Condition"]["ArnLike"]["lambda:FunctionArn"]);
        let ours = |arn: &String| arn.contains(":function:media-uploader-*-staging");
        assert!(!functions.is_empty() && functions.iter().all(ours), "{functions:?}");
    }
}

#[test]
fn passwords_are_set_in_the_stages_own_user_pools_only() {
    let found = statements(&pipeline())
        .into_iter()
        .find(|statement| strings(&statement["Action"]).contains(&"cognito-idp:AdminSetUserPassword".to_owned()));
    let found = found.expect("the deploy role makes a user");
    assert_eq!(
        found["Condition"],
        json!({ "StringEquals": {
            "aws:ResourceTag/stage": "staging", "aws:ResourceTag/system": ["media-uploader"],
        }})
    );
}

#[test]
fn a_session_lasts_as_long_as_a_job_may_run() {
    let stack = pipeline();
    assert_eq!(resource(&stack, "DeployRole")["Properties"]["MaxSessionDuration"], pipeline::DEPLOY_SESSION);
}

#[test]
fn actions_are_limited_to_the_stages_resources_if_they_can_be() {
    for statement in statements(&pipeline()) {
        if strings(&statement["Resource"]) == ["*"] {
            let actions = strings(&statement["Action"]);
            let limited = ["iam:PassRole", "iam:CreateRole", "lambda:UpdateFunctionCode", "s3:GetObject"];
            assert!(actions.iter().all(|action| !limited.contains(&action.as_str())), "{actions:?}");
        }
    }
    let stack = pipeline();
    let passes = |statement: &&Value| strings(&statement["Action"]).contains(&"iam:PassRole".to_owned());
    let all = statements(&stack);
    let [deploy, execution] = all.iter().filter(passes).collect::<Vec<_>>()[..] else { panic!("{all:#?}") };
    let (deploy, execution) = if deploy["Condition"]["StringEquals"]["iam:PassedToService"].is_array() {
        (execution, deploy)
    } else {
        (deploy, execution)
    };
    assert!(strings(&deploy["Resource"])[0].ends_with(":role/foundation-execution-staging"), "{deploy:#}");
    let services = strings(&execution["Condition"]["StringEquals"]["iam:PassedToService"]);
    assert_eq!(services, ["cognito-identity.amazonaws.com", "cognito-idp.amazonaws.com", "lambda.amazonaws.com"]);
}

#[test]
fn only_the_systems_own_alarm_topics_may_be_published_to() {
    let with_topic =
        PIPELINE.replace("systems: {", "systems: { portfolio: { allowed_origins: ['https://example.com'] }, ");
    let topics = |text: &str| {
        let systems = rendered(text).expect("rendered");
        let stack = systems[0].stacks.iter().find(|stack| stack.stack == pipeline::STACK).expect("the stack");
        let mut statements = statements_in(resource(stack, "DeployRole"));
        statements.retain(|statement| strings(&statement["Action"]).contains(&"sns:Publish".to_owned()));
        let [statement] = &statements[..] else { panic!("one statement: {statements:#?}") };
        assert_eq!(strings(&statement["Action"]), ["sns:Publish"]);
        BTreeSet::from_iter(strings(&statement["Resource"]))
    };
    let topic = |system: &str| {
        format!("arn:${{AWS::Partition}}:sns:${{AWS::Region}}:${{AWS::AccountId}}:{system}-alarms-staging")
    };
    assert_eq!(topics(&with_topic), BTreeSet::from([topic("media-uploader"), topic("portfolio")]));
    assert_eq!(topics(PIPELINE), BTreeSet::from([topic("media-uploader")]));
}

#[test]
fn sites_are_uploaded_to_their_own_bucket_and_distribution_only() {
    let with_site =
        PIPELINE.replace("systems: {", "systems: { portfolio: { allowed_origins: ['https://example.com'] }, ");
    let systems = rendered(&with_site).expect("rendered");
    let stack = systems[0].stacks.iter().find(|stack| stack.stack == pipeline::STACK).expect("the stack");
    let of = |role: &str| {
        let policy = resource(stack, role)["Properties"]["Policies"][0]["PolicyDocument"]["Statement"].clone();
        policy.as_array().expect("statements").clone()
    };
    let (deploy, plan) = (of("DeployRole"), of("PlanRole"));
    let bucket = "arn:${AWS::Partition}:s3:::portfolio-web-staging-${AWS::AccountId}";
    let on = |statements: &[Value]| {
        let (mut found, prefix) = (BTreeSet::new(), format!("{bucket}/"));
        for statement in statements {
            for arn in strings(&statement["Resource"]).iter().filter(|arn| *arn == bucket || arn.starts_with(&prefix)) {
                found.extend(
                    strings(&statement["Action"]).iter().map(|action| format!("{action} {}", &arn[bucket.len()..])),
                );
            }
        }
        found.into_iter().collect::<Vec<_>>()
    };
    // Only files with a hash in their name may be deleted: neither the page nor its configuration.
    let hashed = "s3:DeleteObject /*-????????????????.*";
    assert_eq!(on(&deploy), [hashed, "s3:GetObject /*", "s3:ListBucket ", "s3:PutObject /*"]);
    assert_eq!(on(&plan), ["s3:GetObject /*", "s3:ListBucket "]);
    let invalidates = |statement: &&Value| strings(&statement["Action"]) == ["cloudfront:CreateInvalidation"];
    let [invalidation] = deploy.iter().filter(invalidates).collect::<Vec<_>>()[..] else { panic!("{deploy:#?}") };
    let expected = serde_json::json!({ "StringEquals": {
        "aws:ResourceTag/system": "portfolio", "aws:ResourceTag/stack": "web", "aws:ResourceTag/stage": "staging",
    }});
    assert_eq!(invalidation["Condition"], expected);
    assert!(!resource(stack, "PlanRole").to_string().contains("cloudfront"), "{plan:#?}");
}

#[test]
fn the_provider_is_created_only_if_the_account_has_none_and_is_retained() {
    let stack = pipeline();
    let provider = resource(&stack, "GithubOidcProvider");
    assert_eq!(provider["Condition"], "MakeGithubOidcProvider");
    assert_eq!(provider["DeletionPolicy"], "RetainExceptOnCreate");
    assert!(stack.parameters.contains_key("GithubOidcProviderExists"), "{:?}", stack.parameters);
    let local = Stage::parse("local", PIPELINE, "local.yaml").expect("a stage");
    let local = complete(&local, render(&local).expect("rendered"), &[]).expect("rendered");
    let local = local[0].stacks.iter().find(|stack| stack.stack == pipeline::STACK).expect("the stack");
    assert!(resource(local, "GithubOidcProvider").is_null() && local.parameters.is_empty());
}

#[test]
fn settings_that_would_trust_other_repositories_are_refused() {
    for (right, wrong, field) in [
        ("example/backends", "'example/*'", "pipeline.repository"),
        ("example/backends", "backends", "pipeline.repository"),
        ("environment: staging", "environment: '*'", "pipeline.environment"),
        ("branch: develop", "branch: 'feature/*'", "pipeline.branch"),
    ] {
        let error = rendered(&PIPELINE.replace(right, wrong)).expect_err("refused").to_string();
        assert!(error.contains(field), "{error}");
    }
}

#[test]
fn names_that_no_trust_policy_can_hold_are_refused() {
    let (environment, branch) = ("environment".repeat(22), "branch".repeat(40));
    let long = PIPELINE.replace("environment: staging", &format!("environment: {environment}"));
    let long = long.replace("branch: develop", &format!("branch: {branch}"));
    assert!(rendered(&long).is_ok(), "as long as GitHub allows, with a short name of the repository");
    let long = long.replace("example/backends", &format!("example/{}", "b".repeat(100)));
    let error = rendered(&long).expect_err("refused").to_string();
    assert!(error.contains("but IAM allows 2048; shorten `pipeline.environment`"), "{error}");
}
