//! The probe every function answers: proof that a version starts, before any traffic reaches it.
//!
//! A release invokes each new version by its number with [`Probe`] as the event; the function's start-up
//! (environment read, clients built) has then already succeeded, and it answers with a [`Ready`] without
//! touching any data.

use serde::{Deserialize, Serialize};

/// The event of a probe: `{"probe": "ready"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// What is asked.
    pub probe: Question,
}

/// What a probe asks.
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
    /// Always true; a version that is not ready fails to start instead.
    pub ready: bool,
    /// The binary that answered, `<system>-<function>`, so that swapped artifacts are noticed.
    pub function: String,
}
