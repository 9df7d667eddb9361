//! The README's examples: each is part of a file that another test writes, compiles or compares.

use crate::read;

const SNAPSHOT: &str = "xtask/tests/end_to_end/snapshots/end_to_end__offline__plan_text.snap";
const WORKSPACE: &str = "xtask/engine/tests/workspace";

/// The first line of a block that is copied from a file: one of [`WORKSPACE`], unless it is named from the root.
const COPIED: [(&str, &str); 9] = [
    ("    ~ RawMediaBucket (AWS::S3::Bucket): updated", SNAPSHOT),
    ("fn main() -> std::process::ExitCode {", "xtask/src/main.rs"),
    ("pub struct Project;", "stacks/src/lib.rs"),
    ("account: \"000000000000\"", "stacks/stages/local.yaml"),
    ("//! The contract of the system `notes`.", "/stacks/model/tests/guide/notes_contract.rs"),
    ("//! The function `api`: serves the notes.", "/lambdas/common/tests/guide/api.rs"),
    ("//! Starts the function `api`.", "/lambdas/common/tests/guide/bin_api.rs"),
    ("//! Starts the function `sweep`.", "/lambdas/common/tests/guide/bin_sweep.rs"),
    ("//! The system `notes`: users, a table, an API, a schedule and an alarm.", "/stacks/model/tests/guide/notes.rs"),
];

/// The code blocks, without their indentation.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block: Vec<&str> = Vec::new();
    for line in page.lines().chain(["the end of the page"]) {
        match line.strip_prefix("    ") {
            Some(code) => block.push(code),
            None if line.is_empty() => block.push(line),
            None => blocks.push(unindented(&std::mem::take(&mut block))),
        }
    }
    blocks
}

/// A block without the blank lines around it, and without the three columns by which a list indents its own.
fn unindented(block: &[&str]) -> String {
    let first = block.iter().find(|line| !line.is_empty()).copied().unwrap_or_default();
    let of_list = (first.len() - first.trim_start().len()) % 4;
    let lines: Vec<_> = block.iter().map(|line| line.get(of_list..).unwrap_or_default()).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

#[test]
fn examples_are_parts_of_their_sources() {
    let blocks = blocks(&read("README.md"));
    for (first, file) in COPIED {
        let block = blocks.iter().find(|block| block.lines().next() == Some(first));
        let block = block.unwrap_or_else(|| panic!("README.md has no block that starts with `{first}`"));
        let file = match file.strip_prefix('/') {
            Some(file) => file.to_owned(),
            None if file == SNAPSHOT => file.to_owned(),
            None => format!("{WORKSPACE}/{file}"),
        };
        assert!(read(&file).contains(block), "README.md has a block that is no part of {file}:\n{block}");
    }
}
