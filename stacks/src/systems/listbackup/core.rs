//! Stack `core`: the tables, bucket, queues, event bus and secrets of all other stacks, and the topic of alarms.

use listbackup_contract::{
    SYSTEM, limits,
    storage::DATA,
    tables::{self, TTL},
};
use model::{
    parts::{
        bucket::{Bucket, BucketName},
        event_bus::{EventBus, EventBusHandle},
        gateway_endpoints::GatewayEndpoints,
        parameter::Parameter,
        queue::{Queue, Queues},
        secret::{Secret, SecretHandle},
        table::{Access, Table, TableHandle},
        topic::{ARN_OUTPUT, Topic, TopicHandle},
    },
    stage::Stage,
    template::{Stack, Text, json::camel},
};

use super::{Settings, alarms, settings::Network, sources};

/// The stack's name.
pub(super) const NAME: &str = "core";
/// The days for which deleted or overwritten objects can be restored.
const NONCURRENT_DAYS: u32 = 730;
/// The age in days at which the parts of incomplete uploads are deleted.
const UPLOAD_DAYS: u32 = 7;

/// The parts that other stacks refer to.
pub(super) struct Core {
    pub(super) tables: Tables,
    pub(super) bucket: BucketName,
    pub(super) job: Queues,
    pub(super) data: Queues,
    pub(super) bus: EventBusHandle,
    /// Signs access tokens.
    pub(super) access_secret: SecretHandle,
    /// Signs refresh tokens.
    pub(super) refresh_secret: SecretHandle,
    pub(super) topic: TopicHandle,
}

/// The tables.
pub(super) struct Tables {
    pub(super) users: TableHandle,
    pub(super) accounts: TableHandle,
    pub(super) sources: TableHandle,
    pub(super) jobs: TableHandle,
    pub(super) runs: TableHandle,
    pub(super) files: TableHandle,
    pub(super) activity: TableHandle,
    pub(super) oauth_states: TableHandle,
    pub(super) api_keys: TableHandle,
    pub(super) aggregates: TableHandle,
    pub(super) reports: TableHandle,
}

impl Tables {
    /// Returns all tables, each with its name in the system.
    pub(super) fn all(&self) -> [(&'static str, &TableHandle); 11] {
        [
            (tables::USERS.name, &self.users),
            (tables::ACCOUNTS.name, &self.accounts),
            (tables::SOURCES.name, &self.sources),
            (tables::JOBS.name, &self.jobs),
            (tables::RUNS.name, &self.runs),
            (tables::FILES.name, &self.files),
            (tables::ACTIVITY.name, &self.activity),
            (tables::OAUTH_STATES.name, &self.oauth_states),
            (tables::API_KEYS.name, &self.api_keys),
            (tables::AGGREGATES.name, &self.aggregates),
            (tables::REPORTS.name, &self.reports),
        ]
    }
}

/// Builds the stack; also returns the parts that other stacks refer to.
pub(super) fn stack(stage: &Stage, settings: &Settings) -> (Stack, Core) {
    let mut stack = Stack::new(NAME, "ListBackup: tables, bucket, queues and event bus.");
    let tables = add_tables(&mut stack, stage, settings);
    let bucket = BucketName(settings.data_bucket(stage));
    let data_bucket = Bucket::new("DataBucket", &bucket, stage)
        .versioned()
        .intelligent_tiering()
        .expire_noncurrent(NONCURRENT_DAYS)
        .abort_uploads(UPLOAD_DAYS);
    let data_bucket = stack.add(data_bucket);
    let processing = settings.processing;
    let job = stack.add(queue(stage, "job", processing.job_visibility));
    let data = stack.add(queue(stage, "data", processing.data_visibility));
    let bus = stack.add(EventBus::new("EventBus", &format!("{SYSTEM}-events-{}", stage.name)));
    let topic = Topic::new("AlarmTopic", &format!("{SYSTEM}-alarms-{}", stage.name), stage);
    let topic = stack.add(topic.email(settings.alarm_email.as_deref()));
    let mut secret = |id: &str, name: &str, meaning: &str| {
        let name = format!("{SYSTEM}/{}/{name}", stage.name);
        stack.add(Secret::new(id, &name, stage).description(meaning))
    };
    let access_secret = secret("AccessTokenSecret", "jwt-secret", "Signs access tokens.");
    let refresh_secret = secret("RefreshTokenSecret", "jwt-refresh-secret", "Signs refresh tokens.");
    let origins = settings.allowed_origins.join(",");
    for (logical_id, name, value) in [
        ("CorsOriginParameter", "cors-origin", &origins),
        ("SesFromEmailParameter", "ses-from-email", &settings.ses_from_email),
    ] {
        stack.add(parameter(stage, logical_id, name, value));
    }
    let core = Core { tables, bucket, job, data, bus, access_secret, refresh_secret, topic };
    if let Some(network) = &settings.vpc {
        stack.add(endpoints(settings, network, &core));
    }
    for alarm in alarms::of_core(stage, &core) {
        stack.add(alarm);
    }
    stack.output("DataBucketName", data_bucket.id());
    stack.output("JobQueueUrl", core.job.main.url());
    stack.output("DataQueueUrl", core.data.main.url());
    stack.output("EventBusName", core.bus.name());
    stack.output(ARN_OUTPUT, core.topic.arn());
    (stack, core)
}

/// Returns the ways from the functions' network to tables and buckets.
fn endpoints(settings: &Settings, network: &Network, core: &Core) -> GatewayEndpoints {
    let access = [Access::ConditionCheckItem, Access::GetItem, Access::PutItem, Access::Query, Access::UpdateItem];
    let tables = core.tables.all();
    let files = format!("{DATA}*");
    GatewayEndpoints::new("Network", &network.routes)
        .allow(tables.into_iter().flat_map(|(_, table)| table.allow(&access)))
        .allow([core.bucket.allow(&["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"], [files.as_str()])])
        .allow(sources::read(settings))
}

/// Returns a parameter that programs outside of the stacks look up.
pub(super) fn parameter(stage: &Stage, logical_id: &str, name: &str, value: impl Into<Text>) -> Parameter {
    Parameter { logical_id: logical_id.to_owned(), name: Settings::parameter_name(stage, name), value: value.into() }
}

fn queue(stage: &Stage, kind: &str, visibility: u32) -> Queue {
    let (queue, dead_letters) = (format!("{}Queue", camel(kind)), format!("{}Dlq", camel(kind)));
    let name = |suffix: &str| format!("{SYSTEM}-{kind}-{suffix}-{}", stage.name);
    Queue::new((&queue, &name("queue")), (&dead_letters, &name("dlq")), stage)
        .visibility(visibility)
        .attempts(limits::RECEIVES)
}

fn add_tables(stack: &mut Stack, stage: &Stage, settings: &Settings) -> Tables {
    let mut add = |shape: tables::Table| stack.add(table(stage, settings, shape, NAME));
    Tables {
        users: add(tables::USERS),
        accounts: add(tables::ACCOUNTS),
        sources: add(tables::SOURCES),
        jobs: add(tables::JOBS),
        runs: add(tables::RUNS),
        files: add(tables::FILES),
        activity: add(tables::ACTIVITY),
        oauth_states: add(tables::OAUTH_STATES),
        api_keys: add(tables::API_KEYS),
        aggregates: add(tables::AGGREGATES),
        reports: add(tables::REPORTS),
    }
}

/// Returns a table of the contract; `service` is the stack that owns it.
pub(super) fn table(stage: &Stage, settings: &Settings, shape: tables::Table, service: &str) -> Table {
    let logical_id = format!("{}Table", camel(shape.name));
    let name = format!("{SYSTEM}-{}-{}", stage.name, shape.name);
    let mut table = Table::new(&logical_id, &name, (shape.partition, shape.sort), stage)
        .tag("Service", service)
        .tag("Stage", &stage.name);
    for index in shape.indexes {
        table = table.index(index.name, (index.partition, index.sort));
    }
    if shape.name == tables::ACTIVITY.name
        && let Some(time) = tables::ACTIVITY_BY_ACCOUNT.sort
    {
        table = table.number_key(time);
    }
    if shape.expires {
        table = table.expires(TTL);
    }
    if settings.protect_data { table.recoverable().protected() } else { table }
}
