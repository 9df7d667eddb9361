//! `schema`: generates the typed resource properties from AWS's schemas, or checks them.

use camino::Utf8PathBuf;
use clap::{ArgMatches, Args, FromArgMatches};
use engine::{application, context::Context, error::Exit};
use futures_util::future::LocalBoxFuture;
use miette::{Diagnostic, IntoDiagnostic, WrapErr};
use thiserror::Error;

use crate::schema::{self, tree, types, wheel};

/// The table of the properties whose change replaces a resource.
const REPLACEMENT: &str = "xtask/plan/src/changes/replacement.tsv";
/// The table of the actions that CloudFormation needs for a resource.
const PERMISSIONS: &str = "stacks/model/src/foundation/permissions.tsv";

/// `cargo xtask schema`.
pub struct Verb;

/// Generate the typed resource properties from AWS's schemas, or check them
#[derive(Debug, Args)]
struct SchemaArgs {
    /// Write nothing; exit 1 if the committed sources differ from the generated ones
    #[arg(long)]
    check: bool,
}

#[derive(Debug, Error, Diagnostic)]
#[error("the generated resource types are stale: {}", .files.join(", "))]
#[diagnostic(help("run `cargo xtask schema` and commit the result"))]
struct Stale {
    files: Vec<String>,
}

impl application::Verb for Verb {
    fn command(&self) -> clap::Command {
        SchemaArgs::augment_args(clap::Command::new("schema"))
    }

    fn run<'a>(&'a self, arguments: &'a ArgMatches, context: &'a Context) -> LocalBoxFuture<'a, miette::Result<Exit>> {
        Box::pin(async { generate(SchemaArgs::from_arg_matches(arguments).into_diagnostic()?, context).await })
    }
}

async fn generate(args: SchemaArgs, context: &Context) -> miette::Result<Exit> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    let directory = workspace.root().join("stacks/model/src/resources");
    let list = directory.join("types.txt");
    let wanted = fs_err::read_to_string(&list).into_diagnostic()?;
    let wanted = types::parse(&wanted).wrap_err_with(|| format!("failed to read {list}"))?;

    let step = ui.step("resource schemas");
    let wheel = wheel::download(&workspace.target().join("schemas")).await?;
    let schemas = wheel::schemas(open(&wheel)?, &wanted)?;
    let sources = tree::format(schema::generate(&schemas, &wanted)?, workspace.root()).await?;
    step.done(format_args!("{} types of {} services", wanted.len(), sources.len() - 1));

    let all = wheel::all_schemas(open(&wheel)?)?;
    let tables = [(REPLACEMENT, schema::replacement::table(&all)), (PERMISSIONS, schema::permissions::table(&all))];
    let is_stale = |(file, table): &(&str, String)| {
        fs_err::read_to_string(workspace.root().join(file)).ok().as_deref() != Some(table.as_str())
    };
    let stale: Vec<_> = tables.into_iter().filter(is_stale).collect();

    let differences = tree::differences(&directory, &sources)?;
    if args.check && (!stale.is_empty() || !differences.is_empty()) {
        let tables = stale.iter().map(|(file, _)| (*file).to_owned());
        return Err(Stale { files: differences.into_keys().chain(tables).collect() }.into());
    }
    for (file, table) in &stale {
        fs_err::write(workspace.root().join(file), table).into_diagnostic()?;
        ui.say(format_args!("wrote {file}"));
    }
    tree::apply(&directory, &differences)?;
    for (path, text) in &differences {
        ui.say(format_args!("{} stacks/model/src/resources/{path}", if text.is_some() { "wrote" } else { "removed" }));
    }
    if differences.is_empty() && stale.is_empty() {
        ui.say("the generated resource types are up to date");
    }
    Ok(Exit::Success)
}

fn open(wheel: &Utf8PathBuf) -> miette::Result<fs_err::File> {
    fs_err::File::open(wheel).into_diagnostic()
}
