//! What this tool itself calls: for a deploy, and for looking at a stage without touching it.

use serde_json::json;

use super::{
    SYSTEM,
    execution::sub,
    scope::{known_in_advance, of_the_system},
};
use crate::{
    parts::policy::Statement,
    rendered::{RenderedSite, RenderedSystem},
    stage::Stage,
    template::Text,
};

/// Changing stacks, and mending the ones that are stuck.
const CHANGE_STACKS: [&str; 8] = [
    "cloudformation:ContinueUpdateRollback",
    "cloudformation:CreateChangeSet",
    "cloudformation:DeleteChangeSet",
    "cloudformation:DeleteStack",
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeEvents",
    "cloudformation:ExecuteChangeSet",
    "cloudformation:RollbackStack",
];
/// This tool's change sets.
const CHANGE_SETS: &str = "arn:${AWS::Partition}:cloudformation:*:${AWS::AccountId}:changeSet/xtask-*";
/// Looking at stacks.
const READ_STACKS: [&str; 2] = ["cloudformation:DescribeStackEvents", "cloudformation:GetTemplate"];
/// Listing stacks, which a name cannot limit: those that nothing defines any longer are found by their tags, and many are asked
/// about at once.
const LIST_STACKS: [&str; 1] = ["cloudformation:DescribeStacks"];
/// New code, and who gets it.
const RELEASE: [&str; 4] =
    ["lambda:InvokeFunction", "lambda:PublishVersion", "lambda:UpdateAlias", "lambda:UpdateFunctionCode"];
/// Looking at functions.
const READ_FUNCTIONS: [&str; 5] = [
    "lambda:GetAlias",
    "lambda:GetFunction",
    "lambda:GetFunctionConfiguration",
    "lambda:ListAliases",
    "lambda:ListVersionsByFunction",
];
/// A user to sign in with.
const TEST_USER: [&str; 3] =
    ["cognito-idp:AdminCreateUser", "cognito-idp:AdminDeleteUser", "cognito-idp:AdminSetUserPassword"];
/// What a canary is judged by.
const READ_METRICS: [&str; 2] = ["cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData"];

/// The names of a site's files that tell their content: a hyphen and sixteen characters before the extension.
const HASHED: &str = "*-????????????????.*";

/// What a stage has that is called directly, as ARNs.
struct Named {
    stacks: Vec<Text>,
    /// Those of foundation, which are looked at and never changed.
    own_stacks: Text,
    functions: Vec<Text>,
    versions: Vec<Text>,
    layers: Vec<Text>,
    layer_versions: Vec<Text>,
    apis: bool,
}

/// What a deploy calls, with the role that CloudFormation works with and the artifact bucket's ARN.
pub(super) fn deploy(
    stage: &Stage,
    systems: &[RenderedSystem],
    execution_role: &Text,
    artifacts: &str,
) -> Vec<Statement> {
    let named = Named::of(stage, systems);
    let pass = Statement::allow(["iam:PassRole"], [execution_role.clone()]).when(json!({
        "StringEquals": { "iam:PassedToService": "cloudformation.amazonaws.com" }
    }));
    let mut statements = named.read(artifacts);
    statements.extend([
        Statement::allow(CHANGE_STACKS, named.stacks.iter().cloned()),
        // Change sets are named by themselves here, and in no other call.
        Statement::allow(["cloudformation:DescribeEvents"], [sub(CHANGE_SETS)]),
        pass,
        Statement::allow(["s3:DeleteObject", "s3:PutObject"], [sub(&format!("{artifacts}/*"))]),
    ]);
    if !named.functions.is_empty() {
        statements.extend([
            Statement::allow(RELEASE, named.functions.iter().chain(&named.versions).cloned()),
            // A version, never the function.
            Statement::allow(["lambda:DeleteFunction"], named.versions.iter().cloned()),
        ]);
    }
    statements.extend(test_user(stage, systems));
    if !named.layers.is_empty() {
        statements.push(Statement::allow(["lambda:DeleteLayerVersion"], named.layer_versions.iter().cloned()));
    }
    statements.extend(read_sites(systems));
    statements.extend(systems.iter().flat_map(|system| publish(stage, system)));
    let topics: Vec<_> = systems.iter().filter_map(alarm_topic).collect();
    if !topics.is_empty() {
        statements.push(Statement::allow(["sns:Publish"], topics));
    }
    statements
}

/// The topic of a system's alarms, which is also told what became of a deploy.
fn alarm_topic(system: &RenderedSystem) -> Option<Text> {
    let topic = system.alarm_topic.as_ref()?;
    let stack = system.stacks.iter().find(|stack| stack.stack == topic.stack)?;
    let id = stack.template["Outputs"][&topic.output]["Value"]["Ref"].as_str()?;
    let name = known_in_advance(stack.template["Resources"][id]["Properties"]["TopicName"].as_str()?);
    let region = stack.region.as_deref().unwrap_or("${AWS::Region}");
    Some(sub(&format!("arn:${{AWS::Partition}}:sns:{region}:${{AWS::AccountId}}:{name}")))
}

/// The user who is made to check that users can sign in, and deleted then. Pools have made-up ids, but tags that say whose they are:
/// every stack's (Service Authorization Reference: all calls on a user pool know `aws:ResourceTag`).
fn test_user(stage: &Stage, systems: &[RenderedSystem]) -> Option<Statement> {
    let with_users: Vec<_> =
        systems.iter().filter(|system| system.sign_in.is_some()).map(|system| system.name.as_str()).collect();
    let pools = "arn:${AWS::Partition}:cognito-idp:${AWS::Region}:${AWS::AccountId}:userpool/*";
    let ours = serde_json::json!({ "StringEquals": {
        "aws:ResourceTag/stage": stage.name,
        "aws:ResourceTag/system": with_users,
    }});
    (!with_users.is_empty()).then(|| Statement::allow(TEST_USER, [sub(pools)]).when(ours))
}

/// A site's bucket, as an ARN.
fn bucket_of(system: &RenderedSystem, site: &RenderedSite) -> Option<String> {
    let stack = system.stacks.iter().find(|stack| stack.stack == site.stack)?;
    let name = &stack.template["Outputs"][&site.bucket_output]["Value"];
    let name = known_in_advance(name.as_str().or_else(|| name["Fn::Sub"].as_str())?);
    Some(format!("arn:${{AWS::Partition}}:s3:::{name}"))
}

/// Putting sites into their buckets, and deleting what no release needs: of that, only what is named after its content. A
/// distribution's id is made up by CloudFront, so it is told by the tags that a deploy gives its stack.
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

/// Looking at what sites are made of, listing included, so that a missing object is 404 and not 403.
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

/// What looking at a stage calls: `plan --online` and `status`, nothing that changes anything.
pub(super) fn plan(stage: &Stage, systems: &[RenderedSystem], artifacts: &str) -> Vec<Statement> {
    let mut statements = Named::of(stage, systems).read(artifacts);
    statements.extend(read_sites(systems));
    statements
}

/// Each once, in the order of their first.
fn distinct(arns: &mut Vec<Text>) {
    let all = std::mem::take(arns);
    for arn in all {
        if !arns.contains(&arn) {
            arns.push(arn);
        }
    }
}

impl Named {
    fn of(stage: &Stage, systems: &[RenderedSystem]) -> Self {
        let own = format!("stack/{SYSTEM}-*-{}/*", stage.name);
        let own = format!("arn:${{AWS::Partition}}:cloudformation:${{AWS::Region}}:${{AWS::AccountId}}:{own}");
        let mut named = Self {
            stacks: Vec::new(),
            own_stacks: sub(&own),
            functions: Vec::new(),
            versions: Vec::new(),
            layers: Vec::new(),
            layer_versions: Vec::new(),
            apis: false,
        };
        for stack in systems.iter().flat_map(|system| &system.stacks) {
            let region = stack.region.as_deref().unwrap_or("${AWS::Region}");
            let arn = |service: &str, rest: String| {
                sub(&format!("arn:${{AWS::Partition}}:{service}:{region}:${{AWS::AccountId}}:{rest}"))
            };
            let name = of_the_system(&stack.name, stack);
            named.stacks.push(arn("cloudformation", format!("stack/{name}/*")));
            for function in &stack.functions {
                let name = of_the_system(&function.function_name, stack);
                named.functions.push(arn("lambda", format!("function:{name}")));
                named.versions.push(arn("lambda", format!("function:{name}:*")));
            }
            for layer in &stack.layers {
                named.layers.push(arn("lambda", format!("layer:{}", layer.layer_name)));
                named.layer_versions.push(arn("lambda", format!("layer:{}:*", layer.layer_name)));
            }
            named.apis |= !stack.apis.is_empty();
        }
        for arns in [&mut named.stacks, &mut named.functions, &mut named.versions] {
            distinct(arns);
        }
        named
    }

    fn read(&self, artifacts: &str) -> Vec<Statement> {
        let mut statements = vec![
            Statement::allow(READ_STACKS, self.stacks.iter().chain([&self.own_stacks]).cloned()),
            Statement::allow(LIST_STACKS, [Text::from("*")]),
            Statement::allow(["s3:GetObject"], [sub(&format!("{artifacts}/*"))]),
            Statement::allow(["s3:ListBucket"], [sub(artifacts)]),
            Statement::allow(READ_METRICS, [Text::from("*")]),
        ];
        if !self.functions.is_empty() {
            let functions = self.functions.iter().chain(&self.versions).cloned();
            statements.push(Statement::allow(READ_FUNCTIONS, functions));
        }
        if !self.layers.is_empty() {
            let layers = self.layers.iter().chain(&self.layer_versions).cloned();
            statements.push(Statement::allow(["lambda:GetLayerVersion", "lambda:ListLayerVersions"], layers));
        }
        if self.apis {
            let apis = ["restapis", "apis"]
                .map(|kind| sub(&format!("arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}::/{kind}/*")));
            statements.push(Statement::allow(["apigateway:GET"], apis));
        }
        statements
    }
}
