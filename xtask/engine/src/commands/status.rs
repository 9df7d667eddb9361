//! `status`: shows what is deployed.

use clap::Args;
use comfy_table::Table;
use model::rendered::RenderedSystem;
use plan::observed::Observed;
use serde_json::{Value, json};

use super::print_json;
use crate::{
    context::Context,
    deploy::observe::Extent,
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
    /// Only this system.
    #[arg(long)]
    system: Option<String>,
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
    let read = async |session: &Session| {
        let selected = session.select(args.system.as_deref())?;
        let observed = session.observe_only(&selected, Extent::States).await?;
        Ok::<_, miette::Report>((selected, observed))
    };
    let (session, read) = Session::open_and_read(context.stage(&args.stage)?, context, read).await?;
    let (selected, observed) = read?;
    let urls = session.urls_of(&selected, &session::outputs(&observed));
    if args.format == Format::Json {
        let systems: Vec<_> = selected.iter().map(|system| report(system, &observed)).collect();
        print_json(&json!({ "stage": session.stage.name, "systems": systems, "urls": urls }), ui)?;
        return Ok(Exit::Success);
    }
    if !observed.stacks.is_empty() {
        ui.result(stacks_table(&selected, &observed));
    }
    if let Some(undeployed) = undeployed(&selected, &observed) {
        ui.say(undeployed);
    }
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

fn stacks_table(systems: &[RenderedSystem], observed: &Observed) -> Table {
    let mut stacks = table::terminal(&["stack", "status"]);
    let deployed = render::stacks_of(systems).filter_map(|stack| Some((stack, observed.stacks.get(&stack.name)?)));
    for (stack, deployed) in deployed {
        stacks.add_row([stack.name.as_str(), deployed.status.as_str()]);
    }
    stacks
}

/// Counts the stacks that are not deployed, by system; `None` if all are.
fn undeployed(systems: &[RenderedSystem], observed: &Observed) -> Option<String> {
    let count = |system: &RenderedSystem| {
        let missing = system.stacks.iter().filter(|stack| !observed.stacks.contains_key(&stack.name)).count();
        (missing > 0).then(|| format!("{} ({missing} of {} stacks)", system.name, system.stacks.len()))
    };
    let missing: Vec<_> = systems.iter().filter_map(count).collect();
    (!missing.is_empty()).then(|| format!("Not deployed: {}", missing.join(", ")))
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

#[cfg(test)]
mod tests {
    use model::example::Example;
    use plan::observed::ObservedStack;

    use super::*;

    #[test]
    fn stacks_that_are_not_deployed_are_counted_by_system() {
        let systems = Example::systems(&Example::stage_named("local"));
        let all = undeployed(&systems, &Observed::default());
        let expected = "Not deployed: foundation (1 of 1 stacks), notes (3 of 3 stacks), feeds (1 of 1 stacks)";
        assert_eq!(all.as_deref(), Some(expected));
        let stacks = render::stacks_of(&systems).map(|stack| (stack.name.clone(), ObservedStack::default()));
        let observed = Observed { stacks: stacks.collect(), ..Observed::default() };
        assert_eq!(undeployed(&systems, &observed), None);
    }
}
