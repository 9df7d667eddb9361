//! Reads the deployed state: the only source of [`Observed`].

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
pub(crate) use model::parts::function::LIVE;
use model::rendered::{ParameterSource, RenderedStack, RenderedSystem};
use plan::observed::{ListedStack, Observed, ObservedFunction, ObservedSettings, ObservedStack};
use serde_json::Value;

use crate::{
    aws::{
        AwsError, Clients,
        cloudformation::{CloudFormation, StackState},
        error::if_allowed,
        lambda::{Alias, Lambda, Version},
    },
    template_hash,
};

/// How much of the deployed state is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Stacks without their templates.
    Stacks,
    /// Stacks. A template whose hash is that of the rendered one is not read, but taken from there: so a change that another tool has made to
    /// an xtask template, and that kept the hash, is not seen.
    Templates,
    /// Stacks without their templates, and functions without the weights of `live`.
    States,
    /// Stacks as with [`Self::Templates`], and functions without the weights of `live`.
    Changes,
    /// Also the templates and weights that a person may have changed.
    Everything,
}

/// The deployed state, and the lists of stacks that it was read from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observation {
    pub(crate) observed: Observed,
    /// The stacks of the account, by region, where all were listed.
    pub(crate) listed: BTreeMap<String, Vec<ListedStack>>,
}

/// Reads every stack and function of these systems.
///
/// # Errors
///
/// When a call fails.
pub async fn observe(systems: &[RenderedSystem], extent: Extent, clients: &Clients) -> Result<Observed, AwsError> {
    Ok(observe_and_list(systems, extent, &BTreeSet::new(), clients).await?.observed)
}

/// Reads every stack and function of these systems, and lists all stacks of these regions, if the caller may.
///
/// # Errors
///
/// When a call fails.
pub(crate) async fn observe_and_list(
    systems: &[RenderedSystem],
    extent: Extent,
    regions: &BTreeSet<&str>,
    clients: &Clients,
) -> Result<Observation, AwsError> {
    let functions: Vec<_> = match extent {
        Extent::Stacks | Extent::Templates => Vec::new(),
        Extent::States | Extent::Changes | Extent::Everything => names_of_functions(systems).collect(),
    };
    let ((stacks, listed), functions) = tokio::try_join!(
        observe_stacks(systems, extent, regions, clients),
        observe_functions(&functions, extent, clients),
    )?;
    let issuers = if needs_issuers(systems, &stacks) { clients.oidc_issuers().await? } else { BTreeSet::new() };
    Ok(Observation { observed: Observed { stacks, functions, issuers }, listed })
}

fn names_of_functions(systems: &[RenderedSystem]) -> impl Iterator<Item = &str> {
    let functions = systems.iter().flat_map(|system| &system.stacks).flat_map(|stack| &stack.functions);
    functions.map(|function| function.function_name.as_str())
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
    let stacks = regions.iter().map(async |region| {
        let all = clients.cloudformation(Some(region)).describe_all().await?;
        Ok::<_, AwsError>(listed_stacks(region, &all))
    });
    Ok(try_join_all(stacks).await?.concat())
}

fn listed_stacks(region: &str, all: &BTreeMap<String, StackState>) -> Vec<ListedStack> {
    let listed = all.iter().map(|(name, state)| ListedStack {
        name: name.clone(),
        region: region.to_owned(),
        status: state.status.clone(),
        tags: state.tags.clone(),
    });
    listed.collect()
}

async fn observe_stacks(
    systems: &[RenderedSystem],
    extent: Extent,
    listed: &BTreeSet<&str>,
    clients: &Clients,
) -> Result<(BTreeMap<String, ObservedStack>, BTreeMap<String, Vec<ListedStack>>), AwsError> {
    let mut stacks: BTreeMap<&str, Vec<&RenderedStack>> = listed.iter().map(|region| (*region, Vec::new())).collect();
    for stack in systems.iter().flat_map(|system| &system.stacks) {
        stacks.entry(stack.region.as_deref().unwrap_or(clients.region())).or_default().push(stack);
    }
    let regions = stacks.into_iter().map(async |(region, stacks)| {
        let cloudformation = clients.cloudformation(Some(region));
        let all = match listed.contains(region) {
            true => if_allowed(cloudformation.describe_all().await)?,
            false => None,
        };
        let listed = all.as_ref().map(|all| (region.to_owned(), listed_stacks(region, all)));
        let names: Vec<_> = stacks.iter().map(|stack| stack.name.as_str()).collect();
        let mut states = match all {
            Some(all) => all,
            None => cloudformation.describe_each(&names).await?,
        };
        let states = stacks.into_iter().filter_map(|stack| Some((stack, states.remove(&stack.name)?)));
        let observed = states.map(|(stack, state)| observe_stack(stack, state, extent, &cloudformation));
        Ok::<_, AwsError>((try_join_all(observed.collect::<Vec<_>>()).await?, listed))
    });
    let (stacks, listed): (Vec<_>, Vec<_>) = try_join_all(regions).await?.into_iter().unzip();
    Ok((stacks.into_iter().flatten().collect(), listed.into_iter().flatten().collect()))
}

async fn observe_stack(
    stack: &RenderedStack,
    state: StackState,
    extent: Extent,
    cloudformation: &CloudFormation,
) -> Result<(String, ObservedStack), AwsError> {
    let template = match extent {
        Extent::Stacks | Extent::States => None,
        Extent::Templates | Extent::Changes if has_template(&state, &stack.template) => Some(stack.template.clone()),
        Extent::Templates | Extent::Changes | Extent::Everything => cloudformation.template(&stack.name).await?,
    };
    let StackState { status, reason, is_express, parameters, outputs, is_protected, .. } = state;
    let observed = ObservedStack { status, reason, is_express, template, parameters, outputs, is_protected };
    Ok((stack.name.clone(), observed))
}

/// Returns whether a deployed stack has this template, by its hash. The hash of a stack whose last operation did not succeed may be
/// another template's.
fn has_template(state: &StackState, template: &Value) -> bool {
    let succeeded = matches!(state.status.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE");
    succeeded && state.template_hash.as_ref().is_some_and(|hash| *hash == template_hash::hash(template))
}

async fn observe_functions(
    names: &[&str],
    extent: Extent,
    clients: &Clients,
) -> Result<BTreeMap<String, ObservedFunction>, AwsError> {
    let lambda = clients.lambda();
    let live = names.iter().map(|name| observe_live(name, extent, &lambda));
    let (mut latest, live) = tokio::try_join!(lambda.latest_of(names), try_join_all(live))?;
    let found = names.iter().zip(live).filter_map(|(name, live)| Some((name, latest.remove(*name)?, live)));
    Ok(found.map(|(name, latest, live)| ((*name).to_owned(), observed_function(latest, live))).collect())
}

/// What `live` of a function points to.
#[derive(Debug, Default)]
struct Live {
    /// The version, if it exists.
    version: Option<Version>,
    /// The alias, where it was read.
    alias: Option<Alias>,
}

async fn observe_live(function: &str, extent: Extent, lambda: &Lambda) -> Result<Live, AwsError> {
    if extent != Extent::Everything {
        return Ok(Live { version: lambda.version_of_alias(function, LIVE).await?, alias: None });
    }
    let alias = lambda.aliases(function).await?.into_iter().find(|alias| alias.name == LIVE);
    let version = match &alias {
        Some(alias) => lambda.version(function, &alias.version).await?,
        None => None,
    };
    Ok(Live { version, alias })
}

fn observed_function(latest: Version, live: Live) -> ObservedFunction {
    let Live { version, alias } = live;
    let is_unreleased = version.as_ref().is_some_and(|live| !live.does_the_same(&latest));
    let settings = ObservedSettings {
        memory: latest.settings.memory,
        timeout: latest.settings.timeout,
        tracing: latest.settings.tracing,
        environment: latest.settings.environment,
    };
    let live = alias.as_ref().map(|alias| &alias.version).or(version.as_ref().map(|live| &live.version));
    ObservedFunction {
        code_sha256: latest.code_sha256,
        live: live.cloned(),
        live_code_sha256: version.map(|live| live.code_sha256),
        is_unreleased,
        weights: alias.map(|alias| alias.weights).unwrap_or_default(),
        settings: Some(settings),
    }
}

#[cfg(test)]
mod tests {
    use model::{
        example::{Example, FEEDS},
        rendered::RenderedFunction,
    };

    use serde_json::json;

    use super::*;
    use crate::aws::scripted::{Endpoint, Received};

    const ABSENT: &str = "<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>Stack with id a does not \
                          exist</Message></Error></ErrorResponse>";

    const ONE: &str = r#"{"FunctionName":"f","Version":"$LATEST","CodeSha256":"x","MemorySize":128}"#;

    fn functions() -> Vec<RenderedSystem> {
        let mut systems = Example::systems(&Example::stage_named("local"));
        systems.retain(|system| system.name == FEEDS);
        let stack = &mut systems[0].stacks[0];
        let first = stack.functions[0].clone();
        let named = |number| RenderedFunction { function_name: format!("feeds-f{number}-local"), ..first.clone() };
        stack.functions = (0..31).map(named).collect();
        systems
    }

    /// An account with thirty-one functions, whose list the caller may read or not.
    fn functions_of(request: &Received, may_list: bool) -> (u16, String) {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        match path.strip_prefix("GET /2015-03-31/functions").map(|path| path.trim_start_matches('/')) {
            Some("") if !may_list => (403, r#"{"__type":"AccessDeniedException","message":"no"}"#.to_owned()),
            Some("") => {
                let (first, next) = if query.contains("Marker=2") { (20, "") } else { (0, r#","NextMarker":"2""#) };
                let named = |number: u32| ONE.replace(r#""f""#, &format!(r#""feeds-f{number}-local""#));
                let page: Vec<_> = (first..first + 20).map(named).collect();
                (200, format!(r#"{{"Functions":[{}]{next}}}"#, page.join(",")))
            }
            Some(path) if path.ends_with("/configuration") => (200, ONE.to_owned()),
            Some(path) if path.ends_with("/aliases") => {
                (200, r#"{"Aliases":[{"Name":"live","FunctionVersion":"7"}]}"#.to_owned())
            }
            Some(_) => (200, format!(r#"{{"Configuration":{}}}"#, ONE.replace("$LATEST", "7"))),
            None => (400, ABSENT.to_owned()),
        }
    }

    #[tokio::test]
    async fn functions_are_read_with_one_call_each_and_one_list_of_all() {
        for (may_list, extent, expected) in [
            (true, Extent::States, 31 + 2),
            (false, Extent::States, 31 + 1 + 31),
            (true, Extent::Everything, 2 * 31 + 2),
            (true, Extent::Stacks, 0),
        ] {
            let endpoint = Endpoint::serve(move |request: &Received| functions_of(request, may_list)).await;
            let observed = observe(&functions(), extent, &endpoint.clients().await).await.expect("observed");
            // One more describes the stack.
            assert_eq!(endpoint.received().len(), expected + 1, "{extent:?}");
            let live: BTreeSet<_> = observed.functions.values().map(|function| function.live.as_deref()).collect();
            let is_read = expected > 0;
            assert_eq!(observed.functions.len(), if is_read { 31 } else { 0 });
            assert_eq!(live, if is_read { BTreeSet::from([Some("7")]) } else { BTreeSet::new() });
            assert!(observed.functions.values().all(|function| !function.is_unreleased));
        }
    }

    #[tokio::test]
    async fn only_a_template_with_another_hash_is_read() {
        let systems = functions();
        let stack = &systems[0].stacks[0];
        let same = template_hash::hash(&stack.template);
        let body = json!({ "Resources": {} });
        let cases = [
            ("UPDATE_COMPLETE", &same, Extent::Templates, 1),
            ("UPDATE_COMPLETE", &same, Extent::Everything, 2),
            ("UPDATE_COMPLETE", &same, Extent::Stacks, 1),
            ("UPDATE_ROLLBACK_COMPLETE", &same, Extent::Templates, 2),
            ("UPDATE_COMPLETE", &"0".repeat(64), Extent::Templates, 2),
        ];
        for (status, hash, extent, calls) in cases {
            let described = format!(
                "<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>{}</StackName><StackStatus>{status}\
                 </StackStatus><Outputs><member><OutputKey>XtaskTemplateHash</OutputKey><OutputValue>{hash}</OutputValue></member>\
                 </Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>",
                stack.name
            );
            let template = format!(
                "<GetTemplateResponse><GetTemplateResult><TemplateBody>{}</TemplateBody></GetTemplateResult></GetTemplateResponse>",
                template_hash::with_hash(&body).to_string().replace('"', "&quot;")
            );
            let endpoint = Endpoint::serve(move |request: &Received| match request.body.contains("GetTemplate") {
                true => (200, template.clone()),
                false if request.target == "POST /" => (200, described.clone()),
                false => functions_of(request, true),
            })
            .await;
            let clients = endpoint.clients().await;
            let (stacks, _) = observe_stacks(&systems, extent, &BTreeSet::new(), &clients).await.expect("observed");
            let observed = &stacks[&stack.name];
            assert_eq!(endpoint.received().len(), calls, "{status} {extent:?}");
            let expected = match calls {
                2 => Some(&body),
                _ if extent == Extent::Stacks => None,
                _ => Some(&stack.template),
            };
            assert_eq!(observed.template.as_ref(), expected, "{status} {extent:?}");
            assert!(observed.outputs.is_empty(), "the hash is no output of the stack");
        }
    }
}
