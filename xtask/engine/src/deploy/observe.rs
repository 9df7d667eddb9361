//! Reads the deployed state: the only source of [`Observed`].

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
pub(crate) use model::parts::function::LIVE;
use model::rendered::{ParameterSource, RenderedStack, RenderedSystem};
use plan::observed::{ListedStack, Observed, ObservedFunction, ObservedSettings, ObservedStack};

use crate::aws::{AwsError, Clients};

/// Reads every stack and function of these systems.
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
    let issuers = if needs_issuers(systems, &stacks) { clients.oidc_issuers().await? } else { BTreeSet::new() };
    Ok(Observed { stacks, functions: functions.into_iter().flatten().collect(), issuers })
}

/// Returns whether a stack that must be created depends on the account's OIDC providers. For an existing stack the decision is made, and
/// the caller need not be allowed to list providers.
fn needs_issuers(systems: &[RenderedSystem], deployed: &BTreeMap<String, ObservedStack>) -> bool {
    let depends = |stack: &&RenderedStack| {
        stack.parameters.values().any(|source| matches!(source, ParameterSource::OidcProviderExists { .. }))
    };
    let mut dependent = systems.iter().flat_map(|system| &system.stacks).filter(depends);
    dependent.any(|stack| deployed.get(&stack.name).is_none_or(ObservedStack::was_never_created))
}

/// Lists every stack of the account in these regions. This needs the permission to list all stacks.
pub(crate) async fn listed(regions: &BTreeSet<&str>, clients: &Clients) -> Result<Vec<ListedStack>, AwsError> {
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
    let (status, reason, is_express) = (state.status, state.reason, state.is_express);
    let (parameters, outputs) = (state.parameters, state.outputs);
    Ok(Some((stack.name.clone(), ObservedStack { status, reason, is_express, template, parameters, outputs })))
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

#[cfg(test)]
mod tests {
    use model::{
        example::{Example, FEEDS},
        rendered::RenderedFunction,
    };

    use super::*;
    use crate::aws::scripted::{Endpoint, Received};

    const ABSENT: &str = "<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>Stack with id a does not \
                          exist</Message></Error></ErrorResponse>";

    #[tokio::test]
    async fn thirty_one_functions_are_observed_with_three_calls_each() {
        let endpoint =
            Endpoint::serve(|request: &Received| match request.target.split('?').next().unwrap_or_default() {
                path if path.ends_with("/aliases") => {
                    (200, r#"{"Aliases":[{"Name":"live","FunctionVersion":"1"}]}"#.to_owned())
                }
                path if path.ends_with("/configuration") => {
                    (200, r#"{"FunctionName":"f","Version":"1","State":"Active","CodeSha256":"x"}"#.to_owned())
                }
                _ => (400, ABSENT.to_owned()),
            })
            .await;
        let mut systems = Example::systems(&Example::stage_named("local"));
        systems.retain(|system| system.name == FEEDS);
        let stack = &mut systems[0].stacks[0];
        let first = stack.functions[0].clone();
        let named = |number| RenderedFunction { function_name: format!("feeds-f{number}-local"), ..first.clone() };
        stack.functions = (0..31).map(named).collect();
        let observed = observe(&systems, &endpoint.clients().await).await.expect("observed");
        assert_eq!((observed.functions.len(), observed.stacks.len()), (31, 0));
        assert_eq!(endpoint.received().len(), 3 * 31 + 1);
    }
}
