//! zizmor, which audits workflows: its command line, and the findings in its output.

use camino::Utf8Path;
use serde::Deserialize;

use super::Finding;
use crate::python::Program;

/// The program, and how it is installed.
pub(crate) const ZIZMOR: Program =
    Program { name: "zizmor", folder: "zizmor-venv", requirements: include_str!("requirements.txt") };

/// The folder that it audits: the workflows, the actions beside them, and the settings of Dependabot.
const FOLDER: &str = ".github";
/// The folder of the workflows.
pub(super) const WORKFLOWS: &str = ".github/workflows";

/// The arguments. Comments and settings that hide findings have no effect, because the exceptions are kept in one file.
pub(super) const ARGUMENTS: &[&str] = &[
    "--offline",
    "--no-config",
    "--no-ignores",
    "--strict-collection",
    "--persona",
    "auditor",
    "--no-exit-codes",
    "--no-progress",
    "--quiet",
    "--format",
    "json-v1",
    FOLDER,
];

#[derive(Deserialize)]
struct Found {
    ident: String,
    desc: String,
    url: String,
    locations: Vec<Location>,
}

#[derive(Deserialize)]
struct Location {
    symbolic: Symbolic,
    concrete: Concrete,
}

#[derive(Deserialize)]
struct Symbolic {
    key: Key,
    annotation: String,
    route: Route,
    kind: String,
}

#[derive(Deserialize)]
struct Key {
    #[serde(rename = "Local")]
    local: Local,
}

#[derive(Deserialize)]
struct Local {
    verbatim_path: String,
}

#[derive(Deserialize)]
struct Route {
    route: Vec<Step>,
}

#[derive(Deserialize)]
enum Step {
    Key(String),
    Index(usize),
}

#[derive(Deserialize)]
struct Concrete {
    location: Span,
}

#[derive(Deserialize)]
struct Span {
    start_point: Point,
}

#[derive(Deserialize)]
struct Point {
    /// Counts from 0.
    row: usize,
}

/// Returns the findings in the program's output.
///
/// # Errors
///
/// When the output has another form.
pub(super) fn findings(output: &[u8]) -> Result<Vec<Finding>, serde_json::Error> {
    let found: Vec<Found> = serde_json::from_slice(output)?;
    Ok(found.into_iter().map(finding).collect())
}

fn finding(found: Found) -> Finding {
    let Found { ident, desc, url, locations } = found;
    let primary = locations.iter().find(|location| location.symbolic.kind == "Primary").or(locations.first());
    let (place, line, note) = primary.map_or_else(
        || (FOLDER.to_owned(), 1, String::new()),
        |Location { symbolic, concrete }| {
            (place(symbolic), concrete.location.start_point.row + 1, format!(": {}", symbolic.annotation))
        },
    );
    Finding { rule: ident, place, line, title: format!("{desc}{note} ({url})") }
}

/// Names a place by the keys above it, which other lines of the file do not change: `<file>:jobs.build.steps.0.uses`.
fn place(symbolic: &Symbolic) -> String {
    let step = |step: &Step| match step {
        Step::Key(key) => key.clone(),
        Step::Index(index) => index.to_string(),
    };
    let route: Vec<_> = symbolic.route.route.iter().map(step).collect();
    let file = Utf8Path::new(&symbolic.key.local.verbatim_path);
    format!("{}:{}", file.strip_prefix("./").unwrap_or(file), route.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_have_the_rule_the_place_and_the_line() {
        let findings = findings(include_bytes!("recorded.json")).expect("zizmor's output");
        let found: Vec<_> =
            findings.iter().map(|found| (found.rule.as_str(), found.place.as_str(), found.line)).collect();
        assert_eq!(
            found,
            [
                ("artipacked", ".github/workflows/greet.yml:jobs.greet.steps.0", 11),
                ("template-injection", ".github/workflows/greet.yml:jobs.greet.steps.1.run", 12),
                ("concurrency-limits", ".github/workflows/greet.yml:on", 2),
            ]
        );
        assert!(findings[1].title.contains("may expand into attacker-controllable code"), "{:?}", findings[1]);
        assert!(findings[1].title.contains("#template-injection"), "{:?}", findings[1]);
    }

    #[test]
    fn output_of_another_form_is_an_error_and_not_a_clean_result() {
        findings(b"").expect_err("no output");
        findings(br#"[{"ident": "artipacked"}]"#).expect_err("no place");
    }
}
