//! Stack `analytics`: overview, storage and reports, and the function that adds the events of runs to the aggregates.

use listbackup_contract::{
    SYSTEM,
    analytics::{
        AggregateEvents, GenerateReport, GenerateReportRoute, GetOverview, GetOverviewRoute, GetStorage,
        GetStorageRoute,
    },
    events::{JOB_AMENDED, JOB_COMPLETED, JOB_FAILED, JOBS},
    limits,
    storage::REPORTS,
    tables::{ACTIVITY_BY_ACCOUNT, JOBS_BY_ACCOUNT, RUNS_BY_ACCOUNT_TIME, SOURCES_BY_ACCOUNT},
};
use model::{
    parts::{
        event_bus::{EventPattern, EventRule},
        function::Function,
        http_api::{HttpApiHandle, HttpRoutes},
        queue::{FailureQueue, QueueHandle},
        table::Access::{GetItem, PutItem, Query, UpdateItem},
    },
    template::{Stack, Text},
};

use super::{
    Shared,
    alarms::{self, Watched},
    functions::function,
    mail,
};

/// Retries of the delivery of an event, and the age in seconds at which it is given up.
pub(super) const DELIVERY: (u32, u32) = (185, 86_400);
/// Retries of a function that failed, and the age in seconds at which its event is given up: Lambda's own defaults.
pub(super) const INVOCATION: (u32, u32) = (2, 21_600);

/// Builds the stack.
pub(super) fn stack(shared: &Shared, api: &HttpApiHandle) -> Stack {
    let Shared { stage, core, .. } = shared;
    let mut stack = Stack::new("analytics", "ListBackup: aggregates and reports.");
    let failed = FailureQueue::new("FailedEvents", &format!("{SYSTEM}-events-dlq-{}", stage.name), stage);
    let failed = stack.add(failed);
    let overview = stack.add(shared.get_overview());
    let storage = stack.add(shared.get_storage());
    let report = stack.add(shared.generate_report());
    let aggregate = stack.add(shared.aggregate_events(&failed));
    let routes = HttpRoutes::new(api)
        .routes::<GetOverviewRoute>(&overview)
        .routes::<GetStorageRoute>(&storage)
        .routes::<GenerateReportRoute>(&report);
    stack.add(routes);
    let ended = [JOB_COMPLETED, JOB_FAILED, JOB_AMENDED].map(|kind| kind.detail_type);
    let pattern = EventPattern::new().sources([JOBS]).detail_types(ended);
    let rule = EventRule::new("JobEvents", &format!("{SYSTEM}-job-events-{}", stage.name), &core.bus, pattern)
        .invoke(&aggregate)
        .retry(DELIVERY.0, DELIVERY.1)
        .dead_letters(&failed);
    stack.add(rule);
    let watched = [overview, storage, report, aggregate].map(|handle| Watched::new(&handle, limits::TIMEOUT_SECONDS));
    alarms::add_of_functions(&mut stack, stage, &core.topic, &watched);
    stack.add(alarms::dead_letters(stage, &core.topic, "events-dlq", &failed));
    stack
}

impl Shared<'_> {
    fn get_overview(&self) -> Function {
        let tables = &self.core.tables;
        let environment = GetOverview {
            analytics_aggregates_table: tables.aggregates.name(),
            sources_table: tables.sources.name(),
            jobs_table: tables.jobs.name(),
            activity_table: tables.activity.name(),
        };
        function(self.stage, environment)
            .allow(tables.aggregates.allow(&[GetItem, Query]))
            .allow(tables.sources.query_index(SOURCES_BY_ACCOUNT.name))
            .allow(tables.jobs.query_index(JOBS_BY_ACCOUNT.name))
            .allow(tables.activity.query_index(ACTIVITY_BY_ACCOUNT.name))
    }

    fn get_storage(&self) -> Function {
        let tables = &self.core.tables;
        let environment =
            GetStorage { analytics_aggregates_table: tables.aggregates.name(), sources_table: tables.sources.name() };
        function(self.stage, environment)
            .allow(tables.aggregates.allow(&[GetItem, Query]))
            .allow(tables.sources.query_index(SOURCES_BY_ACCOUNT.name))
    }

    fn generate_report(&self) -> Function {
        let (core, tables) = (self.core, &self.core.tables);
        let environment = GenerateReport {
            analytics_aggregates_table: tables.aggregates.name(),
            sources_table: tables.sources.name(),
            runs_table: tables.runs.name(),
            activity_table: tables.activity.name(),
            reports_table: tables.reports.name(),
            event_bus_name: core.bus.name(),
            data_bucket: core.bucket.0.clone(),
            public_s3_endpoint: self.settings.public_s3_endpoint.as_ref().map(Text::from),
        };
        let reports = format!("{REPORTS}*");
        function(self.stage, environment)
            .allow(tables.aggregates.allow(&[GetItem, Query]))
            .allow(tables.sources.query_index(SOURCES_BY_ACCOUNT.name))
            .allow(tables.runs.query_index(RUNS_BY_ACCOUNT_TIME.name))
            .allow(tables.activity.query_index(ACTIVITY_BY_ACCOUNT.name))
            .allow(tables.reports.allow(&[PutItem]))
            .allow([core.bucket.allow(&["s3:GetObject", "s3:PutObject"], [reports.as_str()])])
            .allow(core.bus.put())
    }

    fn aggregate_events(&self, failed: &QueueHandle) -> Function {
        let tables = &self.core.tables;
        let environment = AggregateEvents {
            analytics_aggregates_table: tables.aggregates.name(),
            accounts_table: tables.accounts.name(),
            runs_table: tables.runs.name(),
            ses_from_email: Some(Text::from(&self.settings.ses_from_email)),
        };
        function(self.stage, environment)
            .asynchronous(INVOCATION.0, INVOCATION.1)
            .failures(failed)
            .allow(tables.aggregates.allow(&[PutItem, UpdateItem]))
            .allow(tables.accounts.allow(&[GetItem, UpdateItem]))
            .allow([mail::send(&self.settings.ses_from_email)])
    }
}
