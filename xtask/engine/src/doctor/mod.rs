//! Finds what is wrong with a stage, says what it means, and repairs what can be repaired without losing anything.

mod repair;

use plan::observed::{Observed, ObservedStack};
use plan::states;
pub use plan::states::{Meaning, Repair};
pub use repair::{Names, repair};
use serde::Serialize;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ailment {
    /// What it is about: a stack, a function, a release.
    pub what: String,
    /// Its state, as AWS calls it.
    pub state: String,
    /// What that means.
    pub meaning: String,
    /// What to do, in words.
    pub remedy: String,
    /// What it is, for whoever repairs it.
    #[serde(skip)]
    pub kind: Kind,
}

/// What an ailment is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A stack, by name.
    Stack(String, Repair),
    /// Routing weights of `live` without a release that is under way; the function, and the version that stays.
    Weights(String, String),
    /// A function that Lambda is at work on.
    Pending(String),
    /// Something that only a person can mend.
    Told,
}

/// What a function's `$LATEST` is in, where that is not well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FunctionState {
    /// Lambda is at work on it.
    Pending,
    /// Lambda failed on it; says why.
    Failed(String),
}

/// What else a diagnosis looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signs {
    /// Functions that are not well.
    pub functions: Vec<(String, FunctionState)>,
    /// Systems with a release that is open, and its number.
    pub open_releases: Vec<(String, u32)>,
    /// Functions whose `live` is a version that no release has left there, and that version.
    pub unreleased: Vec<(String, String)>,
}

/// What is wrong with a stage. Pure.
#[must_use]
pub fn diagnose(stage: &str, observed: &Observed, signs: &Signs) -> Vec<Ailment> {
    let stacks = observed.stacks.iter().filter_map(|(name, stack)| of_stack(stage, name, stack));
    let functions = signs.functions.iter().map(|(name, state)| of_function(name, state));
    let weights = observed.functions.iter().filter(|(_, function)| !function.weights.is_empty());
    let releasing = !signs.open_releases.is_empty();
    let weights = weights.filter(|_| !releasing).filter_map(|(name, function)| {
        let live = function.live.clone()?;
        Some(Ailment {
            what: name.clone(),
            state: "weighted alias".to_owned(),
            meaning: format!("`live` sends a share elsewhere than to version {live}, and no release is under way"),
            remedy: format!("--fix sends everything to version {live}"),
            kind: Kind::Weights(name.clone(), live),
        })
    });
    let releases = signs.open_releases.iter().map(|(system, number)| Ailment {
        what: format!("{system} release {number}"),
        state: "open".to_owned(),
        meaning: "its run was interrupted; aliases may point to a mix of versions".to_owned(),
        remedy: format!(
            "`cargo xtask release resume --stage {stage} --system {system}` finishes it, `abort` reverts it"
        ),
        kind: Kind::Told,
    });
    let unreleased = signs.unreleased.iter().map(|(name, live)| Ailment {
        what: name.clone(),
        state: "unreleased".to_owned(),
        meaning: format!(
            "`live` points to version {live}, which no release has left there: its first release failed or was interrupted, or it was \
             moved by hand"
        ),
        remedy: format!("`cargo xtask deploy --stage {stage}` probes what is there and releases it"),
        kind: Kind::Told,
    });
    stacks.chain(functions).chain(weights).chain(releases).chain(unreleased).collect()
}

fn of_stack(stage: &str, name: &str, stack: &ObservedStack) -> Option<Ailment> {
    let status = &stack.status;
    let Meaning { meaning, repair } = states::stack(status);
    // Names the resources that could not be deleted or rolled back.
    let reason = stack.reason.as_deref().map(|reason| format!(". CloudFormation says: {reason}")).unwrap_or_default();
    let remedy = match repair {
        Repair::None => return None,
        Repair::Delete => "--fix deletes it, nothing is lost; the next deploy makes it".to_owned(),
        Repair::Wait => "--fix waits until that is over".to_owned(),
        Repair::WaitOrCancel => {
            format!("--fix waits until that is over; --fix --cancel {name} stops it, and it goes back")
        }
        Repair::ContinueRollback => format!(
            "--fix continues the rollback; what cannot be rolled back is skipped with --skip {name}/<logical ID>"
        ),
        Repair::RollBack => "--fix rolls it back to what it last was".to_owned(),
        Repair::DeleteRetaining => format!(
            "`cargo xtask destroy --stage {stage}` tries again; --fix --retain {name}/<logical ID> deletes it without that"
        ),
        Repair::Deploy => "deploy again".to_owned(),
    };
    Some(Ailment {
        what: name.to_owned(),
        state: status.to_owned(),
        meaning: format!("{meaning}{reason}"),
        remedy,
        kind: Kind::Stack(name.to_owned(), repair),
    })
}

/// Lambda developer guide, "Lambda function states": `State` and `LastUpdateStatus`.
fn of_function(name: &str, state: &FunctionState) -> Ailment {
    let (state, meaning, remedy, kind) = match state {
        FunctionState::Pending => (
            "Pending",
            "Lambda is at work on it".to_owned(),
            "--fix waits until that is over",
            Kind::Pending(name.to_owned()),
        ),
        FunctionState::Failed(why) => ("Failed", why.clone(), "mend the cause and deploy again", Kind::Told),
    };
    let (what, state, remedy) = (name.to_owned(), state.to_owned(), remedy.to_owned());
    Ailment { what, state, meaning, remedy, kind }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

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
    fn what_is_well_is_not_mentioned() {
        for status in ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"] {
            assert_eq!(diagnose("dev", &observed(status, &[]), &Signs::default()), []);
        }
    }

    #[test]
    fn what_is_not_is_told_with_its_remedy() {
        let found = diagnose("dev", &observed("UPDATE_ROLLBACK_FAILED", &[("3", 0.1)]), &Signs::default());
        assert_eq!(found.len(), 2);
        assert!(found[0].remedy.contains("--skip s/<logical ID>"), "{found:?}");
        let mut failed = observed("DELETE_FAILED", &[]);
        let reason = "The following resource(s) failed to delete: [RawMedia].";
        failed.stacks.entry("s".to_owned()).or_default().reason = Some(reason.to_owned());
        assert!(diagnose("dev", &failed, &Signs::default())[0].meaning.ends_with(reason));
        assert_eq!(found[1].kind, Kind::Weights("f".to_owned(), "4".to_owned()));
        // While a release is open, its weights are its own.
        let signs = Signs { open_releases: vec![("notes".to_owned(), 7)], ..Signs::default() };
        let found = diagnose("dev", &observed("CREATE_COMPLETE", &[("3", 0.1)]), &signs);
        assert_eq!(found.len(), 1);
        assert!(found[0].remedy.contains("release resume"), "{found:?}");
        let signs = Signs { unreleased: vec![("f".to_owned(), "1".to_owned())], ..Signs::default() };
        let found = diagnose("dev", &observed("CREATE_COMPLETE", &[]), &signs);
        assert!(found[0].meaning.contains("version 1, which no release has left there"), "{found:?}");
        let signs = Signs {
            functions: vec![("f".to_owned(), FunctionState::Failed("no such key".to_owned()))],
            ..Signs::default()
        };
        assert_eq!(diagnose("dev", &observed("CREATE_COMPLETE", &[]), &signs)[0].meaning, "no such key");
    }
}
