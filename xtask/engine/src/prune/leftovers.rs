//! What interrupted runs and deleted functions leave behind. Looked for only when asked.

use std::collections::BTreeSet;

use clap::ValueEnum;
use model::rendered::RenderedSystem;

use super::{Target, Verdict};
use crate::{
    aws::{AwsError, Clients, cloudformation::ChangeSet, logs::LogGroup},
    deploy::CHANGE_SET_PREFIX,
    ui::size,
};

/// Where Lambda writes a function's logs (Lambda developer guide, "Sending Lambda function logs to CloudWatch Logs").
const LOG_GROUPS: &str = "/aws/lambda/";
/// A stack that a change set was made for and that was never created.
const EMPTY: &str = "REVIEW_IN_PROGRESS";

/// Something that may be left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Leftover {
    /// Change sets of this tool that were never executed.
    ChangeSets,
    /// Stacks for which a change set was made and never executed: there is nothing in them.
    EmptyStacks,
    /// Log groups of functions that no longer exist, with the logs in them.
    LogGroups,
}

/// Marks what is left behind of these systems.
///
/// # Errors
///
/// When a call fails.
pub async fn mark(
    wanted: &BTreeSet<Leftover>,
    systems: &[RenderedSystem],
    stage: &str,
    clients: &Clients,
) -> Result<Vec<Verdict>, AwsError> {
    let mut verdicts = Vec::new();
    let regions: BTreeSet<_> =
        systems.iter().flat_map(|system| &system.stacks).map(|stack| stack.region.clone()).collect();
    for region in regions {
        let cloudformation = clients.cloudformation(region.as_deref());
        if !wanted.contains(&Leftover::ChangeSets) && !wanted.contains(&Leftover::EmptyStacks) {
            continue;
        }
        for (stack, state) in cloudformation.describe_all().await? {
            if !systems.iter().any(|system| belongs(&stack, &system.name, stage)) {
                continue;
            }
            if state.status == EMPTY {
                if wanted.contains(&Leftover::EmptyStacks) {
                    verdicts.push(empty_stack(&stack, region.as_deref()));
                }
            } else if wanted.contains(&Leftover::ChangeSets) {
                let change_sets = cloudformation.change_sets(&stack).await?;
                verdicts.extend(change_sets.iter().map(|found| change_set(&stack, region.as_deref(), found)));
            }
        }
    }
    if wanted.contains(&Leftover::LogGroups) {
        for system in systems {
            for group in clients.logs().groups(&format!("{LOG_GROUPS}{}-", system.name)).await? {
                let Some(function) = group.name.strip_prefix(LOG_GROUPS) else { continue };
                if belongs(function, &system.name, stage) {
                    let exists = clients.lambda().version(function, "$LATEST").await?.is_some();
                    verdicts.push(log_group(&group, exists, defined(&group.name, systems)));
                }
            }
        }
    }
    Ok(verdicts)
}

/// Is it named `<system>-…-<stage>`?
fn belongs(name: &str, system: &str, stage: &str) -> bool {
    let inner = name.strip_prefix(system).and_then(|rest| rest.strip_suffix(stage));
    inner.is_some_and(|inner| inner.len() > 2 && inner.starts_with('-') && inner.ends_with('-'))
}

/// Is the log group one that a stack of these systems makes?
fn defined(group: &str, systems: &[RenderedSystem]) -> bool {
    let resources = systems.iter().flat_map(|system| &system.stacks).filter_map(|stack| {
        let resources = stack.template["Resources"].as_object()?;
        Some(resources.values())
    });
    resources
        .flatten()
        .any(|resource| resource["Type"] == "AWS::Logs::LogGroup" && resource["Properties"]["LogGroupName"] == group)
}

fn empty_stack(stack: &str, region: Option<&str>) -> Verdict {
    Verdict {
        what: format!("stack {stack}"),
        keep: false,
        why: "a change set was made for it and never executed: it is empty".to_owned(),
        target: Target::EmptyStack { region: region.map(str::to_owned), stack: stack.to_owned() },
    }
}

fn change_set(stack: &str, region: Option<&str>, found: &ChangeSet) -> Verdict {
    let (keep, why) = match (found.name.starts_with(CHANGE_SET_PREFIX), found.busy) {
        (false, _) => (true, "somebody else made it"),
        (_, true) => (true, "CloudFormation is at work on it"),
        _ => (false, "it was never executed"),
    };
    Verdict {
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

fn log_group(group: &LogGroup, function_exists: bool, defined: bool) -> Verdict {
    let (keep, why) = match (function_exists, defined) {
        (true, _) => (true, "its function exists".to_owned()),
        (_, true) => (true, "a stack of this stage makes it".to_owned()),
        _ => (false, format!("its function is gone; it keeps {} of logs", size(group.stored))),
    };
    let target = Target::LogGroup { name: group.name.clone() };
    Verdict { what: format!("log group {}", group.name), keep, why, target }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_of_this_system_and_stage_is_looked_at() {
        assert!(belongs("notes-api-dev", "notes", "dev"));
        assert!(!belongs("notes-api-dev", "notes", "prod"));
        assert!(!belongs("notes-dev", "notes", "dev"));
        assert!(!belongs("notess-api-dev", "notes", "dev"));
        assert!(!belongs("notes-api-notdev", "notes", "dev"));
    }

    #[test]
    fn change_sets_of_others_and_those_at_work_stay() {
        let found = |name: &str, busy| change_set("s", None, &ChangeSet { name: name.to_owned(), busy });
        assert!(found("somebody-elses", false).keep);
        assert!(found(&format!("{CHANGE_SET_PREFIX}0123"), true).keep);
        assert!(!found(&format!("{CHANGE_SET_PREFIX}0123"), false).keep);
    }

    #[test]
    fn logs_go_only_with_their_function() {
        let group = LogGroup { name: "/aws/lambda/s-f-dev".to_owned(), stored: 2_000_000 };
        assert!(log_group(&group, true, false).keep);
        assert!(log_group(&group, false, true).keep, "a stack that is being created makes it");
        let gone = log_group(&group, false, false);
        assert!(!gone.keep && gone.why.contains("2.0 MB"), "{gone:?}");
    }
}
