//! The probe that every function answers: proof that a version starts before it receives traffic.
//!
//! A release invokes each new version by its number with [`Probe`] as the event. The function's start-up (environment
//! read, clients built) has then already succeeded. The function answers with [`Ready`] and touches no data.

use serde::{Deserialize, Serialize};

/// The event of a probe: `{"probe": "ready"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The question.
    pub probe: Question,
}

/// The question of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Question {
    /// Is this version able to serve?
    Ready,
}

/// The answer to a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ready {
    /// Always true: a version that is not ready fails to start.
    pub ready: bool,
    /// The function that answered, `<system>-<function>`, so that swapped artifacts are detected.
    pub function: String,
}
