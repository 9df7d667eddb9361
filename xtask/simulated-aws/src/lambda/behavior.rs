//! What a function does, as its zip says.

use serde::{Deserialize, Serialize};

/// The behavior of a function's code. Its zip is this as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Behavior {
    /// Distinguishes codes that behave alike.
    pub code: u64,
    /// The system that the binary belongs to.
    pub system: String,
    /// The function's name in its system.
    pub function: String,
    /// How the function starts and answers a probe.
    pub probe: Probed,
    /// The share of the requests that fail, 0 to 1.
    pub errors: f64,
    /// The typical duration of a request, in milliseconds.
    pub duration_ms: u32,
    /// The additional duration of the first request, in milliseconds.
    pub cold_ms: u32,
}

/// How a function starts and answers a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probed {
    /// It is ready.
    #[default]
    Ready,
    /// It fails to start, and so fails every request.
    Fails,
    /// It never finishes its start, so every request ends with the function's timeout.
    Hangs,
    /// It is the binary of another function.
    OtherFunction,
}

impl Default for Behavior {
    fn default() -> Self {
        Self {
            code: 0,
            system: String::new(),
            function: String::new(),
            probe: Probed::Ready,
            errors: 0.0,
            duration_ms: 40,
            cold_ms: 100,
        }
    }
}

impl Behavior {
    /// The behavior of a function that works.
    #[must_use]
    pub fn working(system: &str, function: &str, code: u64) -> Self {
        Self { code, system: system.to_owned(), function: function.to_owned(), ..Self::default() }
    }

    /// Returns the bytes of the function's zip.
    #[must_use]
    pub fn zip(&self) -> Vec<u8> {
        // A struct of texts and finite numbers is always JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a function's zip.
    #[must_use]
    pub fn read(zip: &[u8]) -> Option<Self> {
        serde_json::from_slice(zip).ok()
    }

    /// The share of the requests that fail, 0 to 1.
    #[must_use]
    pub const fn failing(&self) -> f64 {
        match self.probe {
            Probed::Fails | Probed::Hangs => 1.0,
            Probed::Ready | Probed::OtherFunction => self.errors,
        }
    }

    /// The name that the binary answers a probe with.
    #[must_use]
    pub fn binary(&self) -> String {
        match self.probe {
            Probed::OtherFunction => format!("{}-other-than-{}", self.system, self.function),
            _ => format!("{}-{}", self.system, self.function),
        }
    }
}
