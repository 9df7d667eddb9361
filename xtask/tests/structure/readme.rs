//! The README's examples: each is part of a file that another test writes, compiles or compares.

use crate::read;

const SNAPSHOT: &str = "xtask/tests/end_to_end/snapshots/end_to_end__offline__plan_text.snap";
const WORKSPACE: &str = "xtask/engine/tests/workspace";

/// The first line of a block that is copied from a file.
const COPIED: [(&str, &str); 5] = [
    ("    ~ RawMediaBucket (AWS::S3::Bucket): updated", SNAPSHOT),
    ("fn notes(stage: &Stage) -> System {", "stacks/src/lib.rs"),
    ("fn main() -> std::process::ExitCode {", "xtask/src/main.rs"),
    ("pub struct Project;", "stacks/src/lib.rs"),
    ("account: \"000000000000\"", "stacks/stages/local.yaml"),
];

/// The code blocks outside lists, without their indentation.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block: Vec<&str> = Vec::new();
    for line in page.lines().chain(["the end of the page"]) {
        match line.strip_prefix("    ") {
            Some(code) => block.push(code),
            None if line.is_empty() => block.push(line),
            None => blocks.push(std::mem::take(&mut block).join("\n").trim_matches('\n').to_owned()),
        }
    }
    blocks
}

#[test]
fn examples_are_parts_of_their_sources() {
    let blocks = blocks(&read("README.md"));
    for (first, file) in COPIED {
        let block = blocks.iter().find(|block| block.lines().next() == Some(first));
        let block = block.unwrap_or_else(|| panic!("README.md has no block that starts with `{first}`"));
        let file = if file == SNAPSHOT { file.to_owned() } else { format!("{WORKSPACE}/{file}") };
        assert!(read(&file).contains(block), "README.md has a block that is no part of {file}:\n{block}");
    }
}
