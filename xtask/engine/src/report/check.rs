//! The results of checks from outside.

use std::fmt;

use model::rendered::LiveKind;
use serde::{Deserialize, Serialize};

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckResult {
    /// The system.
    pub(crate) system: String,
    /// What was checked.
    pub(crate) kind: CheckKind,
    /// The request.
    #[serde(rename = "what")]
    pub(crate) request: String,
    /// Whether the response was as expected.
    pub(crate) passed: bool,
    /// The status or the latency; of a check that failed, the difference.
    pub(crate) detail: String,
    /// A remark on a check that passed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) warning: Option<String>,
}

/// What a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CheckKind {
    /// The system works.
    Health,
    /// Callers without permission are refused, and test users are served.
    Auth,
    /// Browsers of an allowed origin can call the API.
    Cors,
    /// A public route responds.
    Served,
    /// An API has no such route.
    Absent,
    /// Responses come fast enough.
    Latency,
}

impl CheckKind {
    /// The kind in one word.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Auth => "auth",
            Self::Cors => "cors",
            Self::Served => "served",
            Self::Absent => "absent",
            Self::Latency => "latency",
        }
    }
}

impl fmt::Display for CheckKind {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl From<LiveKind> for CheckKind {
    fn from(kind: LiveKind) -> Self {
        match kind {
            LiveKind::Auth | LiveKind::Connect => Self::Auth,
            LiveKind::Cors => Self::Cors,
            LiveKind::Served => Self::Served,
            LiveKind::Absent => Self::Absent,
        }
    }
}
