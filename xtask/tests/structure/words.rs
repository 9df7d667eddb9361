//! Words that user-facing text does not use.

use regex_lite::Regex;

use crate::{files, literals, read, root};

const WORDS: &str = r"(?i)\b(mend(s|ed|ing)?|told|tells|whoever|whatever|nobody|shatter(s|ed|ing)?|goes\s+on|look\s+twice|taken\s+back|came\s+to\s+be)\b";

/// Texts of resources in deployed templates, which would change with them.
const DEPLOYED: [&str; 1] = ["\"The worker reported something that nobody understands.\""];

/// The lines of a text that use one of the words.
fn found(name: &str, text: &str) -> Vec<String> {
    let words = Regex::new(WORDS).expect("a pattern");
    let line = |start: usize| text[..start].lines().count().max(1);
    words.find_iter(text).map(|word| format!("{name}:{}: {}", line(word.start()), word.as_str())).collect()
}

fn assert_none(found: &[String]) {
    assert!(found.is_empty(), "{} uses of words that STYLE avoids:\n{}", found.len(), found.join("\n"));
}

#[test]
fn pages_use_none() {
    let pages = files(&["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "xtask/docs"]);
    let pages = pages.iter().filter(|file| file.ends_with(".md"));
    assert_none(&pages.flat_map(|file| found(file, &read(file))).collect::<Vec<_>>());
}

#[test]
fn workflows_use_none() {
    let workflows = files(&[".github/workflows"]);
    assert_none(&workflows.iter().flat_map(|file| found(file, &read(file))).collect::<Vec<_>>());
}

#[test]
fn help_uses_none() {
    let mut all = Vec::new();
    help(&[], &mut all);
    assert_none(&all);
}

/// Checks the long help of a command and of every command below it.
fn help(command: &[String], all: &mut Vec<String>) {
    let mut process = std::process::Command::new(env!("CARGO_BIN_EXE_xtask"));
    let output = process.args(command).arg("--help").current_dir(root()).output().expect("xtask starts");
    assert!(output.status.success(), "{command:?}");
    let page = String::from_utf8(output.stdout).expect("UTF-8");
    all.extend(found(&format!("{} --help", command.join(" ")), &page));
    for name in commands(&page) {
        help(&[command, &[name]].concat(), all);
    }
}

/// The commands that a help page lists, below any heading but those of its own arguments.
fn commands(page: &str) -> Vec<String> {
    let mut is_list = false;
    let mut names = Vec::new();
    for line in page.lines() {
        if let Some(heading) = line.strip_suffix(':').filter(|heading| !heading.starts_with(' ')) {
            is_list = !matches!(heading, "Options" | "Arguments" | "bash" | "fish");
        } else if line.is_empty() {
            is_list = false;
        }
        let name = line.strip_prefix("  ").filter(|rest| is_list && !rest.starts_with(' '));
        names.extend(
            name.and_then(|rest| rest.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned),
        );
    }
    names
}

#[test]
fn messages_use_none() {
    let continued = Regex::new(r"\\\n\s*").expect("a pattern");
    let sources = files(&["xtask/engine/src", "xtask/plan/src", "stacks/model/src", "stacks/src", "xtask/src"]);
    let mut all = Vec::new();
    for file in sources.iter().filter(|file| file.ends_with(".rs") && !is_for_tests(file)) {
        for (line, literal) in literals::of(&read(file)) {
            let literal = continued.replace_all(&literal, "");
            if DEPLOYED.contains(&&*literal) {
                continue;
            }
            all.extend(found("", &literal).iter().map(|_| format!("{file}:{line}: {literal}")));
        }
    }
    assert_none(&all);
}

fn is_for_tests(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    file.contains("/tests/") || name == "tests.rs" || name == "testing.rs" || name.ends_with("_tests.rs")
}
