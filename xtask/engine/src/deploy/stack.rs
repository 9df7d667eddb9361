//! Deploys one stack from any state.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use model::{foundation, stage::Deployment as Mode};
use plan::{Action, PlannedStack, change_set::ChangeSetEntry};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::{
    CHANGE_SET_PREFIX, DeployContext, DeployError, Done, Guard, Operation, Outputs, PATIENCE, VISIBLE_WITHIN,
    error::{aws, changing},
    health::{Health, StackPlace, health, is_at_rest},
    parameters::{resolve, takes_same_outputs},
    protection,
    rollout::Rollout,
};
use crate::{
    aws::{
        cloudformation::{
            BODY_LIMIT, ChangeSetRequest, ChangeSetState, CloudFormation, Event, ParameterValue, StackState, Template,
        },
        error::ErrorKind,
    },
    interruption::Continuing,
    poll::{Progress, Schedule},
    template_hash,
    ui::Step,
};

/// The deployment of one stack.
pub(super) struct Deployment<'a> {
    rollout: Rollout<'a>,
    stack: &'a PlannedStack,
    outputs: &'a Outputs,
    role: Option<&'a str>,
    cloudformation: CloudFormation,
}

/// A deployed stack.
#[derive(Debug)]
pub(super) struct DeployedStack {
    pub(super) action: Done,
    pub(super) outputs: BTreeMap<String, String>,
}

/// The change that a change set makes.
struct Change<'a> {
    create: bool,
    parameters: &'a BTreeMap<String, ParameterValue>,
}

impl Change<'_> {
    /// The hash of what changes.
    fn hash(&self, body: &str) -> String {
        hex::encode(Sha256::digest(format!("{body}{:?}", self.parameters)))
    }
}

impl<'a> Deployment<'a> {
    pub(super) fn new(rollout: Rollout<'a>, stack: &'a PlannedStack, outputs: &'a Outputs) -> Self {
        let cloudformation = rollout.context.clients.cloudformation(stack.region.as_deref());
        let role = super::execution_role(&stack.system, outputs);
        Self { rollout, stack, outputs, role, cloudformation }
    }

    /// Deploys the stack. The caller runs the poller meanwhile.
    pub(super) async fn deploy(&self, guard: Guard<'_>) -> Result<DeployedStack, DeployError> {
        let resolved = |exists| resolve(self.rollout.context.stage, self.stack, self.outputs, exists);
        let is_unchanged = |deployed: &BTreeMap<String, String>| {
            Ok::<_, DeployError>(
                self.stack.action == Action::None && takes_same_outputs(&resolved(true)?, deployed, self.stack),
            )
        };
        // What is at rest has not changed since the plan: this run holds the lock.
        if let Some(known) =
            self.rollout.known.get(self.name()).filter(|known| is_at_rest(&known.status, known.is_express))
            && is_unchanged(&known.parameters)?
        {
            self.protect(known.is_protected).await?;
            return Ok(DeployedStack { action: Done::None, outputs: known.outputs.clone() });
        }
        let state = self.settled().await?;
        if let Some(state) = &state
            && is_unchanged(&state.parameters)?
        {
            self.protect(state.is_protected).await?;
            return Ok(DeployedStack { action: Done::None, outputs: state.outputs.clone() });
        }
        let parameters = resolved(state.is_some())?;
        let deployed = self.execute(Change { create: state.is_none(), parameters: &parameters }, guard).await?;
        self.protect(state.is_some_and(|state| state.is_protected)).await?;
        Ok(deployed)
    }

    /// Protects the stack unless it is protected already.
    async fn protect(&self, is_protected: bool) -> Result<(), DeployError> {
        if is_protected {
            return Ok(());
        }
        protection::protect(&self.rollout.context, &self.cloudformation, self.stack).await
    }

    /// Reads what CloudFormation would do to an existing stack, with a change set that is deleted again. `None` if the stack takes a value
    /// that is not known before another stack is deployed.
    pub(super) async fn preview(&self) -> Result<Option<Vec<ChangeSetEntry>>, DeployError> {
        let Some(state) = self.describe().await? else { return Ok(None) };
        if health(&state.status, state.is_express) != Health::Updatable {
            return Ok(None);
        }
        let resolved = resolve(self.rollout.context.stage, self.stack, self.outputs, true);
        let Ok(parameters) = resolved else { return Ok(None) };
        let change_set = self.create_change_set(&Change { create: false, parameters: &parameters }).await?;
        let entries = self.entries(&change_set).await;
        self.delete_change_set(&change_set).await?;
        Ok(Some(entries?.unwrap_or_default()))
    }

    fn name(&self) -> &str {
        &self.stack.name
    }

    /// When CloudFormation completes the change. A stack whose values another changing stack takes must be ready then, and so must
    /// foundation, which the rest of the run uses.
    fn mode(&self) -> Mode {
        let Rollout { context, plan, .. } = self.rollout;
        let is_needed = self.stack.system == foundation::SYSTEM || plan.is_awaited(self.name());
        if is_needed { Mode::Standard } else { context.deployment }
    }

    fn place(&self) -> StackPlace<'_> {
        let DeployContext { stage, clients, .. } = self.rollout.context;
        StackPlace { stage, region: self.stack.region.as_deref().unwrap_or(clients.region()), stack: self.name() }
    }

    /// Waits for operations in progress and deletes a stack that was never created; returns the stack's state then, `None` if it must be
    /// created.
    ///
    /// What is read may be an earlier state. So a stack is deleted by its ID, which one that was created since does not have, and an empty
    /// stack, which may have been created since, is not deleted: CloudFormation refuses a change set that would create it again.
    async fn settled(&self) -> Result<Option<StackState>, DeployError> {
        let ui = self.rollout.context.ui;
        loop {
            let Some(state) = self.describe().await? else { return Ok(None) };
            match health(&state.status, state.is_express) {
                Health::Updatable => return Ok(Some(state)),
                Health::Empty => {
                    ui.say(format_args!(
                        "{} is in {}, so it was never created: creating it",
                        self.name(),
                        state.status
                    ));
                    return Ok(None);
                }
                Health::Stuck => return Err(self.place().stuck(&state.status, state.is_express)),
                Health::InProgress => {
                    ui.say(format_args!("{} is in {}: waiting until the operation ends", self.name(), state.status));
                    self.wait(&mut Operation::in_progress(), None).await?;
                }
                Health::NeverCreated => {
                    ui.say(format_args!(
                        "{} is in {}, so it was never created: deleting it before it is created again",
                        self.name(),
                        state.status
                    ));
                    self.ensure_held().await?;
                    let mut deletion = self.about_to_start().await?.deleting_id(&state.id);
                    let continuing = format!("CloudFormation continues to delete {}", self.name());
                    let _continuing = self.rollout.context.interruption.continuing(continuing);
                    // Its resources must be gone before they are created again.
                    self.cloudformation.delete(&state.id, Mode::Standard).await.map_err(changing(self.name()))?;
                    self.wait(&mut deletion, None).await?;
                }
            }
        }
    }

    async fn ensure_held(&self) -> Result<(), DeployError> {
        Ok(self.rollout.context.locks.ensure_held(&self.stack.system).await?)
    }

    async fn describe(&self) -> Result<Option<StackState>, DeployError> {
        self.cloudformation.describe(self.name()).await.map_err(aws(self.name()))
    }

    /// Creates a change set, executes it and waits.
    async fn execute(&self, change: Change<'_>, guard: Guard<'_>) -> Result<DeployedStack, DeployError> {
        let ui = self.rollout.context.ui;
        let step = ui.step(format!("{} {}", if change.create { "Create" } else { "Update" }, self.name()));
        let mut operation = self.about_to_start().await?;
        step.detail("comparing");
        let Some(_continuing) = self.start(&change, guard).await? else {
            step.done("no change");
            let outputs = self.describe().await?.map(|state| state.outputs).unwrap_or_default();
            return Ok(DeployedStack { action: Done::None, outputs });
        };
        let state = self.wait(&mut operation, Some(&step)).await?;
        let state = state.ok_or_else(|| DeployError::Deleted { stack: self.name().to_owned() })?;
        if !succeeded(&state.status) {
            return Err(self.failure(&state, operation.earlier()).await?);
        }
        (self.rollout.context.on_change)(self.name());
        match self.mode() {
            Mode::Standard => step.done(&state.status),
            Mode::Express => step.done(format_args!("{}; resources may still be becoming ready", state.status)),
        }
        let action = if change.create { Done::Create } else { Done::Update };
        Ok(DeployedStack { action, outputs: state.outputs })
    }

    /// Starts the change; `None` if CloudFormation finds that there is none. Only CloudFormation judges that: a change set of outputs alone
    /// lists no resource.
    async fn start(&self, change: &Change<'_>, guard: Guard<'_>) -> Result<Option<Continuing>, DeployError> {
        let context = &self.rollout.context;
        let change_set = self.create_change_set(change).await?;
        let Some(entries) = self.entries(&change_set).await? else {
            self.delete_change_set(&change_set).await?;
            return self.update_on_emulator(change).await;
        };
        if let Err(unplanned) = guard.check(context.stage, self.name(), &entries, context.ui) {
            self.delete_change_set(&change_set).await?;
            return Err(unplanned);
        }
        let continuing = self.about_to_change().await?;
        self.cloudformation.execute(self.name(), &change_set).await.map_err(changing(self.name()))?;
        Ok(Some(continuing))
    }

    /// Updates the outputs of a stack on an emulator, whose change sets do not notice them.
    async fn update_on_emulator(&self, change: &Change<'_>) -> Result<Option<Continuing>, DeployError> {
        if change.create || self.rollout.context.clients.endpoint().is_none() {
            return Ok(None);
        }
        let continuing = self.about_to_change().await?;
        let body = template_hash::with_hash(&self.stack.template).to_string();
        let url = self.upload_template(&body, &change.hash(&body)).await?;
        let request = self.request("", change, url.as_deref().map_or(Template::Body(&body), Template::Url));
        let updated = self.cloudformation.update(request).await.map_err(changing(self.name()))?;
        Ok(updated.then_some(continuing))
    }

    /// Checks the lock, and registers the operation that CloudFormation continues after an interruption.
    async fn about_to_change(&self) -> Result<Continuing, DeployError> {
        self.ensure_held().await?;
        let continuing = format!("CloudFormation continues to deploy {}", self.name());
        Ok(self.rollout.context.interruption.continuing(continuing))
    }

    /// Creates a change set; returns its name.
    async fn create_change_set(&self, change: &Change<'_>) -> Result<String, DeployError> {
        let body = template_hash::with_hash(&self.stack.template).to_string();
        let hash = change.hash(&body);
        let name = format!("{CHANGE_SET_PREFIX}{}", &hash[..16]);
        // A killed run may have left one with this name.
        self.delete_change_set(&name).await?;
        let url = self.upload_template(&body, &hash).await?;
        let request = self.request(&name, change, url.as_deref().map_or(Template::Body(&body), Template::Url));
        self.cloudformation.create_change_set(request).await.map_err(changing(self.name()))?;
        Ok(name)
    }

    fn request<'r>(&'r self, name: &'r str, change: &'r Change<'_>, template: Template<'r>) -> ChangeSetRequest<'r> {
        let (system, part) = (self.stack.system.as_str(), self.stack.stack.as_str());
        let stage = self.name().strip_prefix(&plan::full_name(system, part, "")).unwrap_or_default();
        ChangeSetRequest {
            stack: self.name(),
            name,
            create: change.create,
            deployment: self.mode(),
            template,
            parameters: change.parameters,
            role: self.role,
            tags: [("system", system), ("stack", part), ("stage", stage)],
        }
    }

    /// Uploads a template that is too large for a request; returns its URL.
    async fn upload_template(&self, body: &str, hash: &str) -> Result<Option<String>, DeployError> {
        let Some(bucket) = self.rollout.bucket.filter(|_| body.len() > BODY_LIMIT) else { return Ok(None) };
        let clients = self.rollout.context.clients;
        let key = format!("templates/{}-{}.json", self.name(), &hash[..16]);
        clients.s3().put_text(bucket, &key, body.to_owned()).await.map_err(aws(self.name()))?;
        Ok(Some(match clients.endpoint() {
            Some(endpoint) => format!("{endpoint}/{bucket}/{key}"),
            None => format!("https://{bucket}.s3.{}.amazonaws.com/{key}", clients.region()),
        }))
    }

    async fn delete_change_set(&self, change_set: &str) -> Result<(), DeployError> {
        self.cloudformation.delete_change_set(self.name(), change_set).await.map_err(changing(self.name()))
    }

    /// Waits for a change set; returns its entries, `None` if CloudFormation finds no change.
    async fn entries(&self, change_set: &str) -> Result<Option<Vec<ChangeSetEntry>>, DeployError> {
        const SCHEDULE: Schedule =
            Schedule::doubling(Duration::from_millis(50), Duration::from_secs(2)).within(PATIENCE);
        let (name, created) = (self.name(), Instant::now());
        let compared = SCHEDULE.poll(async || {
            match self.cloudformation.change_set(name, change_set).await {
                // A read may not show the change set yet.
                Err(error) if error.kind == ErrorKind::NotFound && created.elapsed() < VISIBLE_WITHIN => {
                    Ok(Progress::Pending(()))
                }
                state => self.compared(state.map_err(changing(name))?),
            }
        });
        match compared.await? {
            Progress::Done(entries) => Ok(entries),
            Progress::Pending(()) => {
                Err(DeployError::Busy { what: name.to_owned(), status: "being compared".to_owned() })
            }
        }
    }

    /// What a change set's state means for the wait for it.
    fn compared(&self, state: ChangeSetState) -> Result<Progress<Option<Vec<ChangeSetEntry>>, ()>, DeployError> {
        let stack = self.name().to_owned();
        match state {
            ChangeSetState::Ready(entries) => Ok(Progress::Done(Some(entries))),
            ChangeSetState::Empty => Ok(Progress::Done(None)),
            ChangeSetState::Failed(reason) => Err(DeployError::ChangeSet { stack, reason }),
            ChangeSetState::Obsolete => {
                let cause = "the stack was updated after this run's change set was created".to_owned();
                Err(DeployError::AnotherRun { stack, cause })
            }
            ChangeSetState::Pending => Ok(Progress::Pending(())),
        }
    }

    /// Waits for the end of an operation and shows its events; returns the stack's state, `None` if it is gone.
    async fn wait(&self, operation: &mut Operation, step: Option<&Step>) -> Result<Option<StackState>, DeployError> {
        let show = |event: &Event| {
            if let Some(step) = step {
                step.detail(format_args!("{} {} {}", event.status, event.resource_type, event.logical_id));
            }
        };
        operation.wait(self.stack.region.as_deref(), self.name(), self.rollout.poller, show).await
    }

    async fn about_to_start(&self) -> Result<Operation, DeployError> {
        Operation::about_to_start(&self.cloudformation, self.name()).await.map_err(aws(self.name()))
    }

    /// The error of a failed operation, from the events after the earlier ones; of a created stack all of them.
    async fn failure(&self, state: &StackState, earlier: &BTreeSet<String>) -> Result<DeployError, DeployError> {
        let status = &state.status;
        let is_earlier = |event: &Event| earlier.contains(&event.id);
        let mut events = self.cloudformation.events(self.name(), is_earlier).await.map_err(aws(self.name()))?;
        events.retain(|event| !is_earlier(event));
        let mut causes = root_causes(&events).into_iter();
        let cause = causes.next().unwrap_or_else(|| format!("CloudFormation gives no reason for {status}"));
        let (stack, next) = (self.name().to_owned(), self.place().after(status, state.is_express));
        Ok(DeployError::Stack { stack, next, cause, others: causes.take(3).collect() })
    }
}

fn succeeded(status: &str) -> bool {
    matches!(status, "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE")
}

/// The failures that do not follow from another, oldest first. Most events of a failed stack follow from one failure.
fn root_causes(newest_first: &[Event]) -> Vec<String> {
    let follows = |event: &Event| {
        let reason = event.reason.as_deref().unwrap_or_default();
        reason.contains("cancelled") || reason.contains("The following resource(s) failed") || reason.is_empty()
    };
    newest_first
        .iter()
        .rev()
        .filter(|event| event.status.ends_with("_FAILED") && !follows(event))
        .map(|event| {
            let reason = event.reason.as_deref().unwrap_or_default();
            format!("{} ({}): {reason}", event.logical_id, event.resource_type)
        })
        .collect()
}

#[cfg(test)]
mod tests;
