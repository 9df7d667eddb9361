//! `GET /sources`.

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::{Router, extract::State, routing::on};
use listbackup_contract::{
    api::{GetSources, GetSourcesRoute},
    tables::SOURCES_BY_ACCOUNT,
};
use serde_json::{Value, json};
use tables::{Database, Query, from_items};

use super::view;
use crate::{
    api::call::{Call, database, router as api_router},
    requests::Reply,
    shared::{envelope::Problem, rows::Source, store::index},
};

struct App {
    database: Database,
    table: String,
}

pub(in crate::api) fn router(environment: GetSources, aws: &SdkConfig) -> Router {
    let app = Arc::new(App { database: database(aws), table: environment.sources_table });
    api_router::<GetSources, _, _>(app, |route, method| match route {
        GetSourcesRoute::List => {
            on(method, async |State(app): State<Arc<App>>, call: Call| call.respond(list(&app, &call).await))
        }
    })
}

async fn list(app: &App, call: &Call) -> Result<Reply, Problem> {
    let caller = call.reader()?;
    let query = Query::index(&app.table, index(SOURCES_BY_ACCOUNT), &caller.account_id);
    let mut sources: Vec<Source> = from_items(app.database.query_all(&query).await?)?;
    sources.sort_by(|one, other| other.created_at.cmp(&one.created_at));
    let views = sources.iter().map(view).collect::<Result<Vec<Value>, Problem>>()?;
    Ok(Reply::ok(json!({ "count": views.len(), "sources": views })))
}
