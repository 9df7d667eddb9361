//! The sites of what commands release: where they go, and what they are told.

use std::collections::BTreeMap;

use model::rendered::RenderedSystem;
use plan::{file::Inputs, observed::Observed, preview::Preview};

use crate::session::{self, Session};
use crate::{
    context::Context,
    deploy::Outputs,
    error,
    site::{self, Pages, SiteError},
    ui::Ui,
    workspace::Workspace,
};

/// What a plan was made from besides stacks and functions: the files of these systems' sites.
pub(super) fn inputs(systems: &[RenderedSystem], workspace: &Workspace) -> Result<Inputs, SiteError> {
    let sites = systems.iter().flat_map(|system| &system.sites);
    sites.map(|site| Ok((format!("the files of site {}", site.name), site::fingerprint(site, workspace)?))).collect()
}

/// The sites of a system, told where its APIs are served: an emulator serves them elsewhere than their stacks say.
pub(super) fn pages<'a>(
    system: &'a RenderedSystem,
    outputs: &Outputs,
    bucket: &str,
    session: &'a Session,
    ui: &'a Ui,
) -> Pages<'a> {
    let mut outputs = outputs.clone();
    for stack in &system.stacks {
        let Some(of_stack) = outputs.get_mut(&stack.name) else { continue };
        for api in &stack.apis {
            if let Some(url) = session.api_url(of_stack, &api.id_output, &api.url_output) {
                of_stack.insert(api.url_output.clone(), url);
            }
        }
    }
    Pages::new(system, outputs, bucket, &session.clients, ui)
}

/// Makes a system's sites ready for its release; each site's manifest. `asks` where nobody has confirmed anything yet, because
/// nothing else changes.
pub(super) async fn keep(
    pages: &Pages<'_>,
    asks: bool,
    session: &Session,
    context: &Context,
) -> Result<BTreeMap<String, String>, SiteError> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    let question = |site: &str, files| format!("Publish {files} files of {site} to {}?", session.stage.name);
    pages.prepare(workspace, |site, files| !asks || ui.confirm(&question(site, files)) == Some(true)).await
}

/// Adds to a plan which files of sites would go up, as far as that is known before the deploy. The deploy finds out for itself.
pub(super) async fn add(
    preview: &mut Preview,
    systems: &[RenderedSystem],
    observed: &Observed,
    session: &Session,
    context: &Context,
) {
    let (workspace, ui) = (&context.workspace, &context.ui);
    let outputs = session::outputs(observed);
    let bucket = session::bucket(&session.stage, observed).unwrap_or_default();
    for system in systems {
        match pages(system, &outputs, &bucket, session, ui).changed_files(workspace).await {
            Ok(differing) => preview.sites.extend(differing),
            Err(error) => {
                let chain = error::chain(&error).join(": ");
                ui.warn(format_args!("the plan does not show the sites of {}: {chain}", system.name));
            }
        }
    }
}
