//! `bootstrap`: deploys foundation with credentials that may create roles. Workflows deploy the other systems.

use clap::Args;
use miette::{Diagnostic, IntoDiagnostic};
use model::{
    foundation::{
        SYSTEM,
        pipeline::{self, DEPLOY_WORKFLOW, PipelineRole, ROLLBACK_WORKFLOW},
    },
    rendered::RenderedStack,
    stage::{Pipeline, Stage, partition},
};
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::{
    AllowanceArgs,
    deploy::{self, DeployArgs},
    print_json,
};
use crate::{
    context::Context,
    doctor::{Ailment, protection},
    error::Exit,
    github, render,
    report::{DeployReport, Draft},
    ui::{Format, Ui},
};

/// Deploy foundation: the artifact bucket, and the roles that workflows deploy with.
#[derive(Debug, Args)]
#[command(
    after_help = "Needs credentials that may create IAM roles. No other command changes the permissions of deploys. Repeat it when \
                  `deploy` requires it: when a template has a new resource type or a new function. Permissions that deployed \
                  stacks need are kept, and those that no stack needs are removed."
)]
pub(crate) struct BootstrapArgs {
    /// The stage.
    #[arg(long)]
    stage: String,
    /// Print the trust and permissions of each role, and touch nothing.
    #[arg(long, conflicts_with = "outputs")]
    print_policy: bool,
    /// Print the region and the roles, also as outputs of a GitHub Actions step, and touch nothing.
    #[arg(long)]
    outputs: bool,
    #[command(flatten)]
    allowances: AllowanceArgs,
    /// Stop after the plan.
    #[arg(long)]
    dry_run: bool,
    /// Skip the confirmation, even for a protected stage.
    #[arg(long)]
    yes: bool,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Error, Diagnostic)]
#[error("stage {stage} has no `pipeline`, so there are no roles for workflows")]
#[diagnostic(help(
    "add to {file}: pipeline: {{ repository: owner/name, owner_id: …, repository_id: …, environment: …, branch: … }}"
))]
struct NoPipeline {
    stage: String,
    file: String,
}

/// STS would refuse the job without a reason.
#[derive(Debug, Error, Diagnostic)]
#[error(
    "failed to select a role of stage {stage}: this run is for {reference}, but the roles trust only branch {branch}; nothing was \
     changed"
)]
#[diagnostic(help("start the workflow from branch {branch}"))]
struct OtherBranch {
    stage: String,
    branch: String,
    reference: String,
}

/// Runs the command.
///
/// # Errors
///
/// When the stage has no pipeline, or the deploy fails.
pub(crate) async fn run(args: BootstrapArgs, context: &Context, draft: &Draft<DeployReport>) -> miette::Result<Exit> {
    let ui = &context.ui;
    let stage = context.stage(&args.stage)?;
    if args.print_policy {
        return print_policy(&stage, args.format, context);
    }
    if args.outputs {
        return print_outputs(&stage, args.format, ui);
    }
    let deploy = DeployArgs::foundation(args.stage, args.allowances, args.format).with(args.dry_run, args.yes);
    let exit = deploy::run(deploy, context, draft).await?;
    if let Some(pipeline) = stage.pipeline.as_ref().filter(|_| !args.dry_run) {
        let Pipeline { environment, repository, branch, .. } = pipeline;
        ui.say(format_args!(
            "Jobs of {DEPLOY_WORKFLOW} and {ROLLBACK_WORKFLOW} of {repository} on branch {branch} in environment `{environment}` can now \
             deploy {}.",
            stage.name
        ));
        report_protection(&stage, ui).await;
    }
    Ok(exit)
}

/// Warns of what the protection of the environment at GitHub lacks.
async fn report_protection(stage: &Stage, ui: &Ui) {
    match protection(stage, ui).await.as_deref() {
        Some([]) => ui.say("GitHub protects the environment: its reviewers and branches are verified."),
        Some(gaps) => {
            for Ailment { what, state, meaning, remedy, .. } in gaps {
                ui.warn(format_args!("{what}: {state}: {meaning}; {remedy}"));
            }
        }
        None => ui.say("Set required reviewers and allowed branches in the environment's protection rules at GitHub."),
    }
}

fn print_policy(stage: &Stage, format: Format, context: &Context) -> miette::Result<Exit> {
    let ui = &context.ui;
    let systems = context.render(stage)?;
    let stack = render::stacks_of(&systems).find(|stack| stack.system == SYSTEM && stack.stack == pipeline::STACK);
    let stack = stack.ok_or_else(|| NoPipeline { stage: stage.name.clone(), file: stage.file().to_owned() })?;
    let roles = roles(stack, stage);
    match format {
        Format::Json => print_json(&roles, ui)?,
        Format::Text => {
            for (name, role) in &roles {
                ui.result(format_args!("── {name}: {}", role["name"].as_str().unwrap_or_default()));
                ui.result(format_args!("trusts {}", serde_json::to_string_pretty(&role["trust"]).into_diagnostic()?));
                ui.result(format_args!("allows {}", serde_json::to_string_pretty(&role["allows"]).into_diagnostic()?));
            }
        }
    }
    Ok(Exit::Success)
}

/// Returns each role with its trust and the statements of all its policies, as they will be in IAM.
fn roles(stack: &RenderedStack, stage: &Stage) -> Map<String, Value> {
    let resources = stack.template["Resources"].as_object().cloned().unwrap_or_default();
    let of_type = |name: &'static str| resources.iter().filter(move |(_, resource)| resource["Type"] == name);
    let mut roles = Map::new();
    for (logical_id, role) in of_type("AWS::IAM::Role") {
        let properties = &role["Properties"];
        let inline = properties["Policies"].as_array().into_iter().flatten();
        let managed: Vec<&str> = properties["ManagedPolicyArns"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|arn| arn["Ref"].as_str())
            .collect();
        let managed = of_type("AWS::IAM::ManagedPolicy").filter(|(id, _)| managed.contains(&id.as_str()));
        let documents = inline.chain(managed.map(|(_, policy)| &policy["Properties"]));
        let allows: Vec<_> = documents
            .flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().cloned().unwrap_or_default())
            .collect();
        let role = json!({
            "name": properties["RoleName"],
            "trust": properties["AssumeRolePolicyDocument"],
            "allows": allows,
        });
        roles.insert(logical_id.clone(), resolved(role, stage));
    }
    roles
}

/// Replaces the pseudo parameters, as CloudFormation does.
fn resolved(value: Value, stage: &Stage) -> Value {
    match value {
        Value::Object(object) => match object.get("Fn::Sub").and_then(Value::as_str) {
            Some(text) => {
                let text = text
                    .replace("${AWS::Partition}", partition(&stage.region))
                    .replace("${AWS::AccountId}", &stage.account);
                Value::String(text.replace("${AWS::Region}", &stage.region))
            }
            None => object.into_iter().map(|(key, value)| (key, resolved(value, stage))).collect::<Map<_, _>>().into(),
        },
        Value::Array(items) => items.into_iter().map(|item| resolved(item, stage)).collect(),
        scalar => scalar,
    }
}

/// Prints what a workflow needs before it has credentials; none of it is secret.
fn print_outputs(stage: &Stage, format: Format, ui: &Ui) -> miette::Result<Exit> {
    let Some(pipeline) = &stage.pipeline else {
        return Err(NoPipeline { stage: stage.name.clone(), file: stage.file().to_owned() }.into());
    };
    if let Some(reference) = github::variable("GITHUB_REF").filter(|reference| *reference != pipeline.reference()) {
        let (stage, branch) = (stage.name.clone(), pipeline.branch.clone());
        return Err(OtherBranch { stage, branch, reference }.into());
    }
    let arn = |role: PipelineRole| {
        let arn = json!({ "Fn::Sub": format!("arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/{}", role.name(&stage.name)) });
        resolved(arn, stage).as_str().unwrap_or_default().to_owned()
    };
    let outputs = [
        ("region", stage.region.clone()),
        ("deploy-role", arn(PipelineRole::Deploy)),
        ("plan-role", arn(PipelineRole::Plan)),
    ];
    github::set_outputs(&outputs)?;
    super::print_outputs(&outputs, format, ui);
    Ok(Exit::Success)
}
