//! The record of assumptions about AWS, `xtask/docs/aws.md`: its rows, the tests of the model, and the behaviours that are compared with the
//! emulator's name each other.

mod table;

use std::collections::BTreeSet;

use regex_lite::Regex;
use table::{PAGE, Row, rows};

use crate::{files, read};

const SOURCES: &str = "xtask/simulated-aws/src";
const AGREEMENT: &str = "xtask/tests/end_to_end/agreement.rs";

/// Modules of the model that imitate no service: the account, randomness, time and protocols.
const MACHINERY: [&str; 8] =
    ["account::", "bags::", "chance::", "faults::", "resources::", "stateful::", "time::", "wire::"];

/// Tests of the model's own machinery in the modules of services.
const OWN: [&str; 7] = [
    "cloudformation::template::tests::resources_are_ordered_and_circles_are_refused",
    "cloudformation::tests::histories::a_seed_repeats_a_history",
    "cloudformation::tests::histories::every_operation_ends_and_nothing_is_lost",
    "cloudformation::tests::histories::stacks_are_deployed_in_parallel",
    "cloudwatch::traffic::tests::counts_have_their_mean_and_grow_with_it",
    "s3::request::tests::chunks_are_joined_and_their_trailer_is_left_out",
    "sts::tests::lost_and_throttled_calls_are_repeated_by_the_sdk",
];

/// The tests in a file of the model, with their modules as nextest prints them.
fn tests_of(file: &str, source: &str) -> Vec<String> {
    let module = file.strip_prefix(SOURCES).unwrap_or(file).trim_start_matches('/').trim_end_matches(".rs");
    let module = module.trim_end_matches("/mod").trim_start_matches("lib").replace('/', "::");
    let test = Regex::new(r"#\[(?:tokio::)?test[^\n]*\n(?:\s*#\[[^\n]*\n)*\s*(?:async )?fn (\w+)").expect("a pattern");
    let inline = Regex::new(r"(?m)^mod (\w*tests) \{").expect("a pattern");
    let inline = inline.captures(source).map(|found| format!("::{}", &found[1])).unwrap_or_default();
    test.captures_iter(source).map(|found| format!("{module}{inline}::{}", &found[1])).collect()
}

fn tests() -> BTreeSet<String> {
    let sources = files(&[SOURCES]);
    sources.iter().filter(|file| file.ends_with(".rs")).flat_map(|file| tests_of(file, &read(file))).collect()
}

/// The behaviours that the test of agreement runs: the texts before the arrows of its list.
fn compared(source: &str) -> BTreeSet<String> {
    let entry = Regex::new(r#"(?m)^\s+"([^"\n]+)"\s+=>"#).expect("a pattern");
    entry.captures_iter(source).map(|found| found[1].to_owned()).collect()
}

/// Whether a behaviour is compared with the emulator's.
fn is_compared(row: &Row) -> bool {
    !row.emulator.starts_with("not compared: ")
}

fn page() -> Vec<Row> {
    rows(&read(PAGE))
}

fn assert_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{PAGE}: {} {what}:\n{}", found.len(), found.join("\n"));
}

#[test]
fn named_tests_exist() {
    let tests = tests();
    let named = page().into_iter().flat_map(|row| row.tests);
    assert_none("named tests do not exist", &named.filter(|test| !tests.contains(test)).collect::<Vec<_>>());
}

#[test]
fn tests_of_services_are_named() {
    let named: BTreeSet<_> = page().into_iter().flat_map(|row| row.tests).collect();
    let is_own = |test: &str| OWN.contains(&test) || MACHINERY.iter().any(|module| test.starts_with(module));
    let missing = tests().into_iter().filter(|test| !named.contains(test) && !is_own(test));
    assert_none("tests have no row; add one with the behaviour and its source", &missing.collect::<Vec<_>>());
    let stale = OWN.iter().filter(|own| !tests().contains(**own)).map(|own| (*own).to_owned());
    assert_none("tests of the list of the model's own do not exist", &stale.collect::<Vec<_>>());
}

#[test]
fn rows_have_sources() {
    let rows = page();
    assert!(rows.len() > 50, "{PAGE} has {} rows", rows.len());
    let is_wrong = |row: &&Row| {
        let is_assumed = row.source.starts_with("assumed: ");
        let is_known = ["agrees", "differs: ", "not compared: "].iter().any(|word| row.emulator.starts_with(word));
        row.source.len() < 8 || row.behavior.is_empty() || !is_known || is_assumed != (row.section == "Assumed")
    };
    assert_none(
        "rows lack a source or a result, or are assumed and in the wrong section",
        &rows.iter().filter(is_wrong).map(Row::line).collect::<Vec<_>>(),
    );
    let mut behaviors = BTreeSet::new();
    let twice: Vec<_> = rows.iter().filter(|row| !behaviors.insert(&row.behavior)).map(Row::line).collect();
    assert_none("behaviours have two rows", &twice);
}

#[test]
fn compared_rows_are_those_of_the_agreement_test() {
    let compared = compared(&read(AGREEMENT));
    assert!(compared.len() > 20, "{AGREEMENT} lists {} behaviours", compared.len());
    let rows: BTreeSet<_> = page().into_iter().filter(is_compared).map(|row| row.behavior).collect();
    assert_none(
        "rows are compared, but not by the test of agreement",
        &rows.difference(&compared).cloned().collect::<Vec<_>>(),
    );
    assert_none(
        "compared behaviours have no row that says so",
        &compared.difference(&rows).cloned().collect::<Vec<_>>(),
    );
}

#[test]
fn tests_are_found_in_all_their_forms() {
    let source = "#[tokio::test(start_paused = true)]\nasync fn one() {}\n    #[test]\n    #[ignore = \"x\"]\n    fn two() {}\nfn three() {}";
    let found = tests_of("xtask/simulated-aws/src/s3/tests.rs", source);
    assert_eq!(found, ["s3::tests::one", "s3::tests::two"]);
    let inline = format!("mod tests {{\n{source}\n}}");
    assert_eq!(
        tests_of("xtask/simulated-aws/src/lambda/mod.rs", &inline),
        ["lambda::tests::one", "lambda::tests::two"]
    );
    let listed = compared("behaviors! {\n    \"A lock is taken once\" => buckets::locks,\n}\n// \"no\" entry");
    assert_eq!(listed, ["A lock is taken once".to_owned()].into());
}

#[test]
fn rows_are_read_from_tables_of_behaviours_only() {
    let page = "## S3\n\n| parameter | value |\n| --- | --- |\n| a | b |\n\n| behaviour | source | test | MiniStack |\n| --- | --- | --- | --- |\n\
                | x | page | `s3::a`, `s3::b` | agrees |\n";
    let found = rows(page);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].line(), "S3: | x | page | `s3::a`, `s3::b` | agrees |");
    assert!(is_compared(&found[0]));
}
