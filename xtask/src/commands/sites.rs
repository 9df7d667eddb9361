//! What `deploy` does with the sites of what it deploys, once the functions are released.

use stacks::rendered::RenderedSystem;

use super::session::Session;
use crate::{
    deploy::Outputs,
    site::{self, Published},
    ui::Ui,
    workspace::Workspace,
};

/// Publishes every site of these systems.
pub(super) async fn publish(
    systems: &[RenderedSystem],
    outputs: &Outputs,
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
            published.push(site::publish(site, &place, workspace, &session.clients, ui).await?);
        }
    }
    Ok(published)
}
