//! The last step: stale API deployments, pruning, and what the deploy did.

use std::collections::{BTreeMap, BTreeSet};

use model::rendered::{ApiKind, RenderedFunction, RenderedMethod, RenderedStack, RenderedSystem};
use serde_json::json;

use super::{
    super::{print_json, prune, status},
    prepare::{Prepared, Target},
    release::{Deployment, live, unchanged_sites},
};
use crate::{
    application::{Application, Demo},
    aws::documents::Documents,
    deploy::{Deployed, Done, Outputs},
    error::{Exit, one_line},
    lock::HeldLocks,
    release::not_checked,
    render,
    report::{DeployReport, Draft, ReleaseProgress, StackReport},
    session::{self, Session, has_functions},
    ui::Format,
};

/// Prints the plan of a dry run as JSON; as text, it is already printed.
pub(super) fn print_plan(target: &Target, prepared: &Prepared) -> miette::Result<()> {
    if target.args.format == Format::Text {
        return Ok(());
    }
    let (stage, changed) = (&target.session.stage.name, !prepared.plan.is_empty());
    print_json(&json!({ "stage": stage, "changed": changed, "plan": prepared.preview }), &target.session.context.ui)
}

/// Reports a deploy that had nothing to do.
///
/// # Errors
///
/// When the result cannot be printed.
pub(super) async fn report_unchanged(
    target: &Target,
    prepared: &Prepared,
    draft: &Draft<DeployReport>,
) -> miette::Result<Exit> {
    let session = &target.session;
    for system in prepared.systems.iter().filter(|system| has_functions(system)) {
        let checks = session.smoke_checks(system, &BTreeMap::new()).len();
        not_checked(&session.stage.name, &system.name, checks).iter().for_each(|line| session.context.ui.say(line));
    }
    let stacks = render::stacks_of(&prepared.systems).map(|stack| (stack.name.clone(), Done::None));
    let deployed =
        Deployed { outputs: session::outputs(&prepared.observed), stacks: stacks.collect(), ..Deployed::default() };
    let functions = live(&prepared.systems, &prepared.observed);
    let sites = unchanged_sites(&prepared.systems, &prepared.observed, session)?;
    draft.update(|report| report.progress = ReleaseProgress::Complete);
    let deployment = Deployment { systems: Vec::new(), deployed, parameters: Outputs::new(), functions, sites };
    finish(target, &deployment, false, draft).await
}

/// Prunes, reports what the deploy did, and runs the demos of the local cloud. The release is complete, so a failure of the first
/// two steps is a warning.
///
/// # Errors
///
/// When a demo fails.
pub(super) async fn report(
    target: &Target,
    deployment: Deployment,
    locks: &HeldLocks<Documents>,
    draft: &Draft<DeployReport>,
) -> miette::Result<Exit> {
    let session = &target.session;
    let ui = &session.context.ui;
    let Deployment { systems, deployed, .. } = &deployment;
    let changed = has_changed(&deployment);
    // Other stacks of a system may need the same artifacts, so only systems with all stacks are pruned.
    let complete = systems.iter().filter(|system| !target.partial.contains(&system.name));
    let outdated: Vec<_> = complete.filter_map(|system| outdated(system, &deployment)).collect();
    let described = (&deployed.outputs, &deployment.parameters);
    let prune = async {
        if !outdated.is_empty()
            && let Err(error) = prune::after_deploy(&outdated, &target.artifacts, described, locks, session).await
        {
            ui.warn(format_args!("failed to prune old versions: {}", one_line(error.as_ref())));
        }
    };
    let check = async {
        if let Err(error) = warn_of_stale_routes(systems, deployed, session).await {
            ui.warn(format_args!("failed to check the deployed routes: {}", one_line(error.as_ref())));
        }
    };
    tokio::join!(prune, check);
    finish(target, &deployment, changed, draft).await
}

async fn finish(
    target: &Target,
    deployment: &Deployment,
    changed: bool,
    draft: &Draft<DeployReport>,
) -> miette::Result<Exit> {
    let Target { args, session, systems, .. } = target;
    let (ui, deployed) = (&session.context.ui, &deployment.deployed);
    let urls = session.urls(&deployed.outputs);
    let stacks = deployed.stacks.iter().map(|(name, action)| StackReport { name: name.clone(), action: *action });
    draft.update(|report| {
        report.changed = changed;
        report.stacks = stacks.collect();
        report.functions.clone_from(&deployment.functions);
        report.sites.clone_from(&deployment.sites);
        report.urls = urls;
    });
    draft.read(|report| print(target, deployed, report))?;
    if args.format == Format::Text && session.stage.is_local() {
        let demos: Vec<_> = demos_of(&session.context.application, systems).collect();
        if changed {
            for demo in &demos {
                demo.run(session, &deployed.outputs, &session.context).await?;
            }
        }
        draft.read(|report| hints(&demos, &report.urls)).iter().for_each(|hint| ui.result(hint));
    }
    Ok(Exit::Success)
}

/// Returns the part of a system that may have something to prune: functions with more versions than are kept and those that share their
/// artifacts, layers of changed stacks, and published sites.
fn outdated(system: &RenderedSystem, deployment: &Deployment) -> Option<RenderedSystem> {
    let has_old_versions = |function: &RenderedFunction| {
        let mut released = deployment.functions.iter();
        released.any(|released| released.function_name == function.function_name && released.versions > prune::KEEP)
    };
    let functions = system.stacks.iter().flat_map(|stack| &stack.functions);
    let binaries: BTreeSet<_> =
        functions.filter(|function| has_old_versions(function)).map(|function| function.id.binary.clone()).collect();
    let mut part = system.clone();
    for stack in &mut part.stacks {
        if deployment.deployed.stacks.get(&stack.name) == Some(&Done::None) {
            stack.layers.clear();
        }
    }
    // Any function may use a layer.
    let has_layers = part.stacks.iter().any(|stack| !stack.layers.is_empty());
    for stack in &mut part.stacks {
        stack.functions.retain(|function| has_layers || binaries.contains(&function.id.binary));
    }
    let is_published = |name: &str| deployment.sites.iter().any(|site| site.name == name && !site.uploaded.is_empty());
    part.sites.retain(|site| is_published(&site.name));
    let has_any = !part.sites.is_empty() || has_layers || part.stacks.iter().any(|stack| !stack.functions.is_empty());
    has_any.then_some(part)
}

fn has_changed(deployment: &Deployment) -> bool {
    let Deployment { deployed, functions, sites, .. } = deployment;
    !deployed.code.is_empty()
        || deployed.stacks.values().any(|done| *done != Done::None)
        || functions.iter().any(|released| released.before.is_some())
        || sites.iter().any(|site| !site.uploaded.is_empty())
}

/// Warns of routes that an API's stage does not serve, because its deployment is older than its definition, and of those that it
/// still serves: CloudFormation makes the deployment before it deletes methods. Emulators do not report the routes.
async fn warn_of_stale_routes(
    systems: &[RenderedSystem],
    deployed: &Deployed,
    session: &Session,
) -> miette::Result<()> {
    if session.clients.endpoint().is_some() {
        return Ok(());
    }
    let is_changed = |stack: &&RenderedStack| deployed.stacks.get(&stack.name).is_some_and(|done| *done != Done::None);
    for stack in render::stacks_of(systems).filter(is_changed) {
        // An HTTP API deploys its changes by itself.
        for api in stack.apis.iter().filter(|api| api.kind == ApiKind::Rest) {
            let outputs = deployed.outputs.get(&stack.name);
            let Some(id) = outputs.and_then(|outputs| outputs.get(&api.id_output)) else { continue };
            let served = session.clients.deployed_routes(id, &api.stage_name).await?;
            let defined: Vec<_> = api.methods.iter().map(RenderedMethod::title).collect();
            for route in served.iter().filter(|route| !defined.contains(route)) {
                session.context.ui.warn(format_args!(
                    "{} still serves the removed route {route}, until the next change of {}",
                    stack.name, api.logical_id
                ));
            }
            for route in &api.routes {
                let route = format!("{} {}", route.method.as_str(), route.path);
                if !served.contains(&route) {
                    let stack = &stack.name;
                    session
                        .context
                        .ui
                        .warn(format_args!("{stack} does not serve {route} yet: its API deployment is out of date"));
                }
            }
        }
    }
    Ok(())
}

fn print(target: &Target, deployed: &Deployed, report: &DeployReport) -> miette::Result<()> {
    let ui = &target.session.context.ui;
    let DeployReport { changed, stacks, functions, sites, urls, .. } = report;
    if target.args.format == Format::Json {
        let report = json!({
            "stage": target.session.stage.name,
            "changed": changed,
            "stacks": stacks,
            "code": deployed.code,
            "uploaded": deployed.uploaded,
            "functions": functions,
            "sites": sites,
            "urls": urls,
        });
        return print_json(&report, ui);
    }
    if !functions.is_empty() {
        let rows = functions.iter().map(|released| (released.function_name.as_str(), released.version.as_str()));
        ui.result(status::functions_table(rows));
    }
    for (name, url) in urls {
        ui.result(format_args!("{name}: {url}"));
    }
    Ok(())
}

/// Returns the demos of these systems.
fn demos_of<'a>(application: &'a Application, systems: &'a [RenderedSystem]) -> impl Iterator<Item = &'a dyn Demo> {
    let is_selected = |name: &str| systems.iter().any(|system| system.name == name);
    application.demos.iter().map(AsRef::as_ref).filter(move |demo| is_selected(demo.system()))
}

/// Returns the commands to try by hand, whether or not the deploy changed anything.
fn hints(demos: &[&dyn Demo], urls: &BTreeMap<String, String>) -> Vec<String> {
    demos.iter().filter_map(|demo| demo.hint(urls)).collect()
}

#[cfg(test)]
mod tests {
    use futures_util::future::LocalBoxFuture;
    use model::example::{Example, NOTES};

    use super::*;
    use crate::{context::Context, deploy::Outputs};

    struct Demonstration;

    impl Demo for Demonstration {
        fn system(&self) -> &str {
            NOTES
        }

        fn hint(&self, urls: &BTreeMap<String, String>) -> Option<String> {
            Some(format!("try: curl {}", urls.get("Api")?))
        }

        fn run<'a>(&'a self, _: &'a Session, _: &'a Outputs, _: &'a Context) -> LocalBoxFuture<'a, miette::Result<()>> {
            Box::pin(async { Ok(()) })
        }
    }

    #[test]
    fn demos_of_deployed_systems_hint_at_a_command() {
        let application = Application::new(Example).demo(Demonstration);
        let systems = Example::systems(&Example::stage_named("local"));
        let demos: Vec<_> = demos_of(&application, &systems).collect();
        let urls = [("Api".to_owned(), "http://localhost/notes".to_owned())].into();
        assert_eq!(hints(&demos, &urls), ["try: curl http://localhost/notes"]);
        assert!(hints(&demos, &BTreeMap::new()).is_empty());
        let others: Vec<_> = systems.into_iter().filter(|system| system.name != NOTES).collect();
        assert_eq!(demos_of(&application, &others).count(), 0);
    }
}
