//! `GET /system/health`, which is public. Its result is kept for some seconds, so that callers cannot exhaust the limits of the services.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aws_call::{Call as AwsCall, services::QUEUES};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::TableStatus;
use axum::{Router, extract::State, http::StatusCode, routing::on};
use common::telemetry;
use futures_util::future::try_join_all;
use listbackup_contract::api::{Health, HealthRoute};
use serde_json::{Value, json};
use tables::{AwsError, Database};
use tokio::sync::Mutex;

use super::{
    call::{Call, database, router as api_router},
    download::s3_client,
};
use crate::{requests::Reply, shared::envelope::Problem};

/// The age of a result that is used again.
const FRESH: Duration = Duration::from_secs(10);

struct App {
    stage: String,
    database: Database,
    tables: Vec<String>,
    s3: aws_sdk_s3::Client,
    bucket: String,
    aws: SdkConfig,
    queue_url: String,
    last: Mutex<Option<(Instant, Checks)>>,
}

/// Which parts can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Checks {
    tables: bool,
    bucket: bool,
    queue: bool,
}

pub(super) fn router(environment: Health, aws: &SdkConfig) -> Router {
    let names = environment.tables.split(',').map(str::trim).filter(|name| !name.is_empty());
    let app = Arc::new(App {
        stage: environment.stage,
        database: database(aws),
        tables: names.map(str::to_owned).collect(),
        s3: s3_client(aws),
        bucket: environment.data_bucket,
        aws: aws.clone(),
        queue_url: environment.job_queue_url,
        last: Mutex::new(None),
    });
    api_router::<Health, _, _>(app, |route, method| match route {
        HealthRoute::Health => {
            on(method, async |State(app): State<Arc<App>>, call: Call| call.respond(app.health().await))
        }
    })
}

impl App {
    async fn health(&self) -> Result<Reply, Problem> {
        let checks = self.checks().await;
        let Checks { tables, bucket, queue } = checks;
        let word = |is_reached| if is_reached { "ok" } else { "failed" };
        let checks: Value = json!({ "tables": word(tables), "bucket": word(bucket), "queue": word(queue) });
        let version = env!("CARGO_PKG_VERSION");
        if tables && bucket && queue {
            let data = json!({ "status": "healthy", "version": version, "stage": self.stage, "checks": checks });
            return Ok(Reply::ok(data));
        }
        let problem =
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "UNHEALTHY", "a part of the system cannot be reached");
        Err(problem.with("checks", checks).with("version", version).with("stage", self.stage.as_str()))
    }

    async fn checks(&self) -> Checks {
        let mut last = self.last.lock().await;
        if let Some((read, checks)) = *last
            && read.elapsed() < FRESH
        {
            return checks;
        }
        let (tables, bucket, queue) = tokio::join!(self.check_tables(), self.check_bucket(), self.check_queue());
        let checks = Checks { tables: is_ok(tables), bucket: is_ok(bucket), queue: is_ok(queue) };
        *last = Some((Instant::now(), checks));
        checks
    }

    async fn check_tables(&self) -> Result<(), AwsError> {
        try_join_all(self.tables.iter().map(|table| self.check_table(table))).await.map(drop)
    }

    async fn check_table(&self, table: &str) -> Result<(), AwsError> {
        let answer = self.database.client().describe_table().table_name(table).send().await;
        let answer = answer.map_err(|error| AwsError::new(format!("describe {table}"), &error))?;
        match answer.table.and_then(|table| table.table_status) {
            Some(TableStatus::Active | TableStatus::Updating) => Ok(()),
            status => Err(AwsError::unexpected(format!("use {table}"), format!("its status is {status:?}"))),
        }
    }

    async fn check_bucket(&self) -> Result<(), AwsError> {
        let answer = self.s3.head_bucket().bucket(&self.bucket).send().await;
        answer.map(drop).map_err(|error| AwsError::new(format!("reach {}", self.bucket), &error))
    }

    async fn check_queue(&self) -> Result<(), AwsError> {
        let input = json!({ "QueueUrl": self.queue_url, "AttributeNames": ["QueueArn"] });
        let answer = AwsCall::json(QUEUES, "GetQueueAttributes", &input).send(&self.aws).await;
        answer.map(drop).map_err(|error| AwsError::new("reach the queue of runs", &error))
    }
}

/// Returns whether a check succeeded, and logs why it did not.
fn is_ok(check: Result<(), AwsError>) -> bool {
    if let Err(error) = &check {
        tracing::error!(error = telemetry::chain(error), "the system is unhealthy");
    }
    check.is_ok()
}
