//! The permissions of the engine itself: for a deploy, and for reading a stage without changing it.

use serde_json::json;

use super::{
    SYSTEM,
    execution::sub,
    scope::{to_pattern, with_wildcards},
    tags,
};
use crate::{
    parts::policy::Statement,
    rendered::{RenderedSite, RenderedSystem},
    stage::Stage,
    template::Text,
};

/// Changes stacks, and repairs stuck ones.
const CHANGE_STACKS: [&str; 7] = [
    "cloudformation:ContinueUpdateRollback",
    "cloudformation:DeleteChangeSet",
    "cloudformation:DeleteStack",
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeEvents",
    "cloudformation:ExecuteChangeSet",
    "cloudformation:RollbackStack",
];
/// Protects the stacks of a protected stage from deletion.
const PROTECT_STACKS: [&str; 1] = ["cloudformation:UpdateTerminationProtection"];
/// The folders of the artifact bucket that `prune` deletes from: zips, and the files of sites. The ledger is in another one.
const PRUNED: [&str; 2] = ["artifacts/*", "sites/*"];
/// The engine's change sets.
const CHANGE_SETS: &str = "arn:${AWS::Partition}:cloudformation:*:${AWS::AccountId}:changeSet/xtask-*";
/// Reads stacks.
const READ_STACKS: [&str; 2] = ["cloudformation:DescribeStackEvents", "cloudformation:GetTemplate"];
/// Lists stacks. It cannot be limited by name, because orphaned stacks are found by their tags, in a list of all stacks.
const LIST_STACKS: [&str; 2] = ["cloudformation:DescribeStacks", "cloudformation:ListStacks"];
/// Lists functions, of which Lambda supports no limit (Service Authorization Reference, "Actions defined by AWS Lambda"). One call reads fifty
/// functions, for each of which the stage would otherwise use a call of those that Lambda allows fifteen of a second. The list has the
/// environments of all functions of the account: secrets belong into Secrets Manager.
const LIST_FUNCTIONS: [&str; 1] = ["lambda:ListFunctions"];
/// Updates code, publishes versions and shifts traffic.
const RELEASE: [&str; 4] =
    ["lambda:InvokeFunction", "lambda:PublishVersion", "lambda:UpdateAlias", "lambda:UpdateFunctionCode"];
/// Reads functions.
const READ_FUNCTIONS: [&str; 5] = [
    "lambda:GetAlias",
    "lambda:GetFunction",
    "lambda:GetFunctionConfiguration",
    "lambda:ListAliases",
    "lambda:ListVersionsByFunction",
];
/// Creates, signs in and deletes the test user.
const TEST_USER: [&str; 3] =
    ["cognito-idp:AdminCreateUser", "cognito-idp:AdminDeleteUser", "cognito-idp:AdminSetUserPassword"];
/// Reads the metrics and alarms that decide about a canary.
const READ_METRICS: [&str; 2] = ["cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData"];

/// The names of a site's files that contain a hash of their content: a hyphen and sixteen characters before the extension.
const HASHED: &str = "*-????????????????.*";

/// The ARNs of the stage's resources that the engine calls directly.
struct StageArns {
    stacks: Vec<Text>,
    /// Foundation's stacks, which the deploy role reads but must not change.
    foundation_stacks: Text,
    functions: Vec<Text>,
    versions: Vec<Text>,
    layers: Vec<Text>,
    layer_versions: Vec<Text>,
    has_apis: bool,
}

/// Returns the statements of the deploy role. `execution_role` is the ARN of CloudFormation's role, `artifacts` that of
/// the artifact bucket.
pub(super) fn deploy(
    stage: &Stage,
    systems: &[RenderedSystem],
    execution_role: &Text,
    artifacts: &str,
) -> Vec<Statement> {
    let arns = StageArns::of(stage, systems);
    let pass = Statement::allow(["iam:PassRole"], [execution_role.clone()]).when(json!({
        "StringEquals": { "iam:PassedToService": "cloudformation.amazonaws.com" }
    }));
    let protects: &[_] = if stage.protected { &PROTECT_STACKS } else { &[] };
    let changes: Vec<_> = CHANGE_STACKS.iter().chain(protects).copied().collect();
    let mut statements = arns.allow(artifacts, &changes, &RELEASE);
    statements.extend([
        create_change_sets(&arns),
        // The only action whose resource is the change set instead of its stack.
        Statement::allow(["cloudformation:DescribeEvents"], [sub(CHANGE_SETS)]),
        pass,
        Statement::allow(["s3:PutObject"], [sub(&format!("{artifacts}/*"))]),
        Statement::allow(["s3:DeleteObject"], PRUNED.map(|folder| sub(&format!("{artifacts}/{folder}")))),
    ]);
    if !arns.functions.is_empty() {
        // Versions only: the function itself is not covered.
        statements.push(Statement::allow(["lambda:DeleteFunction"], arns.versions.iter().cloned()));
    }
    statements.extend(test_user(stage, systems));
    if !arns.layers.is_empty() {
        statements.push(Statement::allow(["lambda:DeleteLayerVersion"], arns.layer_versions.iter().cloned()));
    }
    statements.extend(read_sites(systems));
    statements.extend(systems.iter().flat_map(|system| publish(stage, system)));
    let topics: Vec<_> = systems.iter().filter_map(alarm_topic).collect();
    if !topics.is_empty() {
        statements.push(Statement::allow(["sns:Publish"], topics));
    }
    statements
}

/// Returns the statement for creating change sets. None may import a resource with a generated ID: the stack would tag it, and with the
/// stage's tags the execution role could change a resource that another program owns (Service Authorization Reference:
/// `cloudformation:ImportResourceTypes`).
fn create_change_sets(arns: &StageArns) -> Statement {
    let imports_none = json!({
        "ForAllValues:StringNotEquals": { "cloudformation:ImportResourceTypes": tags::types().collect::<Vec<_>>() },
    });
    Statement::allow(["cloudformation:CreateChangeSet"], arns.stacks.iter().cloned()).when(imports_none)
}

/// Returns the ARN of a system's alarm topic, which also receives the results of deploys.
fn alarm_topic(system: &RenderedSystem) -> Option<Text> {
    let topic = system.alarm_topic.as_ref()?;
    let stack = system.stacks.iter().find(|stack| stack.stack == topic.stack)?;
    let id = stack.template["Outputs"][&topic.output]["Value"]["Ref"].as_str()?;
    let name = with_wildcards(stack.template["Resources"][id]["Properties"]["TopicName"].as_str()?);
    let region = stack.region.as_deref().unwrap_or("${AWS::Region}");
    Some(sub(&format!("arn:${{AWS::Partition}}:sns:{region}:${{AWS::AccountId}}:{name}")))
}

/// Returns the statement for the test user, who is created to check that users can sign in, and deleted then. The IDs
/// of user pools are not known in advance, so the statement is limited by their tags (Service Authorization Reference:
/// all actions on a user pool support `aws:ResourceTag`).
fn test_user(stage: &Stage, systems: &[RenderedSystem]) -> Option<Statement> {
    let systems_with_users: Vec<_> =
        systems.iter().filter(|system| system.sign_in.is_some()).map(|system| system.name.as_str()).collect();
    let pools = "arn:${AWS::Partition}:cognito-idp:${AWS::Region}:${AWS::AccountId}:userpool/*";
    let is_of_stage = json!({ "StringEquals": {
        "aws:ResourceTag/stage": stage.name,
        "aws:ResourceTag/system": systems_with_users,
    }});
    (!systems_with_users.is_empty()).then(|| Statement::allow(TEST_USER, [sub(pools)]).when(is_of_stage))
}

/// Returns the ARN of a site's bucket.
fn bucket_of(system: &RenderedSystem, site: &RenderedSite) -> Option<String> {
    let stack = system.stacks.iter().find(|stack| stack.stack == site.stack)?;
    let name = &stack.template["Outputs"][&site.bucket_output]["Value"];
    let name = with_wildcards(name.as_str().or_else(|| name["Fn::Sub"].as_str())?);
    Some(format!("arn:${{AWS::Partition}}:s3:::{name}"))
}

/// Returns the statements for uploading a system's sites and deleting unused files; only files with a hash in their
/// name are deleted. The IDs of distributions are not known in advance, so invalidations are limited by the tags of the
/// distribution's stack.
fn publish(stage: &Stage, system: &RenderedSystem) -> Vec<Statement> {
    let of_site = |site: &RenderedSite| {
        let bucket = bucket_of(system, site)?;
        let tags = json!({ "StringEquals": {
            "aws:ResourceTag/system": system.name,
            "aws:ResourceTag/stack": site.stack,
            "aws:ResourceTag/stage": stage.name,
        }});
        Some([
            Statement::allow(["s3:PutObject"], [sub(&format!("{bucket}/*"))]),
            Statement::allow(["s3:DeleteObject"], [sub(&format!("{bucket}/{HASHED}"))]),
            Statement::allow(
                ["cloudfront:CreateInvalidation"],
                [sub("arn:${AWS::Partition}:cloudfront::${AWS::AccountId}:distribution/*")],
            )
            .when(tags),
        ])
    };
    system.sites.iter().filter_map(of_site).flatten().collect()
}

/// Returns the statements for reading sites. They include listing, without which S3 responds to a missing object with
/// 403 instead of 404.
fn read_sites(systems: &[RenderedSystem]) -> Vec<Statement> {
    let of_site = |system, site| {
        let bucket = bucket_of(system, site)?;
        Some([
            Statement::allow(["s3:GetObject"], [sub(&format!("{bucket}/*"))]),
            Statement::allow(["s3:ListBucket"], [sub(&bucket)]),
        ])
    };
    let sites = systems.iter().flat_map(|system| system.sites.iter().map(move |site| (system, site)));
    sites.filter_map(|(system, site)| of_site(system, site)).flatten().collect()
}

/// Returns the statements of the plan role, which reads a stage, as `plan --online` and `status` do, and changes nothing.
pub(super) fn plan(stage: &Stage, systems: &[RenderedSystem], artifacts: &str) -> Vec<Statement> {
    let mut statements = StageArns::of(stage, systems).allow(artifacts, &[], &[]);
    statements.extend(read_sites(systems));
    statements
}

/// Removes repeated ARNs and keeps the order of the others.
fn remove_duplicates(arns: &mut Vec<Text>) {
    let all = std::mem::take(arns);
    for arn in all {
        if !arns.contains(&arn) {
            arns.push(arn);
        }
    }
}

impl StageArns {
    fn of(stage: &Stage, systems: &[RenderedSystem]) -> Self {
        let own = format!("stack/{SYSTEM}-*-{}/*", stage.name);
        let own = format!("arn:${{AWS::Partition}}:cloudformation:${{AWS::Region}}:${{AWS::AccountId}}:{own}");
        let mut all = Self {
            stacks: Vec::new(),
            foundation_stacks: sub(&own),
            functions: Vec::new(),
            versions: Vec::new(),
            layers: Vec::new(),
            layer_versions: Vec::new(),
            has_apis: false,
        };
        for stack in systems.iter().flat_map(|system| &system.stacks) {
            let region = stack.region.as_deref().unwrap_or("${AWS::Region}");
            let arn = |service: &str, rest: String| {
                sub(&format!("arn:${{AWS::Partition}}:{service}:{region}:${{AWS::AccountId}}:{rest}"))
            };
            let name = to_pattern(&stack.name, stack);
            all.stacks.push(arn("cloudformation", format!("stack/{name}/*")));
            for function in &stack.functions {
                let name = to_pattern(&function.function_name, stack);
                all.functions.push(arn("lambda", format!("function:{name}")));
                all.versions.push(arn("lambda", format!("function:{name}:*")));
            }
            for layer in &stack.layers {
                all.layers.push(arn("lambda", format!("layer:{}", layer.layer_name)));
                all.layer_versions.push(arn("lambda", format!("layer:{}:*", layer.layer_name)));
            }
            all.has_apis |= !stack.apis.is_empty();
        }
        for arns in [&mut all.stacks, &mut all.functions, &mut all.versions] {
            remove_duplicates(arns);
        }
        all
    }

    /// Allows reading, and these actions on the systems' stacks and functions. One statement for all actions on the same resources
    /// names their ARNs once.
    fn allow(&self, artifacts: &str, on_stacks: &[&'static str], on_functions: &[&'static str]) -> Vec<Statement> {
        let on_own = READ_STACKS.iter().chain(on_stacks).copied();
        let mut statements = if on_stacks.is_empty() {
            vec![Statement::allow(on_own, self.stacks.iter().chain([&self.foundation_stacks]).cloned())]
        } else {
            let foundation = Statement::allow(READ_STACKS, [self.foundation_stacks.clone()]);
            vec![Statement::allow(on_own, self.stacks.iter().cloned()), foundation]
        };
        statements.extend([
            Statement::allow(LIST_STACKS, [Text::from("*")])
                .because("Without a stack's name, the call lists all stacks of the account."),
            Statement::allow(["s3:GetObject"], [sub(&format!("{artifacts}/*"))]),
            Statement::allow(["s3:ListBucket"], [sub(artifacts)]),
            Statement::allow(READ_METRICS, [Text::from("*")])
                .because("Alarms are listed by a prefix of their names, and metrics have no ARN."),
        ]);
        if !self.functions.is_empty() {
            let functions = self.functions.iter().chain(&self.versions).cloned();
            statements.push(Statement::allow(READ_FUNCTIONS.iter().chain(on_functions).copied(), functions));
            statements.push(
                Statement::allow(LIST_FUNCTIONS, [Text::from("*")])
                    .because("Lambda lists all functions of the account; the call takes no name."),
            );
        }
        if !self.layers.is_empty() {
            let layers = self.layers.iter().chain(&self.layer_versions).cloned();
            statements.push(Statement::allow(["lambda:GetLayerVersion", "lambda:ListLayerVersions"], layers));
        }
        if self.has_apis {
            let apis = ["restapis", "apis"]
                .map(|path| sub(&format!("arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}::/{path}/*")));
            let reason = "The IDs of APIs are generated; the call reads their deployments, and changes none.";
            statements.push(Statement::allow(["apigateway:GET"], apis).because(reason));
        }
        statements
    }
}
