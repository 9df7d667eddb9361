//! The help of every command, as a user reads it.

use std::fmt::Write;

use crate::cloud::{text, workspace};

/// Columns of the terminal that the pages are wrapped to.
const COLUMNS: &str = "100";

#[test]
fn every_command_has_a_help_page() {
    let mut pages = String::new();
    page(&[], &mut pages);
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

/// The commands that a page lists.
fn commands(page: &str) -> Vec<String> {
    let listed = page.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| !line.is_empty());
    // A continued description is indented further.
    let names = listed.filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}
