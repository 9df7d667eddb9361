//! Leases: the items `CONC#<user>`, each with a map from the IDs of leases to the times at which they expire.

use analyticbot_contract::{limits::LEASE_SECONDS, tables::LEASES};
use jiff::Timestamp;
use serde::Deserialize;
use tables::{AwsError, Change, from_item};

use super::{LimitError, Limits, key};

/// Room for one call. [`Limits::release`] frees it.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a lease that is not released blocks a call until it expires"]
pub struct Lease {
    user_id: u64,
    id: String,
}

/// The item of a bot.
#[derive(Deserialize)]
struct Leases {
    #[serde(default)]
    leases: std::collections::BTreeMap<String, i64>,
}

impl Lease {
    pub(super) fn new(user_id: u64) -> Result<Self, AwsError> {
        let mut random = [0; 8];
        getrandom::fill(&mut random)
            .map_err(|error| AwsError::unexpected("generate the ID of a lease", error.to_string()))?;
        Ok(Self { user_id, id: hex::encode(random) })
    }

    fn key(&self) -> tables::Item {
        key(&format!("CONC#{}", self.user_id))
    }

    fn path(&self) -> String {
        format!("{LEASES}.{}", self.id)
    }
}

impl Limits {
    /// Takes a lease. Without a free one, expired leases are removed first.
    ///
    /// # Errors
    /// When `most` leases are taken, or when DynamoDB fails.
    pub async fn acquire(&self, user_id: u64, most: u32) -> Result<Lease, LimitError> {
        let lease = Lease::new(user_id)?;
        if self.take(&lease, most).await? {
            return Ok(lease);
        }
        self.remove_expired(&lease).await?;
        if self.take(&lease, most).await? { Ok(lease) } else { Err(LimitError::Busy) }
    }

    /// Frees a lease. A failure is logged only: the lease expires.
    pub async fn release(&self, lease: Lease) {
        let change = Change::new().remove(&lease.path()).when(|at| at.exists(LEASES));
        if let Err(error) = self.database.update(&self.table, lease.key(), change).await {
            tracing::error!(
                user_id = lease.user_id,
                error = error.to_string(),
                "failed to release a lease; the bot can use it again after it has expired"
            );
        }
    }

    /// Adds the lease if the map has room, or if it is there already: the SDK repeats a request whose answer was lost.
    ///
    /// A path into a map that does not exist cannot be set, so the first lease creates the map:
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html>.
    pub(super) async fn take(&self, lease: &Lease, most: u32) -> Result<bool, AwsError> {
        let expires = Timestamp::now().as_millisecond() + LEASE_SECONDS * 1000;
        let add = Change::new().set(&lease.path(), expires).when(|at| {
            let (leases, most) = (at.name(LEASES), at.value(most));
            // The size of an absent attribute fulfils no comparison.
            format!("size({leases}) < {most} OR {}", at.exists(&lease.path()))
        });
        if self.database.update(&self.table, lease.key(), add).await?.is_some() {
            return Ok(true);
        }
        let first = std::collections::BTreeMap::from([(&lease.id, expires)]);
        let create = Change::new().set(LEASES, first).when(|at| at.absent(LEASES));
        Ok(self.database.update(&self.table, lease.key(), create).await?.is_some())
    }

    async fn remove_expired(&self, lease: &Lease) -> Result<(), AwsError> {
        let Some(item) = self.database.get(&self.table, lease.key()).await? else { return Ok(()) };
        let now = Timestamp::now().as_millisecond();
        let Leases { leases } = from_item(item)?;
        let mut change = Change::new().when(|at| at.exists(LEASES));
        let expired: Vec<_> = leases.into_iter().filter(|(_, expires)| *expires <= now).collect();
        for (id, _) in &expired {
            change = change.remove(&format!("{LEASES}.{id}"));
        }
        if expired.is_empty() {
            return Ok(());
        }
        tracing::warn!(user_id = lease.user_id, expired = expired.len(), "removed expired leases of crashed calls");
        self.database.update(&self.table, lease.key(), change).await.map(|_| ())
    }
}
