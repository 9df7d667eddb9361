//! The help of every command, as a user reads it.

use std::fmt::Write;

use crate::cloud::{text, workspace};

/// Columns of the terminal that the pages are wrapped to.
const COLUMNS: &str = "100";

#[test]
fn every_command_has_a_help_page() {
    let mut pages = String::new();
    page(&[], &mut pages);
    for verb in ["deploy", "release show", "lock break", "local sign-in", "schema"] {
        assert!(pages.contains(&format!("Usage: cargo xtask {verb}")), "no page of {verb}");
    }
    insta::assert_snapshot!("help", pages);
}

/// The page of a command, and of every command below it.
fn page(command: &[String], pages: &mut String) {
    let mut help = std::process::Command::new(env!("CARGO_BIN_EXE_xtask"));
    let output = help.args(command).arg("-h").env("COLUMNS", COLUMNS).current_dir(workspace()).output();
    let output = output.expect("xtask starts");
    assert!(output.status.success(), "{command:?}\n{}", text(&output));
    let page_text = String::from_utf8(output.stdout).expect("UTF-8");
    // Editors remove trailing spaces.
    for line in page_text.lines() {
        writeln!(pages, "{}", line.trim_end()).expect("writing to a string");
    }
    writeln!(pages, "\n----\n").expect("writing to a string");
    for name in commands(&page_text) {
        page(&[command, &[name]].concat(), pages);
    }
}

/// The commands that a page lists, below any heading but those of its arguments and options.
fn commands(page: &str) -> Vec<String> {
    let mut heading = "";
    let mut names = Vec::new();
    for line in page.lines() {
        match line.strip_suffix(':').filter(|_| !line.starts_with(' ')) {
            Some(title) => heading = title,
            None if line.is_empty() || matches!(heading, "" | "Arguments" | "Options") => {}
            // A continued description is indented further.
            None => names.extend(line.strip_prefix("  ").filter(|line| !line.starts_with(' '))),
        }
    }
    let names = names.into_iter().filter_map(|line: &str| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}
