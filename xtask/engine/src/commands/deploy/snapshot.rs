//! The deployed stage at one time, with the states of its locks right before.

use std::time::Duration;

use model::foundation;
use tokio::time::Instant;

use crate::{
    aws::AwsError,
    deploy::observe::{Extent, Observation},
    lock::LockStates,
    session::Session,
};

/// How old a snapshot may be that a plan is made from. A build takes longer, unless there is nothing to build.
const FRESH: Duration = Duration::from_secs(10);

/// The deployed stage at one time.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    pub(super) observation: Observation,
    /// The artifact bucket, which holds the locks; `None` if there is none.
    pub(super) bucket: Option<String>,
    /// The locks before the first read, if they could be read: a lock in another state has had another owner since.
    pub(super) locks: Option<LockStates>,
    extent: Extent,
    at: Instant,
}

impl Snapshot {
    /// Reads the states of the stage's locks; `None` if the bucket does not exist.
    ///
    /// # Errors
    ///
    /// When the call fails.
    pub(super) async fn locks(session: &Session) -> Result<Option<LockStates>, AwsError> {
        let bucket = foundation::artifact_bucket(&session.stage);
        LockStates::read(&session.clients.documents(bucket)).await
    }

    /// Reads the stage, after its locks.
    ///
    /// The description of a stack may be an earlier one, without the bucket. S3 always shows the present state (S3 user guide, "Amazon S3 data
    /// consistency model"), so it decides before a command works without locks.
    ///
    /// # Errors
    ///
    /// When a call fails.
    pub(super) async fn read(
        extent: Extent,
        locks: Result<Option<LockStates>, AwsError>,
        session: &Session,
    ) -> miette::Result<Self> {
        let at = Instant::now();
        let expected = foundation::artifact_bucket(&session.stage);
        let observation = session.observe_and_list(extent).await?;
        let deployed = session.bucket(&observation.observed);
        // A caller that may not list the bucket of a deployed stage gets the error of the lock.
        let locks = if deployed.is_some() { locks.unwrap_or_default() } else { locks? };
        let bucket = deployed.or_else(|| locks.is_some().then(|| expected.clone()));
        // Another bucket than expected has other locks.
        let locks = locks.filter(|_| bucket.as_ref() == Some(&expected));
        Ok(Self { observation, bucket, locks, extent, at })
    }

    /// Returns the snapshot, or a new one if it is too old or reads less than `extent`.
    ///
    /// # Errors
    ///
    /// When a call fails.
    pub(super) async fn fresh(self, extent: Extent, session: &Session) -> miette::Result<Self> {
        if self.extent == extent && self.at.elapsed() < FRESH {
            return Ok(self);
        }
        Self::read(extent, Self::locks(session).await, session).await
    }
}
