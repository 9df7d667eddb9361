//! The fourth step: releases the systems one after another, each with its sites.

use std::collections::BTreeMap;

use model::{
    rendered::{RenderedStack, RenderedSystem},
    stage::Deployment as StackMode,
};
use plan::observed::Observed;

use super::{apply::Applied, prepare::Target};
use crate::{
    aws::documents::Documents,
    deploy::{self, Deployed, Done, Outputs},
    ledger::{Entry, Outcome},
    lock::HeldLocks,
    release::{self, Known, ReleaseError, Released, Settling},
    report::{DeployReport, Draft, ReleaseFailure, ReleaseProgress},
    session::{self, Session, has_functions},
    site::Published,
};

/// The stage after a deploy and its releases.
pub(super) struct Deployment {
    /// The systems that the deploy had work for.
    pub(super) systems: Vec<RenderedSystem>,
    pub(super) deployed: Deployed,
    /// The parameters of the stacks before the deploy.
    pub(super) parameters: Outputs,
    /// The released functions.
    pub(super) functions: Vec<Released>,
    /// The published sites.
    pub(super) sites: Vec<Published>,
}

/// Releases every system whose stacks are all selected. The functions and sites of other systems may need stacks that are not.
///
/// # Errors
///
/// When a release fails. The systems before it stay released.
pub(super) async fn release(
    target: &Target,
    applied: Applied,
    locks: &HeldLocks<Documents>,
    draft: &Draft<DeployReport>,
) -> miette::Result<Deployment> {
    let bucket = deploy::artifact_bucket(&target.session.stage.name, &applied.deployed.outputs);
    let mut functions = live(&applied.settled, &applied.observed);
    let mut sites = unchanged_sites(&applied.settled, &applied.observed, &target.session)?;
    let releases = |system: &&RenderedSystem| has_functions(system) || !system.sites.is_empty();
    let (partial, complete): (Vec<_>, Vec<_>) =
        applied.systems.iter().filter(releases).partition(|system| target.partial.contains(&system.name));
    if let Some(bucket) = bucket.filter(|_| target.partial.is_empty() || !complete.is_empty()) {
        let steps = Steps { target, applied: &applied, locks, bucket: &bucket, draft };
        let mut systems = complete.into_iter();
        while let Some(system) = systems.next() {
            let system_name = system.name.clone();
            draft.update(|report| report.progress = ReleaseProgress::Releasing { system: system_name });
            match steps.release(system).await {
                Ok((released, published)) => {
                    functions.extend(released);
                    sites.extend(published);
                }
                Err(error) => {
                    let untried = systems.map(|system| system.name.clone()).collect();
                    steps.report_failure(system, &error, &functions, untried);
                    return Err(error.into());
                }
            }
            // Reported system by system: what a later failure leaves live can be checked and rolled back.
            draft.update(|report| {
                report.functions.clone_from(&functions);
                report.sites.clone_from(&sites);
            });
        }
        draft.update(|report| report.progress = ReleaseProgress::Complete);
    }
    for system in partial {
        let (name, stage) = (&system.name, &target.session.stage.name);
        target.session.context.ui.say(format_args!(
            "· {name}: not released, because only some of its stacks were deployed: new functions serve their first version, and \
             others keep their live version until `cargo xtask deploy --stage {stage} --system {name}`"
        ));
    }
    let Applied { systems, deployed, observed, .. } = applied;
    Ok(Deployment { systems, deployed, parameters: session::parameters(&observed), functions, sites })
}

/// Returns the functions of systems whose `live` stays where it is.
pub(super) fn live(systems: &[RenderedSystem], observed: &Observed) -> Vec<Released> {
    let functions = systems.iter().flat_map(|system| &system.stacks).flat_map(|stack| &stack.functions);
    let live = functions.filter_map(|function| {
        let version = observed.functions.get(&function.function_name)?.live.clone()?;
        Some(Released { function_name: function.function_name.clone(), version, before: None, versions: 0 })
    });
    live.collect()
}

/// Returns the sites of systems that stay as they are.
///
/// # Errors
///
/// When the files of a site cannot be read.
pub(super) fn unchanged_sites(
    systems: &[RenderedSystem],
    observed: &Observed,
    session: &Session,
) -> miette::Result<Vec<Published>> {
    let (outputs, bucket) = (session::outputs(observed), session.bucket(observed).unwrap_or_default());
    let mut sites = Vec::new();
    for system in systems.iter().filter(|system| !system.sites.is_empty()) {
        sites.extend(session.pages(system, &outputs, &bucket).unchanged(&session.context.workspace)?);
    }
    Ok(sites)
}

struct Steps<'a> {
    target: &'a Target,
    applied: &'a Applied,
    locks: &'a HeldLocks<Documents>,
    bucket: &'a str,
    draft: &'a Draft<DeployReport>,
}

impl Steps<'_> {
    async fn release(&self, system: &RenderedSystem) -> Result<(Vec<Released>, Vec<Published>), ReleaseError> {
        let Self { target, applied, .. } = self;
        let session = &target.session;
        let mut release = session.release_of(system, &applied.observed, &applied.deployed.outputs, self.bucket);
        release.ledger = session.ledger(self.bucket, &system.name).knowing(applied.newest.get(&system.name).cloned());
        release.known = self.known(system);
        release.pages.are_published(&self.published(system));
        // Everything that can refuse the release comes before the first shift of traffic.
        let question = |site: &str, files| format!("Publish {files} files of {site} to {}?", session.stage.name);
        let approve = |site: &str, files| {
            !applied.must_confirm_sites || session.context.ui.confirm(&question(site, files)) == Some(true)
        };
        let sites = release.pages.prepare(&session.context.workspace, approve).await?;
        release.metadata.plan = Some(applied.fingerprint.clone());
        release.metadata.sites.clone_from(&sites);
        release.canary = session.canary(target.args.strategy, target.args.bake);
        release.settling = self.settling(system);
        let functions = system.stacks.iter().flat_map(|stack| &stack.functions);
        let hash = |binary| target.artifacts.functions[binary].code_sha256();
        release.code = functions.map(|function| (function.function_name.clone(), hash(&function.id.binary))).collect();
        let on_close = |entry: &Entry| self.draft.update(|report| report.releases.push(entry.into()));
        let released = if has_functions(system) {
            let is_created = |function: &str| !applied.existing.contains(function);
            release::release(&release.context(self.locks, &on_close), is_created).await?
        } else {
            Vec::new()
        };
        // Without a new release, a page may still be missing, or its configuration may have changed.
        release.pages.publish(&sites).await?;
        let urls = session.urls_of(std::slice::from_ref(system), &applied.deployed.outputs);
        let urls = system.sites.iter().filter_map(|site| urls.get(&site.name).cloned());
        release::await_sites(&release.context(self.locks, &on_close), urls).await?;
        Ok((released, release.pages.published()))
    }

    /// Returns what this run knows of a system's functions. It has not observed what CloudFormation has changed.
    fn known(&self, system: &RenderedSystem) -> BTreeMap<String, Known> {
        let Applied { deployed, observed, .. } = self.applied;
        let is_unchanged = |stack: &&RenderedStack| deployed.stacks.get(&stack.name) == Some(&Done::None);
        let functions = system.stacks.iter().filter(is_unchanged).flat_map(|stack| &stack.functions);
        let known = functions.filter_map(|function| {
            let name = &function.function_name;
            let known = match deployed.latest.get(name) {
                Some(latest) => Known::Updated(latest.clone()),
                None => Known::Unchanged(observed.functions.get(name)?.clone()),
            };
            Some((name.clone(), known))
        });
        known.collect()
    }

    /// Returns the sites of a system that users receive as the newest release has published them: the plan found no other file, and no
    /// stack has changed since, whose outputs are in a page's configuration.
    fn published(&self, system: &RenderedSystem) -> BTreeMap<String, String> {
        let Applied { deployed, newest, differing_sites, .. } = self.applied;
        let is_unchanged = |stack: &RenderedStack| deployed.stacks.get(&stack.name) == Some(&Done::None);
        let newest = newest.get(&system.name).map(|newest| &newest.entry);
        let Some(newest) = newest.filter(|newest| newest.outcome == Outcome::Released) else { return BTreeMap::new() };
        if !system.stacks.iter().all(is_unchanged) {
            return BTreeMap::new();
        }
        let published = newest.sites.iter().filter(|(site, _)| !differing_sites.contains(*site));
        published.map(|(site, manifest)| (site.clone(), manifest.clone())).collect()
    }

    /// Returns whether resources of the system's stacks may still be becoming ready.
    fn settling(&self, system: &RenderedSystem) -> Settling {
        let Self { target, applied, .. } = self;
        let is_changed = |name: &str| applied.deployed.stacks.get(name).is_some_and(|done| *done != Done::None);
        match target.session.stage.deployment {
            StackMode::Standard => Settling::Settled,
            StackMode::Express if system.stacks.iter().any(|stack| is_changed(&stack.name)) => Settling::Expected,
            StackMode::Express => Settling::Possible,
        }
    }

    fn report_failure(
        &self,
        system: &RenderedSystem,
        error: &ReleaseError,
        released: &[Released],
        untried: Vec<String>,
    ) {
        let (ui, system) = (&self.target.session.context.ui, &system.name);
        let live: Vec<_> = released.iter().filter(|released| released.before.is_some()).collect();
        if !live.is_empty() {
            let live: Vec<_> = live.iter().map(|live| format!("{} {}", live.function_name, live.version)).collect();
            ui.warn(format_args!("released before {system} failed, and still live: {}", live.join(", ")));
        }
        if !untried.is_empty() {
            ui.warn(format_args!("not released, because {system} failed: {}", untried.join(", ")));
        }
        for changed in self.applied.routes.get(system).into_iter().flatten() {
            ui.warn(format_args!(
                "the route changes of the stack remain, although the release failed: {changed}; requests to these routes reach \
                 the live versions"
            ));
        }
        let failure = ReleaseFailure { system: system.clone(), traffic: error.traffic(), untried };
        self.draft.update(|report| report.progress = ReleaseProgress::Failed(failure));
    }
}
