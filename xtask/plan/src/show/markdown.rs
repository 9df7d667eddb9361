//! The plan as a pull request's comment: a summary, and details to unfold.

use std::fmt::{Result, Write};

use super::{outcome, remedy, summary, symbol, uploads, values};
use crate::{
    findings::FindingKind,
    preview::{Preview, StackAction, StackPreview},
};

/// The longest details of a stage, in characters. GitHub limits a comment, which holds several stages, to 65,536.
const LIMIT: usize = 20_000;

/// Returns the plan as Markdown.
#[must_use]
pub fn markdown(preview: &Preview) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _never = write(preview, &mut text);
    text
}

fn write(preview: &Preview, out: &mut String) -> Result {
    let refused = preview.refused().next().is_some();
    let mark = if refused { "🛑 " } else { "" };
    writeln!(out, "### {mark}`{}`: {}\n", preview.stage, summary(preview))?;
    // Orphaned stacks are listed below, with what to do.
    for finding in preview.findings.iter().filter(|finding| finding.kind != FindingKind::Orphaned) {
        let mark = if finding.refused { "🛑" } else { "⚠️" };
        writeln!(out, "- {mark} **{}**: {}", finding.stack, finding.brief())?;
        if finding.refused {
            writeln!(out, "  {}", remedy(finding))?;
        }
    }
    for orphan in preview.orphans() {
        let to_do = orphan.to_do.as_ref().map(|to_do| format!("; {to_do}")).unwrap_or_default();
        writeln!(out, "- ⚠️ **{}**: no longer defined; a deploy leaves it alone{to_do}", orphan.name)?;
    }
    for line in preview.disagreements.iter().chain(&preview.drift) {
        writeln!(out, "- ⚠️ {line}")?;
    }
    if preview.is_empty() && preview.orphans().all(|stack| stack.changes.resources.is_empty()) {
        return writeln!(out, "Compared with {}.", preview.against);
    }
    writeln!(out, "\n<details><summary>Against {}</summary>\n", preview.against)?;
    let mut details = String::new();
    for stack in preview.stacks.iter().filter(|stack| stack.action != StackAction::None) {
        stack_changes(stack, &mut details)?;
    }
    for usage in &preview.capacity {
        writeln!(details, "  {usage}")?;
    }
    for code in &preview.code {
        writeln!(details, "~ {}: new code, {}", code.function, code.reason)?;
    }
    for site in &preview.sites {
        writeln!(details, "~ {}", uploads(site))?;
    }
    if let Some((end, _)) = details.char_indices().nth(LIMIT) {
        details.truncate(end);
        details.push_str("\n… see `cargo xtask plan` for the rest\n");
    }
    writeln!(out, "```diff\n{}```\n", details.replace("```", "'''"))?;
    for slow in &preview.forecast.slow {
        writeln!(out, "- slow: {slow}")?;
    }
    writeln!(out, "\n</details>\n")
}

/// GitHub colours lines that start with `+`, `-` or `!`, so every line starts with its symbol.
fn stack_changes(stack: &StackPreview, out: &mut String) -> Result {
    let what = match stack.action {
        StackAction::Create => "create",
        StackAction::Orphan => "no longer defined",
        StackAction::Update | StackAction::None => "update",
    };
    writeln!(out, "# {}: {what}", stack.name)?;
    for change in &stack.changes.resources {
        let symbol = if symbol(change) == "~" { "!" } else { symbol(change) };
        writeln!(out, "{symbol} {} ({}): {}", change.logical_id, change.resource_type, outcome(change))?;
        for line in change.properties.iter().flat_map(values::lines) {
            let (first, rest) = match line.chars().next() {
                Some(symbol @ ('+' | '-')) => (symbol, line[1..].to_owned()),
                _ => (' ', line),
            };
            writeln!(out, "{first}     {rest}")?;
        }
    }
    for line in stack.changes.outputs.iter().flat_map(values::lines) {
        writeln!(out, "      output {line}")?;
    }
    writeln!(out)
}
