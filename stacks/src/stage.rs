//! A stage: account, region and settings, read from `stacks/stages/<stage>.yaml`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Where and how systems are deployed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// `local`, `dev`, `staging`, `prod`: the stage file's name.
    #[serde(skip)]
    pub name: String,
    /// The 12-digit account everything must happen in; the caller's account is held against it.
    pub account: String,
    /// The region of every stack that does not name another.
    pub region: String,
    /// Ask before changing anything.
    #[serde(default)]
    pub protected: bool,
    /// The instruction set functions are built for.
    #[serde(default)]
    pub architecture: Architecture,
    /// Each system's settings, by system name. A system without settings is not deployed to the stage.
    pub systems: BTreeMap<String, serde_json::Value>,
}

/// A Lambda instruction set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Architecture {
    /// Graviton.
    #[default]
    #[serde(rename = "arm64")]
    Arm64,
    /// Intel and AMD.
    #[serde(rename = "x86_64")]
    X86_64,
}

impl Stage {
    /// Is this the stage that runs on the emulator? What the emulator cannot do is left out of it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.name == "local"
    }
}
