//! Selects systems and stacks by name. Pure.

use std::collections::BTreeSet;

use miette::Diagnostic;
use model::{rendered::RenderedSystem, stage::Stage};
use plan::file::Selection;
use thiserror::Error;

use super::stacks_of;
use crate::stage::closest;

/// A selection names something that the stage does not have. Nothing was read or changed.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum SelectionError {
    /// The stage has no such system.
    #[error("stage {stage} has no system `{system}`{}", closest(.system, .known))]
    #[diagnostic(help("choose one of {}, or enable the system in the stage file", .known.join(", ")))]
    UnknownSystem {
        /// The stage.
        stage: String,
        /// The name that was given.
        system: String,
        /// The names to choose from.
        known: Vec<String>,
    },
    /// The selected systems have no such stack.
    #[error("stage {stage} has no stack `{stack}`{}; nothing was touched", closest(.stack, .known))]
    #[diagnostic(help("choose one of {}{}", .known.join(", "), or_group(.groups)))]
    UnknownStack {
        /// The stage.
        stage: String,
        /// The name that was given.
        stack: String,
        /// The stacks to choose from.
        known: Vec<String>,
        /// The groups to choose from.
        groups: Vec<String>,
    },
    /// The selected systems have no such group.
    #[error("stage {stage} has no group `{group}`{}; nothing was touched", closest(.group, .groups))]
    #[diagnostic(help("choose {}one of the stacks with --stack: {}", one_of(.groups), .known.join(", ")))]
    UnknownGroup {
        /// The stage.
        stage: String,
        /// The name that was given.
        group: String,
        /// The stacks to choose from.
        known: Vec<String>,
        /// The groups to choose from.
        groups: Vec<String>,
    },
    /// Several of the selected systems have the group.
    #[error("group `{group}` belongs to several systems of stage {stage}: {}; nothing was touched", .systems.join(", "))]
    #[diagnostic(help("select one of the systems with --system"))]
    AmbiguousGroup {
        /// The stage.
        stage: String,
        /// The group.
        group: String,
        /// The systems.
        systems: Vec<String>,
    },
}

fn or_group(groups: &[String]) -> String {
    if groups.is_empty() {
        String::new()
    } else {
        format!(", or one of the groups with --group: {}", groups.join(", "))
    }
}

fn one_of(groups: &[String]) -> String {
    if groups.is_empty() { String::new() } else { format!("one of {}, or ", groups.join(", ")) }
}

/// The systems with the selected stacks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selected {
    /// The systems, each with its selected stacks in deploy order.
    pub(crate) systems: Vec<RenderedSystem>,
    /// The systems of which only some stacks are selected, by name.
    pub(crate) partial: BTreeSet<String>,
}

/// Keeps the selected system and stacks, in deploy order.
///
/// A stack is named as in its system (`api`) or in full (`photos-api-dev`). A short name selects that stack of every system.
///
/// # Errors
///
/// When the stage has no such system, stack or group, or several systems have the group.
pub(crate) fn select(
    stage: &Stage,
    systems: Vec<RenderedSystem>,
    selection: &Selection,
) -> Result<Selected, SelectionError> {
    let mut systems = select_system(stage, systems, selection.system.as_deref())?;
    let mut partial = BTreeSet::new();
    if selection.names_stacks() {
        let names = stack_names(stage, &systems, selection)?;
        for system in &mut systems {
            let all = system.stacks.len();
            system.stacks.retain(|stack| names.contains(&stack.name));
            if system.stacks.len() < all {
                partial.insert(system.name.clone());
            }
        }
        systems.retain(|system| !system.stacks.is_empty());
        partial.retain(|name| systems.iter().any(|system| system.name == *name));
    }
    Ok(Selected { systems, partial })
}

/// Keeps one system; `None` keeps all.
///
/// # Errors
///
/// When the stage has no such system.
pub(crate) fn select_system(
    stage: &Stage,
    systems: Vec<RenderedSystem>,
    system: Option<&str>,
) -> Result<Vec<RenderedSystem>, SelectionError> {
    match system {
        None => Ok(systems),
        Some(name) => of_name(stage, systems, name),
    }
}

fn of_name(stage: &Stage, systems: Vec<RenderedSystem>, name: &str) -> Result<Vec<RenderedSystem>, SelectionError> {
    let known = systems.iter().map(|system| system.name.clone()).collect();
    let found: Vec<_> = systems.into_iter().filter(|system| system.name == name).collect();
    if found.is_empty() {
        return Err(SelectionError::UnknownSystem { stage: stage.name.clone(), system: name.to_owned(), known });
    }
    Ok(found)
}

/// Returns the full names of the selected stacks.
fn stack_names(
    stage: &Stage,
    systems: &[RenderedSystem],
    selection: &Selection,
) -> Result<BTreeSet<String>, SelectionError> {
    let mut names = BTreeSet::new();
    for name in &selection.stacks {
        let found = stacks_of(systems).filter(|stack| stack.stack == *name || stack.name == *name);
        let found: Vec<_> = found.map(|stack| stack.name.clone()).collect();
        if found.is_empty() {
            let (known, groups) = selectors(systems);
            return Err(SelectionError::UnknownStack { stage: stage.name.clone(), stack: name.clone(), known, groups });
        }
        names.extend(found);
    }
    for group in &selection.groups {
        let system = with_group(stage, systems, group)?;
        let stacks = system.stacks.iter().filter(|stack| system.groups[group].contains(&stack.stack));
        names.extend(stacks.map(|stack| stack.name.clone()));
    }
    Ok(names)
}

fn with_group<'a>(
    stage: &Stage,
    systems: &'a [RenderedSystem],
    group: &str,
) -> Result<&'a RenderedSystem, SelectionError> {
    let found: Vec<_> = systems.iter().filter(|system| system.groups.contains_key(group)).collect();
    let (stage, group) = (stage.name.clone(), group.to_owned());
    match found.as_slice() {
        [system] => Ok(system),
        [] => {
            let (known, groups) = selectors(systems);
            Err(SelectionError::UnknownGroup { stage, group, known, groups })
        }
        several => {
            let systems = several.iter().map(|system| system.name.clone()).collect();
            Err(SelectionError::AmbiguousGroup { stage, group, systems })
        }
    }
}

/// Returns the names that select stacks of these systems: those of stacks, and those of groups.
fn selectors(systems: &[RenderedSystem]) -> (Vec<String>, Vec<String>) {
    let mut stacks = Vec::new();
    for stack in stacks_of(systems) {
        if !stacks.contains(&stack.stack) {
            stacks.push(stack.stack.clone());
        }
    }
    let groups: BTreeSet<_> = systems.iter().flat_map(|system| system.groups.keys().cloned()).collect();
    (stacks, groups.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use miette::Diagnostic as _;
    use model::example::{Example, FEEDS, NOTES};

    use super::*;

    fn systems() -> (Stage, Vec<RenderedSystem>) {
        let stage = Example::stage_named("local");
        let mut systems = Example::systems(&stage);
        for system in &mut systems {
            let groups: &[(&str, &[&str])] = match system.name.as_str() {
                NOTES => &[("stored", &["data"]), ("serving", &["web", "api"])],
                FEEDS => &[("serving", &["api"])],
                _ => &[],
            };
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            system.groups = groups.iter().map(|(name, stacks)| ((*name).to_owned(), owned(stacks))).collect();
        }
        (stage, systems)
    }

    fn selected(system: Option<&str>, stacks: &[&str], groups: &[&str]) -> Result<Selected, SelectionError> {
        let (stage, systems) = systems();
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let selection = Selection { stacks: owned(stacks), groups: owned(groups), ..Selection::of_system(system) };
        select(&stage, systems, &selection)
    }

    fn names(selected: &Selected) -> Vec<&str> {
        stacks_of(&selected.systems).map(|stack| stack.name.as_str()).collect()
    }

    #[test]
    fn several_stacks_and_groups_are_selected_in_deploy_order() {
        let found = selected(Some(NOTES), &["api"], &["stored"]).expect("selected");
        assert_eq!(names(&found), ["notes-data-local", "notes-api-local"]);
        assert_eq!(found.partial, BTreeSet::from([NOTES.to_owned()]));
        let found = selected(None, &["notes-web-local", "notes-data-local"], &[]).expect("selected");
        let order: Vec<_> = names(&found);
        assert!(order == ["notes-data-local", "notes-web-local"] || order == ["notes-web-local", "notes-data-local"]);
        let (_, all) = systems();
        let rendered: Vec<_> = stacks_of(&all).map(|stack| stack.name.as_str()).collect();
        assert!(order.iter().map(|name| rendered.iter().position(|other| other == name)).is_sorted(), "{order:?}");
    }

    #[test]
    fn all_stacks_of_a_system_are_the_system() {
        let whole = selected(Some(NOTES), &[], &[]).expect("selected");
        for found in [
            selected(Some(NOTES), &["data", "web", "api"], &[]).expect("selected"),
            selected(Some(NOTES), &[], &["serving", "stored"]).expect("selected"),
            selected(None, &["notes-api-local", "web"], &["stored"]).expect("selected"),
        ] {
            assert_eq!((found.systems, found.partial), (whole.systems.clone(), BTreeSet::new()));
        }
        let one_each = selected(None, &["api"], &[]).expect("selected");
        assert_eq!(names(&one_each), ["notes-api-local", "feeds-api-local"]);
        assert_eq!(one_each.partial, BTreeSet::from([NOTES.to_owned()]), "feeds has one stack");
    }

    #[test]
    fn an_unknown_name_lists_the_valid_ones() {
        let refused = |system, stacks: &[&str], groups: &[&str]| {
            let error = selected(system, stacks, groups).expect_err("refused");
            format!("{error}; {}", error.help().map(|help| help.to_string()).unwrap_or_default())
        };
        let stack = refused(Some(NOTES), &["api", "apo"], &[]);
        assert!(
            stack.starts_with("stage local has no stack `apo`; did you mean `api`?; nothing was touched"),
            "{stack}"
        );
        assert!(
            stack.contains("data") && stack.ends_with("one of the groups with --group: serving, stored"),
            "{stack}"
        );
        let group = refused(None, &[], &["served"]);
        assert!(group.contains("no group `served`; did you mean `serving`?"), "{group}");
        assert!(
            group.contains("choose one of serving, stored, or one of the stacks with --stack: artifacts"),
            "{group}"
        );
        let ambiguous = refused(None, &[], &["serving"]);
        assert!(ambiguous.contains("`serving` belongs to several systems of stage local: notes, feeds"), "{ambiguous}");
        assert!(selected(Some(FEEDS), &[], &["serving"]).is_ok());
        assert!(refused(Some("note"), &["api"], &[]).contains("no system `note`; did you mean `notes`?"));
    }
}
