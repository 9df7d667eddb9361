//! `GET /analytics/storage`: what an account stores, by source, category and day.

use std::{collections::HashMap, sync::Arc};

use aws_config::SdkConfig;
use axum::{Router, extract::State, routing::on};
use jiff::Timestamp;
use listbackup_contract::{
    analytics::{GetStorage, GetStorageRoute},
    tables::SOURCES_BY_ACCOUNT,
};
use serde_json::{Value, json};
use tables::{AwsError, Database, Query, from_items};

use super::{
    buckets::{Buckets, DAY, SOURCE, TYPE},
    range::Range,
};
use crate::{
    api::call::{Call, database, router as api_router},
    requests::Reply,
    shared::{
        envelope::Problem,
        rows::{Aggregate, Source},
        store::index,
    },
};

struct App {
    database: Database,
    buckets: Buckets,
    sources: String,
}

pub(super) fn router(environment: GetStorage, aws: &SdkConfig) -> Router {
    let database = database(aws);
    let app = Arc::new(App {
        buckets: Buckets { database: database.clone(), table: environment.analytics_aggregates_table },
        database,
        sources: environment.sources_table,
    });
    api_router::<GetStorage, _, _>(app, |route, method| match route {
        GetStorageRoute::Storage => {
            on(method, async |State(app): State<Arc<App>>, call: Call| call.respond(storage(&app, &call).await))
        }
    })
}

async fn storage(app: &App, call: &Call) -> Result<Reply, Problem> {
    let account_id = call.reader()?.account_id.as_str();
    let range = Range::parse(call.query("timeRange")?, Timestamp::now())?;
    let total = app.buckets.total(account_id).await?;
    Ok(Reply::ok(json!({
        "timeRange": range.name,
        "totalBytes": total.bytes,
        "storedBytes": total.stored_bytes,
        "fileCount": total.files,
        "bySource": by_source(&app.database, &app.buckets, &app.sources, account_id).await?,
        "byFileType": by_type(&app.buckets, account_id).await?,
        "daily": daily(app, account_id, &range).await?,
    })))
}

/// The sources with the most bytes first. A deleted source keeps its files, but has no name any more.
pub(super) async fn by_source(
    database: &Database,
    buckets: &Buckets,
    sources: &str,
    account_id: &str,
) -> Result<Vec<Value>, AwsError> {
    let query = Query::index(sources, index(SOURCES_BY_ACCOUNT), account_id);
    let sources: Vec<Source> = from_items(database.query_all(&query).await?)?;
    let names: HashMap<&str, &str> =
        sources.iter().map(|source| (source.source_id.as_str(), source.name.as_str())).collect();
    let found = sorted(buckets.named(account_id, SOURCE).await?);
    let view = |(id, sum): &(String, Aggregate)| {
        let name = names.get(id.as_str());
        let (bytes, stored, files) = (sum.bytes, sum.stored_bytes, sum.files);
        json!({ "sourceId": id, "name": name, "bytes": bytes, "storedBytes": stored, "files": files })
    };
    Ok(found.iter().map(view).collect())
}

/// The categories with the most bytes first.
pub(super) async fn by_type(buckets: &Buckets, account_id: &str) -> Result<Vec<Value>, AwsError> {
    let found = sorted(buckets.named(account_id, TYPE).await?);
    let view = |(name, sum): &(String, Aggregate)| json!({ "type": name, "bytes": sum.bytes, "storedBytes": sum.stored_bytes, "files": sum.files });
    Ok(found.iter().map(view).collect())
}

fn sorted(mut found: Vec<(String, Aggregate)>) -> Vec<(String, Aggregate)> {
    found.sort_by(|(a, first), (b, second)| second.bytes.cmp(&first.bytes).then_with(|| a.cmp(b)));
    found
}

/// Every day of the range.
async fn daily(app: &App, account_id: &str, range: &Range) -> Result<Vec<Value>, AwsError> {
    let found = app.buckets.days(account_id, range).await?;
    let days: HashMap<&str, &Aggregate> =
        found.iter().filter_map(|day| Some((day.bucket.strip_prefix(DAY)?, day))).collect();
    let view = |date: String| {
        let (bytes, files) = days.get(date.as_str()).map_or((0, 0), |day| (day.added_bytes, day.changed_files));
        json!({ "date": date, "addedBytes": bytes, "files": files })
    };
    Ok(range.days().into_iter().map(view).collect())
}
