//! `render`: templates from typed Rust, validated, written or checked.

use clap::Args;
use miette::{Diagnostic, IntoDiagnostic};
use model::rendered::RenderedSystem;
use thiserror::Error;

use crate::{
    context::Context,
    error::Exit,
    render::{self, Difference, validate::Validator},
    stage,
};

/// Write the CloudFormation templates of every stage to templates/, or check them.
#[derive(Debug, Args)]
pub struct RenderArgs {
    /// Print one stage's templates instead of writing all of them.
    #[arg(long)]
    stage: Option<String>,
    /// Only this system; with --stage.
    #[arg(long, requires = "stage")]
    system: Option<String>,
    /// Write nothing; exit 1 and show the difference when committed templates are stale.
    #[arg(long)]
    check: bool,
    /// How templates are printed with --stage.
    #[arg(long, value_enum, default_value_t, requires = "stage")]
    format: TemplateFormat,
}

/// How a template is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum TemplateFormat {
    /// For people; what is committed.
    #[default]
    Yaml,
    /// What CloudFormation is sent.
    Json,
}

#[derive(Debug, Error, Diagnostic)]
#[error("{count} committed {} not what the workspace renders", if *.count == 1 { "template is" } else { "templates are" })]
#[diagnostic(help("run `cargo xtask render` and commit the result"))]
struct Stale {
    count: usize,
}

/// Runs the command.
///
/// # Errors
///
/// When a stage or system is wrong, a template has findings, or, with `--check`, templates are stale.
pub fn run(args: &RenderArgs, context: &Context) -> miette::Result<Exit> {
    let (workspace, _ui) = (&context.workspace, &context.ui);
    let validator = Validator::new();
    match &args.stage {
        Some(name) if !args.check => print(args, name, &validator, context),
        selected => {
            // The local stage's templates are nobody's to review: they differ from run to run of the emulator only.
            let stages = match selected {
                Some(name) => vec![context.stage(name)?.name],
                None => stage::names(workspace)?.into_iter().filter(|name| name != "local").collect(),
            };
            commit(args, &stages, &validator, context)
        }
    }
}

fn print(args: &RenderArgs, name: &str, validator: &Validator, context: &Context) -> miette::Result<Exit> {
    let (_workspace, ui) = (&context.workspace, &context.ui);
    let stage = context.stage(name)?;
    let systems = render::select(&stage, context.render(&stage)?, args.system.as_deref(), None)?;
    validate(validator, &systems)?;
    for stack in render::stacks_of(&systems) {
        match args.format {
            TemplateFormat::Yaml => ui.result(format_args!("---\n{}", stack.to_yaml().trim_end())),
            TemplateFormat::Json => ui.result(serde_json::to_string_pretty(&stack.template).into_diagnostic()?),
        }
    }
    Ok(Exit::Success)
}

fn commit(args: &RenderArgs, stages: &[String], validator: &Validator, context: &Context) -> miette::Result<Exit> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    let mut files = std::collections::BTreeMap::new();
    for name in stages {
        let stage = context.stage(name)?;
        let systems = context.render(&stage)?;
        validate(validator, &systems)?;
        files.extend(render::files(&stage, &systems));
    }
    let directory = workspace.templates();
    if args.check {
        let differences = render::differences(&directory, stages, &files)?;
        for (path, difference) in &differences {
            match difference {
                Difference::Missing => ui.result(format_args!("templates/{path}: not committed")),
                Difference::Orphaned => ui.result(format_args!("templates/{path}: committed, but no longer rendered")),
                Difference::Stale(text) => ui.result(text.trim_end()),
            }
        }
        if !differences.is_empty() {
            return Err(Stale { count: differences.len() }.into());
        }
        ui.say(format_args!("{} templates of {} are up to date", files.len(), stages.join(", ")));
        return Ok(Exit::Success);
    }
    let written = render::write(&directory, stages, &files)?;
    for (path, difference) in &written {
        let verb = if *difference == Difference::Orphaned { "removed" } else { "wrote" };
        ui.say(format_args!("{verb} templates/{path}"));
    }
    ui.say(format_args!("{} templates of {}, {} changed", files.len(), stages.join(", "), written.len()));
    Ok(Exit::Success)
}

fn validate(validator: &Validator, systems: &[RenderedSystem]) -> miette::Result<()> {
    validator.check(render::stacks_of(systems))?;
    Ok(())
}
