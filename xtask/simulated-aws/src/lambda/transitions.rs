//! Transitions that take time: creating a function, updating it, publishing a version.

use std::{ops::Range, time::Duration};

use super::{Function, State, Target, Update, conflict};
use crate::{account::Account, wire::Refusal};

/// Why Lambda abandons an update, as `LastUpdateStatusReason`. The API reference lists the code `InternalError`.
const ABANDONED: &str = "InternalError: the update could not be completed";

/// Lets a version's transition end after a while. Without a duration it ends at once.
pub(super) fn begin(account: &mut Account, target: &Target, version: &str, takes: Range<Duration>) {
    account.lambda.transitions += 1;
    let transition = account.lambda.transitions;
    let Some(found) = account.lambda.function_mut(&target.region, &target.name) else { return };
    let Some(found) = found.version_mut(version) else { return };
    found.transition = transition;
    let subject = format!("{} {} {version} {transition}", target.region, target.name);
    let takes = account.chance.duration(takes);
    if takes.is_zero() {
        end(account, &subject);
    } else {
        account.schedule(takes, end, subject);
    }
}

/// Ends a transition, unless another one has begun. The subject is `<region> <function> <version> <transition>`.
fn end(account: &mut Account, subject: &str) {
    let mut parts = subject.split(' ');
    let (Some(region), Some(name), Some(version), Some(transition)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return;
    };
    let is_current =
        |function: &Function| function.version(version).is_some_and(|found| found.transition.to_string() == transition);
    if account.lambda.function(region, name).is_some_and(is_current) {
        let target = Target { region: region.to_owned(), name: name.to_owned(), qualifier: None };
        settle(account, &target, version);
    }
}

/// Ends a version's transition, if there is one. This changes the revision ID, as recorded.
pub(super) fn settle(account: &mut Account, target: &Target, version: &str) {
    let is_abandoned = account.lambda.settings.abandoned > 0.0 && {
        let share = account.lambda.settings.abandoned;
        account.chance.happens(share)
    };
    let revision = account.chance.uuid();
    let Some(found) = account.lambda.function_mut(&target.region, &target.name) else { return };
    let Some(found) = found.version_mut(version) else { return };
    match (&found.state, &found.update, is_abandoned) {
        (State::Pending, _, false) => found.state = State::Active,
        (State::Pending, _, true) => found.state = State::Failed(ABANDONED.to_owned()),
        (_, Update::InProgress, false) => {
            found.update = Update::Successful;
            found.before = None;
            found.is_warm = false;
        }
        // Developer guide, "Lambda function states": the previous code and configuration remain available.
        (_, Update::InProgress, true) => {
            found.update = Update::Failed(ABANDONED.to_owned());
            if let Some((code, settings)) = found.before.take() {
                (found.code, found.settings) = (code, settings);
            }
        }
        _ => return,
    }
    found.transition = 0;
    found.revision = revision;
}

/// Refuses a change of `$LATEST` while Lambda is creating or updating the function (developer guide, "Lambda function states": the
/// operations that fail are `UpdateFunctionCode`, `UpdateFunctionConfiguration` and `PublishVersion`). The texts are those that users report.
pub(super) fn check_settled(function: &Function) -> Result<(), Refusal> {
    match (&function.latest.state, &function.latest.update) {
        (State::Active, Update::InProgress) => Err(conflict(format!(
            "The operation cannot be performed at this time. An update is in progress for resource: {}",
            function.arn
        ))),
        (State::Active, _) => Ok(()),
        (state, _) => Err(not_active(state)),
    }
}

/// The refusal of an operation that needs an active function.
pub(super) fn not_active(state: &State) -> Refusal {
    let state = if *state == State::Pending { "Pending" } else { "Failed" };
    conflict(format!(
        "The operation cannot be performed at this time. The function is currently in the following state: {state}"
    ))
}
