//! Stack `data-analysis`: the function that derives insights from completed runs.

use listbackup_contract::{
    SYSTEM,
    events::{JOB_COMPLETED, JOBS},
    insights::DataInsights,
    limits,
    tables::RUNS_BY_JOB,
};
use model::{
    parts::{
        event_bus::{EventPattern, EventRule},
        function::Function,
        queue::{FailureQueue, QueueHandle},
        table::Access::{GetItem, PutItem, Query},
    },
    template::{Stack, Text},
};

use super::{
    Settings, Shared,
    alarms::{self, Watched},
    analytics::{DELIVERY, INVOCATION},
    api::parameters,
    functions::function,
};

/// Builds the stack.
pub(super) fn stack(shared: &Shared) -> Stack {
    let Shared { stage, core, .. } = shared;
    let mut stack = Stack::new("data-analysis", "ListBackup: insights into completed backups.");
    let failed = FailureQueue::new("FailedInsights", &format!("{SYSTEM}-insights-dlq-{}", stage.name), stage);
    let failed = stack.add(failed);
    let insights = stack.add(shared.in_network(shared.data_insights(&failed)));
    let pattern = EventPattern::new().sources([JOBS]).detail_types([JOB_COMPLETED.detail_type]);
    let rule = EventRule::new("CompletedJobs", &format!("{SYSTEM}-completed-jobs-{}", stage.name), &core.bus, pattern)
        .invoke(&insights)
        .retry(DELIVERY.0, DELIVERY.1)
        .dead_letters(&failed);
    stack.add(rule);
    let watched = [Watched::new(&insights, limits::TIMEOUT_SECONDS)];
    alarms::add_of_functions(&mut stack, stage, &core.topic, &watched);
    stack.add(alarms::dead_letters(stage, &core.topic, "insights-dlq", &failed));
    stack
}

impl Shared<'_> {
    fn data_insights(&self, failed: &QueueHandle) -> Function {
        let tables = &self.core.tables;
        let environment = DataInsights {
            runs_table: tables.runs.name(),
            analytics_aggregates_table: tables.aggregates.name(),
            files_table: tables.files.name(),
            ssm_prefix: Settings::ssm_prefix(self.stage).into(),
            llm_url: self.settings.llm_url.as_ref().map(Text::from),
        };
        let function = function(self.stage, environment)
            .asynchronous(INVOCATION.0, INVOCATION.1)
            .failures(failed)
            .allow(tables.runs.allow(&[GetItem]))
            .allow(tables.runs.query_index(RUNS_BY_JOB.name))
            .allow(tables.aggregates.allow(&[Query, PutItem]));
        match self.settings.llm_url {
            Some(_) => function.allow([parameters(&Settings::parameter_name(self.stage, "openai-api-key"))]),
            None => function,
        }
    }
}
