//! Stack `backup-processors`: the three functions that run backups, their queues' mappings, their schedule, and the dashboard of
//! performance.

use listbackup_contract::{
    SYSTEM, limits,
    processors::{BackupOrchestrator, FileProcessor, JobScheduler},
    storage::DATA,
    tables::{JOBS_BY_STATUS, RUNS_BY_STATUS},
};
use model::{
    parts::{
        event_source::EventSource,
        function::Function,
        policy::Statement,
        schedule::Schedule,
        table::Access::{ConditionCheckItem, GetItem, PutItem, UpdateItem},
    },
    template::{Stack, Text},
};

use serde_json::json;

use super::{
    Shared,
    alarms::{self, Watched},
    dashboards,
    functions::function,
    sources,
};

/// The name of the stack.
const NAME: &str = "backup-processors";

/// Builds the stack.
pub(super) fn stack(shared: &Shared) -> Stack {
    let Shared { stage, settings, core } = shared;
    let mut stack = Stack::new(NAME, "ListBackup: the functions that run backups.");
    let orchestrator = stack.add(shared.in_network(shared.backup_orchestrator()));
    // The name that it would have otherwise is too long for a role.
    let role = format!("{}Role", orchestrator.logical_id());
    stack.set(&role, "RoleName", json!(format!("{SYSTEM}-{NAME}-orchestrator-{}", stage.name)));
    let processor = stack.add(shared.in_network(shared.file_processor()));
    let scheduler = stack.add(shared.in_network(shared.job_scheduler()));
    let runs = EventSource::new("JobQueueMapping", &core.job.main, &orchestrator)
        .batch(1)
        .window(limits::JOB_WINDOW)
        .maximum_concurrency(limits::ORCHESTRATORS);
    stack.add(runs);
    let files = EventSource::new("DataQueueMapping", &core.data.main, &processor)
        .batch(limits::FILE_BATCH)
        .window(limits::FILE_WINDOW)
        .maximum_concurrency(limits::FILE_PROCESSORS);
    stack.add(files);
    let rate = format!("rate({} minutes)", limits::SCHEDULER_MINUTES);
    stack.add(Schedule::new("JobSchedule", &format!("{SYSTEM}-job-schedule-{}", stage.name), &rate, &scheduler));
    stack.add(dashboards::of_backups(stage, core, [&orchestrator.name, &processor.name]));
    let watched = [
        Watched::new(&orchestrator, settings.processing.orchestrator_timeout),
        Watched::new(&processor, settings.processing.file_timeout),
        Watched::new(&scheduler, limits::TIMEOUT_SECONDS),
    ];
    alarms::add_of_functions(&mut stack, stage, &core.topic, &watched);
    stack
}

impl Shared<'_> {
    fn backup_orchestrator(&self) -> Function {
        let (settings, core, tables) = (self.settings, self.core, &self.core.tables);
        let timeout = settings.processing.orchestrator_timeout;
        let environment = BackupOrchestrator {
            stage: Text::from(&self.stage.name),
            runs_table: tables.runs.name(),
            jobs_table: tables.jobs.name(),
            sources_table: tables.sources.name(),
            activity_table: tables.activity.name(),
            event_bus_name: core.bus.name(),
            data_queue_url: core.data.main.url(),
            data_bucket: core.bucket.0.clone(),
            allow_private_sources: settings.allow_private_sources.to_string().into(),
            source_buckets: settings.source_buckets.join(",").into(),
            max_file_size: limits::MAX_FILE_SIZE.to_string().into(),
            timeout_seconds: timeout.to_string().into(),
        };
        function(self.stage, environment)
            .memory(limits::PROCESSOR_MEMORY)
            .timeout(timeout)
            .concurrency(settings.reserved_concurrency.then_some(limits::ORCHESTRATORS))
            .allow(self.ends_runs())
            .allow(core.job.main.feed())
            .allow(core.data.main.send())
            .allow(sources::read(settings))
            .allow([sources::secrets(self.stage, &["secretsmanager:GetSecretValue"])])
    }

    fn file_processor(&self) -> Function {
        let (settings, core, tables) = (self.settings, self.core, &self.core.tables);
        let environment = FileProcessor {
            stage: Text::from(&self.stage.name),
            runs_table: tables.runs.name(),
            files_table: tables.files.name(),
            jobs_table: tables.jobs.name(),
            sources_table: tables.sources.name(),
            activity_table: tables.activity.name(),
            event_bus_name: core.bus.name(),
            data_bucket: core.bucket.0.clone(),
            allow_private_sources: settings.allow_private_sources.to_string().into(),
            source_buckets: settings.source_buckets.join(",").into(),
            max_file_size: limits::MAX_FILE_SIZE.to_string().into(),
            compression_level: limits::COMPRESSION_LEVEL.to_string().into(),
            enable_encryption: Text::from("true"),
            chunk_size: limits::CHUNK_SIZE.to_string().into(),
            timeout_seconds: settings.processing.file_timeout.to_string().into(),
        };
        let files = format!("{DATA}*");
        function(self.stage, environment)
            .memory(limits::PROCESSOR_MEMORY)
            .timeout(settings.processing.file_timeout)
            .concurrency(settings.reserved_concurrency.then_some(limits::FILE_PROCESSORS))
            .allow(self.ends_runs())
            .allow(tables.runs.allow(&[PutItem]))
            .allow(tables.files.allow(&[GetItem, PutItem, UpdateItem]))
            .allow(core.data.main.feed())
            .allow([core.bucket.allow(&["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"], [files.as_str()])])
            .allow(sources::read(settings))
            .allow([sources::secrets(self.stage, &["secretsmanager:GetSecretValue"])])
    }

    /// The last file of a run ends it, and so does the listing of a source without files.
    fn ends_runs(&self) -> Vec<Statement> {
        let (core, tables) = (self.core, &self.core.tables);
        let mut statements = tables.runs.allow(&[GetItem, UpdateItem]);
        statements.extend(tables.jobs.allow(&[GetItem, UpdateItem]));
        statements.extend(tables.sources.allow(&[GetItem, UpdateItem]));
        statements.extend(tables.activity.allow(&[PutItem]));
        statements.extend(core.bus.put());
        statements
    }

    fn job_scheduler(&self) -> Function {
        let (core, tables) = (self.core, &self.core.tables);
        let environment = JobScheduler {
            stage: Text::from(&self.stage.name),
            jobs_table: tables.jobs.name(),
            runs_table: tables.runs.name(),
            accounts_table: tables.accounts.name(),
            sources_table: tables.sources.name(),
            activity_table: tables.activity.name(),
            event_bus_name: core.bus.name(),
            job_queue_url: core.job.main.url(),
        };
        function(self.stage, environment)
            .allow(self.ends_runs())
            .allow(tables.jobs.query_index(JOBS_BY_STATUS.name))
            .allow(tables.runs.query_index(RUNS_BY_STATUS.name))
            .allow(tables.runs.allow(&[PutItem]))
            .allow(tables.accounts.allow(&[UpdateItem]))
            .allow(tables.sources.allow(&[ConditionCheckItem]))
            .allow(core.job.main.send())
    }

    /// Attaches a function to the stage's network, if it has one.
    pub(super) fn in_network(&self, function: Function) -> Function {
        match &self.settings.vpc {
            Some(network) => function.vpc(&network.network),
            None => function,
        }
    }
}
