//! The maintenance function. Every 15 minutes it queues lost tasks again, fails tasks whose worker stopped responding,
//! checks all servers, counts tasks, and rotates the token secret when it is due.

use aws_config::SdkConfig;
use common::outbound::Outbound;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use serde::Serialize;
use tables::Database;
use thakii_contract::{
    LOCAL_STAGE, Maintenance as MaintenanceEnvironment,
    metrics::{HEALTHY_SERVERS, TASKS},
};

use crate::{
    aws::{self, AwsError},
    metrics::{self, Metric},
    notify::{Notifier, Topic},
    queue::Queue,
    registry,
    rotation::TokenSecret,
    tables::{
        notifications::Notifications,
        servers::Servers,
        tasks::{
            Status, Task, Tasks,
            transitions::{Report, Transition},
        },
        users::Users,
    },
    time,
};

/// The age, in seconds, at which a task that was never queued counts as lost.
const LOST_AFTER: i64 = 5 * 60;
/// The time without updates, in seconds, after which a worker counts as stopped. Waiting tasks are not failed: the
/// queue's alarm covers them.
const STALLED_AFTER: i64 = 6 * 3600;
/// The largest number of tasks of each kind per run.
const MAX_TASKS: usize = 200;
/// The number of tasks processed concurrently. One call that hangs until its time limit must not exhaust the
/// function's.
const CONCURRENCY: usize = 10;

/// The state of the function.
#[derive(Debug)]
pub struct MaintenanceFunction {
    pub(crate) stage: String,
    pub(crate) tasks: Tasks,
    pub(crate) servers: Servers,
    pub(crate) registered: Outbound,
    pub(crate) queue: Queue,
    pub(crate) bucket: String,
    pub(crate) notifier: Notifier,
    pub(crate) secret: TokenSecret,
}

/// The results of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct MaintenanceResults {
    pub(crate) requeued: usize,
    /// Tasks that were failed because their worker stopped responding.
    pub(crate) ended: usize,
    pub(crate) servers: usize,
    pub(crate) healthy_servers: usize,
    /// Whether the token secret was rotated.
    pub(crate) rotated: bool,
}

impl MaintenanceFunction {
    /// Builds the function from the environment, without calling AWS.
    pub fn new(environment: MaintenanceEnvironment, aws: &SdkConfig) -> Self {
        let aws = &aws::with_time_limits(aws);
        let database = Database::new(aws_sdk_dynamodb::Client::new(aws));
        let users = Users::new(database.clone(), environment.table_system);
        let servers = Servers::new(database.clone(), environment.table_processing_servers);
        let notifications = Notifications::new(database.clone(), environment.table_notifications);
        let topic = Topic::new(aws.clone(), environment.notifications_topic_arn);
        Self {
            tasks: Tasks::new(
                database,
                environment.table_video_tasks,
                users.clone(),
                servers.clone(),
                notifications.clone(),
            ),
            servers,
            registered: registry::client(environment.stage != LOCAL_STAGE),
            queue: Queue::new(aws.clone(), environment.tasks_queue_url),
            bucket: environment.s3_bucket_name,
            notifier: Notifier { users, topic },
            secret: TokenSecret::new(aws.clone(), environment.backend_token_secret_arn),
            stage: environment.stage,
        }
    }

    /// Runs all steps concurrently, so that neither a slow server nor a failure delays the others.
    ///
    /// # Errors
    /// If any step fails. Each failure is logged; the next run tries again.
    pub async fn run(&self) -> Result<MaintenanceResults, AwsError> {
        let now = Timestamp::now();
        let ((requeued, requeue_errors), (ended, end_errors), (checked, check_errors), count_errors, rotation) = tokio::join!(
            self.requeue_lost(now),
            self.fail_stalled(now),
            self.check_servers(),
            self.count_tasks(),
            self.rotate_secret(now)
        );
        let ((servers, healthy_servers), (rotated, rotation_errors)) = (checked, rotation);
        let results = MaintenanceResults { requeued, ended, servers, healthy_servers, rotated };
        let failures: Vec<AwsError> =
            [requeue_errors, end_errors, check_errors, count_errors, rotation_errors].into_iter().flatten().collect();
        for error in &failures {
            tracing::error!(%error, "a maintenance step failed; the next run tries again");
        }
        match failures.first() {
            None => Ok(results),
            Some(first) => {
                tracing::info!(requeued, ended, servers, healthy_servers, rotated, "results of the other steps");
                // The function's alarm counts errors.
                Err(AwsError::unexpected("finish maintenance", format!("{} failed, first: {first}", failures.len())))
            }
        }
    }

    async fn requeue_lost(&self, now: Timestamp) -> (usize, Vec<AwsError>) {
        let lost = self.tasks.list_lost(&time::text_before(now, LOST_AFTER), MAX_TASKS).await;
        for_each_task(lost, async |task| {
            self.queue.send_task(&task, &self.bucket).await?;
            self.tasks.mark_queued(&task.video_id, &time::now()).await?;
            tracing::warn!(video_id = task.video_id, "queued a lost task again");
            Ok(true)
        })
        .await
    }

    async fn fail_stalled(&self, now: Timestamp) -> (usize, Vec<AwsError>) {
        let stalled = self.tasks.list_stalled(&time::text_before(now, STALLED_AFTER), MAX_TASKS).await;
        for_each_task(stalled, async |task| {
            let report = Report::Failed("Worker stopped responding".to_owned());
            let Transition::Applied(notification) = self.tasks.apply_report(&task.video_id, &report, None, now).await?
            else {
                return Ok(false);
            };
            tracing::warn!(video_id = task.video_id, "failed a task whose worker stopped responding");
            if let Some(stored) = notification {
                self.notifier.announce(std::slice::from_ref(&*stored)).await;
            }
            Ok(true)
        })
        .await
    }

    /// Returns the numbers of servers and of healthy ones.
    async fn check_servers(&self) -> ((usize, usize), Vec<AwsError>) {
        let checked = match registry::check_servers(&self.servers, &self.registered).await {
            Ok(checked) => checked,
            Err(error) => return ((0, 0), vec![error]),
        };
        let (servers, healthy) = (checked.servers.len(), checked.healthy());
        if servers > 0 {
            metrics::emit(&self.stage, None, &[Metric::count(HEALTHY_SERVERS, healthy as u64)]);
        }
        ((servers, healthy), checked.write_error.into_iter().collect())
    }

    /// Returns whether the token secret was rotated.
    async fn rotate_secret(&self, now: Timestamp) -> (bool, Vec<AwsError>) {
        match self.secret.rotate_if_due(now).await {
            Ok(rotated) => {
                if rotated {
                    tracing::info!("rotated the token secret");
                }
                (rotated, Vec::new())
            }
            Err(error) => (false, vec![error]),
        }
    }

    async fn count_tasks(&self) -> Vec<AwsError> {
        let mut failures = Vec::new();
        for status in Status::ALL {
            match self.tasks.count_with_status(status).await {
                Ok(count) => metrics::emit(&self.stage, Some(status.as_str()), &[Metric::count(TASKS, count)]),
                Err(error) => failures.push(error),
            }
        }
        failures
    }
}

/// Processes every readable task, a few concurrently. Returns the number of processed ones and all failures.
async fn for_each_task(
    tasks: Result<Vec<Result<Task, AwsError>>, AwsError>,
    work: impl AsyncFn(Task) -> Result<bool, AwsError>,
) -> (usize, Vec<AwsError>) {
    let tasks = match tasks {
        Ok(tasks) => tasks,
        Err(error) => return (0, vec![error]),
    };
    let work = &work;
    let attempts: Vec<_> = tasks.into_iter().map(|task| async move { work(task?).await }).collect();
    let results: Vec<Result<bool, AwsError>> = stream::iter(attempts).buffer_unordered(CONCURRENCY).collect().await;
    let done = results.iter().filter(|result| matches!(result, Ok(true))).count();
    (done, results.into_iter().filter_map(Result::err).collect())
}

#[cfg(test)]
mod tests;
