//! `bootstrap`: foundation, by a person whose credentials may make roles; from then on workflows deploy the rest.

use clap::Args;
use miette::{Diagnostic, IntoDiagnostic};
use model::{
    foundation::{
        SYSTEM,
        pipeline::{self, PipelineRole},
    },
    rendered::RenderedStack,
    stage::Stage,
};
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::AllowanceArgs;
use super::deploy::{self, DeployArgs};
use crate::{
    context::Context,
    error::Exit,
    github, render,
    ui::{Format, Ui},
};

/// Deploy foundation: the artifact bucket, and the roles that workflows deploy with.
#[derive(Debug, Args)]
#[command(
    after_help = "Needs credentials that may make roles, and is the only command that changes what deploying may do. Repeat it \
                        when `deploy` asks for it: when a template has a type of resource, or a function, that was not there before. \
                        What deployed stacks need is kept; what nothing needs any longer is taken away."
)]
pub struct BootstrapArgs {
    /// The stage.
    #[arg(long)]
    stage: String,
    /// Print who is trusted with what, and touch nothing.
    #[arg(long, conflicts_with = "outputs")]
    print_policy: bool,
    /// Print the region and the roles, also as outputs of a step where GITHUB_OUTPUT is set, and touch nothing.
    #[arg(long)]
    outputs: bool,
    #[command(flatten)]
    allowances: AllowanceArgs,
    /// Stop after the plan.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask, not even for a protected stage.
    #[arg(long)]
    yes: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Error, Diagnostic)]
#[error("stage {stage} has no `pipeline`, so no workflow deploys it")]
#[diagnostic(help(
    "add to stacks/stages/{stage}.yaml: pipeline: {{ repository: owner/name, owner_id: …, repository_id: …, environment: …, branch: … }}"
))]
struct NoPipeline {
    stage: String,
}

/// Runs the command.
///
/// # Errors
///
/// When the stage has no pipeline to be asked about, or anything of the deploy fails.
pub async fn run(args: BootstrapArgs, context: &Context) -> miette::Result<Exit> {
    let (_workspace, ui) = (&context.workspace, &context.ui);
    let stage = context.stage(&args.stage)?;
    if args.print_policy {
        return print_policy(&stage, args.format, context);
    }
    if args.outputs {
        return print_outputs(&stage, args.format, ui);
    }
    let pipeline = stage.pipeline.clone();
    let deploy = DeployArgs::foundation(args.stage, args.allowances, args.dry_run, args.yes, args.format);
    let exit = deploy::run(deploy, context).await?;
    if let Some(pipeline) = pipeline.filter(|_| !args.dry_run) {
        let (environment, repository) = (&pipeline.environment, &pipeline.repository);
        ui.say(format_args!(
            "Jobs of {repository} in environment `{environment}` may deploy {} now. Who must approve them, and from which \
             branches they come, is up to that environment's protection rules in GitHub.",
            stage.name
        ));
    }
    Ok(exit)
}

fn print_policy(stage: &Stage, format: Format, context: &Context) -> miette::Result<Exit> {
    let ui = &context.ui;
    let systems = context.render(stage)?;
    let stack = render::stacks_of(&systems).find(|stack| stack.system == SYSTEM && stack.stack == pipeline::STACK);
    let stack = stack.ok_or_else(|| NoPipeline { stage: stage.name.clone() })?;
    let roles = roles(stack, stage);
    match format {
        Format::Json => ui.result(serde_json::to_string_pretty(&roles).into_diagnostic()?),
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

/// Every role with its trust and the statements of all its policies, as IAM will have them.
fn roles(stack: &RenderedStack, stage: &Stage) -> Map<String, Value> {
    let resources = stack.template["Resources"].as_object().cloned().unwrap_or_default();
    let of_type = |kind: &'static str| resources.iter().filter(move |(_, resource)| resource["Type"] == kind);
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
        roles.insert(logical_id.clone(), filled_in(role, stage));
    }
    roles
}

/// What CloudFormation fills in, filled in.
fn filled_in(value: Value, stage: &Stage) -> Value {
    match value {
        Value::Object(object) => match object.get("Fn::Sub").and_then(Value::as_str) {
            Some(text) => {
                let partition = if stage.region.starts_with("cn-") {
                    "aws-cn"
                } else if stage.region.starts_with("us-gov-") {
                    "aws-us-gov"
                } else {
                    "aws"
                };
                let text = text.replace("${AWS::Partition}", partition).replace("${AWS::AccountId}", &stage.account);
                Value::String(text.replace("${AWS::Region}", &stage.region))
            }
            None => object.into_iter().map(|(key, value)| (key, filled_in(value, stage))).collect::<Map<_, _>>().into(),
        },
        Value::Array(items) => items.into_iter().map(|item| filled_in(item, stage)).collect(),
        scalar => scalar,
    }
}

/// A workflow asks for these before it has credentials, so nothing of it is a secret.
fn print_outputs(stage: &Stage, format: Format, ui: &Ui) -> miette::Result<Exit> {
    if stage.pipeline.is_none() {
        return Err(NoPipeline { stage: stage.name.clone() }.into());
    }
    let arn = |role: PipelineRole| {
        let arn = json!({ "Fn::Sub": format!("arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/{}", role.name(&stage.name)) });
        filled_in(arn, stage).as_str().unwrap_or_default().to_owned()
    };
    let outputs = [
        ("region", stage.region.clone()),
        ("deploy-role", arn(PipelineRole::Deploy)),
        ("plan-role", arn(PipelineRole::Plan)),
    ];
    github::set_outputs(&outputs)?;
    match format {
        Format::Text => outputs.iter().for_each(|(name, value)| ui.result(format_args!("{name}={value}"))),
        Format::Json => ui.result(Value::from_iter(outputs.map(|(name, value)| (name, value)))),
    }
    Ok(Exit::Success)
}
