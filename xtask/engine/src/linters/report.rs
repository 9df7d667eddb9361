//! What a check with a linter prints: the new findings, the entry to add for each, and the entries to delete.

use std::collections::BTreeMap;

use super::{
    Finding, Linter,
    exceptions::{FILE, Verdict},
};

/// Describes the verdict.
pub(super) fn text(linter: Linter, verdict: &Verdict) -> String {
    let mut lines: Vec<String> = verdict.unexpected.iter().map(|finding| line(finding)).collect();
    if !verdict.unexpected.is_empty() {
        lines.push(format!(
            "Fix these in the sources. Where a finding is safe, add an exception with its reason to {FILE}:"
        ));
        lines.extend(entries(linter, &verdict.unexpected));
    }
    if !verdict.superfluous.is_empty() {
        lines.push(format!("Delete these places from {FILE}, because no finding needs them:"));
        lines.extend(verdict.superfluous.iter().map(|(rule, place)| format!("  {} {rule} {place}", linter.name())));
    }
    if verdict.is_clean() {
        lines.push(format!("No new findings; {} have an exception in {FILE}", verdict.excepted));
    }
    lines.join("\n")
}

/// `<file>:<line>: <rule> <item>: <title>`, which editors can open.
fn line(finding: &Finding) -> String {
    let Finding { rule, place, line, title } = finding;
    let (file, item) = place.split_once(':').unwrap_or((place, ""));
    format!("  {file}:{line}: {rule} {item}: {title}")
}

/// The entries that would accept the findings, one for each rule.
fn entries(linter: Linter, findings: &[&Finding]) -> Vec<String> {
    let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for Finding { rule, place, .. } in findings {
        let places = places.entry(rule).or_default();
        if !places.contains(&place.as_str()) {
            places.push(place);
        }
    }
    let entry = |(rule, places): (&str, Vec<&str>)| {
        let places: String = places.iter().map(|place| format!("\n    - \"{place}\"")).collect();
        format!("- linter: {}\n  rule: {rule}\n  places:{places}\n  reason: <why this is safe here>", linter.name())
    };
    places.into_iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(rule: &str, place: &str) -> Finding {
        Finding { rule: rule.to_owned(), place: place.to_owned(), line: 7, title: "Encrypt it".to_owned() }
    }

    #[test]
    fn a_new_finding_comes_with_its_place_and_the_entry_to_add() {
        let (one, two) = (finding("R1", "templates/a.yaml:AWS::S3::Bucket.B"), finding("R1", "templates/b.yaml:X.Y"));
        let verdict = Verdict { unexpected: vec![&one, &two, &one], superfluous: vec![], excepted: 3 };
        let expected = "  templates/a.yaml:7: R1 AWS::S3::Bucket.B: Encrypt it\n  templates/b.yaml:7: R1 X.Y: Encrypt it\n  \
            templates/a.yaml:7: R1 AWS::S3::Bucket.B: Encrypt it\n\
            Fix these in the sources. Where a finding is safe, add an exception with its reason to .github/linter-exceptions.yml:\n\
            - linter: checkov\n  rule: R1\n  places:\n    - \"templates/a.yaml:AWS::S3::Bucket.B\"\n    - \"templates/b.yaml:X.Y\"\n  \
            reason: <why this is safe here>";
        assert_eq!(text(Linter::Checkov, &verdict), expected);
    }

    #[test]
    fn superfluous_entries_are_named_and_a_clean_result_is_counted() {
        let verdict = Verdict { unexpected: vec![], superfluous: vec![("artipacked", "a*")], excepted: 3 };
        let expected = "Delete these places from .github/linter-exceptions.yml, because no finding needs them:\n  \
            zizmor artipacked a*";
        assert_eq!(text(Linter::Zizmor, &verdict), expected);
        let verdict = Verdict { unexpected: vec![], superfluous: vec![], excepted: 3 };
        assert_eq!(
            text(Linter::Zizmor, &verdict),
            "No new findings; 3 have an exception in .github/linter-exceptions.yml"
        );
    }
}
