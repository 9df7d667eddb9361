//! `graph`: draws a stage.

use camino::Utf8PathBuf;
use clap::{Args, ValueEnum};
use miette::{IntoDiagnostic, WrapErr};
use plan::graph;

use crate::{context::Context, error::Exit, render};

/// Draw a stage: systems, stacks, functions, data, and the references between them.
#[derive(Debug, Args)]
pub(crate) struct GraphArgs {
    /// The stage.
    #[arg(long)]
    stage: String,
    /// Only this system.
    #[arg(long)]
    system: Option<String>,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    format: GraphFormat,
    /// Write the graph to a file instead of stdout.
    #[arg(long, value_name = "FILE")]
    out: Option<Utf8PathBuf>,
}

/// The format of a graph.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum GraphFormat {
    /// A flowchart, which GitHub renders in Markdown.
    #[default]
    Mermaid,
    /// An image.
    Svg,
}

/// Runs the command.
///
/// # Errors
///
/// When the stage or system is wrong, or the file cannot be written.
pub(crate) fn run(args: &GraphArgs, context: &Context) -> miette::Result<Exit> {
    let ui = &context.ui;
    let stage = context.stage(&args.stage)?;
    let systems = render::select_system(&stage, context.render(&stage)?, args.system.as_deref())?;
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
