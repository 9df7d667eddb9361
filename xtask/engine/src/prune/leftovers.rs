//! Marks leftovers of interrupted runs and deleted functions. Only on request.

use std::collections::BTreeSet;

use clap::ValueEnum;
use model::rendered::RenderedSystem;

use super::{Mark, Marks, Target};
use crate::{
    aws::{AwsError, Clients, cloudformation::ChangeSet, logs::LogGroup},
    deploy::CHANGE_SET_PREFIX,
    parallel,
    ui::size,
};

/// The prefix of the log groups that Lambda writes to (Lambda developer guide, "Sending Lambda function logs to CloudWatch Logs").
const LOG_GROUPS: &str = "/aws/lambda/";
/// The status of a stack that has only a change set.
const EMPTY_STATUS: &str = "REVIEW_IN_PROGRESS";

/// A kind of leftovers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Leftover {
    /// Change sets of this tool that were never executed.
    ChangeSets,
    /// Stacks without resources, whose first change set was never executed.
    EmptyStacks,
    /// Log groups of functions that no longer exist, with the logs in them.
    LogGroups,
}

/// Marks the wanted leftovers of these systems.
pub(crate) async fn mark(
    clients: &Clients,
    wanted: &BTreeSet<Leftover>,
    systems: &[RenderedSystem],
    stage: &str,
) -> Result<Marks, AwsError> {
    let mut marks = Marks::new();
    if wanted.contains(&Leftover::ChangeSets) || wanted.contains(&Leftover::EmptyStacks) {
        mark_stacks(clients, wanted, systems, stage, &mut marks).await?;
    }
    if wanted.contains(&Leftover::LogGroups) {
        mark_log_groups(clients, systems, stage, &mut marks).await?;
    }
    Ok(marks)
}

async fn mark_stacks(
    clients: &Clients,
    wanted: &BTreeSet<Leftover>,
    systems: &[RenderedSystem],
    stage: &str,
    marks: &mut Marks,
) -> Result<(), AwsError> {
    let regions: BTreeSet<_> =
        systems.iter().flat_map(|system| &system.stacks).map(|stack| stack.region.clone()).collect();
    for region in regions {
        let cloudformation = clients.cloudformation(region.as_deref());
        for (stack, state) in cloudformation.describe_all().await? {
            let Some(system) = systems.iter().find(|system| belongs(&stack, &system.name, stage)) else { continue };
            let marks = marks.entry(system.name.clone()).or_default();
            if state.status == EMPTY_STATUS {
                if wanted.contains(&Leftover::EmptyStacks) {
                    marks.push(empty_stack(&stack, region.as_deref()));
                }
            } else if wanted.contains(&Leftover::ChangeSets) {
                let change_sets = cloudformation.change_sets(&stack).await?;
                marks.extend(change_sets.iter().map(|found| change_set(&stack, region.as_deref(), found)));
            }
        }
    }
    Ok(())
}

async fn mark_log_groups(
    clients: &Clients,
    systems: &[RenderedSystem],
    stage: &str,
    marks: &mut Marks,
) -> Result<(), AwsError> {
    for system in systems {
        let groups = clients.logs().groups(&format!("{LOG_GROUPS}{}-", system.name)).await?;
        let own = groups.iter().filter_map(|group| Some((group, group.name.strip_prefix(LOG_GROUPS)?)));
        let own = own.filter(|(_, name)| belongs(name, &system.name, stage) || continues(name, system, stage));
        let found = own.map(async |(group, function)| {
            let exists = clients.lambda().version(function, "$LATEST").await?.is_some();
            Ok::<_, AwsError>(log_group(group, exists, is_defined(&group.name, systems)))
        });
        let found = parallel::each(found).await?;
        if !found.is_empty() {
            marks.entry(system.name.clone()).or_default().extend(found);
        }
    }
    Ok(())
}

/// Returns whether a name has the form `<system>-…-<stage>`.
fn belongs(name: &str, system: &str, stage: &str) -> bool {
    let inner = name.strip_prefix(system).and_then(|rest| rest.strip_suffix(stage));
    inner.is_some_and(|inner| inner.len() > 2 && inner.starts_with('-') && inner.ends_with('-'))
}

/// Returns whether a name has the form `<system>-<stack>-<stage>-…` of a stack of the system, or begins as the name of one of its
/// functions does, up to the stage. Any other name with the stage in it could be one of another stage.
fn continues(name: &str, system: &RenderedSystem, stage: &str) -> bool {
    let middle = format!("-{stage}-");
    let begins = |known: &str| {
        let beginning = known.find(&middle).map(|index| &known[..index + middle.len()]);
        beginning.is_some_and(|beginning| name.len() > beginning.len() && name.starts_with(beginning))
    };
    system.stacks.iter().any(|stack| {
        begins(&format!("{}-", stack.name)) || stack.functions.iter().any(|function| begins(&function.function_name))
    })
}

/// Returns whether a stack of these systems defines the log group.
fn is_defined(group: &str, systems: &[RenderedSystem]) -> bool {
    let resources = systems.iter().flat_map(|system| &system.stacks).filter_map(|stack| {
        let resources = stack.template["Resources"].as_object()?;
        Some(resources.values())
    });
    resources
        .flatten()
        .any(|resource| resource["Type"] == "AWS::Logs::LogGroup" && resource["Properties"]["LogGroupName"] == group)
}

fn empty_stack(stack: &str, region: Option<&str>) -> Mark {
    Mark {
        what: format!("stack {stack}"),
        keep: false,
        why: "it is empty: its first change set was never executed".to_owned(),
        target: Target::EmptyStack { region: region.map(str::to_owned), stack: stack.to_owned() },
    }
}

fn change_set(stack: &str, region: Option<&str>, found: &ChangeSet) -> Mark {
    let (keep, why) = match (found.name.starts_with(CHANGE_SET_PREFIX), found.busy) {
        (false, _) => (true, "another tool created it"),
        (_, true) => (true, "CloudFormation is processing it"),
        _ => (false, "it was never executed"),
    };
    Mark {
        what: format!("change set {} of {stack}", found.name),
        keep,
        why: why.to_owned(),
        target: Target::ChangeSet {
            region: region.map(str::to_owned),
            stack: stack.to_owned(),
            name: found.name.clone(),
        },
    }
}

fn log_group(group: &LogGroup, function_exists: bool, defined: bool) -> Mark {
    let (keep, why) = match (function_exists, defined) {
        (true, _) => (true, "its function exists".to_owned()),
        (_, true) => (true, "a stack of this stage defines it".to_owned()),
        _ => (false, format!("its function is gone; it contains {} of logs", size(group.stored))),
    };
    let target = Target::LogGroup { name: group.name.clone() };
    Mark { what: format!("log group {}", group.name), keep, why, target }
}

#[cfg(test)]
mod tests {
    use model::example::{Example, NOTES};

    use super::*;

    #[test]
    fn only_names_of_this_system_and_stage_belong() {
        assert!(belongs("notes-api-dev", "notes", "dev"));
        assert!(!belongs("notes-api-dev", "notes", "prod"));
        assert!(!belongs("notes-dev", "notes", "dev"));
        assert!(!belongs("notess-api-dev", "notes", "dev"));
        assert!(!belongs("notes-api-notdev", "notes", "dev"));
    }

    #[test]
    fn names_that_continue_after_the_stage_belong_if_they_begin_like_a_stack_or_function() {
        let systems = Example::systems(&Example::stage_named("prod"));
        let mut notes = systems.into_iter().find(|system| system.name == NOTES).expect("notes");
        assert!(continues("notes-api-prod-gone", &notes, "prod"));
        for other in ["notes-api-prod", "notes-api-dev-gone", "notes-other-prod-gone", "notes-api-prods-gone"] {
            assert!(!continues(other, &notes, "prod"), "{other}");
        }
        for stack in &mut notes.stacks {
            stack.functions.iter_mut().for_each(|function| function.function_name = "notes-other-prod-get".to_owned());
        }
        assert!(continues("notes-other-prod-gone", &notes, "prod"));
    }

    #[test]
    fn foreign_and_busy_change_sets_stay() {
        let found = |name: &str, busy| change_set("s", None, &ChangeSet { name: name.to_owned(), busy });
        assert!(found("somebody-elses", false).keep);
        assert!(found(&format!("{CHANGE_SET_PREFIX}0123"), true).keep);
        assert!(!found(&format!("{CHANGE_SET_PREFIX}0123"), false).keep);
    }

    #[test]
    fn logs_stay_as_long_as_their_function() {
        let group = LogGroup { name: "/aws/lambda/s-f-dev".to_owned(), stored: 2_000_000 };
        assert!(log_group(&group, true, false).keep);
        assert!(log_group(&group, false, true).keep, "a stack that is being created defines it");
        let gone = log_group(&group, false, false);
        assert!(!gone.keep && gone.why.contains("2.0 MB"), "{gone:?}");
    }
}
