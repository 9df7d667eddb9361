//! `render`: validates the templates, and writes, prints or checks them.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use clap::Args;
use miette::Diagnostic;
use thiserror::Error;

use super::print_json;
use crate::{
    context::Context,
    error::Exit,
    render::{self, Difference, validate::Validator},
    stage,
    ui::Ui,
};

/// Write the CloudFormation templates of every stage to templates/, or check them.
#[derive(Debug, Args)]
pub(crate) struct RenderArgs {
    /// Print one stage's templates instead of writing all of them.
    #[arg(long)]
    stage: Option<String>,
    /// Only this system; with --stage.
    #[arg(long, requires = "stage")]
    system: Option<String>,
    /// Write nothing; exit 1 and print the differences if committed templates are stale.
    #[arg(long)]
    check: bool,
    /// The output format of --stage.
    #[arg(long, value_enum, default_value_t, requires = "stage")]
    format: TemplateFormat,
}

/// The format of a template.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum TemplateFormat {
    /// The format of the committed templates.
    #[default]
    Yaml,
    /// The format that is sent to CloudFormation.
    Json,
}

#[derive(Debug, Error, Diagnostic)]
#[error("{count} committed {} stale", if *.count == 1 { "template is" } else { "templates are" })]
#[diagnostic(help("{}", if *.only_line_endings {
    "run `cargo xtask render`, and commit a `.gitattributes` with the line `* text=auto eol=lf`"
} else {
    "run `cargo xtask render` and commit the result"
}))]
struct Stale {
    count: usize,
    only_line_endings: bool,
}

/// Runs the command.
///
/// # Errors
///
/// When a stage or system is wrong, a template has findings, or, with `--check`, templates are stale.
pub(crate) fn run(args: &RenderArgs, context: &Context) -> miette::Result<Exit> {
    let validator = Validator::new();
    match &args.stage {
        Some(name) if !args.check => print(args, name, &validator, context),
        selected => {
            // The templates of stage `local` are not committed: they are only deployed to the emulator.
            let stages = match selected {
                Some(name) => vec![context.stage(name)?.name],
                None => stage::names(&context.workspace)?.into_iter().filter(|name| name != "local").collect(),
            };
            commit(args, &stages, &validator, context)
        }
    }
}

fn print(args: &RenderArgs, name: &str, validator: &Validator, context: &Context) -> miette::Result<Exit> {
    let ui = &context.ui;
    let stage = context.stage(name)?;
    let systems = render::select_system(&stage, context.render(&stage)?, args.system.as_deref())?;
    validator.check_systems(&stage, &systems)?;
    for stack in render::stacks_of(&systems) {
        match args.format {
            TemplateFormat::Yaml => ui.result(format_args!("---\n{}", stack.to_yaml().trim_end())),
            TemplateFormat::Json => print_json(&stack.template, ui)?,
        }
    }
    Ok(Exit::Success)
}

fn commit(args: &RenderArgs, stages: &[String], validator: &Validator, context: &Context) -> miette::Result<Exit> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    let mut files = BTreeMap::new();
    for name in stages {
        let stage = context.stage(name)?;
        let systems = context.render(&stage)?;
        validator.check_systems(&stage, &systems)?;
        files.extend(render::files(&stage, &systems));
    }
    let directory = workspace.templates();
    if args.check {
        print_differences(&render::differences(&directory, stages, &files)?, ui)?;
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

/// Prints the differences of the committed templates, and fails where there are any.
fn print_differences(differences: &BTreeMap<Utf8PathBuf, Difference>, ui: &Ui) -> Result<(), Stale> {
    for (path, difference) in differences {
        match difference {
            Difference::Missing => ui.result(format_args!("templates/{path}: not committed")),
            Difference::Orphaned => ui.result(format_args!("templates/{path}: committed, but no longer rendered")),
            Difference::LineEndings => ui.result(format_args!("templates/{path}: only line endings differ")),
            Difference::Stale(text) => ui.result(text.trim_end()),
        }
    }
    if differences.is_empty() {
        return Ok(());
    }
    let only_line_endings = differences.values().all(|difference| *difference == Difference::LineEndings);
    Err(Stale { count: differences.len(), only_line_endings })
}
