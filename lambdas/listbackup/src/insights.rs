//! Insights: what a completed run says about its source. They are computed by rules; a language model may write the text.
//!
//! A stage without a key or an endpoint of a model has the rules' text. Only figures are sent to a model: no names, no paths.

mod figures;
mod model;
#[cfg(test)]
mod tests;

use std::time::Duration;

use aws_config::SdkConfig;
use common::{Functions, Started, events, telemetry};
use listbackup_contract::{
    insights::DataInsights,
    tables::{AGGREGATES, RUNS, RUNS_BY_JOB, TTL},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tables::{AwsError, Change, Database, Query, from_item, to_item};

use self::{
    figures::{Figures, text},
    model::Model,
};
use crate::shared::{
    events::Detail,
    rows::{Run, run::RunStatus},
    store::{index, key},
    time,
};

/// The bucket of an insight is `insight#<runId>`.
const BUCKET: &str = "insight#";
/// How long an insight is kept, in seconds.
const KEPT_SECONDS: i64 = 90 * 24 * 3600;
/// The most time for a model's text.
const MODEL_TIME: Duration = Duration::from_secs(10);
/// The earlier runs of a job among which the previous completed one is looked for.
const EARLIER_RUNS: usize = 10;

/// The functions of the binary `listbackup-data-analysis`.
pub fn functions() -> Functions {
    common::functions().function(async |Started { environment, aws }: Started<DataInsights>| {
        let insights = Insights::new(environment, &aws);
        events::serve::<DataInsights, _, _>(async |event| Ok(insights.derive(event).await?)).await
    })
}

/// An event of the bus.
#[derive(Debug, Deserialize)]
struct BusEvent {
    detail: Detail,
}

/// An insight.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Insight<'a> {
    account_id: &'a str,
    bucket: String,
    run_id: &'a str,
    job_id: &'a str,
    source_id: &'a str,
    created_at: String,
    #[serde(flatten)]
    figures: &'a Figures,
    text: String,
    /// `rules` or `model`.
    written_by: &'static str,
    ttl: i64,
}

/// The function's state.
#[derive(Debug)]
struct Insights {
    database: Database,
    runs: String,
    aggregates: String,
    model: Option<Model>,
    /// The most time for the model's text.
    model_time: Duration,
}

impl Insights {
    fn new(environment: DataInsights, aws: &SdkConfig) -> Self {
        let parameter = format!("{}/openai-api-key", environment.ssm_prefix);
        let url = environment.llm_url.filter(|url| !url.is_empty());
        Self {
            database: Database::new(aws_sdk_dynamodb::Client::new(aws)),
            runs: environment.runs_table,
            aggregates: environment.analytics_aggregates_table,
            model: url.map(|url| Model::new(aws.clone(), url, parameter)),
            model_time: MODEL_TIME,
        }
    }

    /// Derives the insight of a run, once.
    async fn derive(&self, event: BusEvent) -> Result<(), AwsError> {
        let Detail { account_id, resource_id: run_id, .. } = event.detail;
        let bucket = format!("{BUCKET}{run_id}");
        if self.is_derived(&account_id, &bucket).await? {
            return Ok(());
        }
        let Some(run) = self.database.get(&self.runs, key(RUNS, &run_id)).await? else { return Ok(()) };
        let run: Run = from_item(run)?;
        let figures = Figures::of(&run, self.previous(&run).await?.as_ref());
        let (text, written_by) = match self.model_text(&figures).await {
            Some(text) => (text, "model"),
            None => (text(&figures), "rules"),
        };
        let insight = Insight {
            account_id: &account_id,
            bucket,
            run_id: &run.run_id,
            job_id: &run.job_id,
            source_id: &run.source_id,
            created_at: time::now(),
            figures: &figures,
            text,
            written_by,
            ttl: time::ttl(KEPT_SECONDS),
        };
        self.database.put(&self.aggregates, to_item(&insight)?, Change::new()).await.map(|_| ())
    }

    async fn is_derived(&self, account_id: &str, bucket: &str) -> Result<bool, AwsError> {
        let query = Query::new(&self.aggregates, AGGREGATES.partition, account_id)
            .sorted("bucket", "=", Some(bucket))
            .filter(|at| at.compare(TTL, ">", time::ttl(0)))
            .consistent();
        Ok(!self.database.query(&query, 1).await?.is_empty())
    }

    /// The completed run of the same job before this one.
    async fn previous(&self, run: &Run) -> Result<Option<Run>, AwsError> {
        let query = Query::index(&self.runs, index(RUNS_BY_JOB), &run.job_id)
            .sorted("createdAt", "<", Some(&run.created_at))
            .descending();
        let (items, _) = self.database.page(&query, EARLIER_RUNS, None).await?;
        let runs = items.into_iter().map(from_item::<Run>).collect::<Result<Vec<_>, _>>()?;
        Ok(runs.into_iter().find(|run| run.status == RunStatus::Completed))
    }

    /// Lets the model write the text, if the stage has one. A failure is logged.
    async fn model_text(&self, figures: &Figures) -> Option<String> {
        let model = self.model.as_ref()?;
        let figures: Value = serde_json::to_value(figures).ok()?;
        match tokio::time::timeout(self.model_time, model.write(&figures)).await {
            Ok(Ok(text)) => text,
            Ok(Err(error)) => {
                tracing::warn!(error = telemetry::chain(&error), "the model wrote no text; the rules do");
                None
            }
            Err(_) => {
                tracing::warn!("the model did not answer in time; the rules write the text");
                None
            }
        }
    }
}
