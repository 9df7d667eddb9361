//! Which stateful resources exist, so that an observer sees that one was deleted or replaced.

use std::collections::BTreeMap;

use crate::{account::Account, shared::Shared};

/// The stateful resources by region, type and physical ID, each with its generation.
#[derive(Debug, Clone, Default)]
pub struct Generations {
    known: Shared<BTreeMap<(String, String, String), u64>>,
    last: u64,
}

/// A stateful resource that exists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stateful {
    /// The type.
    pub resource_type: String,
    /// The region.
    pub region: String,
    /// The physical ID.
    pub physical_id: String,
    /// Another number for each creation: a resource that was deleted and created again under its name has a higher one.
    pub generation: u64,
}

impl Account {
    /// Lists the stateful resources that exist, by region, type and physical ID. Which types are stateful is [`plan::stateful`]'s decision.
    #[must_use]
    pub fn stateful(&self) -> Vec<Stateful> {
        let known = self.generations.known.iter();
        known
            .map(|((region, resource_type, physical_id), generation)| Stateful {
                resource_type: resource_type.clone(),
                region: region.clone(),
                physical_id: physical_id.clone(),
                generation: *generation,
            })
            .collect()
    }

    /// Records that a resource was created, if its type is stateful.
    pub(crate) fn record_creation(&mut self, region: &str, resource_type: &str, physical_id: &str) {
        if plan::stateful::is_stateful(resource_type) {
            self.generations.last += 1;
            let key = (region.to_owned(), resource_type.to_owned(), physical_id.to_owned());
            self.generations.known.insert(key, self.generations.last);
        }
    }

    /// Records that a resource was deleted.
    pub(crate) fn record_deletion(&mut self, region: &str, resource_type: &str, physical_id: &str) {
        if plan::stateful::is_stateful(resource_type) {
            let key = (region.to_owned(), resource_type.to_owned(), physical_id.to_owned());
            self.generations.known.remove(&key);
        }
    }
}
