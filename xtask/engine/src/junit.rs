//! Reads which tests failed from the JUnit report of cargo-nextest.

use camino::Utf8Path;
use miette::Diagnostic;
use thiserror::Error;
use xmlparser::{ElementEnd, Token, Tokenizer};

/// The report's path below the workspace's root, as the profile `ci` of `.config/nextest.toml` sets it.
pub(crate) const REPORT: &str = "target/nextest/ci/junit.xml";

/// The report cannot be read.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum JunitError {
    /// The file cannot be read.
    #[error("failed to read the test report")]
    Access(#[from] std::io::Error),
    /// The report is not XML.
    #[error("failed to parse the test report as XML")]
    NoXml(#[from] xmlparser::Error),
}

/// Returns the failed tests, each with its binary, sorted.
///
/// # Errors
///
/// When there is no report, or it is not XML.
pub(crate) fn failed(report: &Utf8Path) -> Result<Vec<String>, JunitError> {
    failed_in(&fs_err::read_to_string(report)?)
}

fn failed_in(report: &str) -> Result<Vec<String>, JunitError> {
    let mut failed = Vec::new();
    // The binary and the name of the current test case.
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
            // A flaky test, which passed at the end, has other elements.
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
    fn failed_tests_are_named_and_flaky_ones_are_not() {
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
        assert!(failed_in("no report").is_err(), "text is not a report");
        failed(Utf8Path::new("missing.xml")).expect_err("no file");
    }
}
