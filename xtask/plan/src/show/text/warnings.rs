//! The findings of a plan, grouped by kind and wrapped to the terminal.

use std::fmt::{Result, Write};

use console::style;
use textwrap::{Options, WordSeparator, WordSplitter};

use super::{super::remedy, TextOptions};
use crate::findings::Finding;

pub(super) fn write(findings: &[Finding], options: TextOptions, out: &mut String) -> Result {
    if findings.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nWarnings")?;
    let mut findings: Vec<_> = findings.iter().collect();
    findings.sort_by_key(|finding| finding.kind);
    let mut kind = None;
    for finding in findings {
        if kind != Some(finding.kind) {
            writeln!(out, "  {}", finding.kind.title())?;
            kind = Some(finding.kind);
        }
        let mark = if finding.refused { style("✗").red().bold() } else { style("!").yellow() };
        let message = format!("{}: {}", finding.stack, message(finding, options.verbose));
        wrap(&message, &format!("    {mark} "), options.width, out)?;
        if finding.refused {
            wrap(&remedy(finding), "      ", options.width, out)?;
        }
    }
    Ok(())
}

fn message(finding: &Finding, verbose: bool) -> String {
    let brief = finding.brief();
    if verbose || brief == finding.message { finding.message.clone() } else { format!("{brief}: -v") }
}

/// Wraps between words; names and options are never broken.
fn wrap(text: &str, start: &str, width: usize, out: &mut String) -> Result {
    let options = Options::new(width)
        .initial_indent(start)
        .subsequent_indent("      ")
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation);
    textwrap::wrap(text, options).iter().try_for_each(|line| writeln!(out, "{line}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::FindingKind;

    fn finding(kind: FindingKind, message: &str, parts: &[&str], refused: bool) -> Finding {
        let parts: Vec<_> = parts.iter().map(|part| (*part).to_owned()).collect();
        let message = [message, &parts.join("; ")].join(" ").trim_end().to_owned();
        Finding { kind, stack: "notes-api-dev".to_owned(), logical_id: "Role".to_owned(), message, parts, refused }
    }

    fn shown(findings: &[Finding], options: TextOptions) -> String {
        let mut text = String::new();
        write(findings, options, &mut text).expect("strings take everything");
        console::strip_ansi_codes(&text).into_owned()
    }

    #[test]
    fn warnings_are_grouped_by_kind_and_wrapped() {
        let findings = [
            finding(FindingKind::WidensIam, "Role would", &["allow `s3:*` on `*`"], false),
            finding(FindingKind::ReplacesData, "Table (AWS::DynamoDB::Table) would be replaced", &[], true),
            finding(FindingKind::WidensIam, "Role would", &["attach managed policy `arn:x`"], false),
        ];
        let expected = "
Warnings
  Replacement of stateful resources (replaces-data)
    ✗ notes-api-dev: Table
      (AWS::DynamoDB::Table) would be
      replaced
      refused; to allow it, add
      --allow-replace notes-api-dev/Role
  Wider permissions (widens-iam)
    ! notes-api-dev: Role would allow
      `s3:*` on `*`
    ! notes-api-dev: Role would attach
      managed policy `arn:x`
";
        assert_eq!(shown(&findings, TextOptions { width: 40, verbose: false }), expected);
        assert_eq!(shown(&[], TextOptions::default()), "");
    }

    #[test]
    fn long_lists_are_folded_unless_verbose() {
        let parts: Vec<_> = (0..17).map(|number| format!("allow `a:Call{number}` on `*`")).collect();
        let parts: Vec<_> = parts.iter().map(String::as_str).collect();
        let findings = [finding(FindingKind::WidensIam, "Role would", &parts, false)];
        let folded = shown(&findings, TextOptions { width: 200, verbose: false });
        assert!(folded.ends_with("allow `a:Call2` on `*`; … and 14 more: -v\n"), "{folded}");
        let all = shown(&findings, TextOptions { width: 200, verbose: true });
        assert!(all.contains("`a:Call16`") && !all.contains("more: -v"), "{all}");
        assert!(all.lines().all(|line| line.chars().count() <= 200), "{all}");
    }
}
