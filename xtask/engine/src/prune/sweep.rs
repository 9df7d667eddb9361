//! Deletes what a mark gives up, item by item: one that cannot be deleted does not save the others.

use std::collections::BTreeMap;

use model::stage::Deployment;

use super::{Mark, Marks, Target};
use crate::{
    aws::{AwsError, Clients, lambda::is_replicated},
    lock::{HeldLocks, LockError},
    parallel,
    store::Store,
};

/// Why a version of a function at the edge stays (Lambda@Edge guide, "Delete Lambda@Edge functions and replicas").
const REPLICATED: &str =
    "CloudFront still has replicas of it, and deletes them some hours after the last distribution stops using it";

/// A sweep.
pub(crate) struct Sweep<'a, S: Store + 'static> {
    pub(crate) clients: &'a Clients,
    /// The locks of the systems, each of which must still be held before a deletion.
    pub(crate) locks: &'a HeldLocks<S>,
    /// The artifact bucket, if foundation is deployed.
    pub(crate) bucket: Option<&'a str>,
}

/// What a sweep did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    /// How many items were deleted.
    pub(crate) deleted: usize,
    /// The items that AWS keeps for now, each with the reason. A later sweep deletes them.
    pub(crate) kept: Vec<String>,
    /// The items that could not be deleted, each with the cause.
    pub(crate) failed: Vec<String>,
}

impl Swept {
    /// Counts a deletion, or marks the item as kept.
    fn add(&mut self, mark: &mut Mark, deleted: Result<(), AwsError>) {
        let Err(error) = deleted else {
            self.deleted += 1;
            return;
        };
        let error = error.below(&mark.what);
        mark.keep = true;
        if is_replicated(&error) {
            mark.why = REPLICATED.to_owned();
            self.kept.push(format!("{}: {}", mark.what, mark.why));
        } else {
            mark.why = format!("it could not be deleted: {error}");
            self.failed.push(format!("{}: {error}", mark.what));
        }
    }
}

impl<S: Store + 'static> Sweep<'_, S> {
    /// Deletes everything that is not kept, and corrects the marks of what could not be deleted.
    ///
    /// # Errors
    ///
    /// When a lock is lost: nothing more is deleted.
    pub(crate) async fn run(&self, marks: &mut Marks) -> Result<Swept, LockError> {
        let mut swept = Swept::default();
        for (system, marks) in marks {
            let (mut objects, mut batches) = (BTreeMap::<_, Vec<_>>::new(), Vec::new());
            for mark in marks.iter_mut().filter(|mark| !mark.keep) {
                match self.object(&mark.target) {
                    Some((bucket, _)) => objects.entry(bucket).or_default().push(mark),
                    None => batches.push(mark),
                }
            }
            let deletions = batches.iter().map(async |mark| {
                self.locks.ensure_held(system).await?;
                Ok::<_, LockError>(self.delete(&mark.target).await)
            });
            let deleted = parallel::each(deletions).await?;
            for (mark, deleted) in batches.into_iter().zip(deleted) {
                swept.add(mark, deleted);
            }
            for ((region, bucket), marks) in objects {
                self.locks.ensure_held(system).await?;
                let keys: Vec<_> =
                    marks.iter().filter_map(|mark| Some(self.object(&mark.target)?.1.to_owned())).collect();
                let mut failed = self.clients.s3_in(region.as_deref()).delete(&bucket, &keys).await;
                for (mark, key) in marks.into_iter().zip(keys) {
                    swept.add(mark, failed.remove(&key).map_or(Ok(()), Err));
                }
            }
        }
        Ok(swept)
    }

    /// The bucket, with its region, and the key of an object. Objects are deleted a thousand at once.
    fn object<'t>(&self, target: &'t Target) -> Option<((Option<String>, String), &'t str)> {
        match target {
            Target::Artifact { key } => Some(((None, self.bucket?.to_owned()), key)),
            Target::SiteFile { region, bucket, key } => Some(((region.clone(), bucket.clone()), key)),
            _ => None,
        }
    }

    async fn delete(&self, target: &Target) -> Result<(), AwsError> {
        let (clients, lambda) = (self.clients, self.clients.lambda());
        match target {
            Target::Version { function, version } => lambda.delete_version(function, version).await,
            Target::Layer { layer, version } => lambda.delete_layer_version(layer, *version).await,
            Target::ChangeSet { region, stack, name } => {
                clients.cloudformation(region.as_deref()).delete_change_set(stack, name).await
            }
            Target::EmptyStack { region, stack } => {
                clients.cloudformation(region.as_deref()).delete(stack, Deployment::Standard).await
            }
            Target::LogGroup { name } => clients.logs().delete(name).await,
            Target::Artifact { .. } | Target::SiteFile { .. } => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        aws::scripted::{Endpoint, Received},
        lock::{Requester, break_lock},
        store::memory::Memory,
        ui::Ui,
    };

    const REFUSAL: &str = r#"{"__type":"InvalidParameterValueException","Message":"Lambda was unable to delete arn:aws:lambda:us-east-1:1:function:f:2 because it is a replicated function. Please see our documentation for Deleting Lambda@Edge Functions and Replicas."}"#;
    const OBJECTS: &str =
        "<DeleteResult><Error><Key>b</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>";

    fn mark(what: &str, target: Target) -> Mark {
        Mark { what: what.to_owned(), keep: false, why: "old".to_owned(), target }
    }

    fn marks() -> Marks {
        let version = |version: &str| {
            let target = Target::Version { function: "f".to_owned(), version: version.to_owned() };
            mark(&format!("f version {version}"), target)
        };
        let object = |key: &str| mark(key, Target::Artifact { key: key.to_owned() });
        let notes = ["1", "2", "3"].map(version).into_iter().chain(["a", "b", "c"].map(object)).collect();
        Marks::from([("notes".to_owned(), notes)])
    }

    async fn account() -> Endpoint {
        Endpoint::serve(|request: &Received| match request.target.as_str() {
            target if target.ends_with("Qualifier=2") => (400, REFUSAL.to_owned()),
            target if target.ends_with("Qualifier=3") => (500, r#"{"__type":"ServiceException"}"#.to_owned()),
            target if target.contains("delete") => (200, OBJECTS.to_owned()),
            _ => (204, String::new()),
        })
        .await
    }

    #[tokio::test]
    async fn what_cannot_be_deleted_is_named_and_everything_else_is_deleted() {
        let (endpoint, mut marks) = (account().await, marks());
        let clients = endpoint.clients().await;
        let locks = HeldLocks::<Memory>::none();
        let swept = Sweep { clients: &clients, locks: &locks, bucket: Some("bucket") }.run(&mut marks).await;
        let swept = swept.expect("no lock is lost");
        assert_eq!(swept.deleted, 3, "{swept:?}");
        assert_eq!(swept.kept, [format!("f version 2: {REPLICATED}")]);
        assert_eq!(swept.failed.len(), 2, "{swept:?}");
        assert!(swept.failed[0].starts_with("f version 3: ") && swept.failed[1].starts_with("b: "), "{swept:?}");
        let kept: Vec<_> = marks["notes"].iter().filter(|mark| mark.keep).map(|mark| mark.what.as_str()).collect();
        assert_eq!(kept, ["f version 2", "f version 3", "b"]);
    }

    #[tokio::test]
    async fn nothing_is_deleted_after_the_lock_is_lost() {
        let (endpoint, mut marks) = (account().await, marks());
        let clients = endpoint.clients().await;
        let store = Arc::new(Memory::default());
        let requester = Requester { stage: "dev", identity: "somebody", command: "prune" };
        let locks = HeldLocks::acquire(&store, &["notes"], requester, &Ui::new()).await.expect("free");
        break_lock(&*store, "notes").await.expect("broken");
        let sweep = Sweep { clients: &clients, locks: &locks, bucket: Some("bucket") };
        sweep.run(&mut marks).await.expect_err("lost");
        assert_eq!(endpoint.received(), []);
    }
}
