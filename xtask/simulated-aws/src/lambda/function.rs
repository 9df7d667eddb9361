//! The state of a function: `$LATEST`, its versions and its aliases.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Behavior;
use crate::time::Moment;

/// The name of the unpublished version.
pub const LATEST: &str = "$LATEST";

/// The code of a version.
#[derive(Debug, Clone, PartialEq)]
pub struct Code {
    /// The SHA-256 of the zip, in base64.
    pub sha256: String,
    /// The size of the zip in bytes.
    pub size: u64,
    /// What the code does.
    pub behavior: Behavior,
}

impl Code {
    /// Reads a zip; `None` if it is none of this model.
    #[must_use]
    pub fn read(zip: &[u8]) -> Option<Self> {
        let behavior = Behavior::read(zip)?;
        Some(Self { sha256: sha256(zip), size: zip.len() as u64, behavior })
    }
}

/// The SHA-256 of a zip as Lambda prints it.
#[must_use]
pub fn sha256(zip: &[u8]) -> String {
    BASE64_STANDARD.encode(Sha256::digest(zip))
}

/// The settings of a version besides its code, by their names in the API.
pub(crate) type Settings = BTreeMap<String, Value>;

/// Whether a version can be invoked (Lambda developer guide, "Lambda function states").
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Lambda is preparing it.
    Pending,
    /// It can be invoked.
    Active,
    /// Lambda failed to prepare it, for this reason.
    Failed(String),
}

/// The last update of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Update {
    /// Lambda is carrying it out. Until then, invocations use the earlier code and settings.
    InProgress,
    /// It is completed.
    Successful,
    /// Lambda abandoned it, for this reason.
    Failed(String),
}

/// A version of a function.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// The number; `None` for `$LATEST`.
    pub number: Option<u64>,
    /// The code.
    pub code: Arc<Code>,
    /// The settings.
    pub settings: Arc<Settings>,
    /// The description.
    pub description: String,
    /// The state.
    pub state: State,
    /// The last update.
    pub update: Update,
    /// The revision ID, which changes with every change.
    pub revision: String,
    /// The time of the last change.
    pub modified: Moment,
    /// The description of `$LATEST` when this version was published.
    pub(super) source_description: String,
    /// The code and the settings before the update that is in progress.
    pub(super) before: Option<(Arc<Code>, Arc<Settings>)>,
    /// The number of the transition that is in progress: the end of an earlier one has no effect.
    pub(super) transition: u64,
    /// Whether an execution environment has started.
    pub(super) is_warm: bool,
}

impl Version {
    /// The number as text, or `$LATEST`.
    #[must_use]
    pub fn name(&self) -> String {
        self.number.map_or_else(|| LATEST.to_owned(), |number| number.to_string())
    }

    /// The code and the settings that an invocation uses.
    pub(super) fn running(&self) -> (&Arc<Code>, &Arc<Settings>) {
        self.before.as_ref().map_or((&self.code, &self.settings), |(code, settings)| (code, settings))
    }
}

/// The time after which a version with these settings is ended, in seconds.
pub(crate) fn timeout(settings: &Settings) -> u64 {
    settings.get("Timeout").and_then(Value::as_u64).unwrap_or(3)
}

/// The routing of an alias since a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Routing {
    /// The moment.
    pub since: Moment,
    /// The version that receives the rest of the traffic.
    pub version: String,
    /// Other versions with their shares, 0 to 1.
    pub weights: BTreeMap<String, f64>,
}

impl Routing {
    /// The share of a version, 0 to 1.
    #[must_use]
    pub fn share(&self, version: &str) -> f64 {
        let others: f64 = self.weights.values().sum();
        if version == self.version { 1.0 - others } else { self.weights.get(version).copied().unwrap_or_default() }
    }
}

/// An alias.
#[derive(Debug, Clone, PartialEq)]
pub struct Alias {
    /// The name.
    pub name: String,
    /// The description.
    pub description: String,
    /// The revision ID.
    pub revision: String,
    /// Its routing since it was created, oldest first; never empty.
    pub history: Arc<Vec<Routing>>,
}

impl Alias {
    /// The present routing.
    ///
    /// # Panics
    ///
    /// Never: an alias is created with a routing.
    #[must_use]
    pub fn routing(&self) -> &Routing {
        self.history.last().expect("an alias is created with a routing")
    }

    /// Whether the alias sends traffic to a version.
    #[must_use]
    pub fn refers_to(&self, version: &str) -> bool {
        self.routing().version == version || self.routing().weights.contains_key(version)
    }
}

/// A function.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    /// The name.
    pub name: String,
    /// The ARN without a qualifier.
    pub arn: String,
    /// `$LATEST`.
    pub latest: Version,
    /// The published versions by their numbers.
    pub versions: BTreeMap<u64, Version>,
    /// The aliases by their names.
    pub aliases: BTreeMap<String, Alias>,
    /// The number of the next version. Numbers are not used again (Lambda developer guide, "Manage Lambda function versions").
    pub(super) next: u64,
    /// The code and the timeout of every version that was published, also of deleted ones: metrics of the past are derived from them.
    pub(super) published: BTreeMap<u64, (Arc<Code>, u64)>,
    /// The reserved concurrency.
    pub(super) concurrency: Option<u64>,
    /// The versions that CloudFront has replicas of.
    pub(super) replicated: Vec<u64>,
}

impl Function {
    /// Returns a version by its number or `$LATEST`.
    #[must_use]
    pub fn version(&self, name: &str) -> Option<&Version> {
        if name == LATEST { Some(&self.latest) } else { self.versions.get(&name.parse().ok()?) }
    }

    pub(super) fn version_mut(&mut self, name: &str) -> Option<&mut Version> {
        if name == LATEST { Some(&mut self.latest) } else { self.versions.get_mut(&name.parse().ok()?) }
    }

    /// Returns the ARN with a qualifier.
    #[must_use]
    pub fn qualified(&self, qualifier: &str) -> String {
        format!("{}:{qualifier}", self.arn)
    }

    /// Returns the behavior of a version and its timeout in seconds, also of a deleted version.
    pub(crate) fn past(&self, version: &str) -> Option<(&Behavior, u64)> {
        if version == LATEST {
            let (code, settings) = self.latest.running();
            return Some((&code.behavior, timeout(settings)));
        }
        let (code, timeout) = self.published.get(&version.parse().ok()?)?;
        Some((&code.behavior, *timeout))
    }
}
