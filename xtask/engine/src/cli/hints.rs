//! Every command in a message is complete: the command line parses it.

use camino::{Utf8Path, Utf8PathBuf};
use model::example::Example;

use crate::application::Application;

/// The crates whose messages name commands.
const CRATES: [&str; 3] = ["xtask/engine/src", "xtask/plan/src", "stacks/model/src"];
/// How a command in a message begins.
const COMMAND: &str = "`cargo xtask ";
/// The placeholder in the description of all commands.
const ANY_COMMAND: &str = "<COMMAND>";

#[test]
fn every_command_in_a_message_runs_as_printed() {
    let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (mut count, mut wrong) = (0, Vec::new());
    for file in CRATES.iter().flat_map(|folder| sources_below(&root.join(folder))) {
        let text = fs_err::read_to_string(&file).expect("a readable source");
        for command in commands(&messages(&text)) {
            count += 1;
            wrong.extend(problem(&command).map(|problem| format!("{file}: `cargo xtask {command}`: {problem}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 40, "only {count} commands were read");
}

#[test]
fn incomplete_commands_are_found() {
    for (command, expected) in [
        ("deploy --stage <STAGE>", "has a placeholder"),
        ("deploy", "--stage"),
        ("deploy --stage {stage} --sytem {system}", "--sytem"),
    ] {
        assert!(problem(command).is_some_and(|problem| problem.contains(expected)), "{command}");
    }
    for command in ["deploy --stage {stage}", "man | man -l -", "ci {}"] {
        assert_eq!(problem(command), None, "{command}");
    }
}

#[test]
fn commands_are_read_from_messages_alone() {
    let text = "/// See `cargo xtask plan`.\n#[diagnostic(help(\"run `cargo xtask \\\n     doctor --stage {stage}` (again), or `git fetch`\"))]\n\
                ui.say(\"`cargo xtask lock show`\");\n#[cfg(test)]\nmod tests {\n    const A: &str = \"`cargo xtask a`\";\n}";
    assert_eq!(commands(&messages(text)), ["doctor --stage {stage}", "lock show"]);
}

/// Returns the source without its tests and comments, with the lines of each text joined.
fn messages(source: &str) -> String {
    // Unit tests come last in a file.
    let product = source.split_once("#[cfg(test)]\nmod tests {").map_or(source, |(product, _)| product);
    let lines = product.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.fold(String::new(), |text, line| match text.strip_suffix('\\') {
        Some(text) => format!("{text}{}", line.trim_start()),
        None => format!("{text}\n{line}"),
    })
}

/// The arguments of each command in a text.
fn commands(text: &str) -> Vec<String> {
    let commands = text.split(COMMAND).skip(1).filter_map(|rest| Some(rest.split_once('`')?.0.to_owned()));
    commands.filter(|command| !command.contains(ANY_COMMAND)).collect()
}

/// Returns what is wrong with a command's arguments.
fn problem(command: &str) -> Option<String> {
    if command.contains(['<', '>']) {
        return Some("has a placeholder that the reader must replace".to_owned());
    }
    let arguments = command.split('|').next().unwrap_or_default();
    let words = ["cargo xtask".to_owned()].into_iter().chain(arguments.split_whitespace().map(filled_in));
    let parsed = super::command(&Application::new(Example)).try_get_matches_from(words);
    parsed.err().map(|error| error.to_string())
}

/// Replaces a value that the program fills in, such as `{stage}`.
fn filled_in(word: &str) -> String {
    match word {
        // The argument of `ci`.
        "{}" => "templates".to_owned(),
        _ if word.starts_with('{') => "1".to_owned(),
        _ => word.to_owned(),
    }
}

fn sources_below(folder: &Utf8Path) -> Vec<Utf8PathBuf> {
    let mut files = Vec::new();
    for entry in folder.read_dir_utf8().expect("a readable folder") {
        let path = entry.expect("an entry").into_path();
        if path.is_dir() {
            files.extend(sources_below(&path));
        } else if path.extension() == Some("rs") && !matches!(path.file_name(), Some("hints.rs" | "tests.rs")) {
            files.push(path);
        }
    }
    files
}
