//! The faults that happen to calls, between the engine and AWS.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{chance::Chance, time::Moment, wire::Call};

/// A fault of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// AWS refuses the call because there are too many.
    Throttled,
    /// AWS answers 500, and has not carried out the call.
    ServerError,
    /// The connection is reset before AWS receives the call.
    Reset,
    /// AWS carries out the call, and the connection is reset before the response arrives.
    LostResponse,
    /// No response arrives.
    Timeout {
        /// Whether AWS carries out the call.
        is_carried_out: bool,
    },
    /// The response takes so much longer.
    Slow(#[serde(with = "seconds")] Duration),
    /// A read that is eventually consistent shows the state of so long ago.
    Stale(#[serde(with = "seconds")] Duration),
    /// The caller's credentials have expired. AWS refuses this call; the connector does not remember it for later ones.
    ExpiredCredentials,
    /// The calling process is killed. Its call never ends.
    Killed {
        /// Whether AWS carries out the call first.
        is_carried_out: bool,
    },
}

/// Durations as whole seconds, in printed histories.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(duration.as_secs())
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_secs)
    }
}

impl Fault {
    /// The kind's name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::ServerError => "server error",
            Self::Reset => "connection reset",
            Self::LostResponse => "lost response",
            Self::Timeout { is_carried_out: false } => "timeout, not carried out",
            Self::Timeout { is_carried_out: true } => "timeout, carried out",
            Self::Slow(_) => "slow response",
            Self::Stale(_) => "stale read",
            Self::ExpiredCredentials => "expired credentials",
            Self::Killed { is_carried_out: false } => "killed before the call",
            Self::Killed { is_carried_out: true } => "killed after the call",
        }
    }

    /// Whether AWS carries out the call.
    #[must_use]
    pub const fn is_carried_out(self) -> bool {
        match self {
            Self::Throttled | Self::ServerError | Self::Reset | Self::ExpiredCredentials => false,
            Self::LostResponse | Self::Slow(_) | Self::Stale(_) => true,
            Self::Timeout { is_carried_out } | Self::Killed { is_carried_out } => is_carried_out,
        }
    }
}

/// A call that is about to be sent.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// The call's number in the simulation, from 0.
    pub number: u64,
    /// The calling process.
    pub process: &'a str,
    /// The time.
    pub at: Moment,
    /// The call.
    pub call: &'a Call,
}

/// Decides which calls fail, and how.
pub trait Faults: Send {
    /// Returns the fault of a call; `None` if it succeeds. `chance` serves only this purpose.
    fn of(&mut self, attempt: &Attempt<'_>, chance: &mut Chance) -> Option<Fault>;
}

/// No faults.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFaults;

impl Faults for NoFaults {
    fn of(&mut self, _: &Attempt<'_>, _: &mut Chance) -> Option<Fault> {
        None
    }
}

impl<F: FnMut(&Attempt<'_>, &mut Chance) -> Option<Fault> + Send> Faults for F {
    fn of(&mut self, attempt: &Attempt<'_>, chance: &mut Chance) -> Option<Fault> {
        self(attempt, chance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_fault_is_read_again() {
        let printed = [
            (Fault::LostResponse, r#""LostResponse""#),
            (Fault::Slow(Duration::from_secs(7)), r#"{"Slow":7}"#),
            (Fault::Killed { is_carried_out: true }, r#"{"Killed":{"is_carried_out":true}}"#),
        ];
        for (fault, text) in printed {
            assert_eq!(serde_json::to_string(&fault).expect("plain data"), text);
            assert_eq!(serde_json::from_str::<Fault>(text).expect("a fault"), fault);
        }
    }
}
