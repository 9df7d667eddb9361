//! Stack `worker`: the queues between API and worker, the two functions that watch over tasks, and the worker's role.

use model::{
    parts::{
        event_source::EventSource,
        function::{Function, FunctionHandle},
        policy,
        queue::{Queue, Queues},
        schedule::Schedule,
        table::Access,
        topic::{Topic, TopicHandle},
    },
    template::{Resource, Stack, Text},
};
use thakii_contract::{
    Maintenance, Status, limits,
    storage::{PDFS, SUBTITLES, VIDEOS},
    tables::BY_STATUS,
};

use super::{Shared, auth::Identity};

/// The visibility timeout of tasks in seconds: the worker extends it while it works.
const TASK_VISIBILITY: u32 = 900;
/// The visibility timeout of the status function's events in seconds: six times the function's timeout (Lambda
/// developer guide, "Creating and configuring an Amazon SQS event source mapping").
const EVENT_VISIBILITY: u32 = 6 * limits::TIMEOUT_SECONDS;

/// The parts that other stacks refer to.
pub(super) struct Work {
    pub(super) tasks: Queues,
    pub(super) events: Queues,
    pub(super) topic: TopicHandle,
    pub(super) status: FunctionHandle,
    pub(super) maintenance: FunctionHandle,
}

/// Builds the stack; also returns the parts that other stacks refer to.
pub(super) fn stack(shared: &Shared, identity: &Identity) -> (Stack, Work) {
    let stage = shared.stage;
    let mut stack = Stack::new("worker", "Thakii: queues, and the functions that watch over tasks.");
    let name = |name: &str| format!("thakii-{name}-{}", stage.name);
    let (tasks, dead_tasks) = (name("tasks"), name("tasks-dlq"));
    let tasks = Queue::new(("TasksQueue", &tasks), ("TasksDlq", &dead_tasks), stage)
        .visibility(TASK_VISIBILITY)
        .dead_letter_visibility(EVENT_VISIBILITY)
        .attempts(limits::TASK_RECEIVES);
    let (events, dead_events) = (name("task-events"), name("task-events-dlq"));
    let events = Queue::new(("TaskEventsQueue", &events), ("TaskEventsDlq", &dead_events), stage)
        .visibility(EVENT_VISIBILITY)
        .attempts(limits::EVENT_RECEIVES);
    let (tasks, events) = (stack.add(tasks), stack.add(events));
    let topic = stack.add(Topic::new("NotificationsTopic", &name("notifications"), stage));
    let parts = Parts { shared, identity, tasks: &tasks, events: &events, topic: &topic };
    let status = parts.add_status(&mut stack);
    let maintenance = parts.add_maintenance(&mut stack);
    parts.add_worker_role(&mut stack);
    stack.output("TasksQueueUrl", tasks.main.url());
    stack.output("TaskEventsQueueUrl", events.main.url());
    (stack, Work { tasks, events, topic, status, maintenance })
}

struct Parts<'a> {
    shared: &'a Shared<'a>,
    identity: &'a Identity,
    tasks: &'a Queues,
    events: &'a Queues,
    topic: &'a TopicHandle,
}

impl Parts<'_> {
    /// Adds the status function, which consumes the worker's events and dead tasks.
    fn add_status(&self, stack: &mut Stack) -> FunctionHandle {
        let Self { shared: Shared { tables, .. }, tasks, events, topic, .. } = self;
        let environment = Status {
            stage: Text::from(&self.shared.stage.name),
            s3_bucket_name: self.shared.bucket.0.clone(),
            table_video_tasks: tables.video_tasks.name(),
            table_processing_servers: tables.processing_servers.name(),
            table_notifications: tables.notifications.name(),
            table_system: tables.system.name(),
            tasks_dlq_url: tasks.dead_letters.url(),
            task_events_dlq_url: events.dead_letters.url(),
            notifications_topic_arn: topic.arn(),
        };
        let results = [format!("{PDFS}*"), format!("{SUBTITLES}*")];
        let results = results.iter().map(String::as_str);
        let function = Function::new(self.shared.stage, environment)
            .memory(limits::MEMORY)
            .timeout(limits::TIMEOUT_SECONDS)
            .log_retention(self.shared.settings.log_retention_days)
            .allow(events.main.feed())
            .allow(tasks.dead_letters.feed())
            .allow(events.dead_letters.send())
            .allow(tables.video_tasks.allow(&[Access::GetItem, Access::UpdateItem]))
            .allow(tables.notifications.allow(&[Access::PutItem]))
            .allow(tables.processing_servers.allow(&[Access::UpdateItem]))
            .allow(tables.system.allow(&[Access::UpdateItem]))
            .allow([self.shared.bucket.allow(&["s3:GetObject", "s3:DeleteObject"], results)])
            .allow([self.shared.bucket.list_under(&[PDFS, SUBTITLES])])
            .allow(topic.publish());
        let status = stack.add(function);
        for (logical_id, queue) in [("TaskEventsMapping", &events.main), ("DeadTasksMapping", &tasks.dead_letters)] {
            stack.add(EventSource::new(logical_id, queue, &status).batch(limits::EVENT_BATCH));
        }
        status
    }

    /// Adds the maintenance function, which runs on a schedule.
    fn add_maintenance(&self, stack: &mut Stack) -> FunctionHandle {
        let Self { shared: Shared { tables, .. }, tasks, topic, .. } = self;
        let environment = Maintenance {
            stage: Text::from(&self.shared.stage.name),
            s3_bucket_name: self.shared.bucket.0.clone(),
            table_video_tasks: tables.video_tasks.name(),
            table_processing_servers: tables.processing_servers.name(),
            table_notifications: tables.notifications.name(),
            table_system: tables.system.name(),
            tasks_queue_url: tasks.main.url(),
            notifications_topic_arn: topic.arn(),
            backend_token_secret_arn: self.identity.secret.arn(),
        };
        let function = Function::new(self.shared.stage, environment)
            .memory(limits::MEMORY)
            .timeout(limits::TIMEOUT_SECONDS)
            .log_retention(self.shared.settings.log_retention_days)
            .allow(tables.video_tasks.query_index(BY_STATUS.name))
            // The index is eventually consistent, so a task is read again before it is ended.
            .allow(tables.video_tasks.allow(&[Access::GetItem, Access::UpdateItem]))
            .allow(tables.processing_servers.allow(&[Access::Query, Access::UpdateItem]))
            .allow(tables.notifications.allow(&[Access::PutItem]))
            .allow(tables.system.allow(&[Access::UpdateItem]))
            .allow(tasks.main.send())
            .allow(topic.publish())
            .allow(self.identity.secret.rotate());
        let maintenance = stack.add(function);
        let expression = format!("rate({} minutes)", limits::MAINTENANCE_MINUTES);
        let name = format!("thakii-maintenance-{}", self.shared.stage.name);
        stack.add(Schedule::new("MaintenanceSchedule", &name, &expression, &maintenance));
        maintenance
    }

    /// Adds the role of the worker, a container that is deployed outside this repository.
    fn add_worker_role(&self, stack: &mut Stack) {
        let mut statements = self.tasks.main.work();
        statements.extend(self.events.main.send());
        let videos = format!("{VIDEOS}*");
        statements.push(self.shared.bucket.allow(&["s3:GetObject"], [videos.as_str()]));
        let results = [format!("{SUBTITLES}*"), format!("{PDFS}*")];
        statements.push(self.shared.bucket.allow(&["s3:PutObject"], results.iter().map(String::as_str)));
        let role = policy::role(&policy::service_trust("ecs-tasks.amazonaws.com"), &statements);
        let role = stack.resource("WorkerRole", Resource::of(role));
        stack.output("WorkerRoleArn", role.attribute("Arn"));
    }
}
