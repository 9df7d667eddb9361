//! The changes of a bot's status: one table of states and events.

use super::bot::Status;

/// An event that may change a bot's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The user verifies the bot, and Telegram accepts the token.
    Verified,
    /// The user verifies the bot, and Telegram rejects the token.
    Rejected,
    /// An administrator suspends the bot.
    Suspend,
    /// An administrator activates the bot.
    Activate,
    /// The user changes the limits.
    ChangeLimits,
    /// An administrator changes the limits.
    AdminLimits,
    /// The user removes the bot.
    Remove,
}

impl Event {
    /// All events.
    pub const ALL: [Self; 7] = [
        Self::Verified,
        Self::Rejected,
        Self::Suspend,
        Self::Activate,
        Self::ChangeLimits,
        Self::AdminLimits,
        Self::Remove,
    ];
}

/// The effect of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The bot has this status and this `is_verified`.
    Becomes(Status, bool),
    /// The bot has this status; its `is_verified` is unchanged.
    Marked(Status),
    /// Status and `is_verified` are unchanged.
    Unchanged,
    /// The bot is deleted.
    Deleted,
    /// The event is refused, because the bot is suspended.
    Refused,
}

/// Returns the effect of an event on a bot.
///
/// A user cannot remove a suspended bot: creating it again would undo the suspension.
#[must_use]
pub const fn effect(from: Status, event: Event) -> Effect {
    match (from, event) {
        (_, Event::Suspend) => Effect::Marked(Status::Suspended),
        (_, Event::Activate) => Effect::Becomes(Status::Active, true),
        (_, Event::AdminLimits) => Effect::Unchanged,
        (Status::Suspended, Event::Verified | Event::Rejected | Event::ChangeLimits | Event::Remove) => Effect::Refused,
        (_, Event::Verified) => Effect::Becomes(Status::Active, true),
        (_, Event::Rejected) => Effect::Becomes(Status::Error, false),
        (_, Event::ChangeLimits) => Effect::Unchanged,
        (_, Event::Remove) => Effect::Deleted,
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    #[test]
    fn only_an_administrator_changes_a_suspended_bot() {
        let effects = Event::ALL.map(|event| effect(Status::Suspended, event));
        let (suspended, active) = (Effect::Marked(Status::Suspended), Effect::Becomes(Status::Active, true));
        let refused = Effect::Refused;
        assert_eq!(effects, [refused, refused, suspended, active, refused, Effect::Unchanged, refused]);
    }

    #[test]
    fn all_other_states_have_the_same_row() {
        for from in [Status::Pending, Status::Active, Status::RateLimited, Status::Error] {
            let effects = Event::ALL.map(|event| effect(from, event));
            let expected = [
                Effect::Becomes(Status::Active, true),
                Effect::Becomes(Status::Error, false),
                Effect::Marked(Status::Suspended),
                Effect::Becomes(Status::Active, true),
                Effect::Unchanged,
                Effect::Unchanged,
                Effect::Deleted,
            ];
            assert_eq!(effects, expected, "{from:?}");
        }
    }

    proptest! {
        #[test]
        fn a_suspension_ends_with_an_activation_only(events in vec(select(&Event::ALL[..]), 0..30)) {
            let mut status = Status::Suspended;
            for event in events {
                let next = match effect(status, event) {
                    Effect::Becomes(next, _) | Effect::Marked(next) => next,
                    Effect::Unchanged | Effect::Refused => status,
                    Effect::Deleted => break,
                };
                prop_assert!(status != Status::Suspended || next == status || event == Event::Activate);
                status = next;
            }
        }

        #[test]
        fn no_event_sets_the_status_rate_limited(from in select(&Status::ALL[..]), event in select(&Event::ALL[..])) {
            let is_set = matches!(
                effect(from, event),
                Effect::Becomes(Status::RateLimited, _) | Effect::Marked(Status::RateLimited)
            );
            prop_assert!(!is_set);
        }
    }
}
