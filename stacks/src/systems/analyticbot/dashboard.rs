//! The dashboard: requests, functions, tables, and the functions' own metrics.

use Statistic::{Percentile, Sum};
use analyticbot_contract::{SYSTEM, metrics};
use model::{
    parts::{
        dashboard::{Dashboard, Widget},
        function::FunctionHandle,
        http_api::HttpApiHandle,
        metric::{Metric, Statistic},
    },
    stage::Stage,
};

use super::{alarms::own, data::Data};

/// Returns the dashboard's name.
pub(super) fn name(stage: &Stage) -> String {
    format!("{SYSTEM}-{}", stage.name)
}

/// Returns the dashboard.
pub(super) fn of_system(stage: &Stage, data: &Data, api: &HttpApiHandle, functions: &[FunctionHandle]) -> Dashboard {
    let names = || functions.iter().map(|function| function.name.as_str());
    let tables = || data.tables().map(|(_, table)| table.name());
    let counts = |title: &str, names: &[&str]| {
        Widget::graph(title, names.iter().map(|name| own(stage, name, Sum)).collect::<Vec<_>>())
    };
    let latency = [50, 95].map(|percent| Metric::http_api(&api.id, "Latency", Percentile(percent)));
    let throttles = names().map(|name| Metric::function(name, "Throttles", Sum));
    let telegram = [50, 95].map(|percent| own(stage, metrics::TELEGRAM_LATENCY_MS, Percentile(percent)));
    Dashboard::new("Dashboard", &name(stage))
        .row([Widget::http_requests("Requests", &api.id), Widget::graph("Latency (ms)", latency)])
        .row([
            Widget::durations("Duration (p95)", names()),
            Widget::errors("Errors", names()),
            Widget::graph("Throttled invocations", throttles),
        ])
        .row([Widget::capacity("Consumed capacity", tables()), Widget::throttles("Throttled requests", tables())])
        .row([
            counts("Sign-ins", &[metrics::LOGINS_OK, metrics::LOGINS_FAILED]),
            counts("Verifications", &[metrics::VERIFY_OK, metrics::VERIFY_FAILED, metrics::RATE_LIMITED]),
        ])
        .row([
            Widget::graph("Calls to Telegram (ms)", telegram),
            counts("Administrative actions", &[metrics::ADMIN_ACTIONS]),
        ])
}
