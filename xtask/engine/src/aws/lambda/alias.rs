//! Aliases: reading them, and routing their traffic.

use std::collections::BTreeMap;

use aws_sdk_lambda::types::{AliasConfiguration, AliasRoutingConfiguration};

use super::Lambda;
use crate::aws::{
    AwsError,
    error::{failed, if_found},
    resource::Resource,
};

/// The code of an update whose revision is not the present one (Lambda API reference, `UpdateAlias`).
const OUTDATED: &str = "PreconditionFailedException";

/// An alias.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Alias {
    /// The alias's name.
    pub(crate) name: String,
    /// The version that receives the traffic without a routing weight.
    pub(crate) version: String,
    /// Other versions with their routing weights, 0 to 1.
    pub(crate) weights: BTreeMap<String, f64>,
    /// The ID of this state of the alias. An emulator may report none.
    pub(crate) revision: Option<String>,
}

impl Alias {
    /// Returns whether two states of an alias send the same traffic to the same versions.
    pub(crate) fn routes_as(&self, other: &Self) -> bool {
        self.version == other.version && self.weights == other.weights
    }
}

/// The routing of an alias.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Routing<'a> {
    /// All traffic goes to this version.
    All(&'a str),
    /// Two versions share the traffic.
    Split(TrafficSplit<'a>),
}

/// A split of an alias's traffic between two versions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TrafficSplit<'a> {
    /// The version that receives the rest.
    pub(crate) version: &'a str,
    /// The version that receives the share.
    pub(crate) other: &'a str,
    /// The share, 0 to 1.
    pub(crate) share: f64,
}

impl Routing<'_> {
    fn version(&self) -> &str {
        match self {
            Self::All(version) | Self::Split(TrafficSplit { version, .. }) => version,
        }
    }

    fn weights(&self) -> BTreeMap<String, f64> {
        match self {
            Self::All(_) => BTreeMap::new(),
            Self::Split(split) => BTreeMap::from([(split.other.to_owned(), split.share)]),
        }
    }

    /// Returns whether an alias has this routing.
    pub(crate) fn is_of(&self, alias: &Alias) -> bool {
        alias.version == self.version() && alias.weights == self.weights()
    }
}

impl Lambda {
    /// Lists the aliases of a function; none if there is no such function.
    pub(crate) async fn aliases(&self, function: &str) -> Result<Vec<Alias>, AwsError> {
        let request = self.client.list_aliases().function_name(function);
        let aliases = request.into_paginator().items().send().try_collect().await;
        let aliases = if_found(aliases.map_err(failed("lambda:ListAliases", Resource::function(function))))?;
        Ok(aliases.iter().flatten().map(alias).collect())
    }

    /// Points an alias to a single version, without a condition.
    pub(crate) async fn point(&self, function: &str, alias: &str, version: &str) -> Result<(), AwsError> {
        self.route(function, alias, Routing::All(version), None).await.map(drop)
    }

    /// Sets the routing of an alias; returns its new state.
    ///
    /// # Errors
    ///
    /// When the call fails, or `revision` is not the present one: see [`is_outdated`].
    pub(crate) async fn route(
        &self,
        function: &str,
        alias: &str,
        routing: Routing<'_>,
        revision: Option<&str>,
    ) -> Result<Alias, AwsError> {
        // Without weights, an empty map: it removes the present ones.
        let weights = Some(routing.weights().into_iter().collect());
        let weights = AliasRoutingConfiguration::builder().set_additional_version_weights(weights).build();
        let request = self.client.update_alias().function_name(function).name(alias);
        let request = request.function_version(routing.version()).routing_config(weights);
        let request = request.set_revision_id(revision.map(str::to_owned));
        let update = async || {
            request.clone().send().await.map_err(failed("lambda:UpdateAlias", Resource::version(function, alias)))
        };
        let updated = self.when_settled(function, update).await?;
        Ok(Alias {
            name: alias.to_owned(),
            version: routing.version().to_owned(),
            weights: routing.weights(),
            revision: updated.revision_id,
        })
    }
}

/// Returns whether an update was refused because the alias has changed since its revision. A repeated call whose first response was
/// lost is refused as well.
pub(crate) fn is_outdated(error: &AwsError) -> bool {
    error.code.as_deref() == Some(OUTDATED)
}

fn alias(found: &AliasConfiguration) -> Alias {
    let weights = found.routing_config().and_then(|routing| routing.additional_version_weights()).into_iter().flatten();
    Alias {
        name: found.name().unwrap_or_default().to_owned(),
        version: found.function_version().unwrap_or_default().to_owned(),
        weights: weights.map(|(version, weight)| (version.clone(), *weight)).collect(),
        revision: found.revision_id().map(str::to_owned),
    }
}
