//! `status`: shows what is deployed.

use clap::Args;
use comfy_table::Table;
use model::rendered::RenderedSystem;
use plan::observed::Observed;
use serde_json::{Value, json};

use super::print_json;
use crate::{
    context::Context,
    error::Exit,
    render,
    session::{self, Session},
    table,
    ui::Format,
};

/// Show what is deployed: stacks, functions, live versions, URLs.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The stage.
    #[arg(long)]
    stage: String,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
///
/// # Errors
///
/// When a call fails.
pub(crate) async fn run(args: StatusArgs, context: &Context) -> miette::Result<Exit> {
    let ui = &context.ui;
    let session = Session::open(context.stage(&args.stage)?, context).await?;
    let observed = session.observe().await?;
    let urls = session.urls(&session::outputs(&observed));
    if args.format == Format::Json {
        let systems: Vec<_> = session.systems.iter().map(|system| report(system, &observed)).collect();
        print_json(&json!({ "stage": session.stage.name, "systems": systems, "urls": urls }), ui)?;
        return Ok(Exit::Success);
    }
    let mut stacks = table::terminal(&["stack", "status"]);
    for stack in render::stacks_of(&session.systems) {
        let status = observed.stacks.get(&stack.name).map_or("not deployed", |stack| stack.status.as_str());
        stacks.add_row([stack.name.as_str(), status]);
    }
    ui.result(stacks);
    let live =
        observed.functions.iter().map(|(name, function)| (name.as_str(), function.live.as_deref().unwrap_or("-")));
    if !observed.functions.is_empty() {
        ui.result(functions_table(live));
    }
    for (name, url) in &urls {
        ui.result(format_args!("{name}: {url}"));
    }
    Ok(Exit::Success)
}

fn report(system: &RenderedSystem, observed: &Observed) -> Value {
    let stacks: Vec<_> = system
        .stacks
        .iter()
        .map(|stack| {
            let deployed = observed.stacks.get(&stack.name);
            json!({
                "name": stack.name,
                "status": deployed.map(|deployed| &deployed.status),
                "outputs": deployed.map(|deployed| deployed.outputs.clone()).unwrap_or_default(),
            })
        })
        .collect();
    let functions: Vec<_> = system
        .stacks
        .iter()
        .flat_map(|stack| &stack.functions)
        .map(|function| {
            let deployed = observed.functions.get(&function.function_name);
            json!({
                "name": function.id.function,
                "functionName": function.function_name,
                "live": deployed.and_then(|deployed| deployed.live.as_ref()),
                "codeSha256": deployed.map(|deployed| &deployed.code_sha256),
            })
        })
        .collect();
    json!({ "name": system.name, "stacks": stacks, "functions": functions })
}

/// A table of functions and their live versions.
pub(super) fn functions_table<'a>(rows: impl Iterator<Item = (&'a str, &'a str)>) -> Table {
    let mut functions = table::terminal(&["function", "live version"]);
    for (name, version) in rows {
        functions.add_row([name, version]);
    }
    functions
}
