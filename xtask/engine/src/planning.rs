//! The parts of a plan that need an opened stage: the preview against deployed stacks, orphaned stacks, and sites.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use miette::Diagnostic;
use model::{foundation, rendered::RenderedSystem};
use plan::{
    Plan,
    allow::Allowances,
    artifacts::Artifacts,
    drift::drift,
    file::{Inputs, Selection, inputs},
    needed::{MissingOutput, missing_outputs},
    observed::Observed,
    orphaned,
    preview::{self, Baseline, Preview},
};
use thiserror::Error;

use crate::{
    deploy::{self, observe::Observation},
    error::one_line,
    session::{Session, outputs},
    site::{self, SiteError},
    ui::Ui,
    workspace::Workspace,
};

/// What a plan is limited to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) selection: &'a Selection,
    /// The systems of which only some stacks are selected, by name.
    pub(crate) partial: &'a BTreeSet<String>,
    /// The manifests of the sites of each system's newest release, as far as they were read.
    pub(crate) released: &'a BTreeMap<String, BTreeMap<String, String>>,
}

/// A selected stack needs an output that no deployed or selected stack has.
#[derive(Debug, Error, Diagnostic)]
#[error("failed to plan stage {stage}: {}; nothing was touched", reasons.join("; "))]
#[diagnostic(help("add {}, or deploy the whole system", options.join(" ")))]
pub(crate) struct MissingStacks {
    stage: String,
    /// The missing outputs, by the stacks that need and should have them.
    reasons: Vec<String>,
    /// The options that select the missing stacks.
    options: Vec<String>,
}

impl MissingStacks {
    fn of(stage: &str, missing: &[MissingOutput]) -> Option<Self> {
        let mut by_stacks: BTreeMap<(&str, &str, bool), Vec<&str>> = BTreeMap::new();
        for MissingOutput { stack, owner, output, is_deployed, .. } in missing {
            by_stacks.entry((stack, owner, *is_deployed)).or_default().push(output);
        }
        let reason = |((stack, owner, is_deployed), outputs): (&(&str, &str, bool), &Vec<&str>)| {
            let noun = if outputs.len() == 1 { "output" } else { "outputs" };
            let state = if *is_deployed { "is deployed without it" } else { "is not deployed" };
            let state = if *is_deployed && outputs.len() > 1 { "is deployed without them" } else { state };
            format!("stack {stack} needs {noun} {} of {owner}, which {state}", outputs.join(", "))
        };
        let options: BTreeSet<_> = missing.iter().map(|missing| format!("--stack {}", missing.owner_part)).collect();
        (!missing.is_empty()).then(|| Self {
            stage: stage.to_owned(),
            reasons: by_stacks.iter().map(reason).collect(),
            options: options.into_iter().collect(),
        })
    }
}

/// Refuses a selection of stacks that need outputs of stacks which are neither selected nor deployed.
///
/// # Errors
///
/// When an output is missing, or the stage has no artifact bucket.
pub(crate) fn refuse_missing(
    selected: &[RenderedSystem],
    partial: &BTreeSet<String>,
    observed: &Observed,
    session: &Session,
) -> miette::Result<()> {
    let partly: Vec<_> = selected.iter().filter(|system| partial.contains(&system.name)).cloned().collect();
    if partly.is_empty() {
        return Ok(());
    }
    let is_foundation = partly.iter().all(|system| system.name == foundation::SYSTEM);
    if !is_foundation {
        session.require_bucket(observed)?;
    }
    let missing = missing_outputs(&session.stage.name, &partly, observed);
    MissingStacks::of(&session.stage.name, &missing).map_or(Ok(()), |missing| Err(missing.into()))
}

/// Returns the preview of a plan against the deployed stacks.
pub(crate) fn preview(systems: &[RenderedSystem], plan: &Plan, observed: &Observed, session: &Session) -> Preview {
    let baseline = Baseline::of(session.place(), observed);
    let mut preview = preview::preview(&session.stage, systems, &baseline, Some(plan), preview::code(plan));
    preview.drift = drift(observed);
    preview
}

/// Adds the orphaned stacks and the changed files of sites to a preview. A plan of some stacks has no orphaned stacks, and no sites of
/// systems that are not released.
pub(crate) async fn complete(
    preview: &mut Preview,
    systems: &[RenderedSystem],
    observation: &Observation,
    scope: Scope<'_>,
    session: &Session,
) {
    if !scope.selection.names_stacks() {
        add_orphans(preview, scope.selection.system.as_deref(), observation, session).await;
    }
    let complete: Vec<_> = systems.iter().filter(|system| !scope.partial.contains(&system.name)).collect();
    add_sites(preview, &complete, &observation.observed, scope.released, session).await;
}

/// Adds the stage's stacks that no system defines. They are only for information: where they cannot be listed, that is a warning.
async fn add_orphans(preview: &mut Preview, system: Option<&str>, observation: &Observation, session: &Session) {
    let unlisted = session.regions().into_iter().filter(|region| !observation.listed.contains_key(*region)).collect();
    match deploy::observe::listed(&unlisted, &session.clients).await {
        Ok(mut listed) => {
            listed.extend(observation.listed.values().flatten().cloned());
            let orphaned = orphaned::orphaned_stacks(&session.stage, &session.systems, system, &listed);
            preview::add_orphaned_stacks(preview, &orphaned);
        }
        Err(error) => {
            session.context.ui.warn(format_args!("failed to list orphaned stacks: {}", one_line(&error)));
        }
    }
}

/// Adds the files of sites that differ, as far as they are known before the deploy.
async fn add_sites(
    preview: &mut Preview,
    systems: &[&RenderedSystem],
    observed: &Observed,
    released: &BTreeMap<String, BTreeMap<String, String>>,
    session: &Session,
) {
    let outputs = outputs(observed);
    let bucket = session.bucket(observed).unwrap_or_default();
    let none = BTreeMap::new();
    let of_systems = systems.iter().filter(|system| !system.sites.is_empty()).map(async |system| {
        let pages = session.pages(system, &outputs, &bucket);
        let released = released.get(&system.name).unwrap_or(&none);
        (system, pages.changed_files(&session.context.workspace, released).await)
    });
    for (system, changed) in join_all(of_systems).await {
        match changed {
            Ok(differing) => preview.sites.extend(differing),
            Err(error) => {
                let error = one_line(&error);
                session.context.ui.warn(format_args!("failed to compare the sites of {}: {error}", system.name));
            }
        }
    }
}

/// Returns the hash of everything that a plan is made from: stacks, functions, and the files of sites.
///
/// # Errors
///
/// When a site's folder cannot be read.
pub(crate) fn all_inputs(
    systems: &[RenderedSystem],
    artifacts: &Artifacts,
    observed: &Observed,
    session: &Session,
) -> Result<Inputs, SiteError> {
    let mut all = inputs(&session.stage, systems, artifacts, observed);
    all.extend(site_inputs(systems, &session.context.workspace)?);
    Ok(all)
}

fn site_inputs(systems: &[RenderedSystem], workspace: &Workspace) -> Result<Inputs, SiteError> {
    let sites = systems.iter().flat_map(|system| &system.sites);
    sites.map(|site| Ok((format!("the files of site {}", site.name), site::fingerprint(site, workspace)?))).collect()
}

/// Accepts the findings that the caller named, and warns of names without a finding.
pub(crate) fn accept(allowances: &Allowances, preview: &mut Preview, ui: &Ui) {
    for unmet in allowances.apply(&mut preview.findings) {
        ui.warn(format_args!("{unmet} matches no refused finding of this plan"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_outputs_are_listed_by_stack_with_the_options_that_add_them() {
        let missing = |owner: &str, output: &str, is_deployed| MissingOutput {
            stack: "notes-api-dev".to_owned(),
            owner: format!("notes-{owner}-dev"),
            owner_part: owner.to_owned(),
            output: output.to_owned(),
            is_deployed,
        };
        assert!(MissingStacks::of("dev", &[]).is_none());
        let all =
            [missing("data", "TableName", false), missing("data", "TableArn", false), missing("users", "Pool", true)];
        let error = MissingStacks::of("dev", &all).expect("an error");
        assert_eq!(
            error.to_string(),
            "failed to plan stage dev: stack notes-api-dev needs outputs TableName, TableArn of notes-data-dev, which is not deployed; \
             stack notes-api-dev needs output Pool of notes-users-dev, which is deployed without it; nothing was touched"
        );
        let help = error.help().expect("a hint").to_string();
        assert_eq!(help, "add --stack data --stack users, or deploy the whole system");
    }
}
