//! The maintenance function: every quarter of an hour it queues tasks again that were lost on the way to the queue, ends
//! those whose worker fell silent, asks every server how it is, and counts.

use aws_config::SdkConfig;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use serde::Serialize;
use thakii_contract::{
    LOCAL_STAGE, Maintenance as MaintenanceEnvironment,
    metrics::{HEALTHY_SERVERS, TASKS},
};

use crate::{
    aws::{self, AwsError},
    metrics::{self, Measured},
    notify::{Notifier, Topic},
    outbound::Outbound,
    queue::Queue,
    registry,
    tables::{
        Database,
        notifications::Notifications,
        servers::Servers,
        tasks::{
            Status, Task, Tasks,
            moves::{Moved, Report},
        },
        users::Users,
    },
    time,
};

/// After how many seconds a task that is not queued counts as lost.
const LOST: i64 = 5 * 60;
/// After how many seconds without a word a worker counts as stopped. A task that only waits is not ended: how long tasks
/// wait is the queue's alarm.
const SILENT: i64 = 6 * 3600;
/// The most tasks of each kind in one run; the next one takes the others.
const MOST: usize = 200;
/// How many tasks are taken care of at once: a call that hangs until its time limit must not use up the function's.
const AT_ONCE: usize = 10;

/// What the function needs.
#[derive(Debug)]
pub struct MaintenanceFunction {
    /// The stage's name.
    pub stage: String,
    /// The tasks.
    pub tasks: Tasks,
    /// The registered servers.
    pub servers: Servers,
    /// Calls them.
    pub registered: Outbound,
    /// The worker's queue.
    pub queue: Queue,
    /// The bucket's name.
    pub bucket: String,
    /// Tells users.
    pub notifier: Notifier,
}

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Maintained {
    /// Tasks queued again.
    pub requeued: usize,
    /// Tasks ended.
    pub ended: usize,
    /// Registered servers.
    pub servers: usize,
    /// Those that answered.
    pub healthy_servers: usize,
}

impl MaintenanceFunction {
    /// From the environment, calling nobody.
    #[must_use]
    pub fn new(environment: MaintenanceEnvironment, aws: &SdkConfig) -> Self {
        let aws = &aws::limited(aws);
        let database = Database::new(aws_sdk_dynamodb::Client::new(aws));
        let users = Users::new(database.clone(), environment.table_system);
        let servers = Servers::new(database.clone(), environment.table_processing_servers);
        let notifications = Notifications::new(database.clone(), environment.table_notifications);
        let topic = Topic::new(aws_sdk_sns::Client::new(aws), environment.notifications_topic_arn);
        Self {
            tasks: Tasks::new(
                database,
                environment.table_video_tasks,
                users.clone(),
                servers.clone(),
                notifications.clone(),
            ),
            servers,
            registered: Outbound::new(environment.stage != LOCAL_STAGE),
            queue: Queue::new(aws_sdk_sqs::Client::new(aws), environment.tasks_queue_url),
            bucket: environment.s3_bucket_name,
            notifier: Notifier { notifications, users, topic },
            stage: environment.stage,
        }
    }

    /// Does everything at once, so that a slow server does not hold up the tasks. What fails holds up nothing else.
    ///
    /// # Errors
    /// When something failed; each failure is logged. What did not is done all the same, and the next run tries again.
    pub async fn run(&self) -> Result<Maintained, AwsError> {
        let now = Timestamp::now();
        let ((requeued, unqueued), (ended, unended), (checked, unchecked), uncounted) =
            tokio::join!(self.requeue(now), self.end(now), self.check(), self.count());
        let (servers, healthy_servers) = checked;
        let maintained = Maintained { requeued, ended, servers, healthy_servers };
        let failures: Vec<AwsError> = [unqueued, unended, unchecked, uncounted].into_iter().flatten().collect();
        for error in &failures {
            tracing::error!(%error, "something is left to the next run");
        }
        match failures.first() {
            None => Ok(maintained),
            Some(first) => {
                tracing::info!(requeued, ended, servers, healthy_servers, "the rest is done");
                // The function's error is what its alarm counts.
                Err(AwsError::odd("do everything", format!("{} failed, first: {first}", failures.len())))
            }
        }
    }

    /// Queues lost tasks again.
    async fn requeue(&self, now: Timestamp) -> (usize, Vec<AwsError>) {
        let lost = self.tasks.lost(&time::before(now, LOST), MOST).await;
        each(lost, async |task| {
            self.queue.send_task(&task, &self.bucket).await?;
            self.tasks.queued(&task.video_id, &time::now()).await?;
            tracing::warn!(video_id = task.video_id, "a lost task is queued again");
            Ok(true)
        })
        .await
    }

    /// Ends tasks whose worker fell silent.
    async fn end(&self, now: Timestamp) -> (usize, Vec<AwsError>) {
        let stuck = self.tasks.stuck(&time::before(now, SILENT), MOST).await;
        each(stuck, async |task| {
            let report = Report::Failed("Worker stopped responding".to_owned());
            let Moved::Yes(notification) = self.tasks.report(&task.video_id, &report, None, now).await? else {
                return Ok(false);
            };
            tracing::warn!(video_id = task.video_id, "a silent worker's task is ended");
            if let Some(stored) = notification {
                self.notifier.announce(std::slice::from_ref(&*stored)).await;
            }
            Ok(true)
        })
        .await
    }

    /// Asks every server; returns how many there are, and how many answered.
    async fn check(&self) -> ((usize, usize), Vec<AwsError>) {
        let checked = match registry::check_all(&self.servers, &self.registered).await {
            Ok(checked) => checked,
            Err(error) => return ((0, 0), vec![error]),
        };
        let (servers, healthy) = (checked.servers.len(), checked.healthy());
        if servers > 0 {
            metrics::emit(&self.stage, None, &[Measured::count(HEALTHY_SERVERS, healthy as u64)]);
        }
        ((servers, healthy), checked.unnoted.into_iter().collect())
    }

    async fn count(&self) -> Vec<AwsError> {
        let mut failures = Vec::new();
        for status in Status::ALL {
            match self.tasks.count(status).await {
                Ok(count) => metrics::emit(&self.stage, Some(status.as_str()), &[Measured::count(TASKS, count)]),
                Err(error) => failures.push(error),
            }
        }
        failures
    }
}

/// Does something with every task that can be read, a few at once; returns with how many it was done, and what failed.
async fn each(
    tasks: Result<Vec<Result<Task, AwsError>>, AwsError>,
    work: impl AsyncFn(Task) -> Result<bool, AwsError>,
) -> (usize, Vec<AwsError>) {
    let tasks = match tasks {
        Ok(tasks) => tasks,
        Err(error) => return (0, vec![error]),
    };
    let work = &work;
    let tries: Vec<_> = tasks.into_iter().map(|task| async move { work(task?).await }).collect();
    let tried: Vec<Result<bool, AwsError>> = stream::iter(tries).buffer_unordered(AT_ONCE).collect().await;
    let done = tried.iter().filter(|tried| matches!(tried, Ok(true))).count();
    (done, tried.into_iter().filter_map(Result::err).collect())
}

#[cfg(test)]
mod tests;
