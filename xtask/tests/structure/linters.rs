//! The accepted findings of the linters: the table in xtask/docs/security.md is the project's file of exceptions.

use serde_json::Value;

use crate::read;

const PAGE: &str = "xtask/docs/security.md";
const EXCEPTIONS: &str = ".github/linter-exceptions.yml";

/// A field of an exception that is text.
fn field<'a>(exception: &'a Value, name: &str) -> &'a str {
    exception[name].as_str().unwrap_or_else(|| panic!("{exception} has no {name}"))
}

/// The exceptions as a table.
fn table(exceptions: &str) -> String {
    let file: Value = serde_yaml::from_str(exceptions).expect("YAML");
    let mut table = "| linter | rule | places | reason |\n| --- | --- | --- | --- |\n".to_owned();
    for exception in file["exceptions"].as_array().expect("a list of exceptions") {
        let places = exception["places"].as_array().expect("places").iter();
        let places: Vec<_> = places.map(|place| format!("`{}`", place.as_str().expect("a place"))).collect();
        let (linter, rule, reason) =
            (field(exception, "linter"), field(exception, "rule"), field(exception, "reason").trim());
        table += &format!("| {linter} | {rule} | {} | {reason} |\n", places.join("<br>"));
    }
    table
}

#[test]
fn the_page_lists_every_exception_with_its_reason() {
    let table = table(&read(EXCEPTIONS));
    assert!(read(PAGE).contains(&table), "{PAGE} should have this table:\n{table}");
}
