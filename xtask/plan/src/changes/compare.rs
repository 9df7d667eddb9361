//! Compares two templates resource by resource, then follows references to replaced resources.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    Cause, Certainty, PropertyChange, ResourceAction, ResourceChange, StackChanges,
    behavior::Behavior,
    documented,
    references::{Reference, references},
    resolve::Known,
    schema::name_property,
};

/// Attributes whose change CloudFormation reports. `DependsOn` only determines the order.
const ATTRIBUTES: &[&str] =
    &["Condition", "CreationPolicy", "DeletionPolicy", "Metadata", "UpdatePolicy", "UpdateReplacePolicy"];

/// Attributes that get another value when a property changes although the resource remains: the type, the paths of the
/// property, and the attribute.
///
/// CloudFormation template reference, "AWS::DynamoDB::Table StreamSpecification": DynamoDB creates a new stream when
/// `StreamViewType` is modified.
const RENEWED: &[(&str, [&str; 2], &str)] =
    &[("AWS::DynamoDB::Table", ["StreamSpecification", "StreamSpecification/StreamViewType"], "StreamArn")];

/// Predicts the update from one template to another; `None` stands for a stack that does not exist.
///
/// `changing` are the parameters of the new template whose values change with a replaced resource of another stack.
#[must_use]
pub(crate) fn compare(
    old: Option<Known<'_>>,
    new: Option<Known<'_>>,
    changing: &BTreeMap<String, Certainty>,
) -> StackChanges {
    let (before, after) = (resources(old), resources(new));
    let names: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
    let changes = names.into_iter().filter_map(|name| {
        let change = match (before.get(name), after.get(name)) {
            (None, Some(created)) => created_or_deleted(ResourceAction::Create, created),
            (Some(deleted), None) => created_or_deleted(ResourceAction::Delete, deleted),
            (Some(old), Some(new)) => updated(old, new),
            (None, None) => None,
        };
        change.map(|change| (name.to_owned(), ResourceChange { logical_id: name.to_owned(), ..change }))
    });
    let mut changes: BTreeMap<String, ResourceChange> = changes.collect();
    follow(&mut changes, &before, &after, changing);
    for (name, change) in &mut changes {
        let new = after.get(name.as_str());
        change.impossible = new.and_then(|new| impossible(change, before.get(name.as_str()), new));
    }
    let moved_outputs = new.map(|new| moved_outputs(new, &changes, changing)).unwrap_or_default();
    let outputs = outputs(old, new);
    StackChanges { resources: changes.into_values().collect(), outputs, moved_outputs }
}

/// A resource whose condition is met or unknown.
#[derive(Debug, Clone)]
pub(super) struct Resource<'a> {
    body: &'a Value,
    /// The properties, with known values filled in.
    pub(super) properties: Value,
    /// Is its condition known to be met?
    pub(super) is_certain: bool,
}

impl Resource<'_> {
    pub(super) fn resource_type(&self) -> &str {
        self.body["Type"].as_str().unwrap_or_default()
    }

    /// The properties as the template writes them.
    pub(super) fn written_properties(&self) -> &Value {
        &self.body["Properties"]
    }

    /// Does it refer to a resource, or name it in `DependsOn`?
    pub(super) fn depends_on(&self, logical_id: &str) -> bool {
        let named = &self.body["DependsOn"];
        let is_named = named == logical_id || named.as_array().is_some_and(|all| all.iter().any(|id| id == logical_id));
        is_named || references(self.written_properties()).iter().any(|reference| reference.target == logical_id)
    }

    fn is_retained_by(&self, attribute: &str) -> bool {
        matches!(self.body[attribute].as_str(), Some("Retain" | "RetainExceptOnCreate" | "Snapshot"))
    }
}

/// Returns the resources of a template that exist, or may exist, by logical ID.
pub(super) fn resources(side: Option<Known<'_>>) -> BTreeMap<&str, Resource<'_>> {
    let Some(side) = side else { return BTreeMap::new() };
    let all = side.template.get("Resources").and_then(Value::as_object).into_iter().flatten();
    all.filter_map(|(name, body)| {
        let met = body["Condition"].as_str().map_or(Some(true), |condition| side.condition(condition));
        let properties = body.get("Properties").map_or_else(|| json!({}), |properties| side.resolve(properties));
        let resource = Resource { body, properties, is_certain: met.is_some() };
        (met != Some(false)).then_some((name.as_str(), resource))
    })
    .collect()
}

fn created_or_deleted(action: ResourceAction, resource: &Resource<'_>) -> Option<ResourceChange> {
    Some(ResourceChange {
        logical_id: String::new(),
        resource_type: resource.resource_type().to_owned(),
        action,
        certainty: if resource.is_certain { Certainty::Certain } else { Certainty::Conditional },
        causes: Vec::new(),
        properties: Vec::new(),
        retained: action == ResourceAction::Delete && resource.is_retained_by("DeletionPolicy"),
        impossible: None,
    })
}

fn updated(old: &Resource<'_>, new: &Resource<'_>) -> Option<ResourceChange> {
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
    if old.resource_type() != new.resource_type() {
        let (old, new) = (Some(json!(old.resource_type())), Some(json!(new.resource_type())));
        properties.push(PropertyChange { path: "Type".to_owned(), old, new, follows: None });
    }
    if properties.is_empty() {
        return None;
    }
    let (causes, known) = match Behavior::of(new.resource_type()) {
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
    documented::refine(new.resource_type(), &old.properties, &new.properties, &mut causes);
    let surest = causes.iter().map(|cause| cause.certainty).max();
    let unsure = if known || !has_property_changes { Certainty::Certain } else { Certainty::Unknown };
    Some(ResourceChange {
        logical_id: String::new(),
        resource_type: new.resource_type().to_owned(),
        action: if surest.is_some() { ResourceAction::Replace } else { ResourceAction::Update },
        certainty: surest.unwrap_or(unsure),
        causes,
        properties,
        retained: surest.is_some() && new.is_retained_by("UpdateReplacePolicy"),
        impossible: None,
    })
}

/// Collects every difference. Lists of the same length are compared item by item, others as a whole.
fn differences(old: Option<&Value>, new: Option<&Value>, path: String, found: &mut Vec<PropertyChange>) {
    if old == new {
        return;
    }
    let below = |step: &str| if path.is_empty() { step.to_owned() } else { format!("{path}/{step}") };
    match (old, new) {
        (Some(Value::Object(old)), Some(Value::Object(new))) if !is_intrinsic(old) && !is_intrinsic(new) => {
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

fn is_intrinsic(object: &serde_json::Map<String, Value>) -> bool {
    object.len() == 1 && object.keys().all(|key| key == "Ref" || key.starts_with("Fn::"))
}

/// Adds the changes of resources that refer to replaced ones, until there are no more.
///
/// Each round visits, in the order of their names, the resources that refer to one which has changed since their last visit.
fn follow(
    changes: &mut BTreeMap<String, ResourceChange>,
    before: &BTreeMap<&str, Resource<'_>>,
    after: &BTreeMap<&str, Resource<'_>>,
    parameters: &BTreeMap<String, Certainty>,
) {
    let updated = after.iter().filter(|(name, _)| before.contains_key(*name));
    let all: BTreeMap<&str, _> = updated.map(|(name, resource)| (*name, references(&resource.properties))).collect();
    let referring = referring(&all);
    let mut round: BTreeSet<&str> = all.keys().copied().collect();
    while !round.is_empty() {
        let mut next = BTreeSet::new();
        while let Some(name) = round.pop_first() {
            if !follow_references(name, &after[name], &all[name], changes, parameters) {
                continue;
            }
            for other in referring.get(name).into_iter().flatten() {
                if *other > name {
                    round.insert(other)
                } else {
                    next.insert(*other)
                };
            }
        }
        round = next;
    }
}

/// Returns the resources that refer to each resource, by its logical ID.
fn referring<'a>(all: &'a BTreeMap<&'a str, Vec<Reference>>) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let mut referring: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, references) in all {
        for reference in references.iter().filter(|reference| reference.target != *name) {
            referring.entry(&reference.target).or_default().insert(name);
        }
    }
    referring
}

/// Changes a resource with the replaced ones that it refers to. Returns whether anything is new.
fn follow_references(
    name: &str,
    resource: &Resource<'_>,
    references: &[Reference],
    changes: &mut BTreeMap<String, ResourceChange>,
    parameters: &BTreeMap<String, Certainty>,
) -> bool {
    let mut grew = false;
    for reference in references.iter().filter(|reference| reference.target != name) {
        let Some(certainty) = moved(changes, parameters, reference) else { continue };
        let change = changes.entry(name.to_owned()).or_insert_with(|| unchanged(name, resource));
        grew |= change_with(change, resource, &reference.path, &reference.target, certainty);
    }
    grew
}

/// Returns how certainly the value of a reference changes; `None` if it does not.
fn moved(
    changes: &BTreeMap<String, ResourceChange>,
    parameters: &BTreeMap<String, Certainty>,
    reference: &Reference,
) -> Option<Certainty> {
    let Some(change) = changes.get(&reference.target) else { return parameters.get(&reference.target).copied() };
    if change.action == ResourceAction::Replace {
        return Some(change.certainty);
    }
    let is_renewed = RENEWED.iter().any(|(resource_type, paths, attribute)| {
        change.resource_type == *resource_type
            && reference.attribute.as_deref() == Some(*attribute)
            && change.properties.iter().any(|property| paths.contains(&property.path.as_str()))
    });
    (change.action == ResourceAction::Update && is_renewed).then_some(Certainty::Certain)
}

fn unchanged(name: &str, resource: &Resource<'_>) -> ResourceChange {
    ResourceChange {
        logical_id: name.to_owned(),
        resource_type: resource.resource_type().to_owned(),
        action: ResourceAction::Update,
        // Raised by the references to replaced resources.
        certainty: Certainty::Unknown,
        causes: Vec::new(),
        properties: Vec::new(),
        retained: false,
        impossible: None,
    }
}

/// Adds a property's change with its target, or raises its certainty. Returns whether anything is new.
fn change_with(
    change: &mut ResourceChange,
    resource: &Resource<'_>,
    path: &str,
    target: &str,
    moved: Certainty,
) -> bool {
    let before = (change.action, change.certainty, change.causes.clone());
    let follows = Some(target.to_owned());
    let is_known = change.properties.iter().any(|known| known.path == path && known.follows == follows);
    if !is_known {
        let path = path.to_owned();
        change.properties.push(PropertyChange { path, old: None, new: None, follows: follows.clone() });
    }
    let required = Behavior::of(resource.resource_type()).and_then(|behavior| behavior.replaced_at(path));
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
        change.retained = resource.is_retained_by("UpdateReplacePolicy");
    } else if change.action == ResourceAction::Update {
        change.certainty = change.certainty.max(moved);
    }
    !is_known || before != (change.action, change.certainty, change.causes.clone())
}

/// The outputs whose values change with replaced resources.
fn moved_outputs(
    new: Known<'_>,
    changes: &BTreeMap<String, ResourceChange>,
    parameters: &BTreeMap<String, Certainty>,
) -> BTreeMap<String, Certainty> {
    let outputs = new.template.get("Outputs").and_then(Value::as_object).into_iter().flatten();
    outputs
        .filter_map(|(name, output)| {
            let moved =
                references(&output["Value"]).iter().filter_map(|reference| moved(changes, parameters, reference)).max();
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

/// The reason why CloudFormation or the service would refuse the change, as far as the stack's templates show it.
fn impossible(change: &ResourceChange, old: Option<&Resource<'_>>, new: &Resource<'_>) -> Option<String> {
    if let Some(old) = old.filter(|old| old.resource_type() != new.resource_type()) {
        return Some(format!(
            "CloudFormation cannot change a resource's type ({} → {}); use another logical ID for the new resource",
            old.resource_type(),
            new.resource_type()
        ));
    }
    let is_replaced = change.action == ResourceAction::Replace && change.certainty == Certainty::Certain;
    // A replacement is a new resource, for which the rules of changes do not apply.
    let before = old.filter(|_| !is_replaced).map(|old| &old.properties);
    let refusal = documented::refusal(new.resource_type(), before, &new.properties);
    refusal.or_else(|| old.filter(|_| is_replaced).and_then(|old| same_fixed_name(change, old, new)))
}

/// CloudFormation template reference, "Name type": a resource with a fixed name cannot be replaced under that name.
fn same_fixed_name(change: &ResourceChange, old: &Resource<'_>, new: &Resource<'_>) -> Option<String> {
    // Names that are only unique together with other properties are left to [`super::names`].
    let name = name_property(new.resource_type())?;
    let same = |resource: &Resource<'_>| resource.properties.get(&name).cloned();
    let (before, after) = (same(old), same(new));
    let is_renamed = change.properties.iter().any(|property| property.path == name && property.follows.is_some());
    (before.is_some() && before == after && !is_renamed).then(|| {
        format!("CloudFormation cannot replace a resource under the same fixed name; change {name} as well, or omit it")
    })
}
