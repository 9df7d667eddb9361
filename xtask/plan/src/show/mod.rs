//! Prints plans: on a terminal, and as a pull request's comment.

mod markdown;
mod text;
mod values;

use std::fmt::Write;

pub use markdown::markdown;
pub use text::{TextOptions, text};

use crate::{
    changes::{Certainty, ResourceAction, ResourceChange},
    findings::Finding,
    preview::{Counts, Preview, SitePreview, StackAction},
};

/// Returns the plan in one line.
#[must_use]
pub(crate) fn summary(preview: &Preview) -> String {
    let orphans = preview.orphans().count();
    let orphaned = format!("{orphans} {} no longer defined", plural(orphans, "stack"));
    if preview.is_empty() {
        let orphaned = if orphans > 0 { format!("; {orphaned}") } else { String::new() };
        return format!("No change{orphaned}");
    }
    let deployed = preview.stacks.iter().filter(|stack| stack.action != StackAction::Orphan);
    let counts = Counts::of(deployed.map(|stack| &stack.changes));
    let mut parts = Vec::new();
    for (count, what) in [
        (counts.create, "to create"),
        (counts.update, "to update"),
        (counts.replace, "to replace"),
        (counts.delete, "to delete"),
        (counts.retain, "to retain outside the stack"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    if !preview.code.is_empty() {
        parts.push(format!("new code in {} {}", preview.code.len(), plural(preview.code.len(), "function")));
    }
    for site in &preview.sites {
        parts.push(format!("{} {} of {}", site.files.len(), plural(site.files.len(), "file"), site.site));
    }
    if orphans > 0 {
        parts.push(orphaned);
    }
    if parts.is_empty() {
        let has_outputs = preview.stacks.iter().any(|stack| !stack.changes.outputs.is_empty());
        parts.push(if has_outputs { "outputs only" } else { "templates only" }.to_owned());
    }
    let mut line = parts.join(", ");
    let refused = preview.refused().count();
    if refused > 0 {
        // Writing to a string cannot fail.
        let _never = write!(line, "; {refused} refused");
    }
    line
}

/// The files of a site that a deploy uploads.
fn uploads(site: &SitePreview) -> String {
    let count = site.files.len();
    format!("{}: {count} {} to upload: {}", site.site, plural(count, "file"), site.files.join(", "))
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { noun.to_owned() } else { format!("{noun}s") }
}

/// The symbol of a change, as in Terraform's plans.
fn symbol(change: &ResourceChange) -> &'static str {
    match change.action {
        ResourceAction::Create => "+",
        ResourceAction::Update => "~",
        ResourceAction::Replace => "-/+",
        ResourceAction::Delete => "-",
    }
}

/// What happens to a resource and why, in words that follow its name.
fn outcome(change: &ResourceChange) -> String {
    match change.action {
        ResourceAction::Create if change.certainty == Certainty::Conditional => {
            "created, if its condition is met".to_owned()
        }
        ResourceAction::Create => "created".to_owned(),
        ResourceAction::Update if change.certainty == Certainty::Unknown => {
            "updated, or replaced: its type has no schema".to_owned()
        }
        ResourceAction::Update => "updated".to_owned(),
        ResourceAction::Delete if change.retained => "removed from the stack, but retained".to_owned(),
        ResourceAction::Delete => "deleted".to_owned(),
        ResourceAction::Replace => replacement(change),
    }
}

fn replacement(change: &ResourceChange) -> String {
    let may = if change.certainty == Certainty::Certain { "replaced" } else { "may be replaced" };
    let causes = change.causes.iter().map(|cause| match (&cause.follows, &cause.condition) {
        (Some(target), _) => format!("{} changes with {target}", cause.property),
        (None, Some(condition)) => format!("{} changes, and {condition}", cause.property),
        (None, None) if cause.certainty == Certainty::Conditional => {
            format!("{} changes, which requires replacement under some conditions", cause.property)
        }
        (None, None) => format!("{} cannot change in place", cause.property),
    });
    let retained = if change.retained { ", the old resource remains outside the stack" } else { "" };
    format!("{may}: {}{retained}", causes.collect::<Vec<_>>().join("; "))
}

/// How to allow a refused finding.
fn remedy(finding: &Finding) -> String {
    match finding.allow_option() {
        Some(option) => format!("refused; to allow it, add {option}"),
        None => "refused; change the definition".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{changes::StackChanges, preview::StackPreview};

    #[test]
    fn a_retained_resource_does_not_count_as_deleted() {
        let change = |retained| ResourceChange {
            logical_id: "Table".to_owned(),
            resource_type: "AWS::DynamoDB::Table".to_owned(),
            action: ResourceAction::Delete,
            certainty: Certainty::Certain,
            causes: Vec::new(),
            properties: Vec::new(),
            retained,
            impossible: None,
        };
        let changes = StackChanges { resources: vec![change(true), change(false)], ..StackChanges::default() };
        let stack = StackPreview {
            system: None,
            name: "s".to_owned(),
            action: StackAction::Update,
            changes,
            depends_on: Vec::new(),
            change_set: Vec::new(),
            to_do: None,
        };
        let preview = Preview { stacks: vec![stack], ..Preview::default() };
        assert_eq!(summary(&preview), "1 to delete, 1 to retain outside the stack");
    }

    #[test]
    fn uploads_alone_are_a_change() {
        let site = |files: &[&str]| SitePreview {
            site: "Site".to_owned(),
            files: files.iter().map(|file| (*file).to_owned()).collect(),
        };
        let one = Preview { sites: vec![site(&["index.html"])], ..Preview::default() };
        assert!(!one.is_empty());
        assert_eq!(summary(&one), "1 file of Site");
        let two = Preview { sites: vec![site(&["app-1.js", "index.html"])], ..Preview::default() };
        for shown in [text(&two, TextOptions::default()), markdown(&two)] {
            assert!(shown.contains("~ Site: 2 files to upload: app-1.js, index.html"), "{shown}");
            assert!(shown.contains("2 files of Site"), "{shown}");
        }
    }
}
