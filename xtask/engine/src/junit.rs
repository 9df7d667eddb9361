//! Which tests failed, from the JUnit report that cargo-nextest writes. Nothing else of it is read.

use camino::Utf8Path;
use miette::Diagnostic;
use thiserror::Error;
use xmlparser::{ElementEnd, Token, Tokenizer};

/// Where the profile `ci` of `.config/nextest.toml` has the report written, below the workspace's root.
pub const REPORT: &str = "target/nextest/ci/junit.xml";

/// The report cannot be read.
#[derive(Debug, Error, Diagnostic)]
pub enum JunitError {
    /// The file cannot be read.
    #[error("failed to read the report of the tests")]
    Access(#[from] std::io::Error),
    /// It is no XML.
    #[error("the report of the tests is no XML")]
    NoXml(#[from] xmlparser::Error),
}

/// The tests that failed, each with its binary, by name: the report has them as they ended.
///
/// # Errors
///
/// When there is no report, or it is none.
pub fn failed(report: &Utf8Path) -> Result<Vec<String>, JunitError> {
    failed_in(&fs_err::read_to_string(report)?)
}

fn failed_in(report: &str) -> Result<Vec<String>, JunitError> {
    let mut failed = Vec::new();
    // The test that the following elements are about: its binary and its name.
    let (mut element, mut test) = ("", ["", ""]);
    for token in Tokenizer::from(report) {
        match token? {
            Token::ElementStart { local, .. } => {
                element = local.as_str();
                if element == "testcase" {
                    test = ["", ""];
                }
            }
            Token::Attribute { local, value, .. } if element == "testcase" => match local.as_str() {
                "classname" => test[0] = value.as_str(),
                "name" => test[1] = value.as_str(),
                _ => {}
            },
            // A test that passed when it was tried again has other elements.
            Token::ElementEnd { end: ElementEnd::Open | ElementEnd::Empty, .. }
                if matches!(element, "failure" | "error") =>
            {
                failed.push(test.join(" "));
            }
            _ => {}
        }
    }
    failed.sort_unstable();
    Ok(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_named_and_what_passed_or_passed_at_last_is_not() {
        let report = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="nextest-run" tests="4" failures="2" errors="0" uuid="x" timestamp="2026-01-01T00:00:00.000+00:00" time="0.1">
    <testsuite name="xtask" tests="4" disabled="0" errors="0" failures="2">
        <testcase name="plan::passes" classname="xtask" timestamp="x" time="0.004"></testcase>
        <testcase name="zip::fails" classname="xtask" timestamp="x" time="0.004">
            <failure message="thread panicked at &lt;here&gt;" type="test failure with exit code 101">a &lt;failure&gt; text</failure>
            <system-out>&lt;failure type="none"/&gt;</system-out>
        </testcase>
        <testcase name="stuck" classname="feeds" timestamp="x" time="9">
            <failure type="test timeout"/>
        </testcase>
        <testcase name="shaky" classname="xtask" timestamp="x" time="9">
            <flakyFailure type="test failure"/>
        </testcase>
    </testsuite>
</testsuites>"#;
        assert_eq!(failed_in(report).expect("a report"), ["feeds stuck", "xtask zip::fails"]);
        assert!(failed_in("no report").is_err(), "text is no report");
        failed(Utf8Path::new("missing.xml")).expect_err("no file");
    }
}
