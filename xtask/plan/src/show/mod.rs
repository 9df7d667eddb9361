//! A plan in words: for a terminal, and for a pull request.

mod markdown;
mod text;
mod values;

use std::fmt::Write;

pub use markdown::markdown;
pub use text::text;

use super::{
    changes::{Certainty, ResourceAction, ResourceChange},
    findings::Finding,
    preview::{Counts, Preview, SitePreview, StackAction},
};

/// The plan in a line.
#[must_use]
pub fn summary(preview: &Preview) -> String {
    let orphans = preview.orphans().count();
    let left = format!("{orphans} {} no longer defined", plural(orphans, "stack"));
    if preview.is_empty() {
        let left = if orphans > 0 { format!("; {left}") } else { String::new() };
        return format!("No change: everything is as the workspace says{left}.");
    }
    let deployed = preview.stacks.iter().filter(|stack| stack.action != StackAction::Orphan);
    let counts = Counts::of(deployed.map(|stack| &stack.changes));
    let mut parts = Vec::new();
    for (count, what) in [
        (counts.create, "to create"),
        (counts.update, "to update"),
        (counts.replace, "to replace"),
        (counts.delete, "to delete"),
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
        parts.push(left);
    }
    if parts.is_empty() {
        parts.push("outputs only".to_owned());
    }
    let mut line = parts.join(", ");
    let refused = preview.refused().count();
    if refused > 0 {
        // Writing to a string cannot fail.
        let _never = write!(line, "; {refused} refused");
    }
    line
}

/// What goes up of a site.
fn files_of(site: &SitePreview) -> String {
    let (count, goes) = (site.files.len(), if site.files.len() == 1 { "goes" } else { "go" });
    format!("{}: {count} {} {goes} up: {}", site.site, plural(count, "file"), site.files.join(", "))
}

fn plural(count: usize, what: &str) -> String {
    if count == 1 { what.to_owned() } else { format!("{what}s") }
}

/// The sign of a change, as Terraform's users know them.
fn sign(change: &ResourceChange) -> &'static str {
    match change.action {
        ResourceAction::Create => "+",
        ResourceAction::Update => "~",
        ResourceAction::Replace => "-/+",
        ResourceAction::Delete => "-",
    }
}

/// What happens to a resource, and why, in a few words after its name.
fn verdict(change: &ResourceChange) -> String {
    let kept = |what: &str| if change.retained { format!(", {what} stays outside the stack") } else { String::new() };
    match change.action {
        ResourceAction::Create if change.certainty == Certainty::Conditional => {
            "created, if its condition is met".to_owned()
        }
        ResourceAction::Create => "created".to_owned(),
        ResourceAction::Update if change.certainty == Certainty::Unknown => {
            "updated, or replaced: its type has no schema".to_owned()
        }
        ResourceAction::Update => "updated".to_owned(),
        ResourceAction::Delete if change.retained => "leaves the stack, and stays".to_owned(),
        ResourceAction::Delete => "deleted".to_owned(),
        ResourceAction::Replace => {
            let may = if change.certainty == Certainty::Certain { "replaced" } else { "may be replaced" };
            let causes: Vec<_> = change
                .causes
                .iter()
                .map(|cause| match (&cause.follows, &cause.condition) {
                    (Some(target), _) => format!("{} changes with {target}", cause.property),
                    (None, Some(condition)) => format!("{} changes, and {condition}", cause.property),
                    (None, None) if cause.certainty == Certainty::Conditional => {
                        format!("{} changes, which replaces under some conditions", cause.property)
                    }
                    (None, None) => format!("{} cannot change in place", cause.property),
                })
                .collect();
            format!("{may}: {}{}", causes.join("; "), kept("the old one"))
        }
    }
}

/// What to write so that a refused finding passes.
fn allow_option(finding: &Finding) -> String {
    match finding.allow_option() {
        Some(option) => format!("refused until named: {option}"),
        None => "refused: change the definition".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_alone_is_a_change_and_its_files_are_shown() {
        let site = |files: &[&str]| SitePreview {
            site: "Site".to_owned(),
            files: files.iter().map(|file| (*file).to_owned()).collect(),
        };
        let one = Preview { sites: vec![site(&["index.html"])], ..Preview::default() };
        assert!(!one.is_empty());
        assert_eq!(summary(&one), "1 file of Site");
        let two = Preview { sites: vec![site(&["app-1.js", "index.html"])], ..Preview::default() };
        for shown in [text(&two), markdown(&two)] {
            assert!(shown.contains("~ Site: 2 files go up: app-1.js, index.html"), "{shown}");
            assert!(shown.contains("2 files of Site"), "{shown}");
        }
    }
}
