//! What every command that talks to a stage starts with: the stage, its endpoint, its clients, the account guard.

use std::collections::BTreeMap;

use miette::Diagnostic;
use model::{foundation, rendered::RenderedSystem, stage::Stage};
use plan::observed::Observed;
use thiserror::Error;

use crate::{
    aws::{Clients, sts::Caller},
    context::Context,
    deploy::{Outputs, artifact_bucket, observe::observe, rights},
    local::{self, LocalError},
    render,
    ui::Ui,
};

/// A stage that can be talked to.
#[derive(Debug)]
pub struct Session {
    pub stage: Stage,
    pub clients: Clients,
    pub caller: Caller,
    /// Every system of the stage, whatever was selected.
    pub systems: Vec<RenderedSystem>,
    local: Option<local::Settings>,
}

#[derive(Debug, Error, Diagnostic)]
#[error("stage {stage} belongs to account {expected}, but the caller is in account {actual}; nothing was touched")]
#[diagnostic(help("use the credentials of account {expected}, or mend `account` in stacks/stages/{stage}.yaml"))]
struct WrongAccount {
    stage: String,
    expected: String,
    actual: String,
}

#[derive(Debug, Error, Diagnostic)]
#[error("stage {stage} is a rehearsal on an emulator, and AWS_ENDPOINT_URL names none; nothing was touched")]
#[diagnostic(help(
    "set AWS_ENDPOINT_URL, or take `emulated` out of {stage}.yaml: AWS would not get what an emulator cannot do"
))]
struct NoEmulator {
    stage: String,
}

impl Session {
    /// Opens a stage: starts the local cloud where it is local, and holds the caller's account against the stage's.
    pub async fn open(stage: Stage, context: &Context) -> miette::Result<Self> {
        let systems = context.render(&stage)?;
        let (local, endpoint) = if stage.is_local() {
            let settings = local::Settings::from_workspace(&context.workspace)?;
            let endpoint = local::endpoint(&settings, &context.ui).await?.url().to_owned();
            (Some(settings), Some(endpoint))
        } else {
            // An emulator for other stages too, for trying a pipeline out.
            let emulator = emulator();
            if stage.emulated && emulator.is_none() {
                return Err(NoEmulator { stage: stage.name }.into());
            }
            (None, emulator)
        };
        let clients = Clients::new(&stage, endpoint).await;
        let caller = clients.caller().await?;
        if caller.account != stage.account {
            return Err(WrongAccount { stage: stage.name, expected: stage.account, actual: caller.account }.into());
        }
        Ok(Self { stage, clients, caller, systems, local })
    }

    /// Says that the local cloud died, where that is why something failed.
    pub fn explain<T>(&self, result: miette::Result<T>) -> miette::Result<T> {
        let died: Option<LocalError> = match &result {
            Err(_) => self.local.as_ref().and_then(local::died),
            Ok(_) => None,
        };
        died.map_or(result, |died| Err(died.into()))
    }

    /// The artifact bucket, where foundation is deployed.
    pub async fn artifact_bucket(&self) -> miette::Result<Option<String>> {
        let observed = observe(&foundation_of(&self.systems), &self.clients).await?;
        Ok(bucket(&self.stage, &observed))
    }

    /// Lets foundation allow what runs as well as what the workspace says, where workflows deploy the stage.
    pub async fn keep_what_runs(&mut self, context: &Context) -> miette::Result<()> {
        if self.stage.pipeline.is_none() {
            return Ok(());
        }
        let deployed = rights::deployed(&self.stage, &self.systems, &self.clients).await?;
        let systems = context.render_over(&self.stage, &deployed)?;
        if systems != self.systems {
            context.ui.say(format_args!(
                "Rights that only what is deployed needs are kept; `cargo xtask bootstrap --stage {}` takes them away once \
                 that is changed or deleted",
                self.stage.name
            ));
            self.systems = systems;
        }
        Ok(())
    }

    /// Leaves what deploying may do as it is where the workspace would only take away from it: that waits for `bootstrap`.
    pub fn leave_what_narrows(&self, systems: &[RenderedSystem], observed: &Observed, ui: &Ui) -> Vec<RenderedSystem> {
        let (left, narrows) = rights::keep_wider_permissions(systems.to_vec(), observed);
        if narrows {
            ui.say(format_args!(
                "What deploying may do is left as it is; once this is deployed, `cargo xtask bootstrap --stage {}` takes away \
                 what nothing needs any longer",
                self.stage.name
            ));
        }
        left
    }

    pub fn select(&self, system: Option<&str>, stack: Option<&str>) -> miette::Result<Vec<RenderedSystem>> {
        Ok(render::select(&self.stage, self.systems.clone(), system, stack)?)
    }

    /// What the stage is compared with, for people: its account, or the emulator.
    pub fn place(&self) -> String {
        match self.clients.endpoint() {
            Some(endpoint) => format!("what is deployed at {endpoint}"),
            None => format!("account {}", self.stage.account),
        }
    }

    /// The URLs of all systems' APIs and sites, see [`Self::urls_of`].
    #[must_use]
    pub fn urls(&self, outputs: &Outputs) -> BTreeMap<String, String> {
        self.urls_of(&self.systems, outputs)
    }

    /// The URL of every API, by its logical ID, and of every site, by its name.
    #[must_use]
    pub fn urls_of(&self, systems: &[RenderedSystem], outputs: &Outputs) -> BTreeMap<String, String> {
        let mut urls = BTreeMap::new();
        for stack in render::stacks_of(systems) {
            let Some(outputs) = outputs.get(&stack.name) else { continue };
            for api in &stack.apis {
                if let Some(url) = self.api_url(outputs, &api.id_output, &api.url_output) {
                    urls.insert(api.logical_id.clone(), url);
                }
            }
        }
        for system in systems {
            for site in &system.sites {
                let stack = system.stacks.iter().find(|stack| stack.stack == site.stack);
                let Some(outputs) = stack.and_then(|stack| outputs.get(&stack.name)) else { continue };
                if let Some(url) = self.site_url(outputs, &site.bucket_output, &site.url_output) {
                    urls.insert(site.name.clone(), url);
                }
            }
        }
        urls
    }

    /// Where an API of a stack is called: its output, or for an emulator the URL that it serves.
    pub fn api_url(&self, outputs: &BTreeMap<String, String>, id: &str, url: &str) -> Option<String> {
        match self.clients.endpoint() {
            None => outputs.get(url).cloned(),
            Some(endpoint) => Some(format!("{endpoint}/_aws/execute-api/{}/{}", outputs.get(id)?, self.stage.name)),
        }
    }

    /// Where a site of a stack is opened: its output, or for an emulator the object itself, whose origin is the API's as well,
    /// so that browsers may call it.
    pub fn site_url(&self, outputs: &BTreeMap<String, String>, bucket: &str, url: &str) -> Option<String> {
        match self.clients.endpoint() {
            None => outputs.get(url).cloned(),
            Some(endpoint) => Some(format!("{endpoint}/{}/index.html", outputs.get(bucket)?)),
        }
    }
}

/// Foundation alone, where it is among these systems.
pub fn foundation_of(systems: &[RenderedSystem]) -> Vec<RenderedSystem> {
    systems.iter().filter(|system| system.name == foundation::SYSTEM).cloned().collect()
}

/// The emulator that stands in for AWS, where the environment names one.
pub fn emulator() -> Option<String> {
    std::env::var("AWS_ENDPOINT_URL").ok().filter(|url| !url.is_empty())
}

/// Every deployed stack's outputs.
pub fn outputs(observed: &Observed) -> Outputs {
    observed.stacks.iter().map(|(name, stack)| (name.clone(), stack.outputs.clone())).collect()
}

/// Every deployed stack's parameters.
pub fn parameters(observed: &Observed) -> Outputs {
    observed.stacks.iter().map(|(name, stack)| (name.clone(), stack.parameters.clone())).collect()
}

/// The artifact bucket, once foundation is deployed.
pub fn bucket(stage: &Stage, observed: &Observed) -> Option<String> {
    artifact_bucket(&stage.name, &outputs(observed))
}
