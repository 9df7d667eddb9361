//! `GET /analytics/overview`: an account at a glance.

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::{Router, extract::State, routing::on};
use jiff::Timestamp;
use listbackup_contract::{
    analytics::{GetOverview, GetOverviewRoute},
    tables::{ACTIVITY_BY_ACCOUNT, JOBS_BY_ACCOUNT, SOURCES_BY_ACCOUNT, TTL},
};
use serde_json::{Value, json};
use tables::{AwsError, Database, Query, from_items};

use super::{
    buckets::{Buckets, ratio},
    range::Range,
};
use crate::{
    api::call::{Call, database, router as api_router},
    requests::Reply,
    shared::{
        envelope::Problem,
        rows::{Activity, Job, Source, job::JobStatus, source::SourceStatus},
        store::index,
        time,
    },
};

/// The most entries of the audit trail.
const RECENT: usize = 10;
/// The most insights.
const INSIGHTS: usize = 5;

struct App {
    database: Database,
    buckets: Buckets,
    sources: String,
    jobs: String,
    activity: String,
}

pub(super) fn router(environment: GetOverview, aws: &SdkConfig) -> Router {
    let database = database(aws);
    let app = Arc::new(App {
        buckets: Buckets { database: database.clone(), table: environment.analytics_aggregates_table },
        database,
        sources: environment.sources_table,
        jobs: environment.jobs_table,
        activity: environment.activity_table,
    });
    api_router::<GetOverview, _, _>(app, |route, method| match route {
        GetOverviewRoute::Overview => {
            on(method, async |State(app): State<Arc<App>>, call: Call| call.respond(overview(&app, &call).await))
        }
    })
}

async fn overview(app: &App, call: &Call) -> Result<Reply, Problem> {
    let account_id = call.reader()?.account_id.as_str();
    let range = Range::parse(call.query("timeRange")?, Timestamp::now())?;
    let total = app.buckets.total(account_id).await?;
    Ok(Reply::ok(json!({
        "timeRange": range.name,
        "sources": sources(app, account_id).await?,
        "jobs": jobs(app, account_id).await?,
        "runs": runs(app, account_id, &range, total.last_run_at.as_deref()).await?,
        "files": { "count": total.files, "bytes": total.bytes, "storedBytes": total.stored_bytes },
        "compressionRatio": ratio(total.stored_bytes, total.bytes),
        "recentActivity": recent(app, account_id).await?,
        "insights": app.buckets.insights(account_id, INSIGHTS).await?,
    })))
}

async fn sources(app: &App, account_id: &str) -> Result<Value, AwsError> {
    let query = Query::index(&app.sources, index(SOURCES_BY_ACCOUNT), account_id);
    let sources: Vec<Source> = from_items(app.database.query_all(&query).await?)?;
    let in_status = |status| sources.iter().filter(|source| source.status == status).count();
    // A source that a run reads now is active, too.
    let active = in_status(SourceStatus::Active) + in_status(SourceStatus::Syncing);
    Ok(json!({ "total": sources.len(), "active": active, "error": in_status(SourceStatus::Error) }))
}

async fn jobs(app: &App, account_id: &str) -> Result<Value, AwsError> {
    let query = Query::index(&app.jobs, index(JOBS_BY_ACCOUNT), account_id);
    let jobs: Vec<Job> = from_items(app.database.query_all(&query).await?)?;
    let active = jobs.iter().filter(|job| job.status == JobStatus::Active).count();
    Ok(json!({ "total": jobs.len(), "active": active }))
}

/// The runs that ended on the days of the range; the last run of all.
async fn runs(app: &App, account_id: &str, range: &Range, last_run_at: Option<&str>) -> Result<Value, AwsError> {
    let days = app.buckets.days(account_id, range).await?;
    let sum = |count: fn(&crate::shared::rows::Aggregate) -> i64| days.iter().map(count).sum::<i64>();
    let (total, completed) = (sum(|day| day.runs), sum(|day| day.runs_completed));
    Ok(json!({
        "total": total,
        "completed": completed,
        "failed": sum(|day| day.runs_failed),
        "successRate": ratio(completed, total) * 100.0,
        "lastRunAt": last_run_at,
    }))
}

async fn recent(app: &App, account_id: &str) -> Result<Vec<Value>, Problem> {
    let query = Query::index(&app.activity, index(ACTIVITY_BY_ACCOUNT), account_id)
        .descending()
        .filter(|at| at.compare(TTL, ">", time::ttl(0)));
    // Expired rows are the oldest ones, so the newest rows are on the first page.
    let (items, _) = app.database.page(&query, RECENT, None).await?;
    let activities: Vec<Activity> = from_items(items)?;
    let views = activities.iter().map(|activity| {
        let mut view = serde_json::to_value(activity)?;
        view.as_object_mut().and_then(|fields| fields.remove(TTL));
        Ok(view)
    });
    views.collect()
}
