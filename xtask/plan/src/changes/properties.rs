//! Property tests: the comparison agrees with an oracle that knows only the edits and the schemas' lists.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use resolve::Known;
use serde_json::{Map, Value, json};

use super::*;

/// Types whose documentation matches their schemas, and one without a schema.
const TYPES: &[&str] = &[
    "AWS::SNS::Topic",
    "AWS::S3::Bucket",
    "AWS::Lambda::Function",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Events::Rule",
    "AWS::IAM::Role",
    "AWS::SSM::Document",
    "Custom::Thing",
];
const IDS: &[&str] = &["A", "B", "C", "D", "E", "F"];
/// Properties outside the schemas, which change in place.
const HARMLESS: &[&str] = &["Harmless", "Other"];

/// A resource of the oracle: a type, and properties that are numbers or references to other resources.
#[derive(Debug, Clone, PartialEq)]
struct Model {
    resource_type: &'static str,
    properties: BTreeMap<&'static str, Content>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Number(u8),
    Of(&'static str),
}

type Template = BTreeMap<&'static str, Model>;

/// A type's top-level properties that replace the resource, and those that may.
fn lists(resource_type: &str) -> (Vec<&'static str>, Vec<&'static str>) {
    let line = include_str!("replacement.tsv").lines().find(|line| line.split('\t').next() == Some(resource_type));
    let column = |number: usize| {
        let list = line.and_then(|line| line.split('\t').nth(number)).unwrap_or_default();
        list.split(',').filter(|path| !path.is_empty() && !path.contains('/')).collect()
    };
    (column(1), column(2))
}

fn property_names(resource_type: &'static str) -> Vec<&'static str> {
    let (certain, conditional) = lists(resource_type);
    HARMLESS.iter().copied().chain(certain).chain(conditional).collect()
}

fn content() -> impl Strategy<Value = Content> {
    prop_oneof![3 => (0u8..3).prop_map(Content::Number), 1 => prop::sample::select(IDS).prop_map(Content::Of)]
}

fn model() -> impl Strategy<Value = Model> {
    prop::sample::select(TYPES).prop_flat_map(|resource_type| {
        let names = property_names(resource_type);
        let count = names.len().min(4);
        prop::collection::btree_map(prop::sample::select(names), content(), 0..=count)
            .prop_map(move |properties| Model { resource_type, properties })
    })
}

fn template() -> impl Strategy<Value = Template> {
    prop::collection::btree_map(prop::sample::select(IDS), model(), 0..=IDS.len())
}

/// An edit of a template.
#[derive(Debug, Clone)]
enum Edit {
    Put(&'static str, Model),
    Delete(&'static str),
    Set(&'static str, prop::sample::Index, Content),
    Unset(&'static str, prop::sample::Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    let id = || prop::sample::select(IDS);
    prop_oneof![
        1 => (id(), model()).prop_map(|(id, model)| Edit::Put(id, model)),
        1 => id().prop_map(Edit::Delete),
        4 => (id(), any::<prop::sample::Index>(), content()).prop_map(|(id, index, content)| Edit::Set(id, index, content)),
        1 => (id(), any::<prop::sample::Index>()).prop_map(|(id, index)| Edit::Unset(id, index)),
    ]
}

fn apply(template: &mut Template, old: &Template, edit: Edit) {
    match edit {
        // A resource of another type under the same logical ID is refused, which has a test of its own.
        Edit::Put(id, model) if old.get(id).is_none_or(|old| old.resource_type == model.resource_type) => {
            template.insert(id, model);
        }
        Edit::Put(..) => {}
        Edit::Delete(id) => drop(template.remove(id)),
        Edit::Set(id, index, content) => {
            if let Some(model) = template.get_mut(id) {
                let names = property_names(model.resource_type);
                model.properties.insert(names[index.index(names.len())], content);
            }
        }
        Edit::Unset(id, index) => {
            if let Some(model) = template.get_mut(id).filter(|model| !model.properties.is_empty()) {
                let names: Vec<_> = model.properties.keys().copied().collect();
                model.properties.remove(names[index.index(names.len())]);
            }
        }
    }
}

fn rendered(template: &Template) -> Value {
    let value = |content: &Content| match content {
        Content::Number(number) => json!(number),
        Content::Of(id) => json!({ "Ref": id }),
    };
    let resources: Map<_, _> = template
        .iter()
        .map(|(id, model)| {
            let properties: Map<_, _> =
                model.properties.iter().map(|(name, content)| ((*name).to_owned(), value(content))).collect();
            ((*id).to_owned(), json!({ "Type": model.resource_type, "Properties": properties }))
        })
        .collect();
    json!({ "Resources": resources })
}

/// The certainty that a change of the property replaces the resource.
fn replaces(resource_type: &str, property: &str) -> Option<Certainty> {
    let (certain, conditional) = lists(resource_type);
    if certain.contains(&property) {
        Some(Certainty::Certain)
    } else if conditional.contains(&property) {
        Some(Certainty::Conditional)
    } else {
        None
    }
}

/// The certainty of a resource's replacement, and of any change of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Expected {
    replaced: Option<Certainty>,
    changed: Option<Certainty>,
}

impl Expected {
    fn action(self) -> Option<(ResourceAction, Certainty)> {
        match self {
            Self { replaced: Some(certainty), .. } => Some((ResourceAction::Replace, certainty)),
            Self { changed: Some(certainty), .. } => Some((ResourceAction::Update, certainty)),
            _ => None,
        }
    }
}

fn oracle(old: &Template, new: &Template) -> BTreeMap<String, (ResourceAction, Certainty)> {
    let both: BTreeSet<_> = old.keys().filter(|id| new.contains_key(*id)).copied().collect();
    let mut expected: BTreeMap<&str, Expected> = BTreeMap::new();
    for id in &both {
        let (before, after) = (&old[id], &new[id]);
        let names: BTreeSet<_> = before.properties.keys().chain(after.properties.keys()).copied().collect();
        let changed: Vec<_> =
            names.into_iter().filter(|name| before.properties.get(name) != after.properties.get(name)).collect();
        let sure = if after.resource_type == "Custom::Thing" { Certainty::Unknown } else { Certainty::Certain };
        expected.insert(
            id,
            Expected {
                replaced: changed.iter().filter_map(|name| replaces(after.resource_type, name)).max(),
                changed: (!changed.is_empty()).then_some(sure),
            },
        );
    }
    // As many rounds as there are resources reach every consequence.
    for _ in 0..IDS.len() {
        let before = expected.clone();
        for id in &both {
            for (name, content) in &new[id].properties {
                let Content::Of(target) = content else { continue };
                let Some(moved) = before.get(target).and_then(|target| target.replaced) else { continue };
                if target == id {
                    continue;
                }
                let entry = expected.entry(id).or_default();
                entry.changed = entry.changed.max(Some(moved));
                entry.replaced =
                    entry.replaced.max(replaces(new[id].resource_type, name).map(|certainty| certainty.min(moved)));
            }
        }
    }
    let missing = |one: &Template, other: &Template, action: ResourceAction| {
        let only = one.keys().filter(|id| !other.contains_key(*id));
        only.map(|id| ((*id).to_owned(), (action, Certainty::Certain))).collect::<Vec<_>>()
    };
    let between = expected.into_iter().filter_map(|(id, expected)| Some((id.to_owned(), expected.action()?)));
    let created = missing(new, old, ResourceAction::Create);
    between.chain(created).chain(missing(old, new, ResourceAction::Delete)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_comparison_agrees_with_the_oracle(old in template(), edits in prop::collection::vec(edit(), 0..12)) {
        let mut new = old.clone();
        for edit in edits {
            apply(&mut new, &old, edit);
        }
        let (before, after) = (rendered(&old), rendered(&new));
        let none = BTreeMap::new();
        let side = |template| Some(Known { template, parameters: &none });
        let changes = compare(side(&before), side(&after), &none_moved());
        let predicted: BTreeMap<_, _> = changes
            .resources
            .into_iter()
            .map(|change| (change.logical_id, (change.action, change.certainty)))
            .collect();
        prop_assert_eq!(predicted, oracle(&old, &new));
    }

    #[test]
    fn a_template_against_itself_is_empty(template in template()) {
        let template = rendered(&template);
        let none = BTreeMap::new();
        let side = || Some(Known { template: &template, parameters: &none });
        prop_assert_eq!(compare(side(), side(), &none_moved()), StackChanges::default());
    }
}

fn none_moved() -> BTreeMap<String, Certainty> {
    BTreeMap::new()
}
