//! Diagnoses a stage, and repairs what can be repaired without loss.

pub(crate) mod networks;
mod protection;
mod repair;
pub(crate) mod sms;

use std::collections::BTreeMap;

use plan::observed::{Observed, ObservedStack};
use plan::states;
pub(crate) use plan::states::Repair;
pub(crate) use protection::protection;
pub(crate) use repair::{Place, RepairContext, RepairOptions, repair};
use serde::Serialize;

use crate::deploy::{delete_again, replay};

/// A problem of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ailment {
    /// The stack, function or release.
    pub(crate) what: String,
    /// Its state in AWS.
    pub(crate) state: String,
    /// The meaning of the state.
    pub(crate) meaning: String,
    /// The repair, as a sentence.
    pub(crate) remedy: String,
    /// The repair, for [`repair()`].
    #[serde(skip)]
    pub(crate) kind: AilmentKind,
}

/// The kinds of problems, by their repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AilmentKind {
    /// A stack in this state.
    Stack(String, Repair),
    /// Routing weights of `live` without an open release: the function, and the version that keeps the traffic.
    Weights(String, String),
    /// A function that Lambda is preparing.
    Pending(String),
    /// A problem without an automatic repair.
    Manual,
}

/// The state of a function's `$LATEST`, unless it is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FunctionState {
    /// Lambda is preparing it.
    Pending,
    /// Lambda failed, for this reason.
    Failed(String),
}

/// The facts of a diagnosis besides the observed stage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Signs {
    /// The region of each stack.
    pub(crate) regions: BTreeMap<String, String>,
    /// Functions that are not ready.
    pub(crate) functions: Vec<(String, FunctionState)>,
    /// Systems with an open release, and its number.
    pub(crate) open_releases: Vec<(String, u32)>,
    /// Functions whose `live` points to a version that no release put there, and that version.
    pub(crate) unreleased: Vec<(String, String)>,
    /// APIs whose routes differ from those of the release that users receive.
    pub(crate) routes: Vec<OtherRoutes>,
}

/// An API whose routes differ from those of the release that users receive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OtherRoutes {
    pub(crate) system: String,
    /// The stack and the API's logical ID.
    pub(crate) api: String,
    /// The release.
    pub(crate) release: u32,
}

/// Lists the problems of a stage.
pub(crate) fn diagnose(stage: &str, observed: &Observed, signs: &Signs) -> Vec<Ailment> {
    let region = |stack: &str| signs.regions.get(stack).map(String::as_str);
    let stacks = observed.stacks.iter().filter_map(|(name, stack)| of_stack(stage, name, region(name), stack));
    let functions = signs.functions.iter().map(|(name, state)| of_function(name, state));
    let weights = observed.functions.iter().filter(|(_, function)| !function.weights.is_empty());
    let releasing = !signs.open_releases.is_empty();
    let weights = weights.filter(|_| !releasing).filter_map(|(name, function)| {
        let live = function.live.clone()?;
        Some(Ailment {
            what: name.clone(),
            state: "weighted alias".to_owned(),
            meaning: format!("`live` also sends traffic to versions other than {live}, and no release is in progress"),
            remedy: format!("--fix sends all traffic to version {live}"),
            kind: AilmentKind::Weights(name.clone(), live),
        })
    });
    let releases = signs.open_releases.iter().map(|(system, number)| Ailment {
        what: format!("{system} release {number}"),
        state: "open".to_owned(),
        meaning: "its run was interrupted; aliases may point to versions of different releases".to_owned(),
        remedy: format!(
            "`cargo xtask release resume --stage {stage} --system {system}` finishes it; `cargo xtask release abort \
             --stage {stage} --system {system}` reverts it"
        ),
        kind: AilmentKind::Manual,
    });
    let unreleased = signs.unreleased.iter().map(|(name, live)| Ailment {
        what: name.clone(),
        state: "unreleased".to_owned(),
        meaning: format!(
            "`live` points to version {live}, which no release recorded: the first release failed or was interrupted, or \
             the alias was changed by hand"
        ),
        remedy: format!("`cargo xtask deploy --stage {stage}` probes and releases the deployed code"),
        kind: AilmentKind::Manual,
    });
    let routes = signs.routes.iter().map(|other| of_routes(stage, other));
    stacks.chain(functions).chain(weights).chain(releases).chain(unreleased).chain(routes).collect()
}

/// Describes a stack's status. CloudFormation's reason names the resources that could not be deleted or rolled back.
fn meaning(status: &str, is_express: bool, reason: Option<&str>) -> String {
    let reason = reason.map(|reason| format!(". CloudFormation says: {}", reason.trim_end())).unwrap_or_default();
    format!("{}{reason}", states::stack_in(status, is_express).meaning)
}

fn of_stack(stage: &str, name: &str, region: Option<&str>, stack: &ObservedStack) -> Option<Ailment> {
    let status = &stack.status;
    let repair = states::stack_in(status, stack.is_express).repair;
    let remedy = match repair {
        Repair::None => return None,
        Repair::Delete => "--fix deletes it without loss; the next deploy creates it".to_owned(),
        Repair::Wait => "--fix waits until the operation ends".to_owned(),
        Repair::WaitOrCancel => {
            format!("--fix waits until the operation ends; --fix --cancel {name} cancels it, and the stack rolls back")
        }
        Repair::ContinueRollback => format!(
            "--fix continues the rollback; --fix --skip {name}/<logical ID> skips a resource that cannot be rolled back"
        ),
        Repair::RollBack => "--fix rolls it back to its last working state".to_owned(),
        Repair::Replay => {
            let template = name.strip_suffix(&format!("-{stage}")).unwrap_or(name);
            format!(
                "save the template of its last successful deploy with `git show COMMIT:templates/{stage}/{template}.yaml > template.yaml`, \
                 then run `{}`, then deploy again; CloudFormation refuses to replace a resource until then",
                replay(name, region, stack.parameters.keys())
            )
        }
        Repair::DeleteRetaining => format!(
            "`{}` deletes it again; --fix --retain {name}/<logical ID> retains a resource that cannot be deleted; the next deploy \
             creates the stack",
            delete_again(name, region)
        ),
        Repair::Deploy => "deploy again".to_owned(),
    };
    Some(Ailment {
        what: name.to_owned(),
        state: status.to_owned(),
        meaning: meaning(status, stack.is_express, stack.reason.as_deref()),
        remedy,
        kind: AilmentKind::Stack(name.to_owned(), repair),
    })
}

/// A deploy changes the routes with the stack, before it probes and releases new versions.
fn of_routes(stage: &str, other: &OtherRoutes) -> Ailment {
    let OtherRoutes { system, api, release } = other;
    Ailment {
        what: api.clone(),
        state: "unreleased routes".to_owned(),
        meaning: format!(
            "its routes differ from those of release {release}, which is live: a later release failed, or release {release} is a \
             rollback"
        ),
        remedy: format!(
            "run `cargo xtask deploy --stage {stage} --system {system}` to release versions for the current routes, or deploy the \
             commit of release {release} to restore its routes"
        ),
        kind: AilmentKind::Manual,
    }
}

/// Lambda developer guide, "Lambda function states": `State` and `LastUpdateStatus`.
fn of_function(name: &str, state: &FunctionState) -> Ailment {
    let (state, meaning, remedy, kind) = match state {
        FunctionState::Pending => (
            "Pending",
            "Lambda is preparing it".to_owned(),
            "--fix waits until the operation ends",
            AilmentKind::Pending(name.to_owned()),
        ),
        FunctionState::Failed(why) => ("Failed", why.clone(), "fix the cause and deploy again", AilmentKind::Manual),
    };
    let (what, state, remedy) = (name.to_owned(), state.to_owned(), remedy.to_owned());
    Ailment { what, state, meaning, remedy, kind }
}

#[cfg(test)]
mod tests {
    use plan::observed::ObservedFunction;

    use super::*;

    fn observed(status: &str, weights: &[(&str, f64)]) -> Observed {
        let stack = ObservedStack { status: status.to_owned(), ..ObservedStack::default() };
        let weights = weights.iter().map(|(version, weight)| ((*version).to_owned(), *weight)).collect();
        let function = ObservedFunction { live: Some("4".to_owned()), weights, ..ObservedFunction::default() };
        Observed {
            stacks: BTreeMap::from([("s".to_owned(), stack)]),
            functions: BTreeMap::from([("f".to_owned(), function)]),
            ..Observed::default()
        }
    }

    #[test]
    fn a_healthy_stage_has_no_problems() {
        for status in ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"] {
            assert_eq!(diagnose("dev", &observed(status, &[]), &Signs::default()), []);
        }
    }

    #[test]
    fn a_failed_express_update_is_ended_by_its_last_working_template() {
        let mut failed = observed("UPDATE_FAILED", &[]);
        let mut stack = failed.stacks.remove("s").expect("a stack");
        stack.is_express = true;
        stack.parameters = [("Bucket".to_owned(), "b".to_owned())].into();
        failed.stacks = [("notes-api-dev".to_owned(), stack)].into();
        let found = diagnose("dev", &failed, &Signs::default());
        assert_eq!(found[0].kind, AilmentKind::Stack("notes-api-dev".to_owned(), Repair::Replay));
        let template = "`git show COMMIT:templates/dev/notes-api.yaml > template.yaml`";
        assert!(found[0].remedy.contains(template), "{found:?}");
        let command = "--deployment-config Mode=EXPRESS,DisableRollback=true --template-body file://template.yaml";
        assert!(found[0].remedy.contains(command), "{found:?}");
        assert!(found[0].remedy.contains(" --parameters ParameterKey=Bucket,UsePreviousValue=true`"), "{found:?}");
        assert!(!found[0].remedy.contains("--fix"), "{found:?}");
        // Without rollback, a failed creation is what it is in standard mode.
        failed.stacks.values_mut().for_each(|stack| stack.status = "CREATE_FAILED".to_owned());
        assert!(diagnose("dev", &failed, &Signs::default())[0].remedy.starts_with("--fix deletes it"));
    }

    #[test]
    fn problems_are_listed_with_their_repairs() {
        let found = diagnose("dev", &observed("UPDATE_ROLLBACK_FAILED", &[("3", 0.1)]), &Signs::default());
        assert_eq!(found.len(), 2);
        assert!(found[0].remedy.contains("--skip s/<logical ID>"), "{found:?}");
        let mut failed = observed("DELETE_FAILED", &[]);
        let reason = "The following resource(s) failed to delete: [RawMedia].";
        failed.stacks.entry("s".to_owned()).or_default().reason = Some(reason.to_owned());
        let signs = Signs { regions: [("s".to_owned(), "eu-west-1".to_owned())].into(), ..Signs::default() };
        let found_again = &diagnose("dev", &failed, &signs)[0];
        assert!(found_again.meaning.ends_with(reason), "{found_again:?}");
        // Not `destroy`, which would delete other stacks as well.
        let delete = "`aws cloudformation delete-stack --stack-name s --region eu-west-1` deletes it again";
        assert!(found_again.remedy.starts_with(delete), "{found_again:?}");
        assert_eq!(found[1].kind, AilmentKind::Weights("f".to_owned(), "4".to_owned()));
        // While a release is open, its weights are its own.
        let signs = Signs { open_releases: vec![("notes".to_owned(), 7)], ..Signs::default() };
        let found = diagnose("dev", &observed("CREATE_COMPLETE", &[("3", 0.1)]), &signs);
        assert_eq!(found.len(), 1);
        assert!(found[0].remedy.contains("release resume"), "{found:?}");
        let signs = Signs { unreleased: vec![("f".to_owned(), "1".to_owned())], ..Signs::default() };
        let found = diagnose("dev", &observed("CREATE_COMPLETE", &[]), &signs);
        assert!(found[0].meaning.contains("version 1, which no release recorded"), "{found:?}");
        let other = OtherRoutes { system: "notes".to_owned(), api: "notes-api-dev/NotesApi".to_owned(), release: 4 };
        let signs = Signs { routes: vec![other], ..Signs::default() };
        let found = diagnose("dev", &observed("UPDATE_COMPLETE", &[]), &signs);
        assert_eq!((found.len(), found[0].what.as_str()), (1, "notes-api-dev/NotesApi"));
        assert!(found[0].meaning.contains("its routes differ from those of release 4"), "{found:?}");
        let signs = Signs {
            functions: vec![("f".to_owned(), FunctionState::Failed("no such key".to_owned()))],
            ..Signs::default()
        };
        assert_eq!(diagnose("dev", &observed("CREATE_COMPLETE", &[]), &signs)[0].meaning, "no such key");
    }
}
