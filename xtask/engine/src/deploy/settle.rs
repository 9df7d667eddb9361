//! Waits for what CloudFormation does not wait for in express mode.

use model::{rendered::RenderedSystem, stage::Deployment};

use super::{DeployContext, DeployError, Deployed, Done, code};
use crate::parallel;

/// Waits until the functions of every stack that this run has created or updated can be invoked, 45 minutes at most. In standard mode,
/// CloudFormation has waited for them.
///
/// # Errors
///
/// When a call fails, Lambda failed to prepare a function, or one is not ready in time.
pub(crate) async fn settle(
    context: DeployContext<'_>,
    systems: &[RenderedSystem],
    deployed: &Deployed,
) -> Result<(), DeployError> {
    if context.deployment == Deployment::Standard {
        return Ok(());
    }
    let is_changed = |name: &str| deployed.stacks.get(name).is_some_and(|done| *done != Done::None);
    let stacks = systems.iter().flat_map(|system| &system.stacks).filter(|stack| is_changed(&stack.name));
    let functions = stacks.flat_map(|stack| &stack.functions);
    let ready =
        functions.map(async |function| code::ready(&function.function_name, code::LATEST, context.clients).await);
    parallel::each(ready).await.map(drop)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use model::example::{Example, FEEDS};

    use super::*;
    use crate::{
        aws::scripted::{Endpoint, Received},
        interruption::Interruption,
        lock::HeldLocks,
        ui::Ui,
    };

    /// Waits for a system whose stack was changed as given; returns the number of calls.
    async fn calls(deployment: Deployment, done: Done) -> usize {
        let looks = AtomicUsize::new(0);
        let endpoint = Endpoint::serve(move |_: &Received| {
            let state = if looks.fetch_add(1, Ordering::SeqCst) < 2 { "Pending" } else { "Active" };
            (200, format!(r#"{{"Version":"$LATEST","State":"{state}","CodeSha256":"x"}}"#))
        })
        .await;
        let mut systems = Example::systems(&Example::stage_named("local"));
        systems.retain(|system| system.name == FEEDS);
        systems[0].stacks[0].functions.truncate(1);
        let stacks = [(systems[0].stacks[0].name.clone(), done)].into();
        let deployed = Deployed { stacks, ..Deployed::default() };
        let (clients, locks, interruption, ui) =
            (endpoint.clients().await, HeldLocks::none(), Interruption::default(), Ui::new());
        let context = DeployContext {
            stage: "dev",
            clients: &clients,
            locks: &locks,
            protects: false,
            deployment,
            on_change: &|_| {},
            interruption: &interruption,
            ui: &ui,
        };
        settle(context, &systems, &deployed).await.expect("ready");
        endpoint.received().len()
    }

    #[tokio::test]
    async fn functions_of_stacks_that_were_changed_in_express_mode_are_waited_for() {
        assert_eq!(calls(Deployment::Express, Done::Create).await, 3);
        assert_eq!(calls(Deployment::Express, Done::Update).await, 3);
        assert_eq!(calls(Deployment::Express, Done::None).await, 0);
        assert_eq!(calls(Deployment::Standard, Done::Create).await, 0);
    }
}
