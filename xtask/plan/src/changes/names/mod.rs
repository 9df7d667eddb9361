//! Names that are still taken: CloudFormation creates resources before it deletes the old ones.
//!
//! CloudFormation user guide, "Update behaviors of stack resources": the replacement is created first, and old resources are
//! deleted when everything else has been updated. So a resource that takes over a unique name cannot be created, whether it
//! is the same resource replaced, another one of its stack, or one of another stack. The names are those of [`table`].

pub(super) mod table;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use self::table::{Scope, UNIQUE, Unique};
use super::{
    Certainty, ResourceAction, ResourceChange, StackChanges,
    compare::{Resource, resources},
    documented::at,
    references::references,
    resolve::Known,
};

/// A stack before and after a plan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StackSides<'a> {
    /// The name in CloudFormation.
    pub(crate) stack: &'a str,
    /// `None` if it is not known. Names that are unique in a region are not compared then.
    pub(crate) region: Option<&'a str>,
    pub(crate) old: Option<Known<'a>>,
    /// `None` for a stack that the plan does not touch; its resources stay.
    pub(crate) new: Option<Known<'a>>,
    pub(crate) changes: &'a StackChanges,
    /// The parameters whose values change with a replaced resource of another stack. The known values are the old ones.
    pub(crate) changing: &'a BTreeMap<String, Certainty>,
    /// The stacks, by name in CloudFormation, that are deployed before it, directly or not.
    pub(crate) after: &'a BTreeSet<String>,
}

/// A resource that could not be created.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    /// The stack's name in CloudFormation.
    pub(crate) stack: String,
    pub(crate) logical_id: String,
    /// The reason, and what to do instead.
    pub(crate) why: String,
}

/// A unique name: the resource type and the values of its properties.
type Key = (&'static str, String);

/// A resource that has a name.
#[derive(Clone, Copy)]
struct Holder<'a> {
    sides: &'a StackSides<'a>,
    logical_id: &'a str,
    resource: &'a Resource<'a>,
    unique: &'static Unique,
}

impl Holder<'_> {
    fn is(&self, other: &Self) -> bool {
        self.sides.stack == other.sides.stack && self.logical_id == other.logical_id
    }

    fn is_parameter(&self, name: &str) -> bool {
        let mut sides = self.sides.old.into_iter().chain(self.sides.new);
        sides.any(|side| side.template["Parameters"].get(name).is_some())
    }

    fn change(&self) -> Option<&ResourceChange> {
        self.sides.changes.of(self.logical_id)
    }

    /// The logical ID, with its stack where that is another one.
    fn place(&self, seen_from: &Self) -> String {
        let stack = self.sides.stack;
        if stack == seen_from.sides.stack { self.logical_id.to_owned() } else { format!("{stack}/{}", self.logical_id) }
    }

    /// Is its old resource gone, and its name free, when the stack of `other` is deployed? `keeps` whether its new resource has
    /// the name as well.
    fn is_gone_before(&self, other: &Self, keeps: bool) -> bool {
        let is_deleted = self.change().is_some_and(|change| match change.action {
            ResourceAction::Delete => !change.retained,
            ResourceAction::Replace => !change.retained && !keeps && change.certainty == Certainty::Certain,
            ResourceAction::Update => !keeps && change.certainty == Certainty::Certain,
            ResourceAction::Create => false,
        });
        is_deleted && self.unique.held.is_none() && other.sides.after.contains(self.sides.stack)
    }
}

/// Returns the resources that take over a name while another resource has it.
pub(crate) fn conflicts(all: &[StackSides<'_>]) -> Vec<Conflict> {
    let resources_of = |side: fn(&StackSides<'_>) -> bool, old: bool| {
        let known = all.iter().filter(|sides| side(sides));
        known.map(|sides| (sides, resources(if old { sides.old } else { sides.new }))).collect::<Vec<_>>()
    };
    let before = resources_of(|sides| sides.old.is_some(), true);
    let after = resources_of(|sides| sides.new.is_some(), false);
    let (old, new) = (holders(&before, &|_| true), holders(&after, &has_known_name));
    let mut found = Vec::new();
    for (key, claimants) in &new {
        let had = old.get(key).map(Vec::as_slice).unwrap_or_default();
        for claimant in claimants.iter().filter(|claimant| is_claim(claimant, had)) {
            let keeps = |holder: &Holder<'_>| claimants.iter().any(|other| other.is(holder));
            let still = had.iter().find_map(|holder| taken(claimant, holder, keeps(holder)));
            let mut others = claimants.iter().filter(|other| !other.is(claimant) && other.resource.is_certain);
            let why = still.or_else(|| others.next().map(|other| shared(claimant, other)));
            found.extend(why.map(|why| Conflict {
                stack: claimant.sides.stack.to_owned(),
                logical_id: claimant.logical_id.to_owned(),
                why,
            }));
        }
    }
    found
}

/// Does the plan give the name to this resource, by creating, replacing or renaming it?
fn is_claim(claimant: &Holder<'_>, had: &[Holder<'_>]) -> bool {
    let Some(change) = claimant.change().filter(|_| claimant.resource.is_certain) else { return false };
    let is_created = change.action == ResourceAction::Create
        || change.action == ResourceAction::Replace && change.certainty == Certainty::Certain;
    is_created || !had.iter().any(|holder| holder.is(claimant))
}

/// The reason why the name is not free, if the old holder has it still.
fn taken(claimant: &Holder<'_>, holder: &Holder<'_>, keeps: bool) -> Option<String> {
    let (name, id) = (claimant.unique.properties[0].trim_end_matches("/*"), claimant.logical_id);
    if holder.is(claimant) {
        return Some(replaced_under_its_name(claimant));
    }
    if holder.is_gone_before(claimant, keeps) {
        return None;
    }
    let is_here = holder.sides.stack == claimant.sides.stack;
    if is_here && !keeps && holder.change().is_some_and(|change| change.action == ResourceAction::Update) {
        return renamed_in_place(claimant, holder);
    }
    let place = holder.place(claimant);
    let when = match holder.change().map(|change| (change.action, change.retained)) {
        Some((ResourceAction::Delete, true)) => format!("{place} has it, and is retained when it leaves its stack"),
        Some((ResourceAction::Delete, false)) if is_here => {
            format!("{place} has it until CloudFormation has created the new resources and deletes the old ones")
        }
        Some((ResourceAction::Delete, false)) => match claimant.unique.held {
            Some(why) if claimant.sides.after.contains(holder.sides.stack) => format!("{place} has it, and {why}"),
            _ => format!("{place} has it, and its stack is not deployed first"),
        },
        _ => format!("{place} has it"),
    };
    let keep = if is_here { format!("keep the logical ID {}", holder.logical_id) } else { format!("keep {place}") };
    let steps = steps(claimant, holder);
    let or = if steps.is_empty() { " or" } else { "," };
    Some(format!("its {name} {} is taken: {when}; {keep}{or} give {id} another {name}{steps}", value_of(claimant)))
}

/// The reason why the name is not free, if another resource of the stack gives it away without being replaced: CloudFormation
/// changes resources in the order of their dependencies, and in any order without one.
fn renamed_in_place(claimant: &Holder<'_>, holder: &Holder<'_>) -> Option<String> {
    let (id, other) = (claimant.logical_id, holder.logical_id);
    if claimant.resource.depends_on(other) {
        return None;
    }
    let name = claimant.unique.properties[0].trim_end_matches("/*");
    Some(format!(
        "its {name} {} is taken: {other} has it until CloudFormation has changed {other}, which may be later; let {id} depend on \
         {other}, or deploy twice: first the change of {other}, then that of {id}",
        value_of(claimant)
    ))
}

/// Why a resource cannot be replaced under its name.
fn replaced_under_its_name(claimant: &Holder<'_>) -> String {
    let is_set = |path: &&&str| at(&claimant.resource.properties, path.trim_end_matches("/*")).is_some();
    match claimant.unique.properties {
        [name] => {
            let name = name.trim_end_matches("/*");
            format!(
                "CloudFormation cannot replace a resource under the same fixed name; change {name} as well, or omit it"
            )
        }
        several => format!(
            "CloudFormation creates the replacement before it deletes the old resource, but the combination of {} must be unique; \
             change one of them as well, or deploy twice: first without the resource, then with it",
            several.iter().filter(is_set).copied().collect::<Vec<_>>().join(", ")
        ),
    }
}

/// The deploys that make the change one by one, where the old resource is deleted.
fn steps(claimant: &Holder<'_>, holder: &Holder<'_>) -> String {
    let deleted = holder.change().is_some_and(|change| change.action == ResourceAction::Delete && !change.retained);
    if !deleted {
        return String::new();
    }
    let pause = holder.unique.held.map(|why| format!(" ({why})")).unwrap_or_default();
    format!(", or deploy twice: first without both, then with {}{pause}", claimant.logical_id)
}

fn shared(claimant: &Holder<'_>, other: &Holder<'_>) -> String {
    let (name, id) = (claimant.unique.properties[0].trim_end_matches("/*"), claimant.logical_id);
    format!("{} has the same {name} {}; give {id} another {name}", other.place(claimant), value_of(claimant))
}

/// The name as the template writes it.
fn value_of(holder: &Holder<'_>) -> String {
    let value = at(&holder.resource.properties, holder.unique.properties[0].trim_end_matches("/*"));
    let text = value.map(|value| value.as_str().or_else(|| value["Fn::Sub"].as_str()).map(str::to_owned));
    text.flatten().map(|text| format!("`{text}`")).unwrap_or_default()
}

/// All resources by their unique names, without those whose names are not `known`.
fn holders<'a>(
    stacks: &'a [(&'a StackSides<'a>, BTreeMap<&'a str, Resource<'a>>)],
    known: &dyn Fn(&Holder<'_>) -> bool,
) -> BTreeMap<Key, Vec<Holder<'a>>> {
    let mut found: BTreeMap<Key, Vec<Holder<'a>>> = BTreeMap::new();
    for (sides, resources) in stacks {
        for (logical_id, resource) in resources {
            for unique in UNIQUE.iter().filter(|unique| unique.resource_type == resource.resource_type()) {
                let holder = Holder { sides, logical_id, resource, unique };
                for key in keys(&holder).into_iter().filter(|_| known(&holder)) {
                    found.entry(key).or_default().push(holder);
                }
            }
        }
    }
    found
}

/// Is a name after the deploy independent of parameters whose values change?
fn has_known_name(holder: &Holder<'_>) -> bool {
    let written = holder.resource.written_properties();
    let value = |path: &&str| {
        let path = path.trim_end_matches("/*");
        at(written, path).or_else(|| written.get(path.split('/').next()?))
    };
    let values = holder.unique.properties.iter().filter_map(value);
    values.flat_map(references).all(|reference| !holder.sides.changing.contains_key(&reference.target))
}

/// The unique names of a resource; none where CloudFormation generates the name.
fn keys(holder: &Holder<'_>) -> Vec<Key> {
    let properties = &holder.resource.properties;
    let Some((name, parents)) = holder.unique.properties.split_first() else { return Vec::new() };
    let names = match name.strip_suffix("/*") {
        Some(list) => at(properties, list).and_then(Value::as_array).into_iter().flatten().collect(),
        None => at(properties, name).into_iter().collect::<Vec<_>>(),
    };
    let parents: Vec<_> = parents.iter().map(|parent| at(properties, parent).unwrap_or(&Value::Null)).collect();
    let region = if holder.unique.scope == Scope::Global { Some("") } else { holder.sides.region };
    let Some(region) = region else { return Vec::new() };
    let key = |name: &&Value| {
        let values: Vec<_> = std::iter::once(*name).chain(parents.iter().copied()).collect();
        let within = scope(&values, holder)?;
        let values: Vec<_> = values.iter().map(ToString::to_string).collect();
        Some((holder.unique.namespace(), format!("{region} {within} {}", values.join(" "))))
    };
    names.iter().filter_map(key).collect()
}

/// The stack or region within which values can be compared; empty where they mean the same everywhere. `None` if they change
/// with a resource that is created or replaced, or depend on an unknown region or
/// parameter, which may have another value after the deploy.
fn scope(values: &[&Value], holder: &Holder<'_>) -> Option<String> {
    let mut within = BTreeSet::new();
    for reference in values.iter().flat_map(|value| references(value)) {
        let target = &reference.target;
        if holder.is_parameter(target) {
            return None;
        }
        let changes = holder.sides.changes.of(target);
        if changes.is_some_and(|change| matches!(change.action, ResourceAction::Create | ResourceAction::Replace)) {
            return None;
        }
        match target.as_str() {
            "AWS::Region" => within.insert(holder.sides.region?),
            same if same.starts_with("AWS::") && !same.starts_with("AWS::Stack") => false,
            _ => within.insert(holder.sides.stack),
        };
    }
    Some(within.into_iter().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests;
