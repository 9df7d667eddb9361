//! What a destruction would delete, what would stay, and what AWS would refuse to delete: asked before the first deletion.
//!
//! Resources count as a stage's own if one of its stacks lists them, or is named in their tags. A name alone proves nothing: names of user
//! pools are not unique, and a bucket may have been made by another program since. That a stack had a resource once proves nothing either:
//! another stack may have imported it since.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    foundation,
    rendered::{RenderedStack, RenderedSystem},
    stage::Stage,
};
use serde_json::Value;

use super::stateful::{StatefulKind, StatefulResource, is_retained, stateful_resources};
use crate::{
    aws::{
        Clients,
        cloudformation::{CloudFormation, resources::StackResource},
        cognito::Pool,
        error::ErrorKind,
    },
    deploy::{DeployError, failed_to},
};

/// The tag with the name of a resource's stack (CloudFormation user guide, "Resource tags").
const STACK_TAG: &str = "aws:cloudformation:stack-name";
/// Why a bucket is kept whose tags S3 does not return: it answers alike for another account's bucket and for a caller without the permission.
const UNREADABLE: &str =
    "its tags could not be read: it belongs to another account, or the caller lacks s3:GetBucketTagging";

/// The result of a survey.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// The stateful resources that stay when the stacks are deleted. Foundation's are last, because its bucket has the locks.
    pub(crate) resources: Vec<StatefulResource>,
    /// Resources that have a name of this stage and belong to another program, each with the reason.
    pub(crate) foreign: Vec<String>,
    /// What AWS would refuse to delete, each with the reason.
    pub(crate) refusals: Vec<String>,
}

/// The owner of a resource, by its tags.
#[derive(Debug, PartialEq, Eq)]
enum Owner {
    /// A stack of this stage, in this system.
    Own(String),
    /// Another stack, or none.
    Other(String),
}

/// Surveys the stacks of these systems. `delete_data` also asks whether the stateful resources can be deleted.
///
/// # Errors
///
/// When a call fails.
pub(crate) async fn survey(
    clients: &Clients,
    stage: &Stage,
    systems: &[RenderedSystem],
    delete_data: bool,
) -> Result<Survey, DeployError> {
    let stacks = systems.iter().flat_map(|system| &system.stacks);
    let owners = stacks.map(|stack| (stack.name.as_str(), stack.system.as_str())).collect();
    let (is_emulated, found) = (clients.endpoint().is_some(), Survey::default());
    let mut surveyor = Surveyor { clients, stage, delete_data, is_emulated, owners, found };
    for (region, stacks) in by_region(systems) {
        surveyor.stacks(region, &stacks).await?;
    }
    surveyor.namesakes(stateful_resources(systems, &stage.account, &stage.region)).await?;
    let mut found = surveyor.found;
    found.resources.sort_by_key(|resource| resource.system == foundation::SYSTEM);
    Ok(found)
}

fn by_region(systems: &[RenderedSystem]) -> BTreeMap<Option<&str>, Vec<&RenderedStack>> {
    let mut regions: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for stack in systems.iter().rev().flat_map(|system| &system.stacks) {
        regions.entry(stack.region.as_deref()).or_default().push(stack);
    }
    regions
}

struct Surveyor<'a> {
    clients: &'a Clients,
    stage: &'a Stage,
    delete_data: bool,
    /// Whether the clients call an emulator, which does not store the tags of every resource.
    is_emulated: bool,
    /// The system of each stack.
    owners: BTreeMap<&'a str, &'a str>,
    found: Survey,
}

impl Surveyor<'_> {
    async fn stacks(&mut self, region: Option<&str>, stacks: &[&RenderedStack]) -> Result<(), DeployError> {
        let cloudformation = self.clients.cloudformation(region);
        let names: BTreeSet<_> = stacks.iter().map(|stack| stack.name.as_str()).collect();
        let mut deleted = cloudformation.deleted_stacks(&names).await.map_err(failed_to("find", "deleted stacks"))?;
        for stack in stacks {
            let mut history = deleted.remove(&stack.name).unwrap_or_default();
            if self.existing(&cloudformation, stack).await? {
                history.push(stack.name.clone());
            }
            for id in history {
                let retained = cloudformation.retained(&id).await.map_err(failed_to("read", &stack.name))?;
                for resource in retained {
                    self.retained(stack, &resource).await?;
                }
            }
        }
        Ok(())
    }

    /// Surveys the resources of a stack; returns whether it exists.
    async fn existing(&mut self, cloudformation: &CloudFormation, stack: &RenderedStack) -> Result<bool, DeployError> {
        let (name, read) = (&stack.name, || failed_to("read", &stack.name));
        let Some(state) = cloudformation.describe(name).await.map_err(read())? else { return Ok(false) };
        if state.is_protected {
            self.found.refusals.push(format!("stack {name} has termination protection"));
        }
        let template = cloudformation.template(name).await.map_err(read())?.unwrap_or_default();
        for resource in cloudformation.resources(name).await.map_err(read())? {
            let body = &template["Resources"][&resource.logical_id];
            match StatefulKind::of(&resource.resource_type) {
                None => {}
                Some(StatefulKind::UserPool) => {
                    let Some(pool) = self.pool(&resource.physical_id).await? else { continue };
                    self.add_pool(&stack.system, pool, is_retained(body));
                }
                Some(kind) if is_retained(body) => self.add(kind, stack, &resource.physical_id),
                Some(kind) => self.refuse(kind, stack, &resource.physical_id, body).await?,
            }
        }
        Ok(true)
    }

    /// Adds a resource that a stack has given up, if it still exists and its tags prove that it is the stage's own.
    async fn retained(&mut self, stack: &RenderedStack, resource: &StackResource) -> Result<(), DeployError> {
        let id = &resource.physical_id;
        match StatefulKind::of(&resource.resource_type) {
            Some(StatefulKind::UserPool) => {
                let Some(pool) = self.pool(id).await? else { return Ok(()) };
                match self.owner_now(stack, &pool.tags) {
                    Owner::Own(system) => self.add_pool(&system, pool, true),
                    Owner::Other(why) => self.keep(format_args!("user pool {} ({id})", pool.name), &why),
                }
            }
            Some(StatefulKind::Bucket) => {
                let region = stack.region.as_deref();
                match self.bucket_owner(region, id, |tags| self.owner_now(stack, tags)).await? {
                    Some(Owner::Own(_)) => self.add(StatefulKind::Bucket, stack, id),
                    Some(Owner::Other(why)) => self.keep(format_args!("bucket {id}"), &why),
                    None => {}
                }
            }
            // Tables, secrets and keys are kept in any case.
            _ => {}
        }
        Ok(())
    }

    /// Adds buckets and user pools with a name of the stage whose tags prove that they are its own.
    async fn namesakes(&mut self, defined: Vec<StatefulResource>) -> Result<(), DeployError> {
        let pools: BTreeSet<_> = defined
            .iter()
            .filter(|defined| defined.kind == StatefulKind::UserPool)
            .map(|pool| pool.name.as_str())
            .collect();
        let ids = if pools.is_empty() {
            Vec::new()
        } else {
            self.clients.cognito().pools_named(&pools).await.map_err(failed_to("find", "user pools"))?
        };
        for id in ids.iter().filter(|id| !self.has_id(id)).cloned().collect::<Vec<_>>() {
            let Some(pool) = self.pool(&id).await? else { continue };
            match self.owner(&pool.tags) {
                Owner::Own(system) => self.add_pool(&system, pool, true),
                Owner::Other(why) => self.keep(format_args!("user pool {} ({id})", pool.name), &why),
            }
        }
        for bucket in defined.into_iter().filter(|defined| defined.kind == StatefulKind::Bucket) {
            if self.found.resources.iter().any(|found| found.kind == bucket.kind && found.name == bucket.name) {
                continue;
            }
            match self.bucket_owner(bucket.region.as_deref(), &bucket.name, |tags| self.owner(tags)).await? {
                Some(Owner::Own(_)) => self.found.resources.push(bucket),
                Some(Owner::Other(why)) => self.keep(&bucket, &why),
                None => {}
            }
        }
        Ok(())
    }

    fn owner(&self, tags: &BTreeMap<String, String>) -> Owner {
        let tag = |name: &str| tags.get(name).map(String::as_str).unwrap_or_default();
        let stack = match tag(STACK_TAG) {
            "" if tag("stage") == self.stage.name => plan::full_name(tag("system"), tag("stack"), &self.stage.name),
            stack => stack.to_owned(),
        };
        match self.owners.get(stack.as_str()) {
            Some(system) => Owner::Own((*system).to_owned()),
            None if stack.is_empty() => Owner::Other("its tags name no stack".to_owned()),
            None => Owner::Other(format!("stack {stack} owns it")),
        }
    }

    /// Returns the present owner of a resource that a stack has given up. On an emulator, one without tags is still the stack's own.
    fn owner_now(&self, stack: &RenderedStack, tags: &BTreeMap<String, String>) -> Owner {
        let is_untagged = [STACK_TAG, "stage", "system", "stack"].iter().all(|tag| !tags.contains_key(*tag));
        if self.is_emulated && is_untagged { Owner::Own(stack.system.clone()) } else { self.owner(tags) }
    }

    /// Reports a resource that has a name of the stage, or was its own, and is kept.
    fn keep(&mut self, resource: impl std::fmt::Display, why: &str) {
        let line = format!("{resource}: kept; {why}");
        if !self.found.foreign.contains(&line) {
            self.found.foreign.push(line);
        }
    }

    fn has_id(&self, id: &str) -> bool {
        self.found.resources.iter().any(|found| found.id.as_deref() == Some(id))
    }

    fn add(&mut self, kind: StatefulKind, stack: &RenderedStack, physical_id: &str) {
        let name = if kind == StatefulKind::Secret { secret_name(physical_id) } else { physical_id };
        let (name, region, system) = (name.to_owned(), stack.region.clone(), stack.system.clone());
        let resource = StatefulResource { kind, name, id: None, region, system };
        if !self.found.resources.contains(&resource) {
            self.found.resources.push(resource);
        }
    }

    /// Adds a pool that stays when its stack is deleted, or that is deleted with it. A protected pool refuses either.
    fn add_pool(&mut self, system: &str, pool: Pool, is_retained: bool) {
        if self.has_id(&pool.id) {
            return;
        }
        let is_deleted = !is_retained || self.delete_data;
        if pool.is_protected && is_deleted {
            self.found.refusals.push(format!("user pool {} ({}) has deletion protection", pool.name, pool.id));
        }
        if is_retained {
            let (name, id, system) = (pool.name, Some(pool.id), system.to_owned());
            self.found.resources.push(StatefulResource {
                kind: StatefulKind::UserPool,
                name,
                id,
                region: None,
                system,
            });
        }
    }

    /// Adds the reason why a resource that is deleted with its stack cannot be deleted.
    async fn refuse(
        &mut self,
        kind: StatefulKind,
        stack: &RenderedStack,
        name: &str,
        body: &Value,
    ) -> Result<(), DeployError> {
        let refusal = match kind {
            StatefulKind::Bucket => {
                let s3 = self.clients.s3_in(stack.region.as_deref());
                let is_empty = s3.is_empty(name).await.map_err(failed_to("read", format!("bucket {name}")))?;
                (!is_empty).then(|| format!("bucket {name} of stack {} is not empty", stack.name))
            }
            StatefulKind::Table => (body["Properties"]["DeletionProtectionEnabled"] == true)
                .then(|| format!("table {name} of stack {} has deletion protection", stack.name)),
            StatefulKind::UserPool | StatefulKind::Secret | StatefulKind::Key => None,
        };
        self.found.refusals.extend(refusal);
        Ok(())
    }

    async fn pool(&self, id: &str) -> Result<Option<Pool>, DeployError> {
        self.clients.cognito().pool(id).await.map_err(failed_to("read", format!("user pool {id}")))
    }

    /// Returns the owner of a bucket, by its tags; `None` if there is no such bucket.
    async fn bucket_owner(
        &self,
        region: Option<&str>,
        bucket: &str,
        owner: impl FnOnce(&BTreeMap<String, String>) -> Owner,
    ) -> Result<Option<Owner>, DeployError> {
        match self.clients.s3_in(region).bucket_tags(bucket, &self.stage.account).await {
            Ok(tags) => Ok(tags.map(|tags| owner(&tags))),
            Err(error) if error.kind == ErrorKind::AccessDenied => Ok(Some(Owner::Other(UNREADABLE.to_owned()))),
            Err(error) => Err(failed_to("read", format!("bucket {bucket}"))(error)),
        }
    }
}

/// The name of a secret: its ARN ends in `:secret:<name>-<six characters>` (Secrets Manager user guide, "What's in a secret?").
fn secret_name(arn: &str) -> &str {
    let name = arn.split_once(":secret:").map_or(arn, |(_, name)| name);
    match name.rsplit_once('-') {
        Some((name, suffix)) if suffix.len() == 6 => name,
        _ => name,
    }
}

#[cfg(test)]
mod tests;
