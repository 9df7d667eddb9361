//! The account as the observer reads it: the only module of the observer that knows the model's state.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::{Value, json};
use simulated_aws::{
    account::Account,
    cloudformation,
    lambda::{self, Probed},
    s3,
    time::Moment,
    wire::Call,
};

use super::artifact_bucket;
use crate::project::REGION;

/// The alias that receives all traffic.
const LIVE: &str = "live";

/// The traffic of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// The version that `live` points to.
    pub version: String,
    /// Other versions with their shares of the traffic, in hundredths of a percent.
    pub shares: BTreeMap<String, u32>,
}

impl Live {
    /// The share of a version, in hundredths of a percent.
    pub(super) fn share(&self, version: &str) -> u32 {
        let others: u32 = self.shares.values().sum();
        if version == self.version { 10_000 - others } else { self.shares.get(version).copied().unwrap_or_default() }
    }

    /// The other versions, in words.
    pub(super) fn others(&self) -> String {
        self.shares.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// A stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// Its status.
    pub status: String,
    /// Its resources by logical ID.
    pub resources: BTreeMap<String, Resource>,
}

/// A resource of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its type.
    pub resource_type: String,
    /// Its physical ID.
    pub physical_id: String,
}

/// A resource of a stack whose last operation succeeded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settled<'a> {
    pub(super) stack_id: &'a str,
    pub(super) stack: &'a str,
    pub(super) logical_id: &'a str,
    pub(super) resource_type: &'a str,
    pub(super) physical_id: &'a str,
}

/// The resources of all stacks whose last operation succeeded.
pub(super) fn settled_resources(account: &Account) -> impl Iterator<Item = Settled<'_>> {
    let has_succeeded = |stack: &&cloudformation::Stack| {
        matches!(stack.status, "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE")
    };
    living(account).filter(has_succeeded).flat_map(|stack| {
        let owned = stack.resources.iter().filter(|(_, resource)| resource.is_owned());
        owned.map(|(logical_id, resource)| Settled {
            stack_id: &stack.id,
            stack: &stack.name,
            logical_id,
            resource_type: &resource.resource_type,
            physical_id: &resource.physical_id,
        })
    })
}

/// The names of all functions.
#[must_use]
pub fn functions(account: &Account) -> Vec<String> {
    lambda::functions(account, REGION).map(|(name, _)| name.to_owned()).collect()
}

/// The traffic of a function; `None` without the alias.
#[must_use]
pub fn live(account: &Account, function: &str) -> Option<Live> {
    let routing = account.lambda.function(REGION, function)?.aliases.get(LIVE)?.routing();
    let shares = routing.weights.iter().filter(|(_, share)| **share > 0.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a weight is between 0 and 1")]
    let shares = shares.map(|(version, share)| (version.clone(), (share * 10_000.0).round() as u32));
    Some(Live { version: routing.version.clone(), shares: shares.collect() })
}

/// Whether a version exists.
#[must_use]
pub fn has_version(account: &Account, function: &str, version: &str) -> bool {
    account.lambda.function(REGION, function).is_some_and(|function| function.version(version).is_some())
}

/// The SHA-256 of a version's code, in base64.
#[must_use]
pub fn code_sha256(account: &Account, function: &str, version: &str) -> Option<String> {
    Some(account.lambda.function(REGION, function)?.version(version)?.code.sha256.clone())
}

/// Whether a version answers its probe as its function does; `None` without the version.
#[must_use]
pub fn passes_probe(account: &Account, function: &str, version: &str) -> Option<bool> {
    let version = account.lambda.function(REGION, function)?.version(version)?;
    Some(version.code.behavior.probe == Probed::Ready)
}

/// The requests that a version behind `live` has served since a moment, and those of them that failed, as far as CloudWatch shows them.
pub(super) fn served(account: &Account, function: &str, version: &str, since: Moment) -> (f64, f64) {
    let dimensions =
        [("FunctionName", function), ("Resource", &format!("{function}:{LIVE}")), ("ExecutedVersion", version)];
    let dimensions = dimensions.map(|(name, value)| json!({ "Name": name, "Value": value }));
    let queries = ["Invocations", "Errors"].map(|name| {
        let metric = json!({ "Namespace": "AWS/Lambda", "MetricName": name, "Dimensions": dimensions });
        json!({ "Id": name, "MetricStat": { "Metric": metric, "Period": 60, "Stat": "Sum" } })
    });
    let (start, end) = (since.unix_seconds(), account.now().unix_seconds() + 60);
    let input = json!({ "MetricDataQueries": queries, "StartTime": start, "EndTime": end });
    let call = Call {
        service: "monitoring".to_owned(),
        region: REGION.to_owned(),
        operation: "GetMetricData".to_owned(),
        body: input.to_string().into_bytes(),
        ..Call::default()
    };
    let reply = simulated_aws::handle(&mut account.clone(), &call).map(|reply| reply.body).unwrap_or_default();
    let found: Value = serde_json::from_slice(&reply).unwrap_or_default();
    let sum = |index: usize| {
        let values = found["MetricDataResults"][index]["Values"].as_array().into_iter().flatten();
        values.filter_map(Value::as_f64).sum()
    };
    (sum(0), sum(1))
}

/// The stacks that exist, in all regions.
fn living(account: &Account) -> impl Iterator<Item = &cloudformation::Stack> {
    account.cloudformation.stacks().filter(|stack| stack.status != "DELETE_COMPLETE")
}

/// The stacks that exist, in all regions.
#[must_use]
pub fn stacks(account: &Account) -> Vec<Stack> {
    let stacks = living(account).map(|stack| {
        let resources = stack.resources.iter().filter(|(_, resource)| resource.is_owned());
        let resources = resources.map(|(id, resource)| {
            let (resource_type, physical_id) = (resource.resource_type.clone(), resource.physical_id.clone());
            (id.clone(), Resource { resource_type, physical_id })
        });
        let region = stack.region.clone();
        Stack { name: stack.name.clone(), region, status: stack.status.to_owned(), resources: resources.collect() }
    });
    stacks.collect()
}

/// The values of the parameters of all stacks.
#[must_use]
pub fn parameters(account: &Account) -> BTreeSet<String> {
    living(account).filter_map(|stack| stack.parameters()).flat_map(|parameters| parameters.values().cloned()).collect()
}

/// The status of a stack, and the template that it is deployed with.
#[must_use]
pub fn deployed<'a>(account: &'a Account, region: &str, name: &str) -> Option<(&'a str, Option<&'a Value>)> {
    let stack = account.cloudformation.stack(region, name)?;
    Some((stack.status, stack.template()))
}

/// An output of a stack.
#[must_use]
pub fn output<'a>(account: &'a Account, region: &str, stack: &str, output: &str) -> Option<&'a str> {
    account.cloudformation.stack(region, stack)?.outputs.get(output).map(String::as_str)
}

/// A bucket.
#[must_use]
pub fn bucket<'a>(account: &'a Account, name: &str) -> Option<&'a s3::Bucket> {
    account.buckets.get(name)
}

/// A document of the artifact bucket.
#[must_use]
pub fn document(account: &Account, key: &str) -> Option<Vec<u8>> {
    s3::object(account, artifact_bucket(), key)
}

/// The buckets and user pools, each with the stack that its tags name.
#[must_use]
pub fn deletable_data(account: &Account) -> Vec<(String, &str)> {
    let buckets = account.buckets.iter().map(|(name, bucket)| (format!("bucket {name}"), &bucket.tags));
    let pools = account.user_pools.iter().map(|(id, pool)| (format!("user pool {id}"), &pool.tags));
    let tagged = buckets.chain(pools);
    tagged.filter_map(|(name, tags)| Some((name, tags.get("aws:cloudformation:stack-name")?.as_str()))).collect()
}

/// The type of tables.
pub const TABLE: &str = "AWS::DynamoDB::Table";

/// The first key of each table, as its stack says, and without a stack as DynamoDB says. A table that a new stack has adopted may differ from
/// the stack's template (CloudFormation user guide, "Import AWS resources into a CloudFormation stack").
#[must_use]
pub fn tables(account: &Account) -> BTreeMap<String, String> {
    let tables = account.bags.iter().filter(|((_, resource_type, _), _)| resource_type == TABLE);
    let tables = tables.map(|((region, _, name), found)| {
        let owner = account.cloudformation.owner(region, TABLE, name);
        let of_stack = owner.and_then(|(stack, id)| Some(&stack.template()?["Resources"][id]["Properties"]));
        let key = &of_stack.unwrap_or(found)["KeySchema"][0]["AttributeName"];
        (name.clone(), key.as_str().unwrap_or_default().to_owned())
    });
    tables.collect()
}

/// The number of the open release of a system.
#[must_use]
pub fn open_release(account: &Account, system: &str) -> Option<u64> {
    super::ledgers::read(account, system).iter().find(|entry| entry.is_open()).map(|entry| entry.number)
}

/// Whether a lock that was not released may be held: it expires 90 s after its last renewal, by S3's clock in whole seconds
/// (xtask/docs/decisions/locking.md, "A lock is renewed, expires and is released").
#[must_use]
pub fn has_fresh_lock(account: &Account) -> bool {
    const EXPIRED: Duration = Duration::from_secs(92);
    let Some(bucket) = bucket(account, artifact_bucket()) else { return false };
    let locks = bucket.keys("locks/").take_while(|(key, _)| key.starts_with("locks/"));
    let mut current = locks.filter_map(|(key, _)| bucket.current(key));
    current.any(|(version, content)| {
        let lock: Value = serde_json::from_slice(&content.body).unwrap_or_default();
        lock["released"] != true && account.now().since(version.written) < EXPIRED
    })
}

/// The values of all secrets, with the names of the secrets.
#[must_use]
pub fn secrets(account: &Account) -> Vec<(String, String)> {
    let values = account.secrets.iter().flat_map(|((_, name), secret)| {
        secret.versions.iter().map(move |version| (name.clone(), version.value.clone()))
    });
    values.collect()
}
