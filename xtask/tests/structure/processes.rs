//! Which code may start programs: git and cargo must not inherit the repository of a git hook.

use regex_lite::Regex;

use crate::{files, read};

/// The only module that creates commands.
const MODULE: &str = "xtask/engine/src/process.rs";
/// Code that starts programs itself, and why it may.
const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "xtask/engine/src/local/",
        "the local cloud starts with an empty environment, and `ps` and `sleep` read no repository",
    ),
    ("xtask/engine/src/commands/completions.rs", "a test starts shells"),
    ("xtask/engine/src/python.rs", "a test writes a program with a shell"),
];

#[test]
fn only_one_module_starts_git() {
    let git = Regex::new(r#"(?:new|command|run)\(\s*"git""#).expect("a pattern");
    let sources = files(&["xtask", "stacks", "lambdas"]).into_iter().filter(|file| file.ends_with(".rs"));
    let others: Vec<_> = sources.filter(|file| file != MODULE && git.is_match(&read(file))).collect();
    assert_eq!(others, Vec::<String>::new(), "start git with `engine::process::git`");
}

#[test]
fn only_one_module_of_the_tool_starts_programs() {
    let command = Regex::new(r"(clap::)?\bCommand::new\(").expect("a pattern");
    let starts = |file: &String| command.captures_iter(&read(file)).any(|found| found.get(1).is_none());
    let is_excepted = |file: &String| EXCEPTIONS.iter().any(|(path, _)| file.starts_with(path));
    let sources = files(&["xtask/engine/src", "xtask/src", "xtask/verbs", "stacks"])
        .into_iter()
        .filter(|file| file.ends_with(".rs"));
    let others: Vec<_> = sources.filter(|file| file != MODULE && !is_excepted(file) && starts(file)).collect();
    assert_eq!(others, Vec::<String>::new(), "start programs with `engine::process::command`");
}
