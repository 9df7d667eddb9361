//! The parts of a plan that need an opened stage: the preview against deployed stacks, orphaned stacks, and sites.

use std::collections::BTreeSet;

use model::{parts::cdn, rendered::RenderedSystem};
use plan::{
    Plan,
    allow::Allowances,
    artifacts::Artifacts,
    drift::drift,
    file::{Inputs, inputs},
    observed::Observed,
    orphaned,
    preview::{self, Baseline, Preview},
};

use crate::{
    deploy,
    error::one_line,
    session::{Session, outputs},
    site::{self, SiteError},
    ui::Ui,
    workspace::Workspace,
};

/// The systems and the stack that a plan is limited to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Scope<'a> {
    pub(crate) system: Option<&'a str>,
    pub(crate) stack: Option<&'a str>,
}

/// Returns the preview of a plan against the deployed stacks.
pub(crate) fn preview(systems: &[RenderedSystem], plan: &Plan, observed: &Observed, session: &Session) -> Preview {
    let baseline = Baseline::of(session.place(), observed);
    let mut preview = preview::preview(&session.stage, systems, &baseline, Some(plan), preview::code(plan));
    preview.drift = drift(observed);
    preview
}

/// Adds the orphaned stacks and the changed files of sites to a preview. A plan of one stack has neither.
pub(crate) async fn complete(
    preview: &mut Preview,
    systems: &[RenderedSystem],
    observed: &Observed,
    scope: Scope<'_>,
    session: &Session,
) {
    if scope.stack.is_none() {
        add_orphans(preview, scope.system, session).await;
        add_sites(preview, systems, observed, session).await;
    }
}

/// Adds the stage's stacks that no system defines. They are only for information: where they cannot be listed, that is a warning.
async fn add_orphans(preview: &mut Preview, system: Option<&str>, session: &Session) {
    // A stage's stacks are in its own region, and in the region of CloudFront's certificates.
    let regions = BTreeSet::from([session.clients.region(), cdn::REGION]);
    match deploy::observe::listed(&regions, &session.clients).await {
        Ok(listed) => {
            let orphaned = orphaned::orphaned_stacks(&session.stage, &session.systems, system, &listed);
            preview::add_orphaned_stacks(preview, &orphaned);
        }
        Err(error) => {
            session.context.ui.warn(format_args!("failed to list orphaned stacks: {}", one_line(&error)));
        }
    }
}

/// Adds the files of sites that differ, as far as they are known before the deploy.
async fn add_sites(preview: &mut Preview, systems: &[RenderedSystem], observed: &Observed, session: &Session) {
    let outputs = outputs(observed);
    let bucket = session.bucket(observed).unwrap_or_default();
    for system in systems {
        match session.pages(system, &outputs, &bucket).changed_files(&session.context.workspace).await {
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
