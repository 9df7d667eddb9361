//! Reading functions, for an observer of the account.

use std::collections::BTreeMap;

use super::{Alias, Behavior, Function, State, Update};
use crate::account::Account;

/// A function as an observer sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedFunction<'a> {
    /// The behavior of `$LATEST`.
    pub latest: &'a Behavior,
    /// Whether Lambda is done with `$LATEST`.
    pub is_settled: bool,
    /// The behavior of each version, by its number.
    pub versions: BTreeMap<u64, &'a Behavior>,
    /// The aliases by name, with their weights and their history.
    pub aliases: BTreeMap<&'a str, &'a Alias>,
}

impl<'a> ObservedFunction<'a> {
    fn of(function: &'a Function) -> Self {
        let latest = &function.latest;
        Self {
            latest: &latest.code.behavior,
            is_settled: latest.state != State::Pending && latest.update != Update::InProgress,
            versions: function.versions.iter().map(|(number, version)| (*number, &version.code.behavior)).collect(),
            aliases: function.aliases.iter().map(|(name, alias)| (name.as_str(), alias)).collect(),
        }
    }

    /// The versions that an alias sends traffic to, each with its share and its behavior.
    #[must_use]
    pub fn served(&self, alias: &str) -> Vec<(u64, f64, &'a Behavior)> {
        let Some(alias) = self.aliases.get(alias) else { return Vec::new() };
        let routing = alias.routing();
        let names = std::iter::once(&routing.version).chain(routing.weights.keys());
        let served = names.filter_map(|name| {
            let number = name.parse().ok()?;
            Some((number, routing.share(name), *self.versions.get(&number)?))
        });
        served.filter(|(_, share, _)| *share > 0.0).collect()
    }
}

/// Returns a function as an observer sees it.
#[must_use]
pub fn observe<'a>(account: &'a Account, region: &str, function: &str) -> Option<ObservedFunction<'a>> {
    account.lambda.function(region, function).map(ObservedFunction::of)
}

/// Returns all functions of a region, by name.
pub fn functions<'a>(account: &'a Account, region: &str) -> impl Iterator<Item = (&'a str, ObservedFunction<'a>)> {
    account.lambda.in_region(region).map(|function| (function.name.as_str(), ObservedFunction::of(function)))
}
