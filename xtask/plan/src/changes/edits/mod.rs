//! Compares plans of real edits with CloudFormation's documentation, and checks the table in xtask/docs/edits.md.

mod documented;
mod usual;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use serde_json::{Value, json};

use super::{
    Certainty, ResourceAction, ResourceChange, compare,
    documented::rules,
    names::{StackSides, conflicts},
    resolve::Known,
};

/// The documented outcome of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Documented {
    /// "Update requires: No interruption" or "Some interruptions".
    Update,
    /// "Update requires: Replacement".
    Replacement,
    /// Replacement under some conditions.
    Conditional,
    Create,
    Delete,
    Fails,
}

impl Documented {
    fn words(self) -> &'static str {
        match self {
            Self::Update => "updated in place",
            Self::Replacement => "replaced",
            Self::Conditional => "replaced under some conditions",
            Self::Create => "created",
            Self::Delete => "deleted",
            Self::Fails => "refused",
        }
    }

    /// The outcome that a plan predicts.
    fn predicted(change: &ResourceChange) -> Self {
        match (change.action, change.certainty) {
            _ if change.impossible.is_some() => Self::Fails,
            (ResourceAction::Create, _) => Self::Create,
            (ResourceAction::Delete, _) => Self::Delete,
            (ResourceAction::Update, _) => Self::Update,
            (ResourceAction::Replace, Certainty::Certain) => Self::Replacement,
            (ResourceAction::Replace, _) => Self::Conditional,
        }
    }
}

struct Edit {
    what: String,
    resource_type: &'static str,
    /// The property, or the quoted section, that documents the outcome.
    source: String,
    documented: Documented,
    old: Value,
    new: Value,
}

/// An edit of a template's resources.
fn edit(
    (what, resource_type, source): (&str, &'static str, &str),
    documented: Documented,
    old: Value,
    new: Value,
) -> Edit {
    Edit { what: what.to_owned(), resource_type, source: source.to_owned(), documented, old, new }
}

/// A change of several properties of one resource.
fn properties(words: (&str, &'static str, &str), documented: Documented, (old, new): (Value, Value)) -> Edit {
    let of = |properties: Value| json!({ "A": { "Type": words.1, "Properties": properties } });
    edit(words, documented, of(old), of(new))
}

/// A change of one property of one resource.
fn property(
    what: &'static str,
    resource_type: &'static str,
    source: &'static str,
    documented: Documented,
    (old, new): (Value, Value),
) -> Edit {
    let of = |value: Value| {
        let mut properties = serde_json::Map::new();
        if !value.is_null() {
            properties.insert(source.to_owned(), value);
        }
        json!({ "A": { "Type": resource_type, "Properties": properties } })
    };
    edit((what, resource_type, source), documented, of(old), of(new))
}

fn planned(edit: &Edit) -> Documented {
    let (old, new) = (json!({ "Resources": edit.old }), json!({ "Resources": edit.new }));
    let none = BTreeMap::new();
    let side = |template| Some(Known { template, parameters: &none });
    let changes = compare(side(&old), side(&new), &BTreeMap::new());
    let (stack, region, after) = ("s", Some("eu-central-1"), BTreeSet::new());
    let sides = StackSides {
        stack,
        region,
        old: side(&old),
        new: side(&new),
        changes: &changes,
        changing: &BTreeMap::new(),
        after: &after,
    };
    if !conflicts(&[sides]).is_empty() {
        return Documented::Fails;
    }
    Documented::predicted(changes.of("A").expect("the edit changes the resource"))
}

fn all() -> Vec<Edit> {
    let usual = [usual::storage(), usual::users(), usual::functions(), usual::edge()];
    let documented = [
        documented::storage(),
        documented::users(),
        documented::functions(),
        documented::edge(),
        documented::http_apis(),
    ];
    usual.into_iter().chain(documented).flatten().chain(documented::names()).collect()
}

#[test]
fn plans_match_the_documentation() {
    let edits = all();
    assert!(edits.len() >= 100, "{}", edits.len());
    let mut table =
        String::from("| Edit | Type | Property or section | Documentation | Plan |\n|---|---|---|---|---|\n");
    for edit in &edits {
        let planned = planned(edit);
        assert_eq!(planned, edit.documented, "{} ({})", edit.what, edit.resource_type);
        let (documented, planned) = (edit.documented.words(), planned.words());
        // Writing to a string cannot fail.
        let _never = writeln!(
            table,
            "| {} | `{}` | {} | {documented} | {planned} |",
            edit.what, edit.resource_type, edit.source
        );
    }
    let page = include_str!("../../../../docs/edits.md");
    assert!(page.contains(&table), "xtask/docs/edits.md should have this table:\n{table}");
}

#[test]
fn every_documented_effect_has_an_edit() {
    let edits = all();
    for rule in rules::RULES.iter().copied().flatten() {
        let property = rule.property.split('/').next().expect("a path");
        let is_edit = |edit: &Edit| edit.resource_type == rule.resource_type && edit.source.contains(property);
        assert!(edits.iter().any(is_edit), "{} {} has no edit", rule.resource_type, rule.property);
    }
}
