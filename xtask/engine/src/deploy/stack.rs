//! One stack from whatever state it is in to the state the plan wants.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use ::plan::states::{self, Repair};
use plan::{Action, Parameter, PlannedStack, change_set::ChangeSetEntry};
use sha2::{Digest, Sha256};

use super::{CHANGE_SET_PREFIX, DeployError, Done, Guard, Outputs, PATIENCE, aws, ending::Ending, poller::Poller};
use crate::{
    aws::{
        Clients,
        cloudformation::{
            BODY_LIMIT, ChangeSetRequest, ChangeSetState, CloudFormation, Event, ParameterValue, StackState, Template,
        },
    },
    poll::{Progress, Schedule},
    ui::{Step, Ui},
};

/// What a stack's status means for a deploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    /// It can be updated.
    Good,
    /// Its creation was never finished: nothing is lost when it is deleted.
    Unborn,
    /// Somebody is at work on it.
    Busy,
    /// It needs a decision that a deploy does not make; says which.
    Stuck(&'static str),
}

/// What to do about a stack that a deploy cannot mend.
const DOCTOR: &str = "`cargo xtask doctor` says what it means, and mends it with --fix; then deploy again";

/// Refuses stacks that need a decision, before anything else is touched.
pub(super) fn refuse_stuck<'a>(stacks: impl Iterator<Item = (&'a String, &'a String)>) -> Result<(), DeployError> {
    for (stack, status) in stacks {
        if let Health::Stuck(help) = health(status) {
            return Err(DeployError::Stuck { stack: stack.clone(), status: status.clone(), help });
        }
    }
    Ok(())
}

fn health(status: &str) -> Health {
    match states::stack(status).repair {
        Repair::None | Repair::Deploy => Health::Good,
        Repair::Delete => Health::Unborn,
        Repair::Wait | Repair::WaitOrCancel => Health::Busy,
        Repair::ContinueRollback | Repair::RollBack | Repair::DeleteRetaining => Health::Stuck(DOCTOR),
    }
}

/// Every parameter's value, outputs of other stacks filled in.
fn resolve(
    stack: &PlannedStack,
    outputs: &Outputs,
    state: Option<&StackState>,
) -> Result<BTreeMap<String, ParameterValue>, DeployError> {
    let value = |parameter: &Parameter| match parameter {
        Parameter::Value(value) => Ok(ParameterValue::Value(value.clone())),
        // The stack went away between plan and deploy; it starts afresh.
        Parameter::Previous if state.is_none() => Ok(ParameterValue::Value(String::new())),
        Parameter::Previous => Ok(ParameterValue::Previous),
        Parameter::Output { stack: owner, output } => outputs
            .get(owner)
            .and_then(|outputs| outputs.get(output))
            .map(|value| ParameterValue::Value(value.clone()))
            .ok_or_else(|| DeployError::NoOutput {
                stack: stack.name.clone(),
                owner: owner.clone(),
                output: output.clone(),
            }),
    };
    stack.parameters.iter().map(|(name, parameter)| Ok((name.clone(), value(parameter)?))).collect()
}

/// Do the outputs a stack takes still have the values it was deployed with?
fn unchanged(parameters: &BTreeMap<String, ParameterValue>, state: &StackState, stack: &PlannedStack) -> bool {
    stack.parameters.iter().filter(|(_, parameter)| matches!(parameter, Parameter::Output { .. })).all(|(name, _)| {
        match &parameters[name] {
            ParameterValue::Value(value) => state.parameters.get(name) == Some(value),
            ParameterValue::Previous => true,
        }
    })
}

/// One stack's way through a deploy.
pub(super) struct Deployment<'a> {
    stack: &'a PlannedStack,
    cloudformation: CloudFormation,
    bucket: Option<&'a str>,
    outputs: &'a Outputs,
    role: Option<&'a str>,
    poller: &'a Poller<'a>,
    clients: &'a Clients,
    ui: &'a Ui,
}

impl<'a> Deployment<'a> {
    pub(super) fn new(
        stack: &'a PlannedStack,
        bucket: Option<&'a str>,
        outputs: &'a Outputs,
        poller: &'a Poller<'a>,
        clients: &'a Clients,
        ui: &'a Ui,
    ) -> Self {
        let cloudformation = clients.cloudformation(stack.region.as_deref());
        let role = super::execution_role(&stack.system, outputs);
        Self { stack, cloudformation, bucket, outputs, role, poller, clients, ui }
    }

    /// Deploys the stack; returns what was done and the stack's outputs. Somebody must run the poller meanwhile.
    pub(super) async fn deploy(&self, guard: Guard<'_>) -> Result<(Done, BTreeMap<String, String>), DeployError> {
        let state = self.settled(guard).await?;
        let parameters = resolve(self.stack, self.outputs, state.as_ref())?;
        if let Some(state) = &state
            && self.stack.action == Action::None
            && unchanged(&parameters, state, self.stack)
        {
            return Ok((Done::None, state.outputs.clone()));
        }
        self.change(state.is_none(), &parameters, guard).await
    }

    /// What CloudFormation would do to a stack that exists; its change set is deleted again. `None` when it takes a value
    /// that is not known before another stack is deployed.
    pub(super) async fn verdicts(&self) -> Result<Option<Vec<ChangeSetEntry>>, DeployError> {
        let Some(state) = self.describe().await? else { return Ok(None) };
        if health(&state.status) != Health::Good {
            return Ok(None);
        }
        let Ok(parameters) = resolve(self.stack, self.outputs, Some(&state)) else { return Ok(None) };
        let change_set = self.prepared(false, &parameters).await?;
        let compared = self.compared(&change_set).await;
        self.cloudformation.delete_change_set(self.name(), &change_set).await.map_err(aws(self.name()))?;
        Ok(Some(compared?))
    }

    fn name(&self) -> &str {
        &self.stack.name
    }

    /// Waits for others and clears away what never came to be; the stack as it is then.
    async fn settled(&self, guard: Guard<'_>) -> Result<Option<StackState>, DeployError> {
        loop {
            let Some(state) = self.describe().await? else { return Ok(None) };
            match health(&state.status) {
                Health::Good => return Ok(Some(state)),
                Health::Stuck(help) => {
                    return Err(DeployError::Stuck { stack: self.name().to_owned(), status: state.status, help });
                }
                Health::Busy => {
                    self.ui.say(format_args!("{} is in {}: waiting for that to end", self.name(), state.status));
                    self.wait(&mut Ending::of_others(), None).await?;
                }
                Health::Unborn => {
                    self.ui.say(format_args!(
                        "{} is in {}, so it never worked: deleting it before creating it again",
                        self.name(),
                        state.status
                    ));
                    guard.locks.ensure_held(&self.stack.system).await?;
                    let mut ending = self.before().await?.of_deletion();
                    self.cloudformation.delete(self.name()).await.map_err(aws(self.name()))?;
                    self.wait(&mut ending, None).await?;
                }
            }
        }
    }

    async fn describe(&self) -> Result<Option<StackState>, DeployError> {
        self.cloudformation.describe(self.name()).await.map_err(aws(self.name()))
    }

    /// Makes a change set, executes it and waits.
    async fn change(
        &self,
        create: bool,
        parameters: &BTreeMap<String, ParameterValue>,
        guard: Guard<'_>,
    ) -> Result<(Done, BTreeMap<String, String>), DeployError> {
        let step = self.ui.step(format!("{} {}", if create { "Create" } else { "Update" }, self.name()));
        let mut ending = self.before().await?;
        step.detail("comparing");
        let change_set = self.prepared(create, parameters).await?;
        let verdicts = self.compared(&change_set).await?;
        if verdicts.is_empty() {
            self.cloudformation.delete_change_set(self.name(), &change_set).await.map_err(aws(self.name()))?;
            step.done("no change");
            let outputs = self.describe().await?.map(|state| state.outputs).unwrap_or_default();
            return Ok((Done::None, outputs));
        }
        if let Err(unseen) = guard.check(self.name(), &verdicts, self.ui) {
            self.cloudformation.delete_change_set(self.name(), &change_set).await.map_err(aws(self.name()))?;
            return Err(unseen);
        }
        guard.locks.ensure_held(&self.stack.system).await?;
        let _continuing = guard.interruption.continuing(format!("CloudFormation continues to deploy {}", self.name()));
        self.cloudformation.execute(self.name(), &change_set).await.map_err(aws(self.name()))?;
        let state = self.wait(&mut ending, Some(&step)).await?;
        let Some(state) = state.filter(|state| succeeded(&state.status)) else {
            return Err(self.failure(ending.seen()).await?);
        };
        (guard.on_change)(self.name());
        step.done(&state.status);
        Ok((if create { Done::Create } else { Done::Update }, state.outputs))
    }

    /// Asks for a change set; returns its name.
    async fn prepared(
        &self,
        create: bool,
        parameters: &BTreeMap<String, ParameterValue>,
    ) -> Result<String, DeployError> {
        let body = self.stack.template.to_string();
        let hash = hex::encode(Sha256::digest(format!("{body}{parameters:?}")));
        let change_set = format!("{CHANGE_SET_PREFIX}{}", &hash[..16]);
        // A killed run may have left one of the same name.
        self.cloudformation.delete_change_set(self.name(), &change_set).await.map_err(aws(self.name()))?;
        self.request(create, &body, &hash, &change_set, parameters).await?;
        Ok(change_set)
    }

    async fn request(
        &self,
        create: bool,
        body: &str,
        hash: &str,
        change_set: &str,
        parameters: &BTreeMap<String, ParameterValue>,
    ) -> Result<(), DeployError> {
        let url;
        let template = match self.bucket {
            Some(bucket) if body.len() > BODY_LIMIT => {
                let key = format!("templates/{}-{}.json", self.name(), &hash[..16]);
                self.clients.s3().put_text(bucket, &key, body.to_owned()).await.map_err(aws(self.name()))?;
                url = match self.clients.endpoint() {
                    Some(endpoint) => format!("{endpoint}/{bucket}/{key}"),
                    None => format!("https://{bucket}.s3.{}.amazonaws.com/{key}", self.clients.region()),
                };
                Template::Url(&url)
            }
            _ => Template::Body(body),
        };
        let (system, part) = (self.stack.system.as_str(), self.stack.stack.as_str());
        let stage = self.name().strip_prefix(&plan::full_name(system, part, "")).unwrap_or_default();
        let tags = [("system", system), ("stack", part), ("stage", stage)];
        let (stack, name, role) = (self.name(), change_set, self.role);
        let request = ChangeSetRequest { stack, name, create, template, parameters, role, tags: &tags };
        self.cloudformation.create_change_set(request).await.map_err(aws(self.name()))
    }

    /// Waits for a change set; returns its changes.
    async fn compared(&self, change_set: &str) -> Result<Vec<ChangeSetEntry>, DeployError> {
        const SCHEDULE: Schedule =
            Schedule::doubling(Duration::from_millis(50), Duration::from_secs(2)).within(PATIENCE);
        let name = self.name();
        let compared = SCHEDULE.poll(async || {
            match self.cloudformation.change_set(name, change_set).await.map_err(aws(name))? {
                ChangeSetState::Ready(verdicts) => Ok(Progress::Done(verdicts)),
                ChangeSetState::Empty => Ok(Progress::Done(Vec::new())),
                ChangeSetState::Failed(reason) => Err(DeployError::ChangeSet { stack: name.to_owned(), reason }),
                ChangeSetState::Pending => Ok(Progress::Pending(())),
            }
        });
        match compared.await? {
            Progress::Done(verdicts) => Ok(verdicts),
            Progress::Pending(()) => {
                Err(DeployError::Busy { what: name.to_owned(), status: "being compared".to_owned() })
            }
        }
    }

    /// Waits for an end, and tells what happens meanwhile; `None` when the stack is gone.
    async fn wait(&self, ending: &mut Ending, step: Option<&Step>) -> Result<Option<StackState>, DeployError> {
        let tell = |event: &Event| {
            if let Some(step) = step {
                step.detail(format_args!("{} {} {}", event.status, event.resource_type, event.logical_id));
            }
        };
        ending.wait(self.stack.region.as_deref(), self.name(), self.poller, tell).await
    }

    /// What is known before something is begun.
    async fn before(&self) -> Result<Ending, DeployError> {
        Ending::before(&self.cloudformation, self.name()).await.map_err(aws(self.name()))
    }

    /// The events back to one that was seen; all of them of a stack that was made since.
    async fn events(&self, seen: &BTreeSet<String>) -> Result<Vec<Event>, DeployError> {
        let enough = |event: &Event| seen.contains(&event.id);
        self.cloudformation.events(self.name(), enough).await.map_err(aws(self.name()))
    }

    async fn failure(&self, seen: &BTreeSet<String>) -> Result<DeployError, DeployError> {
        let status = self.describe().await?.map_or_else(|| "DELETE_COMPLETE".to_owned(), |state| state.status);
        let events: Vec<_> = self.events(seen).await?.into_iter().filter(|event| !seen.contains(&event.id)).collect();
        let mut causes = root_causes(&events).into_iter();
        let cause = causes.next().unwrap_or_else(|| format!("CloudFormation gives no reason for {status}"));
        Ok(DeployError::Stack { stack: self.name().to_owned(), status, cause, others: causes.take(3).collect() })
    }
}

fn succeeded(status: &str) -> bool {
    matches!(status, "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE")
}

/// What failed by itself, first failure first: most of a failed stack's events only follow from another.
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
mod tests {
    use super::*;

    fn event(id: &str, status: &str, reason: Option<&str>) -> Event {
        Event {
            id: id.to_owned(),
            logical_id: id.to_owned(),
            resource_type: "AWS::S3::Bucket".to_owned(),
            status: status.to_owned(),
            reason: reason.map(str::to_owned),
        }
    }

    #[test]
    fn the_root_cause_comes_first_and_its_followers_not_at_all() {
        let newest_first = [
            event("Stack", "ROLLBACK_IN_PROGRESS", Some("The following resource(s) failed to create: [One, Two].")),
            event("Two", "CREATE_FAILED", Some("Resource creation cancelled")),
            event("One", "CREATE_FAILED", Some("name already exists")),
            event("Zero", "CREATE_COMPLETE", None),
        ];
        assert_eq!(root_causes(&newest_first), ["One (AWS::S3::Bucket): name already exists"]);
    }

    #[test]
    fn every_status_has_one_meaning() {
        for (status, expected) in [
            ("CREATE_COMPLETE", Health::Good),
            ("UPDATE_ROLLBACK_COMPLETE", Health::Good),
            ("ROLLBACK_COMPLETE", Health::Unborn),
            ("REVIEW_IN_PROGRESS", Health::Unborn),
            ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Health::Busy),
            ("DELETE_IN_PROGRESS", Health::Busy),
        ] {
            assert_eq!(health(status), expected, "{status}");
        }
        assert!(matches!(health("UPDATE_ROLLBACK_FAILED"), Health::Stuck(help) if help.contains("doctor")));
    }
}
