//! `graph`: what a stage is made of, as a picture.

use camino::Utf8PathBuf;
use clap::{Args, ValueEnum};
use miette::{IntoDiagnostic, WrapErr};
use plan::graph;

use crate::{context::Context, error::Exit, render};

/// Draw a stage's systems, stacks, functions and data, and what refers to what.
#[derive(Debug, Args)]
pub struct GraphArgs {
    /// The stage.
    #[arg(long)]
    stage: String,
    /// Only this system.
    #[arg(long)]
    system: Option<String>,
    /// How it is drawn.
    #[arg(long, value_enum, default_value_t)]
    format: GraphFormat,
    /// Write it to a file instead of printing it.
    #[arg(long, value_name = "FILE")]
    out: Option<Utf8PathBuf>,
}

/// How a graph is drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum GraphFormat {
    /// A flowchart that GitHub draws in Markdown.
    #[default]
    Mermaid,
    /// A picture.
    Svg,
}

/// Runs the command.
///
/// # Errors
///
/// When the stage or system is wrong, or the file cannot be written.
pub fn run(args: &GraphArgs, context: &Context) -> miette::Result<Exit> {
    let (_workspace, ui) = (&context.workspace, &context.ui);
    let stage = context.stage(&args.stage)?;
    let systems = render::select(&stage, context.render(&stage)?, args.system.as_deref(), None)?;
    let graph = graph::graph(&stage.name, &systems);
    let text = match args.format {
        GraphFormat::Mermaid => graph::mermaid(&graph),
        GraphFormat::Svg => graph::svg(&graph),
    };
    match &args.out {
        Some(path) => {
            fs_err::write(path, text).into_diagnostic().wrap_err("failed to write the graph")?;
            ui.say(format_args!("Wrote {path}."));
        }
        None => ui.result(text.trim_end()),
    }
    Ok(Exit::Success)
}
