//! The two dashboards: the whole system, and the performance of backups.

use Statistic::{Maximum, Percentile, Sum};
use listbackup_contract::{SYSTEM, metrics};
use model::{
    parts::{
        dashboard::{Dashboard, Widget},
        http_api::HttpApiHandle,
        metric::{Metric, Statistic},
        queue::QueueHandle,
    },
    stage::Stage,
    template::Text,
};

use super::{
    core::Core,
    functions::{self, function_name},
};

/// Returns the dashboard of the whole system. It is in the stack of the API, whose metrics have the API's generated ID; functions of later
/// stacks are given by their names.
pub(super) fn of_system(stage: &Stage, core: &Core, api: &HttpApiHandle) -> Dashboard {
    let tables = || core.tables.all().map(|(_, table)| table.name());
    let mut dashboard = Dashboard::new("SystemDashboard", &format!("{SYSTEM}-v2-system-{}", stage.name));
    for (stack, names) in functions::BY_STACK {
        let names: Vec<_> = names.iter().map(|name| function_name(*name, stage)).collect();
        let names = || names.iter().map(String::as_str);
        dashboard = dashboard.row([
            Widget::durations(&format!("Duration (p95): {stack}"), names()),
            Widget::errors(&format!("Errors: {stack}"), names()),
        ]);
    }
    let bucket = || core.bucket.0.clone();
    dashboard
        .row([Widget::capacity("Consumed capacity", tables()), Widget::throttles("Throttled requests", tables())])
        .row([
            Widget::backlog("Waiting messages", queue_names(core)),
            Widget::age("Age of the oldest message", queue_names(core)),
        ])
        .row([
            Widget::graph("Stored bytes", STORAGE_TYPES.map(|class| Metric::bucket_size(bucket(), class))),
            Widget::graph("Stored objects", [Metric::bucket_objects(bucket())]),
            Widget::http_requests("Requests", &api.id),
        ])
}

/// New objects, and those that S3 Intelligent-Tiering stores in its two tiers without waiting times (S3 user guide, "Amazon S3 metrics
/// and dimensions").
const STORAGE_TYPES: [&str; 3] = ["StandardStorage", "IntelligentTieringFAStorage", "IntelligentTieringIAStorage"];

fn queue_names(core: &Core) -> Vec<Text> {
    [&core.job.main, &core.data.main, &core.job.dead_letters, &core.data.dead_letters].map(QueueHandle::name).into()
}

/// Returns the dashboard of the stack backup-processors. `functions` are the names of orchestrator and file processor in Lambda.
pub(super) fn of_backups(stage: &Stage, core: &Core, functions: [&str; 2]) -> Dashboard {
    let own = |name: &str, statistic: Statistic| {
        Metric::new(&format!("{}/{}", metrics::NAMESPACE, stage.name), name, statistic)
    };
    let name = format!("{SYSTEM}-backup-processors-{}-backup-performance", stage.name);
    Dashboard::new("PerformanceDashboard", &name)
        .row([
            Widget::graph(
                "Runs",
                [metrics::RUNS_STARTED, metrics::RUNS_COMPLETED, metrics::RUNS_FAILED].map(|name| own(name, Sum)),
            ),
            Widget::graph("Files per minute", [own(metrics::FILES_PROCESSED, Sum).every(MINUTE)]),
        ])
        .row([
            Widget::graph("Bytes read and stored", [own(metrics::BYTES_READ, Sum), own(metrics::BYTES_STORED, Sum)]),
            Widget::graph(
                "Duration of runs (s)",
                [50, 95].map(|percent| own(metrics::RUN_SECONDS, Percentile(percent))),
            ),
        ])
        .row([
            Widget::graph(
                "Duration of functions",
                functions.into_iter().flat_map(|name| {
                    [Percentile(95), Maximum].map(|statistic| Metric::function(name, "Duration", statistic))
                }),
            ),
            Widget::errors("Errors of functions", functions),
        ])
        .row([
            Widget::backlog("Waiting messages", queue_names(core)),
            Widget::age("Age of the oldest message", queue_names(core)),
        ])
}

/// A minute, in seconds.
const MINUTE: u32 = 60;
