//! Compares two templates resource by resource, then follows references from what is replaced.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    Cause, Certainty, PropertyChange, ResourceAction, ResourceChange, StackChanges, behavior::Behavior, documented,
    references::references, resolve::Known,
};

/// Attributes whose change CloudFormation shows, and that touch no property. `DependsOn` only orders.
const ATTRIBUTES: &[&str] =
    &["Condition", "CreationPolicy", "DeletionPolicy", "Metadata", "UpdatePolicy", "UpdateReplacePolicy"];

/// What would happen between two templates; `None` is no stack.
///
/// `moved` are parameters of the new template whose values change with something replaced in another stack.
#[must_use]
pub fn compare(old: Option<Known<'_>>, new: Option<Known<'_>>, moved: &BTreeMap<String, Certainty>) -> StackChanges {
    let (before, after) = (resources(old), resources(new));
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let changes = names.into_iter().filter_map(|name| {
        let change = match (before.get(name), after.get(name)) {
            (None, Some(created)) => ends(ResourceAction::Create, created, created),
            (Some(deleted), None) => ends(ResourceAction::Delete, deleted, deleted),
            (Some(old), Some(new)) => between(old, new),
            (None, None) => None,
        };
        change.map(|change| (name.clone(), ResourceChange { logical_id: name.clone(), ..change }))
    });
    let mut changes: BTreeMap<String, ResourceChange> = changes.collect();
    follow(&mut changes, &before, &after, moved);
    for (name, change) in &mut changes {
        let refused = impossible(change, before.get(name), after.get(name));
        change.impossible = change.impossible.take().or(refused);
    }
    let moved_outputs = new.map(|new| moved_outputs(new, &changes, moved)).unwrap_or_default();
    let outputs = outputs(old, new);
    StackChanges { resources: changes.into_values().collect(), outputs, moved_outputs }
}

/// A resource that exists: its conditions are met, or not known to be unmet.
#[derive(Debug, Clone)]
struct Resource {
    body: Value,
    /// The properties, with everything known filled in.
    properties: Value,
    /// Is it known that it exists?
    certain: bool,
}

impl Resource {
    fn kind(&self) -> &str {
        self.body["Type"].as_str().unwrap_or_default()
    }

    fn keeps(&self, attribute: &str) -> bool {
        matches!(self.body[attribute].as_str(), Some("Retain" | "RetainExceptOnCreate" | "Snapshot"))
    }
}

fn resources(side: Option<Known<'_>>) -> BTreeMap<String, Resource> {
    let Some(side) = side else { return BTreeMap::new() };
    let all = side.template.get("Resources").and_then(Value::as_object).into_iter().flatten();
    all.filter_map(|(name, body)| {
        let met = body["Condition"].as_str().map_or(Some(true), |condition| side.condition(condition));
        let properties = body.get("Properties").map_or_else(|| json!({}), |properties| side.resolve(properties));
        let resource = Resource { body: body.clone(), properties, certain: met.is_some() };
        (met != Some(false)).then(|| (name.clone(), resource))
    })
    .collect()
}

fn ends(action: ResourceAction, resource: &Resource, kept: &Resource) -> Option<ResourceChange> {
    Some(ResourceChange {
        logical_id: String::new(),
        resource_type: resource.kind().to_owned(),
        action,
        certainty: if resource.certain { Certainty::Certain } else { Certainty::Conditional },
        causes: Vec::new(),
        properties: Vec::new(),
        retained: action == ResourceAction::Delete && kept.keeps("DeletionPolicy"),
        impossible: None,
    })
}

fn between(old: &Resource, new: &Resource) -> Option<ResourceChange> {
    let mut properties = Vec::new();
    differences(Some(&old.properties), Some(&new.properties), String::new(), &mut properties);
    let has_property_changes = !properties.is_empty();
    for attribute in ATTRIBUTES {
        let (old, new) = (old.body.get(*attribute), new.body.get(*attribute));
        if old != new {
            let (old, new) = (old.cloned(), new.cloned());
            properties.push(PropertyChange { path: (*attribute).to_owned(), old, new, follows: None });
        }
    }
    if old.kind() != new.kind() {
        let (old, new) = (Some(json!(old.kind())), Some(json!(new.kind())));
        properties.push(PropertyChange { path: "Type".to_owned(), old, new, follows: None });
    }
    if properties.is_empty() {
        return None;
    }
    let (causes, known) = match Behavior::of(new.kind()) {
        Some(behavior) => (behavior.replaced_by(&old.properties, &new.properties), true),
        None => (Vec::new(), false),
    };
    let cause = |(property, certainty): (&str, Certainty)| Cause {
        property: property.to_owned(),
        certainty,
        condition: None,
        follows: None,
    };
    let mut causes: Vec<_> = causes.into_iter().map(cause).collect();
    let impossible = documented::refine(new.kind(), &old.properties, &new.properties, &mut causes);
    let surest = causes.iter().map(|cause| cause.certainty).max();
    let unsure = if known || !has_property_changes { Certainty::Certain } else { Certainty::Unknown };
    Some(ResourceChange {
        logical_id: String::new(),
        resource_type: new.kind().to_owned(),
        action: if surest.is_some() { ResourceAction::Replace } else { ResourceAction::Update },
        certainty: surest.unwrap_or(unsure),
        causes,
        properties,
        retained: surest.is_some() && new.keeps("UpdateReplacePolicy"),
        impossible,
    })
}

/// Every place that differs. Lists of the same length are looked into, others are told whole.
fn differences(old: Option<&Value>, new: Option<&Value>, path: String, found: &mut Vec<PropertyChange>) {
    if old == new {
        return;
    }
    let below = |step: &str| if path.is_empty() { step.to_owned() } else { format!("{path}/{step}") };
    match (old, new) {
        (Some(Value::Object(old)), Some(Value::Object(new))) if !is_call(old) && !is_call(new) => {
            let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
            for key in keys {
                differences(old.get(key), new.get(key), below(key), found);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new)))
            if old.len() == new.len() && !path.ends_with("Statement") =>
        {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                differences(Some(old), Some(new), below(&index.to_string()), found);
            }
        }
        (old, new) => found.push(PropertyChange { path, old: old.cloned(), new: new.cloned(), follows: None }),
    }
}

fn is_call(object: &serde_json::Map<String, Value>) -> bool {
    object.len() == 1 && object.keys().all(|key| key == "Ref" || key.starts_with("Fn::"))
}

/// Marks what changes because something it refers to is replaced, until nothing more does.
fn follow(
    changes: &mut BTreeMap<String, ResourceChange>,
    before: &BTreeMap<String, Resource>,
    after: &BTreeMap<String, Resource>,
    parameters: &BTreeMap<String, Certainty>,
) {
    let sites: BTreeMap<_, _> = after.iter().map(|(name, resource)| (name, references(&resource.properties))).collect();
    loop {
        let mut moved = parameters.clone();
        for change in changes.values().filter(|change| change.action == ResourceAction::Replace) {
            moved.insert(change.logical_id.clone(), change.certainty);
        }
        let mut grew = false;
        for (name, sites) in &sites {
            let (true, Some(resource)) = (before.contains_key(*name), after.get(*name)) else { continue };
            for site in sites {
                let Some(certainty) = moved.get(&site.target).filter(|_| site.target != **name) else { continue };
                let change = changes.entry((*name).clone()).or_insert_with(|| untouched(name, resource));
                grew |= change_with(change, resource, &site.path, &site.target, *certainty);
            }
        }
        if !grew {
            return;
        }
    }
}

fn untouched(name: &str, resource: &Resource) -> ResourceChange {
    ResourceChange {
        logical_id: name.to_owned(),
        resource_type: resource.kind().to_owned(),
        action: ResourceAction::Update,
        // Raised by what it follows.
        certainty: Certainty::Unknown,
        causes: Vec::new(),
        properties: Vec::new(),
        retained: false,
        impossible: None,
    }
}

/// Adds that a property changes with a target, or that this is surer than it was; was either new?
fn change_with(change: &mut ResourceChange, resource: &Resource, path: &str, target: &str, moved: Certainty) -> bool {
    let before = (change.action, change.certainty, change.causes.clone());
    let follows = Some(target.to_owned());
    let is_known = change.properties.iter().any(|known| known.path == path && known.follows == follows);
    if !is_known {
        let path = path.to_owned();
        change.properties.push(PropertyChange { path, old: None, new: None, follows: follows.clone() });
    }
    let required = Behavior::of(resource.kind()).and_then(|behavior| behavior.requires(path));
    if let Some(required) = required {
        let certainty = required.min(moved);
        match change.causes.iter_mut().find(|cause| cause.property == path && cause.follows == follows) {
            Some(cause) => cause.certainty = cause.certainty.max(certainty),
            None => {
                let property = path.to_owned();
                change.causes.push(Cause { property, certainty, condition: None, follows });
            }
        }
        let replaced = change.action == ResourceAction::Replace;
        change.certainty = if replaced { change.certainty.max(certainty) } else { certainty };
        change.action = ResourceAction::Replace;
        change.retained = resource.keeps("UpdateReplacePolicy");
    } else if change.action == ResourceAction::Update {
        change.certainty = change.certainty.max(moved);
    }
    !is_known || before != (change.action, change.certainty, change.causes.clone())
}

/// Outputs whose value changes with something replaced.
fn moved_outputs(
    new: Known<'_>,
    changes: &BTreeMap<String, ResourceChange>,
    parameters: &BTreeMap<String, Certainty>,
) -> BTreeMap<String, Certainty> {
    let outputs = new.template.get("Outputs").and_then(Value::as_object).into_iter().flatten();
    let certainty = |target: &String| {
        let replaced = changes.get(target).filter(|change| change.action == ResourceAction::Replace);
        replaced.map(|change| change.certainty).or_else(|| parameters.get(target).copied())
    };
    outputs
        .filter_map(|(name, output)| {
            let moved = references(&output["Value"]).iter().filter_map(|reference| certainty(&reference.target)).max();
            Some((name.clone(), moved?))
        })
        .collect()
}

fn outputs(old: Option<Known<'_>>, new: Option<Known<'_>>) -> Vec<PropertyChange> {
    let values = |side: Option<Known<'_>>| {
        let Some(side) = side else { return json!({}) };
        let outputs = side.template.get("Outputs").and_then(Value::as_object).into_iter().flatten();
        let values = outputs.map(|(name, output)| (name.clone(), side.resolve(&output["Value"])));
        Value::Object(values.collect())
    };
    let mut found = Vec::new();
    differences(Some(&values(old)), Some(&values(new)), String::new(), &mut found);
    found
}

/// Why CloudFormation would refuse, as far as the templates show it.
fn impossible(change: &ResourceChange, old: Option<&Resource>, new: Option<&Resource>) -> Option<String> {
    let (old, new) = (old?, new?);
    if old.kind() != new.kind() {
        return Some(format!(
            "CloudFormation does not let a resource change its type ({} → {}); give the new one another logical ID",
            old.kind(),
            new.kind()
        ));
    }
    if change.action != ResourceAction::Replace || change.certainty != Certainty::Certain {
        return None;
    }
    // CloudFormation template reference, "Name type": a resource with a name of its own cannot be replaced under it.
    let name = custom_name(new)?;
    let same = |resource: &Resource| resource.properties.get(&name).cloned();
    let (before, after) = (same(old), same(new));
    let moves = change.properties.iter().any(|property| property.path == name && property.follows.is_some());
    (before.is_some() && before == after && !moves).then(|| {
        format!(
            "CloudFormation cannot replace it under its own name; change {name} as well, or leave it to CloudFormation"
        )
    })
}

/// The property that names a resource, where its type has one that replaces.
fn custom_name(resource: &Resource) -> Option<String> {
    let behavior = Behavior::of(resource.kind())?;
    let last = resource.kind().rsplit("::").next()?;
    [format!("{last}Name"), "Name".to_owned()].into_iter().find(|name| behavior.paths().any(|(path, _)| path == name))
}
