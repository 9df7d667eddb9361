//! `GET /jobs`: the newest first, each with its source.

use std::{collections::BTreeMap, sync::Arc};

use aws_config::SdkConfig;
use axum::{Router, extract::State, routing::on};
use futures_util::future::try_join_all;
use listbackup_contract::{
    api::{GetJobs, GetJobsRoute},
    tables::{JOBS, JOBS_BY_ACCOUNT_TIME},
};
use serde_json::{Value, json};
use tables::{AwsError, Database, Query};

use crate::{
    api::{
        call::{Call, database, router as api_router},
        listing, sources,
    },
    requests::Reply,
    shared::{
        cursor::Scope,
        envelope::Problem,
        rows::{Job, Source},
        store::index,
    },
};

struct App {
    database: Database,
    jobs_table: String,
    sources_table: String,
}

pub(in crate::api) fn router(environment: GetJobs, aws: &SdkConfig) -> Router {
    let app = Arc::new(App {
        database: database(aws),
        jobs_table: environment.jobs_table,
        sources_table: environment.sources_table,
    });
    api_router::<GetJobs, _, _>(app, |route, method| match route {
        GetJobsRoute::List => {
            on(method, async |State(app): State<Arc<App>>, call: Call| call.respond(list(&app, &call).await))
        }
    })
}

async fn list(app: &App, call: &Call) -> Result<Reply, Problem> {
    let caller = call.reader()?;
    let account_id = caller.account_id.as_str();
    let scope = Scope { account_id, table: JOBS, index: JOBS_BY_ACCOUNT_TIME, partition: account_id };
    let limit = listing::limit(call)?;
    let start = call.query("lastKey")?.map(|cursor| scope.decode(cursor)).transpose()?;
    let query = Query::index(&app.jobs_table, index(JOBS_BY_ACCOUNT_TIME), account_id).descending();
    let page = listing::plain_page::<Job>(&app.database, &query, &scope, limit, start).await?;
    let sources = read_sources(app, &page.rows).await?;
    let jobs = page.rows.iter().map(|job| view(job, sources.get(&job.source_id)));
    let jobs = jobs.collect::<Result<Vec<Value>, Problem>>()?;
    let has_more = page.last_key.is_some();
    Ok(Reply::ok(json!({ "count": jobs.len(), "jobs": jobs, "lastKey": page.last_key, "hasMore": has_more })))
}

/// Reads the sources of jobs, each once: an account has a few sources only.
async fn read_sources(app: &App, jobs: &[Job]) -> Result<BTreeMap<String, Source>, AwsError> {
    let mut ids: Vec<&str> = jobs.iter().map(|job| job.source_id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let reads = ids.into_iter().map(|id| sources::read(&app.database, &app.sources_table, id));
    let found = try_join_all(reads).await?.into_iter().flatten();
    Ok(found.map(|source| (source.source_id.clone(), source)).collect())
}

/// Returns a job as clients see it. The source of a job may have been deleted.
pub(super) fn view(job: &Job, source: Option<&Source>) -> Result<Value, Problem> {
    let mut view = serde_json::to_value(job)?;
    view["source"] = source.map_or(Value::Null, |source| {
        json!({
            "sourceId": source.source_id, "name": source.name, "type": source.source_type, "status": source.status,
        })
    });
    Ok(view)
}
