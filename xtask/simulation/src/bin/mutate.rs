//! `mutate`: breaks the engine deliberately, one breakage at a time, and reports which history finds each.

use std::{error::Error, io::Write, process::ExitCode};

use clap::Parser;
use miette::Diagnostic;
use simulation::{
    mutations::{
        Mutation,
        runner::{MutateError, Runner, select},
    },
    report::Played,
};

/// Break the engine deliberately, and search for each breakage with random histories.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only this mutation; may be repeated.
    #[arg(long, visible_alias = "mutation", value_name = "NAME")]
    only: Vec<String>,
    /// How many histories are played for each mutation.
    #[arg(long, default_value_t = 3000)]
    seeds: u64,
}

fn main() -> ExitCode {
    match mutate(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&describe(&error));
            ExitCode::FAILURE
        }
    }
}

/// Returns whether every mutation was found.
fn mutate(arguments: &Arguments) -> Result<bool, MutateError> {
    let mutations = select(&arguments.only)?;
    say(&format!("Playing {} histories without a mutation\n", arguments.seeds));
    let runner = Runner::start(arguments.seeds)?;
    let width = mutations.iter().map(|mutation| mutation.name.len()).max().unwrap_or_default();
    say(&format!("{:<width$}  {:>8}  {:>9}  invariant\n", "mutation", "by seed", "histories"));
    let mut missed = Vec::new();
    for mutation in mutations {
        let played = runner.search(mutation)?;
        say(&row(mutation, &played, width));
        if played.found.is_none() {
            missed.push(mutation);
        }
    }
    for mutation in &missed {
        say(&format!("\nnot found: {} ({}) {}\n", mutation.name, mutation.path(), mutation.breaks));
    }
    if !missed.is_empty() {
        say("\nExtend the workloads or the observer until a history finds it.\n");
    }
    Ok(missed.is_empty())
}

fn row(mutation: &Mutation, played: &Played, width: usize) -> String {
    let (name, histories) = (mutation.name, played.histories);
    match &played.found {
        Some(found) => format!("{name:<width$}  {:>8}  {histories:>9}  {}\n", found.seed, found.first()),
        None => format!("{name:<width$}  {:>8}  {histories:>9}  not found\n", "-"),
    }
}

/// Describes an error, its causes and what to do.
fn describe(error: &MutateError) -> String {
    let mut text = format!("error: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    let hint = error.help().map(|help| format!("hint: {help}\n")).unwrap_or_default();
    format!("{text}\n{hint}")
}

fn say(text: &str) {
    // A reader that has gone needs no text.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}
