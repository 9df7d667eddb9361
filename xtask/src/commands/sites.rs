//! What `deploy` does with the sites of what it deploys, once the functions are released.

use stacks::rendered::RenderedSystem;

use super::session::Session;
use crate::{
    deploy::Outputs,
    plan::file::Inputs,
    site::{self, Published, SiteError},
    ui::Ui,
    workspace::Workspace,
};

/// What a plan was made from besides stacks and functions: the files of these systems' sites.
pub(super) fn inputs(systems: &[RenderedSystem], workspace: &Workspace) -> Result<Inputs, SiteError> {
    let sites = systems.iter().flat_map(|system| &system.sites);
    sites.map(|site| Ok((format!("the files of site {}", site.name), site::fingerprint(site, workspace)?))).collect()
}

/// Publishes every site of these systems. `asks` where nobody has confirmed anything yet, because nothing else changes.
pub(super) async fn publish(
    systems: &[RenderedSystem],
    outputs: &Outputs,
    asks: bool,
    session: &Session,
    workspace: &Workspace,
    ui: &Ui,
) -> miette::Result<Vec<Published>> {
    let mut published = Vec::new();
    for system in systems {
        // An emulator serves APIs elsewhere than their stacks say.
        let served = |stack: &str, output: &str| {
            session.clients.endpoint()?;
            let stack = system.stacks.iter().find(|rendered| rendered.stack == stack)?;
            let api = stack.apis.iter().find(|api| api.url_output == output)?;
            session.api_url(outputs.get(&stack.name)?, &api.id_output, &api.url_output)
        };
        let base = |bucket: &str| session.clients.endpoint().map_or_else(|| "/".to_owned(), |_| format!("/{bucket}/"));
        for site in &system.sites {
            let place = site::place(system, site, outputs, served, base)?;
            let question = |files| format!("Publish {files} files of {} to {}?", site.name, session.stage.name);
            let approve = |files| !asks || ui.confirm(&question(files)) == Some(true);
            published.push(site::publish(site, &place, approve, workspace, &session.clients, ui).await?);
        }
    }
    Ok(published)
}
