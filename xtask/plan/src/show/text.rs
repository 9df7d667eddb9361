//! The plan on a terminal.

mod warnings;

use std::fmt::{Result, Write};

use console::style;

use super::{outcome, summary, symbol, uploads, values};
use crate::{
    change_set::{ChangeSetEntry, by_logical_id},
    changes::{ResourceAction, ResourceChange},
    preview::{Preview, StackAction, StackPreview},
};

/// How the plan is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextOptions {
    /// The columns that warnings are wrapped to.
    pub width: usize,
    /// Prints long messages in full.
    pub verbose: bool,
}

impl Default for TextOptions {
    /// For output that is not a terminal.
    fn default() -> Self {
        Self { width: 100, verbose: false }
    }
}

/// Returns the plan as coloured text; the printer strips colours where there is no terminal.
#[must_use]
pub fn text(preview: &Preview, options: TextOptions) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _never = write(preview, options, &mut text);
    text
}

fn write(preview: &Preview, options: TextOptions, out: &mut String) -> Result {
    write!(out, "Plan for {}, against {}", style(&preview.stage).bold(), preview.against)?;
    if has_nothing_to_report(preview) {
        return writeln!(out, ": {}", style(summary(preview)).bold());
    }
    writeln!(out)?;
    stacks(preview, out)?;
    section("Limits of deploy roles", preview.capacity.iter().cloned(), out)?;
    let symbol = style("~").yellow();
    let code = preview.code.iter().map(|code| format!("{symbol} {}: {}", code.function, code.reason));
    section("Code", code, out)?;
    section("Sites", preview.sites.iter().map(|site| format!("{symbol} {}", uploads(site))), out)?;
    let warning = style("!").yellow();
    let drift = preview.drift.iter().map(|line| format!("{warning} {line}"));
    section("Changed outside of deploys", drift, out)?;
    let disagreements = preview.disagreements.iter().map(|line| format!("{warning} {line}"));
    section("CloudFormation's change sets differ from the plan", disagreements, out)?;
    warnings::write(&preview.findings, options, out)?;
    forecast(preview, out)?;
    writeln!(out, "\n{}", style(summary(preview)).bold())
}

fn has_nothing_to_report(preview: &Preview) -> bool {
    preview.is_empty()
        && preview.orphans().next().is_none()
        && preview.findings.is_empty()
        && preview.drift.is_empty()
        && preview.disagreements.is_empty()
}

/// A titled list; left out when it is empty.
fn section(title: &str, lines: impl Iterator<Item = String>, out: &mut String) -> Result {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        writeln!(out, "\n{title}")?;
    }
    for line in lines {
        writeln!(out, "  {line}")?;
    }
    Ok(())
}

fn forecast(preview: &Preview, out: &mut String) -> Result {
    let forecast = &preview.forecast;
    let mut lines = Vec::new();
    if forecast.waves.len() > 1 || !forecast.slow.is_empty() {
        let waves: Vec<_> = forecast.waves.iter().map(|wave| wave.join(" ∥ ")).collect();
        lines.push(format!("order: {}", waves.join(" → ")));
        if forecast.critical_path.len() > 1 {
            lines.push(format!("longest path: {}", forecast.critical_path.join(" → ")));
        }
        lines.extend(forecast.slow.iter().map(|slow| format!("slow: {slow}")));
    }
    section("Forecast", lines.into_iter(), out)
}

/// The changing stacks under their systems, then the orphaned ones.
fn stacks(preview: &Preview, out: &mut String) -> Result {
    let is_changing = |stack: &&StackPreview| !matches!(stack.action, StackAction::None | StackAction::Orphan);
    let mut system = None;
    for stack in preview.stacks.iter().filter(is_changing) {
        if system != Some(&stack.system) {
            writeln!(out, "\n{}", stack.system.as_deref().unwrap_or("Other stacks"))?;
            system = Some(&stack.system);
        }
        stack_changes(stack, out)?;
    }
    if preview.orphans().next().is_some() {
        writeln!(out, "\nNo longer defined")?;
    }
    preview.orphans().try_for_each(|stack| stack_changes(stack, out))
}

fn stack_changes(stack: &StackPreview, out: &mut String) -> Result {
    let (symbol, what) = match stack.action {
        StackAction::Create => (style("+").green(), "create"),
        StackAction::Update => (style("~").yellow(), "update"),
        StackAction::Orphan => (style("?").dim(), "a deploy leaves it alone"),
        StackAction::None => (style(" "), "no change"),
    };
    let to_do = stack.to_do.as_ref().map(|to_do| format!("; {to_do}")).unwrap_or_default();
    writeln!(out, "  {symbol} {}: {what}{to_do}", style(&stack.name).bold())?;
    let entries = by_logical_id(&stack.change_set);
    for change in &stack.changes.resources {
        let entry = entries.get(change.logical_id.as_str()).copied();
        resource(change, stack.action, entry, out)?;
    }
    // The outputs of a new stack follow from its resources.
    let outputs = stack.changes.outputs.iter().filter(|_| stack.action != StackAction::Create);
    for output in outputs {
        for (index, line) in values::lines(output).iter().enumerate() {
            writeln!(out, "      {}{line}", if index == 0 { "output " } else { "  " })?;
        }
    }
    Ok(())
}

fn resource(change: &ResourceChange, stack: StackAction, entry: Option<&ChangeSetEntry>, out: &mut String) -> Result {
    let symbol = match change.action {
        ResourceAction::Create => style(symbol(change)).green(),
        ResourceAction::Update => style(symbol(change)).yellow(),
        ResourceAction::Replace | ResourceAction::Delete => style(symbol(change)).red(),
    };
    let id = &change.logical_id;
    // All resources of a new stack are created; that need not be repeated.
    let outcome = if stack == StackAction::Create { String::new() } else { format!(": {}", outcome(change)) };
    let entry = entry.map(|entry| style(format!(" [change set: {}]", entry.words())).dim().to_string());
    writeln!(out, "    {symbol} {id} ({}){outcome}{}", change.resource_type, entry.unwrap_or_default())?;
    for property in &change.properties {
        for (index, line) in values::lines(property).iter().enumerate() {
            let line = match line.chars().next() {
                Some('+') => style(line).green(),
                Some('-') => style(line).red(),
                _ => style(line),
            };
            writeln!(out, "        {}{line}", if index == 0 { "" } else { "  " })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(system: &str, name: &str, action: StackAction) -> StackPreview {
        StackPreview {
            system: Some(system.to_owned()),
            name: name.to_owned(),
            action,
            changes: crate::changes::StackChanges::default(),
            depends_on: Vec::new(),
            change_set: Vec::new(),
            to_do: None,
        }
    }

    fn shown(preview: &Preview) -> String {
        console::strip_ansi_codes(&text(preview, TextOptions::default())).into_owned()
    }

    #[test]
    fn a_stage_without_changes_takes_one_line() {
        let preview = Preview { stage: "dev".to_owned(), against: "main".to_owned(), ..Preview::default() };
        assert_eq!(shown(&preview), "Plan for dev, against main: No change\n");
    }

    #[test]
    fn stacks_are_grouped_by_system() {
        let stacks = vec![
            stack("notes", "notes-data-dev", StackAction::Update),
            stack("notes", "notes-api-dev", StackAction::Update),
            stack("notes", "notes-page-dev", StackAction::None),
            stack("old", "old-web-dev", StackAction::Orphan),
            stack("photos", "photos-api-dev", StackAction::Create),
        ];
        let preview = Preview { stage: "dev".to_owned(), against: "main".to_owned(), stacks, ..Preview::default() };
        let expected = "\
Plan for dev, against main

notes
  ~ notes-data-dev: update
  ~ notes-api-dev: update

photos
  + photos-api-dev: create

No longer defined
  ? old-web-dev: a deploy leaves it alone

1 stack no longer defined
";
        assert_eq!(shown(&preview), expected);
    }
}
