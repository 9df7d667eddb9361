//! An opened stage: its systems, its clients, and the check that the caller is in its account.

mod locks;
mod release;

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::OnceLock,
};

use futures_util::future::{Either, select};
pub(crate) use locks::Locking;
use miette::Diagnostic;
use model::{
    emulator::API_PATH,
    foundation,
    parts::cdn,
    rendered::{RenderedApi, RenderedSystem},
    stage::Stage,
};
use plan::observed::Observed;
pub(crate) use release::{StrategyName, deployed_apis, has_functions};
use thiserror::Error;

use crate::{
    aws::{Clients, documents::Documents, sts::Caller},
    context::Context,
    deploy::{
        DeployContext, DeployError, Outputs, artifact_bucket,
        observe::{self, Extent, Observation},
        rights,
    },
    local::{self, LocalError},
    lock::HeldLocks,
    render, surroundings,
};

/// An opened stage, and what every command starts with.
#[derive(Debug)]
pub struct Session {
    /// The application, the workspace and the printer.
    pub context: Context,
    /// The stage.
    pub stage: Stage,
    /// The AWS clients for its account and region.
    pub clients: Clients,
    /// The caller's identity.
    pub caller: Caller,
    /// Every system of the stage, whichever the command line selects.
    pub systems: Vec<RenderedSystem>,
    local: Option<local::Settings>,
    commit: OnceLock<Option<String>>,
}

#[derive(Debug, Error, Diagnostic)]
#[error(
    "stage {stage} belongs to account {expected}, but the credentials are for account {actual}; nothing was touched"
)]
#[diagnostic(help("use the credentials of account {expected}, or correct `account` in {file}"))]
struct WrongAccount {
    stage: String,
    file: String,
    expected: String,
    actual: String,
}

#[derive(Debug, Error, Diagnostic)]
#[error("stage {stage} is `emulated`, but AWS_ENDPOINT_URL is not set; nothing was touched")]
#[diagnostic(help("set AWS_ENDPOINT_URL to the emulator's URL, or remove `emulated` from {file} to deploy to AWS"))]
struct NoEmulator {
    stage: String,
    file: String,
}

impl Session {
    /// Opens a stage: starts the local cloud for stage `local`, and compares the caller's account with the stage's.
    ///
    /// # Errors
    ///
    /// When the stage cannot be rendered, a call fails, or the caller is in another account.
    pub async fn open(stage: Stage, context: &Context) -> miette::Result<Self> {
        Ok(Self::open_and_read(stage, context, async |_| ()).await?.0)
    }

    /// Does the same as [`Self::open`], and reads the stage meanwhile. What was read in another account is not returned.
    pub(crate) async fn open_and_read<T>(
        stage: Stage,
        context: &Context,
        read: impl AsyncFnOnce(&Self) -> T,
    ) -> miette::Result<(Self, T)> {
        let systems = context.render(&stage)?;
        let (local, emulator) = if stage.is_local() {
            let settings = local::Settings::from_workspace(&context.workspace)?;
            let origins = stage.allowed_origins();
            let emulator = local::emulator(&settings, &origins, &context.ui).await?;
            (Some(settings), Some(emulator))
        } else {
            // A pipeline can be rehearsed against an emulator.
            let url = emulator();
            if stage.emulated && url.is_none() {
                return Err(NoEmulator { file: stage.file().to_owned(), stage: stage.name }.into());
            }
            let settings = || local::Settings::from_workspace(&context.workspace);
            (None, url.map(|url| local::external(url, &settings()?, &context.ui)).transpose()?)
        };
        let clients = Clients::new(&stage, emulator).await?;
        let (context, caller) = (context.clone(), Caller::default());
        let mut session = Self { context, stage, clients, caller, systems, local, commit: OnceLock::new() };
        let (caller, read) = {
            let (sign_in, read) = (pin!(session.identify()), pin!(read(&session)));
            // Who the caller is decides before anything that was read.
            match select(sign_in, read).await {
                Either::Left((caller, read)) => (caller?, read.await),
                Either::Right((read, sign_in)) => (sign_in.await?, read),
            }
        };
        session.caller = caller;
        Ok((session, read))
    }

    /// Returns the caller, who must be in the stage's account.
    async fn identify(&self) -> miette::Result<Caller> {
        let caller = self.clients.sign_in().await?;
        if caller.account == self.stage.account {
            return Ok(caller);
        }
        let (stage, actual) = (&self.stage, caller.account);
        let (file, expected) = (stage.file().to_owned(), stage.account.clone());
        Err(WrongAccount { stage: stage.name.clone(), file, expected, actual }.into())
    }

    /// Replaces an error by the death of the local cloud, where that caused it.
    ///
    /// # Errors
    ///
    /// The error of `result`, or its cause.
    pub fn explain<T>(&self, result: miette::Result<T>) -> miette::Result<T> {
        let died: Option<LocalError> = match &result {
            Err(_) => self.local.as_ref().and_then(local::died),
            Ok(_) => None,
        };
        died.map_or(result, |died| Err(died.into()))
    }

    /// Observes every system of the stage.
    pub(crate) async fn observe(&self, extent: Extent) -> miette::Result<Observed> {
        self.observe_only(&self.systems, extent).await
    }

    /// Observes some systems of the stage.
    pub(crate) async fn observe_only(&self, systems: &[RenderedSystem], extent: Extent) -> miette::Result<Observed> {
        Ok(observe::observe(systems, extent, &self.clients).await?)
    }

    /// The regions that the stage's stacks may be in: its own, and that of CloudFront's certificates.
    pub(crate) fn regions(&self) -> BTreeSet<&str> {
        BTreeSet::from([self.clients.region(), cdn::REGION])
    }

    /// Observes every system of the stage, and lists all stacks of its regions.
    pub(crate) async fn observe_and_list(&self, extent: Extent) -> miette::Result<Observation> {
        Ok(observe::observe_and_list(&self.systems, extent, &self.regions(), &self.clients).await?)
    }

    /// Returns the artifact bucket, or `None` while foundation is not deployed.
    pub(crate) async fn artifact_bucket(&self) -> miette::Result<Option<String>> {
        let observed = self.observe_only(&foundation_of(&self.systems), Extent::Stacks).await?;
        Ok(self.bucket(&observed))
    }

    /// Returns the bucket with the locks, or `None` if there is none.
    ///
    /// The description of a stack may be an earlier one, without the bucket. S3 always shows the present state (S3 user guide,
    /// "Amazon S3 data consistency model"), so it decides before a command works without locks.
    pub(crate) async fn bucket_of_locks(&self) -> miette::Result<Option<String>> {
        if let Some(bucket) = self.artifact_bucket().await? {
            return Ok(Some(bucket));
        }
        let bucket = foundation::artifact_bucket(&self.stage);
        Ok(self.clients.s3().bucket_exists(&bucket).await?.then_some(bucket))
    }

    /// Returns the artifact bucket, or `None` where foundation is not in `observed`.
    pub(crate) fn bucket(&self, observed: &Observed) -> Option<String> {
        artifact_bucket(&self.stage.name, &outputs(observed))
    }

    /// Returns the artifact bucket.
    ///
    /// # Errors
    ///
    /// When foundation is not in `observed`.
    pub(crate) fn require_bucket(&self, observed: &Observed) -> Result<String, DeployError> {
        self.bucket(observed).ok_or_else(|| DeployError::NoFoundation { stage: self.stage.name.clone() })
    }

    /// Renders foundation again, so that it also allows what the deployed stacks need. Only for stages that workflows deploy.
    pub(crate) async fn allow_deployed_stacks(&mut self) -> miette::Result<()> {
        if self.stage.pipeline.is_none() {
            return Ok(());
        }
        let deployed = rights::deployed(&self.stage, &self.systems, &self.clients).await?;
        let systems = self.context.render_over(&self.stage, &deployed)?;
        if systems != self.systems {
            self.context.ui.say(format_args!(
                "Permissions that only deployed stacks need are kept; after these stacks have changed or been deleted, remove the \
                 permissions with `cargo xtask bootstrap --stage {}`",
                self.stage.name
            ));
            self.systems = systems;
        }
        Ok(())
    }

    /// Returns the systems without the foundation stacks that would only lose permissions: `bootstrap` removes those.
    pub(crate) fn without_narrowing(&self, systems: &[RenderedSystem], observed: &Observed) -> Vec<RenderedSystem> {
        let (kept, narrows) = rights::keep_wider_permissions(systems.to_vec(), observed);
        if narrows {
            self.context.ui.say(format_args!(
                "The permissions in foundation stay unchanged; after this deploy, remove those that are no longer needed \
                 with `cargo xtask bootstrap --stage {}`",
                self.stage.name
            ));
        }
        kept
    }

    /// Returns the context of a deploy's steps. `on_change` is called with the name of each changed stack.
    pub(crate) fn deploy_context<'a>(
        &'a self,
        locks: &'a HeldLocks<Documents>,
        on_change: &'a dyn Fn(&str),
    ) -> DeployContext<'a> {
        DeployContext {
            stage: &self.stage.name,
            clients: &self.clients,
            locks,
            protects: self.stage.protected,
            deployment: self.stage.deployment,
            on_change,
            interruption: &self.context.interruption,
            ui: &self.context.ui,
        }
    }

    /// Selects a system; `None` selects all.
    ///
    /// # Errors
    ///
    /// When the stage has no such system.
    pub fn select(&self, system: Option<&str>) -> miette::Result<Vec<RenderedSystem>> {
        Ok(render::select_system(&self.stage, self.systems.clone(), system)?)
    }

    /// The baseline of an online plan, in words: the account, or the emulator.
    pub(crate) fn place(&self) -> String {
        match self.clients.endpoint() {
            Some(endpoint) => format!("what is deployed at {endpoint}"),
            None => format!("account {}", self.stage.account),
        }
    }

    /// Returns the URL of every API, HTTP or WebSocket, by its logical ID, and of every site, by its name.
    pub fn urls(&self, outputs: &Outputs) -> BTreeMap<String, String> {
        self.urls_of(&self.systems, outputs)
    }

    /// Returns the URLs of some systems; see [`Self::urls`].
    pub(crate) fn urls_of(&self, systems: &[RenderedSystem], outputs: &Outputs) -> BTreeMap<String, String> {
        let mut urls = BTreeMap::new();
        for stack in render::stacks_of(systems) {
            let Some(outputs) = outputs.get(&stack.name) else { continue };
            for api in &stack.apis {
                if let Some(url) = self.api_url(outputs, api) {
                    urls.insert(api.logical_id.clone(), url);
                }
            }
            for api in &stack.web_sockets {
                if let Some(url) = self.web_socket_url(outputs, &api.id_output, &api.url_output) {
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

    /// Returns the URL of an API: the stack's output, or for an emulator the URL that it serves. It serves paths such as `/health` at the
    /// name of an API itself, so the URL is a path of the emulator.
    pub(crate) fn api_url(&self, outputs: &BTreeMap<String, String>, api: &RenderedApi) -> Option<String> {
        match self.clients.endpoint() {
            None => outputs.get(&api.url_output).cloned(),
            Some(_) => self.emulated_url(outputs, &api.id_output, &api.stage_name),
        }
    }

    /// Returns the URL of a WebSocket API: the stack's output, or for an emulator the URL that it serves.
    pub(crate) fn web_socket_url(&self, outputs: &BTreeMap<String, String>, id: &str, url: &str) -> Option<String> {
        match self.clients.endpoint() {
            None => outputs.get(url).cloned(),
            Some(_) => {
                let url = self.emulated_url(outputs, id, &self.stage.name)?;
                Some(url.strip_prefix("http").map_or_else(|| url.clone(), |rest| format!("ws{rest}")))
            }
        }
    }

    /// Returns the URL at which an emulator serves the stage of an API.
    fn emulated_url(&self, outputs: &BTreeMap<String, String>, id: &str, stage: &str) -> Option<String> {
        Some(format!("{}{API_PATH}{}/{stage}", self.clients.endpoint()?, outputs.get(id)?))
    }

    /// Returns the URL of a site: the stack's output. For an emulator it is the page's object, whose origin is also the
    /// origin of the API, so that browsers may call it.
    fn site_url(&self, outputs: &BTreeMap<String, String>, bucket: &str, url: &str) -> Option<String> {
        match self.clients.endpoint() {
            None => outputs.get(url).cloned(),
            Some(endpoint) => Some(format!("{endpoint}/{}/index.html", outputs.get(bucket)?)),
        }
    }
}

/// Returns foundation, where it is among the systems.
pub(crate) fn foundation_of(systems: &[RenderedSystem]) -> Vec<RenderedSystem> {
    systems.iter().filter(|system| system.name == foundation::SYSTEM).cloned().collect()
}

/// The URL of the emulator that AWS_ENDPOINT_URL names.
pub(crate) fn emulator() -> Option<String> {
    surroundings::variable("AWS_ENDPOINT_URL")
}

/// Returns the outputs of every deployed stack.
#[must_use]
pub fn outputs(observed: &Observed) -> Outputs {
    observed.stacks.iter().map(|(name, stack)| (name.clone(), stack.outputs.clone())).collect()
}

/// Returns the parameters of every deployed stack.
pub(crate) fn parameters(observed: &Observed) -> Outputs {
    observed.stacks.iter().map(|(name, stack)| (name.clone(), stack.parameters.clone())).collect()
}
