//! Every command in a hint is complete: the command line parses it.

use camino::{Utf8Path, Utf8PathBuf};
use model::example::Example;

use crate::application::Application;

/// The crates whose errors have hints.
const CRATES: [&str; 3] = ["xtask/engine/src", "xtask/plan/src", "stacks/model/src"];
/// How a command in a hint begins.
const COMMAND: &str = "`cargo xtask ";

#[test]
fn every_command_in_a_hint_is_parsed() {
    let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut count = 0;
    for file in CRATES.iter().flat_map(|folder| sources_below(&root.join(folder))) {
        let text = fs_err::read_to_string(&file).expect("a readable source");
        for command in hints(&text).flat_map(commands) {
            let words = ["cargo xtask".to_owned()].into_iter().chain(command.split_whitespace().map(substitute));
            let parsed = super::command(&Application::new(Example)).try_get_matches_from(words);
            assert!(parsed.is_ok(), "{file}: `cargo xtask {command}`: {}", parsed.expect_err("an error"));
            count += 1;
        }
    }
    assert!(count > 20, "only {count} hints were read");
}

#[test]
fn commands_are_read_from_hints_alone() {
    let text = "/// See `cargo xtask plan`.\n#[diagnostic(help(\"run `cargo xtask \\\n     doctor --stage {stage}` (again), or `git fetch`\"))]\n\
                #[error(\"`cargo xtask lock`\")]";
    let commands: Vec<_> = hints(text).flat_map(commands).collect();
    assert_eq!(commands, ["doctor --stage {stage}"]);
}

/// The texts of the `help` attributes, with their lines joined.
fn hints(source: &str) -> impl Iterator<Item = String> {
    source.split("diagnostic(help(").skip(1).map(|rest| {
        let end = rest.find("))]").unwrap_or(rest.len());
        let mut lines = rest[..end].split("\\\n");
        let first = lines.next().unwrap_or_default().to_owned();
        lines.fold(first, |text, line| text + line.trim_start())
    })
}

/// The arguments of each command in a hint.
fn commands(hint: String) -> Vec<String> {
    let commands = hint.split(COMMAND).skip(1);
    commands.filter_map(|rest| Some(rest.split_once('`')?.0.to_owned())).collect()
}

/// Replaces a placeholder, such as `{stage}` or `<STAGE>`, by a value.
fn substitute(word: &str) -> String {
    match word {
        // The argument of `ci`.
        "{}" => "templates".to_owned(),
        _ if word.starts_with(['{', '<']) => "1".to_owned(),
        _ => word.to_owned(),
    }
}

fn sources_below(folder: &Utf8Path) -> Vec<Utf8PathBuf> {
    let mut files = Vec::new();
    for entry in folder.read_dir_utf8().expect("a readable folder") {
        let path = entry.expect("an entry").into_path();
        if path.is_dir() {
            files.extend(sources_below(&path));
        } else if path.extension() == Some("rs") && path.file_name() != Some("hints.rs") {
            files.push(path);
        }
    }
    files
}
