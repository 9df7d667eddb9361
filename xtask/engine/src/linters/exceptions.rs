//! The project's exceptions for the linters: a committed file, in which each entry has a reason.
//!
//! An exception holds for a rule at places. Every place must match a finding, so that no entry outlives its finding.

use camino::Utf8Path;
use miette::Diagnostic;
use serde::Deserialize;
use thiserror::Error;

use super::{Finding, Linter};

/// The file, in the workspace.
pub(crate) const FILE: &str = ".github/linter-exceptions.yml";

/// The exceptions cannot be read.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum ExceptionsError {
    /// The file cannot be read.
    #[error("failed to read {FILE}")]
    #[diagnostic(help("check the file's permissions"))]
    Read {
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The file has another form.
    #[error("failed to parse {FILE}")]
    #[diagnostic(help("write `exceptions:`, a list whose entries have `linter`, `rule`, `places` and `reason`"))]
    Parse {
        /// The parser's error.
        source: serde_yaml::Error,
    },
    /// An entry lacks a reason, a rule or a place.
    #[error("failed to use {FILE}: the exception of {linter} for rule `{rule}` has {problem}")]
    #[diagnostic(help(
        "write the name of one rule without `*`, at least one place, and why the finding is safe there"
    ))]
    Entry {
        /// The linter.
        linter: &'static str,
        /// The rule.
        rule: String,
        /// What is wrong.
        problem: &'static str,
    },
}

/// The content of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exceptions {
    exceptions: Vec<Exception>,
}

/// Findings of one rule that the project accepts, for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    linter: Linter,
    rule: String,
    /// Places, as the findings name them; `*` is any text.
    places: Vec<String>,
    reason: String,
}

/// What a linter's findings mean, given the exceptions.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict<'a> {
    /// The findings without an exception.
    pub(crate) unexpected: Vec<&'a Finding>,
    /// The rules and places of exceptions that match no finding.
    pub(crate) superfluous: Vec<(&'a str, &'a str)>,
    /// The number of findings that exceptions cover.
    pub(crate) excepted: usize,
}

impl Exceptions {
    /// Reads the workspace's file. Without the file, there are no exceptions.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or an entry is incomplete.
    pub(crate) fn read(root: &Utf8Path) -> Result<Self, ExceptionsError> {
        match fs_err::read_to_string(root.join(FILE)) {
            Ok(text) => Self::parse(&text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(ExceptionsError::Read { source }),
        }
    }

    fn parse(text: &str) -> Result<Self, ExceptionsError> {
        let parsed: Self = serde_yaml::from_str(text).map_err(|source| ExceptionsError::Parse { source })?;
        match parsed.exceptions.iter().find_map(|exception| Some((exception, exception.problem()?))) {
            Some((Exception { linter, rule, .. }, problem)) => {
                Err(ExceptionsError::Entry { linter: linter.name(), rule: rule.clone(), problem })
            }
            None => Ok(parsed),
        }
    }

    /// Compares the findings of a linter with the exceptions for it. The first place that matches a finding takes it.
    pub(crate) fn judge<'a>(&'a self, linter: Linter, findings: &'a [Finding]) -> Verdict<'a> {
        let exceptions = self.exceptions.iter().filter(|exception| exception.linter == linter);
        let places: Vec<(&str, &str)> = exceptions
            .flat_map(|exception| exception.places.iter().map(|place| (exception.rule.as_str(), place.as_str())))
            .collect();
        let mut is_used = vec![false; places.len()];
        let mut unexpected = Vec::new();
        for finding in findings {
            let covers = |(rule, place): &(&str, &str)| *rule == finding.rule && matches(place, &finding.place);
            match places.iter().position(covers).and_then(|index| is_used.get_mut(index)) {
                Some(used) => *used = true,
                None => unexpected.push(finding),
            }
        }
        let superfluous = places.into_iter().zip(is_used).filter(|(_, used)| !used).map(|(place, _)| place).collect();
        Verdict { excepted: findings.len() - unexpected.len(), unexpected, superfluous }
    }
}

impl Exception {
    fn problem(&self) -> Option<&'static str> {
        let is_blank = |text: &String| text.trim().is_empty();
        if is_blank(&self.rule) || self.rule.contains('*') {
            Some("no exact rule")
        } else if self.places.is_empty() || self.places.iter().any(is_blank) {
            Some("no place")
        } else if is_blank(&self.reason) {
            Some("no reason")
        } else {
            None
        }
    }
}

impl Verdict<'_> {
    /// Whether the check passes.
    pub(crate) fn is_clean(&self) -> bool {
        self.unexpected.is_empty() && self.superfluous.is_empty()
    }
}

/// Returns whether a text matches a pattern, in which `*` is any text.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        // The first occurrence leaves the most text for the parts that follow.
        let Some((_, after)) = text.split_once(part) else { return false };
        text = after;
    }
    text.ends_with(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "exceptions:\n\
        - linter: checkov\n  rule: CKV_AWS_18\n  places: ['templates/*/notes-api.yaml:AWS::S3::Bucket.*']\n  reason: No reader.\n\
        - linter: zizmor\n  rule: artipacked\n  places: [a, b]\n  reason: |\n    The token\n    reads.\n";

    fn finding(rule: &str, place: &str) -> Finding {
        Finding { rule: rule.to_owned(), place: place.to_owned(), line: 1, title: "A title".to_owned() }
    }

    #[test]
    fn the_file_is_read_and_a_missing_one_has_no_exceptions() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = Utf8Path::from_path(folder.path()).expect("UTF-8");
        assert_eq!(Exceptions::read(root).expect("no file"), Exceptions::default());
        fs_err::create_dir(root.join(".github")).expect("created");
        fs_err::write(root.join(FILE), TEXT).expect("written");
        let read = Exceptions::read(root).expect("a file");
        assert_eq!(read, Exceptions::parse(TEXT).expect("exceptions"));
        assert_eq!(read.exceptions[1].places, ["a", "b"]);
        assert_eq!(Exceptions::parse("exceptions: []\n").expect("an empty list"), Exceptions::default());
    }

    #[test]
    fn an_entry_without_a_reason_a_rule_or_a_place_is_refused() {
        let refused = |from: &str, to: &str| {
            assert!(TEXT.contains(from), "{from}");
            Exceptions::parse(&TEXT.replace(from, to)).expect_err(to)
        };
        for (from, to, said) in [
            ("reason: No reader.", "reason: ' '", "checkov for rule `CKV_AWS_18` has no reason"),
            ("rule: CKV_AWS_18", "rule: CKV_*", "has no exact rule"),
            ("rule: artipacked", "rule: ''", "has no exact rule"),
            ("places: [a, b]", "places: []", "zizmor for rule `artipacked` has no place"),
            ("places: [a, b]", "places: [a, '']", "has no place"),
        ] {
            let error = refused(from, to).to_string();
            assert!(error.contains(said), "{error}");
        }
        for (from, to) in [
            ("  reason: No reader.\n", ""),
            ("linter: zizmor", "linter: zizmo"),
            ("places: [a, b]", "place: a"),
            ("exceptions:\n", ""),
        ] {
            let error = refused(from, to);
            assert!(matches!(error, ExceptionsError::Parse { .. }), "{to}: {error}");
        }
    }

    #[test]
    fn a_new_finding_and_a_superfluous_entry_are_found() {
        let exceptions = Exceptions::parse(TEXT).expect("exceptions");
        let known = finding("CKV_AWS_18", "templates/dev/notes-api.yaml:AWS::S3::Bucket.Notes");
        let (rule, place) = (finding("CKV_AWS_21", &known.place), finding(&known.rule, "templates/dev/other.yaml:X.Y"));
        let all = [known.clone(), rule.clone(), known.clone(), place.clone()];
        let verdict = exceptions.judge(Linter::Checkov, &all);
        assert_eq!(verdict, Verdict { unexpected: vec![&rule, &place], superfluous: vec![], excepted: 2 });
        assert!(!verdict.is_clean());
        assert!(exceptions.judge(Linter::Checkov, std::slice::from_ref(&known)).is_clean());
        let superfluous = exceptions.judge(Linter::Checkov, &[]).superfluous;
        assert_eq!(superfluous, [("CKV_AWS_18", "templates/*/notes-api.yaml:AWS::S3::Bucket.*")]);
        // The exceptions of the other linter are not judged, and each place of an entry counts.
        let found = [finding("artipacked", "b")];
        let verdict = exceptions.judge(Linter::Zizmor, &found);
        assert_eq!((verdict.superfluous, verdict.unexpected.len()), (vec![("artipacked", "a")], 0));
    }

    #[test]
    fn a_place_that_an_earlier_one_covers_is_superfluous() {
        let text = TEXT.replace("places: [a, b]", "places: ['*', b]");
        let exceptions = Exceptions::parse(&text).expect("exceptions");
        let found = [finding("artipacked", "b")];
        assert_eq!(exceptions.judge(Linter::Zizmor, &found).superfluous, [("artipacked", "b")]);
    }

    #[test]
    fn a_star_is_any_text_and_nothing_else_is_special() {
        for (pattern, text, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("a*", "a", true),
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("a*b*c", "a-b-b-c", true),
            ("ab*ba", "aba", false),
            ("*.b*", "a.b", true),
            ("*.b", "axb", false),
            ("**", "a", true),
            ("a?", "ab", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn a_text_with_any_part_replaced_by_a_star_matches(text in "[ab.*]{0,8}", from in 0usize..9, to in 0usize..9) {
            let (from, to) = (from.min(to).min(text.len()), from.max(to).min(text.len()));
            let pattern = format!("{}*{}", &text[..from], &text[to..]);
            prop_assert!(matches(&pattern, &text), "{} {}", pattern, text);
        }
    }
}
