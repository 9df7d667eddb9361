//! checkov, which audits templates: its command line, its folder, and the findings in its output.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;

use super::{Finding, LinterError};
use crate::python::Program;

/// The program, and how it is installed.
pub(crate) const CHECKOV: Program =
    Program { name: "checkov", folder: "checkov-venv", requirements: include_str!("requirements.txt") };

/// The folder that it audits, in the folder that it runs in.
const FOLDER: &str = "templates";

/// The arguments. The folder is a relative path: some rules read resolved references, which contain the path, so an absolute one would
/// give each checkout its own findings.
pub(super) const ARGUMENTS: &[&str] = &[
    "--framework",
    "cloudformation",
    "--skip-download",
    "--compact",
    "--soft-fail",
    "--output",
    "json",
    "--directory",
    FOLDER,
];

/// The environment: no look-up of newer versions.
pub(super) const ENVIRONMENT: (&str, &str) = ("CKV_SKIP_PACKAGE_UPDATE_CHECK", "True");

/// Its output: a report, or only a summary if it read no resource.
#[derive(Deserialize)]
#[serde(untagged)]
enum Output {
    Report {
        results: Results,
    },
    Empty {
        #[serde(rename = "resource_count")]
        _resources: usize,
    },
}

#[derive(Deserialize)]
struct Results {
    failed_checks: Vec<Found>,
    /// The findings that a template's own metadata hides.
    skipped_checks: Vec<Found>,
    parsing_errors: Vec<String>,
}

#[derive(Deserialize)]
struct Found {
    check_id: String,
    check_name: String,
    /// Relative to the folder, with a slash before it.
    file_path: String,
    resource: String,
    file_line_range: (usize, usize),
}

/// Copies the templates into a folder that holds nothing else, so that no settings file has an effect. Returns their number.
///
/// # Errors
///
/// When a file cannot be read or written.
pub(super) fn copy_templates(templates: &Utf8Path, directory: &Utf8Path) -> std::io::Result<usize> {
    if templates.is_dir() { copy(templates, &directory.join(FOLDER)) } else { Ok(0) }
}

fn copy(from: &Utf8Path, to: &Utf8Path) -> std::io::Result<usize> {
    fs_err::create_dir_all(to)?;
    let mut copied = 0;
    for entry in from.read_dir_utf8()? {
        let path = entry?.into_path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() {
            copied += copy(&path, &to.join(name))?;
        } else if !name.starts_with('.') {
            fs_err::copy(&path, to.join(name))?;
            copied += 1;
        }
    }
    Ok(copied)
}

/// Returns the findings in the program's output.
///
/// # Errors
///
/// When the output has another form, or the program could not read a template.
pub(super) fn findings(output: &[u8]) -> Result<Vec<Finding>, LinterError> {
    let parsed = serde_json::from_slice(output);
    let results = match parsed.map_err(|source| LinterError::Output { linter: CHECKOV.name, source })? {
        Output::Report { results } => results,
        Output::Empty { .. } => return Ok(Vec::new()),
    };
    if !results.parsing_errors.is_empty() {
        return Err(LinterError::Unread { linter: CHECKOV.name, files: results.parsing_errors.join(", ") });
    }
    Ok(results.failed_checks.into_iter().chain(results.skipped_checks).map(finding).collect())
}

fn finding(found: Found) -> Finding {
    let file = Utf8PathBuf::from(FOLDER).join(found.file_path.trim_start_matches('/'));
    Finding {
        rule: found.check_id,
        place: format!("{file}:{}", found.resource),
        line: found.file_line_range.0,
        title: found.check_name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_have_the_rule_and_the_resource_and_a_template_cannot_hide_one() {
        let findings = findings(include_bytes!("recorded.json")).expect("checkov's output");
        let found: Vec<_> =
            findings.iter().map(|found| (found.rule.as_str(), found.place.as_str(), found.line)).collect();
        assert_eq!(
            found,
            [
                ("CKV_AWS_26", "templates/dev/notes-api.yaml:AWS::SNS::Topic.NotesTopic", 13),
                ("CKV_AWS_18", "templates/dev/notes-api.yaml:AWS::S3::Bucket.NotesBucket", 3),
            ]
        );
        assert_eq!(findings[0].title, "Ensure all data stored in the SNS topic is encrypted");
    }

    #[test]
    fn a_template_that_it_cannot_read_is_an_error_and_not_a_clean_result() {
        let output = br#"{"results": {"passed_checks": [], "failed_checks": [], "skipped_checks": [],
            "parsing_errors": ["templates/dev/notes-api.yaml"]}, "summary": {"resource_count": 0}}"#;
        let error = findings(output).expect_err("an unread template").to_string();
        assert!(error.contains("templates/dev/notes-api.yaml"), "{error}");
        findings(b"").expect_err("no output");
        findings(br#"{"results": {"failed_checks": []}}"#).expect_err("another form");
        let empty = br#"{"passed": 0, "failed": 0, "skipped": 0, "parsing_errors": 0, "resource_count": 0}"#;
        assert_eq!(findings(empty).expect("no resource"), []);
    }

    #[test]
    fn templates_are_copied_without_settings_files() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = Utf8Path::from_path(folder.path()).expect("UTF-8");
        let (templates, copies) = (root.join("source"), root.join("copy"));
        fs_err::create_dir_all(templates.join("dev")).expect("created");
        for file in ["dev/notes-api.yaml", ".checkov.yaml", "dev/.checkov.yml"] {
            fs_err::write(templates.join(file), "text").expect("written");
        }
        assert_eq!(copy_templates(&templates, &copies).expect("copied"), 1);
        assert!(copies.join("templates/dev/notes-api.yaml").is_file());
        assert!(!copies.join("templates/.checkov.yaml").exists());
        assert_eq!(copy_templates(&root.join("missing"), &copies).expect("no templates"), 0);
    }
}
