//! The state of the simulated account: one struct per service, and the events that are still to happen.
//!
//! [`Account::advance`] runs the events that are due, in the order of their time. A service schedules one for each transition that takes
//! time, such as the end of a function's update.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::Value;

use crate::{
    api_gateway::{Api, Invoke},
    chance::Chance,
    cloudformation::{CloudFormation, ResourceFault},
    cloudfront::Distribution,
    cloudwatch::CloudWatch,
    cognito::UserPool,
    ec2::Networks,
    lambda::{self, Lambda},
    logs::Logs,
    s3::Buckets,
    secrets_manager::Secret,
    shared::Shared,
    sns::Message,
    stateful::Generations,
    time::Moment,
};

/// An event that is scheduled: a function of the account, and what it is about (an ARN, a name, or several, as the function reads them).
#[derive(Debug, Clone)]
struct Event {
    run: fn(&mut Account, &str),
    subject: String,
}

/// The simulated account in all its regions.
#[derive(Debug, Clone)]
pub struct Account {
    /// The account's ID, twelve digits.
    pub id: String,
    /// The region of the stage.
    pub region: String,
    /// The randomness of services: physical IDs, durations of operations.
    pub chance: Chance,
    /// CloudWatch: traffic, metrics and alarms.
    pub cloudwatch: CloudWatch,
    /// Lambda.
    pub lambda: Lambda,
    /// CloudWatch Logs.
    pub logs: Logs,
    /// The properties of resources without behaviour, by region, type and physical ID.
    pub bags: Shared<BTreeMap<(String, String, String), Value>>,
    /// The stacks of CloudFormation.
    pub cloudformation: CloudFormation,
    /// The factor of the durations of resources, see [`crate::Settings::pace`].
    pub pace: f64,
    /// The planned faults of resources, in the order in which they apply.
    pub resource_faults: Vec<ResourceFault>,
    /// The buckets of S3.
    pub buckets: Buckets,
    /// The APIs of API Gateway by their IDs.
    pub apis: Shared<BTreeMap<String, Shared<Api>>>,
    /// How API Gateway invokes functions.
    pub invoke: Invoke,
    /// The distributions of CloudFront by their IDs.
    pub distributions: Shared<BTreeMap<String, Distribution>>,
    /// The user pools of Cognito by their IDs.
    pub user_pools: Shared<BTreeMap<String, UserPool>>,
    /// The secrets by region and name.
    pub secrets: Shared<BTreeMap<(String, String), Secret>>,
    /// The actions that the simulation of IAM's policies denies.
    pub denied_actions: BTreeSet<String>,
    /// The networks that no stack owns, by region.
    pub networks: BTreeMap<String, Networks>,
    /// The messages that were published to topics, oldest first.
    pub published: Shared<Vec<Message>>,
    /// The most USD for SMS in a month, by region.
    pub sms_limits: BTreeMap<String, String>,
    pub(crate) generations: Generations,
    now: Moment,
    events: BTreeMap<(Moment, u64), Event>,
    scheduled: u64,
}

impl Account {
    /// An empty account.
    #[must_use]
    pub fn new(id: &str, region: &str, seed: u64) -> Self {
        Self {
            id: id.to_owned(),
            region: region.to_owned(),
            chance: Chance::for_purpose(seed, "services"),
            cloudwatch: CloudWatch::new(seed),
            lambda: Lambda::default(),
            logs: Logs::default(),
            bags: Shared::default(),
            cloudformation: CloudFormation::default(),
            pace: 1.0,
            resource_faults: Vec::new(),
            buckets: Buckets::default(),
            apis: Shared::default(),
            invoke: lambda::invoke_for_api,
            distributions: Shared::default(),
            user_pools: Shared::default(),
            secrets: Shared::default(),
            denied_actions: BTreeSet::new(),
            networks: BTreeMap::new(),
            published: Shared::default(),
            sms_limits: BTreeMap::new(),
            generations: Generations::default(),
            now: Moment::default(),
            events: BTreeMap::new(),
            scheduled: 0,
        }
    }

    /// The present moment.
    #[must_use]
    pub const fn now(&self) -> Moment {
        self.now
    }

    /// Makes a physical ID as CloudFormation does: `<stack>-<logical ID>-<13 characters>` (CloudFormation user guide, "Name type").
    pub fn physical_id(&mut self, stack: &str, logical_id: &str) -> String {
        format!("{stack}-{logical_id}-{}", self.chance.capitals(13))
    }

    /// Schedules an event: `run` is called with `subject` after this time.
    pub fn schedule(&mut self, after: Duration, run: fn(&mut Self, &str), subject: impl Into<String>) {
        let event = Event { run, subject: subject.into() };
        self.events.insert((self.now.plus(after), self.scheduled), event);
        self.scheduled += 1;
    }

    /// Runs all events until this moment. `after_each` is called after each one.
    pub fn advance(&mut self, until: Moment, mut after_each: impl FnMut(&Self)) {
        while let Some(entry) = self.events.first_entry().filter(|entry| entry.key().0 <= until) {
            let ((at, _), event) = entry.remove_entry();
            self.now = self.now.max(at);
            (event.run)(self, &event.subject);
            after_each(self);
        }
        self.now = self.now.max(until);
    }

    /// The moment of the next event, if one is scheduled.
    #[must_use]
    pub fn next_event(&self) -> Option<Moment> {
        self.events.first_key_value().map(|((at, _), _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_run_in_the_order_of_their_time_and_may_schedule_others() {
        fn rename(account: &mut Account, name: &str) {
            account.id.push_str(name);
            if name == "b" {
                account.schedule(Duration::from_secs(1), rename, "c");
            }
        }
        let mut account = Account::new("", "eu-west-1", 1);
        account.schedule(Duration::from_secs(9), rename, "late");
        account.schedule(Duration::from_secs(2), rename, "b");
        account.schedule(Duration::from_secs(1), rename, "a");
        let mut seen = Vec::new();
        account
            .advance(Moment::after_start(Duration::from_secs(5)), |account| seen.push((account.now, account.id.len())));
        assert_eq!(account.id, "abc");
        assert_eq!(seen.iter().map(|(at, _)| at.elapsed().as_secs()).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(account.now().elapsed(), Duration::from_secs(5));
        assert_eq!(account.next_event().map(|at| at.elapsed().as_secs()), Some(9));
    }
}
