//! Looks at what is deployed. The only maker of [`Observed`].

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
pub use model::parts::function::LIVE;
use model::rendered::{ParameterSource, RenderedStack, RenderedSystem};
use plan::observed::{ListedStack, Observed, ObservedFunction, ObservedSettings, ObservedStack};

use crate::aws::{AwsError, Clients};

/// Looks at every stack and function of these systems.
///
/// # Errors
///
/// When a call fails.
pub async fn observe(systems: &[RenderedSystem], clients: &Clients) -> Result<Observed, AwsError> {
    let stacks = systems.iter().flat_map(|system| &system.stacks);
    let functions = systems.iter().flat_map(|system| &system.stacks).flat_map(|stack| &stack.functions);
    let (stacks, functions) = tokio::try_join!(
        try_join_all(stacks.map(|stack| observe_stack(stack, clients))),
        try_join_all(functions.map(|function| observe_function(&function.function_name, clients))),
    )?;
    let stacks: BTreeMap<_, _> = stacks.into_iter().flatten().collect();
    let issuers = if is_undecided(systems, &stacks) { clients.oidc_issuers().await? } else { BTreeSet::new() };
    Ok(Observed { stacks, functions: functions.into_iter().flatten().collect(), issuers })
}

/// Is there a stack to be made that depends on the account's OIDC providers? One that is there has decided, and need not be
/// allowed to ask.
fn is_undecided(systems: &[RenderedSystem], deployed: &BTreeMap<String, ObservedStack>) -> bool {
    let asks = |stack: &&RenderedStack| {
        stack.parameters.values().any(|source| matches!(source, ParameterSource::OidcProviderExists { .. }))
    };
    let mut asking = systems.iter().flat_map(|system| &system.stacks).filter(asks);
    asking.any(|stack| deployed.get(&stack.name).is_none_or(ObservedStack::was_never_created))
}

/// Lists every stack of the account in these regions.
///
/// # Errors
///
/// When a call fails; it takes the right to list stacks, not just to look at those of the stage.
pub async fn listed(regions: &BTreeSet<&str>, clients: &Clients) -> Result<Vec<ListedStack>, AwsError> {
    let stacks = regions.iter().copied().map(async |region| {
        let stacks = clients.cloudformation(Some(region)).describe_all().await?.into_iter();
        let listed = stacks.map(|(name, state)| {
            let (status, tags) = (state.status, state.tags);
            ListedStack { name, region: region.to_owned(), status, tags }
        });
        Ok::<Vec<_>, AwsError>(listed.collect())
    });
    Ok(try_join_all(stacks).await?.concat())
}

async fn observe_stack(stack: &RenderedStack, clients: &Clients) -> Result<Option<(String, ObservedStack)>, AwsError> {
    let cloudformation = clients.cloudformation(stack.region.as_deref());
    let Some(state) = cloudformation.describe(&stack.name).await? else { return Ok(None) };
    let template = cloudformation.template(&stack.name).await?;
    let (status, reason) = (state.status, state.reason);
    let (parameters, outputs) = (state.parameters, state.outputs);
    Ok(Some((stack.name.clone(), ObservedStack { status, reason, template, parameters, outputs })))
}

async fn observe_function(name: &str, clients: &Clients) -> Result<Option<(String, ObservedFunction)>, AwsError> {
    let lambda = clients.lambda();
    let Some(latest) = lambda.version(name, "$LATEST").await? else { return Ok(None) };
    let aliases = lambda.aliases(name).await?;
    let live = aliases.into_iter().find(|alias| alias.name == LIVE);
    let released = match &live {
        Some(live) => lambda.version(name, &live.version).await?,
        None => None,
    };
    let is_unreleased = released.as_ref().is_some_and(|released| !released.does_the_same(&latest));
    let settings = ObservedSettings {
        memory: latest.settings.memory,
        timeout: latest.settings.timeout,
        tracing: latest.settings.tracing,
        environment: latest.settings.environment,
    };
    let observed = ObservedFunction {
        code_sha256: latest.code_sha256,
        live: live.as_ref().map(|live| live.version.clone()),
        live_code_sha256: released.map(|released| released.code_sha256),
        is_unreleased,
        weights: live.map(|live| live.weights).unwrap_or_default(),
        settings: Some(settings),
    };
    Ok(Some((name.to_owned(), observed)))
}
