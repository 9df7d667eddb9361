//! The plan on a terminal.

use std::fmt::{Result, Write};

use console::style;

use super::{allow_option, files_of, sign, summary, values, verdict};
use crate::{
    change_set::ChangeSetEntry,
    changes::{ResourceAction, ResourceChange},
    preview::{Preview, StackAction, StackPreview},
};

/// The plan as coloured text; whoever prints it strips the colours where there is no terminal.
#[must_use]
pub fn text(preview: &Preview) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _never = write(preview, &mut text);
    text
}

fn write(preview: &Preview, out: &mut String) -> Result {
    writeln!(out, "Plan for {}, against {}", style(&preview.stage).bold(), preview.against)?;
    for stack in preview.stacks.iter().filter(|stack| stack.action != StackAction::None) {
        stack_changes(stack, out)?;
    }
    if !preview.code.is_empty() {
        writeln!(out, "\nCode")?;
        for code in &preview.code {
            writeln!(out, "  {} {}: {}", style("~").yellow(), code.function, code.reason)?;
        }
    }
    if !preview.sites.is_empty() {
        writeln!(out, "\nSites")?;
        for site in &preview.sites {
            writeln!(out, "  {} {}", style("~").yellow(), files_of(site))?;
        }
    }
    if !preview.drift.is_empty() {
        writeln!(out, "\nNot as it was deployed")?;
        for drift in &preview.drift {
            writeln!(out, "  {} {drift}", style("!").yellow())?;
        }
    }
    for disagreement in &preview.disagreements {
        writeln!(out, "\n{} {disagreement}", style("CloudFormation sees it differently:").yellow())?;
    }
    if !preview.findings.is_empty() {
        writeln!(out, "\nLook twice")?;
    }
    for finding in &preview.findings {
        let mark = if finding.refused { style("✗").red().bold() } else { style("!").yellow() };
        writeln!(out, "  {mark} {}: {}", finding.stack, finding.message)?;
        if finding.refused {
            writeln!(out, "    {}", allow_option(finding))?;
        }
    }
    if preview.forecast.waves.len() > 1 || !preview.forecast.slow.is_empty() {
        writeln!(out, "\nForecast")?;
        let waves: Vec<_> = preview.forecast.waves.iter().map(|wave| wave.join(" ∥ ")).collect();
        writeln!(out, "  order: {}", waves.join(" → "))?;
        if preview.forecast.critical_path.len() > 1 {
            writeln!(out, "  longest way: {}", preview.forecast.critical_path.join(" → "))?;
        }
        for slow in &preview.forecast.slow {
            writeln!(out, "  slow: {slow}")?;
        }
    }
    writeln!(out, "\n{}", style(summary(preview)).bold())
}

fn stack_changes(stack: &StackPreview, out: &mut String) -> Result {
    let (sign, what) = match stack.action {
        StackAction::Create => (style("+").green(), "create"),
        StackAction::Update => (style("~").yellow(), "update"),
        StackAction::Orphan => (style("?").dim(), "no longer defined: a deploy leaves it alone"),
        StackAction::None => (style(" "), "no change"),
    };
    let to_do = stack.to_do.as_ref().map(|to_do| format!("; {to_do}")).unwrap_or_default();
    writeln!(out, "\n{sign} {}: {what}{to_do}", style(&stack.name).bold())?;
    for change in &stack.changes.resources {
        let verdict = stack.change_set.iter().find(|verdict| verdict.logical_id == change.logical_id);
        resource(change, stack.action, verdict, out)?;
    }
    // Outputs of what is new are what its resources are.
    let outputs = stack.changes.outputs.iter().filter(|_| stack.action != StackAction::Create);
    for output in outputs {
        for (index, line) in values::lines(output).iter().enumerate() {
            writeln!(out, "    {}{line}", if index == 0 { "output " } else { "  " })?;
        }
    }
    Ok(())
}

fn resource(change: &ResourceChange, stack: StackAction, second: Option<&ChangeSetEntry>, out: &mut String) -> Result {
    let sign = match change.action {
        ResourceAction::Create => style(sign(change)).green(),
        ResourceAction::Update => style(sign(change)).yellow(),
        ResourceAction::Replace | ResourceAction::Delete => style(sign(change)).red(),
    };
    let id = &change.logical_id;
    // In a new stack everything is new; that is said once.
    let verdict = if stack == StackAction::Create { String::new() } else { format!(": {}", verdict(change)) };
    let second = second.map(|second| style(format!(" [change set: {}]", second.words())).dim().to_string());
    writeln!(out, "  {sign} {id} ({}){verdict}{}", change.resource_type, second.unwrap_or_default())?;
    for property in &change.properties {
        for (index, line) in values::lines(property).iter().enumerate() {
            let line = match line.chars().next() {
                Some('+') => style(line).green(),
                Some('-') => style(line).red(),
                _ => style(line),
            };
            writeln!(out, "      {}{line}", if index == 0 { "" } else { "  " })?;
        }
    }
    Ok(())
}
