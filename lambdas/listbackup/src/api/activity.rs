//! `GET /activity`: the newest first. Expired rows, which DynamoDB deletes late, are absent.

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::{Router, extract::State, routing::on};
use listbackup_contract::{
    api::{GetActivity, GetActivityRoute},
    tables::{ACTIVITY, ACTIVITY_BY_ACCOUNT, TTL},
};
use serde_json::{Value, json};
use tables::{Database, Query};

use super::{
    call::{Call, database, router as api_router},
    listing,
};
use crate::{
    requests::Reply,
    shared::{cursor::Scope, envelope::Problem, rows::Activity, store::index, time},
};

struct App {
    database: Database,
    table: String,
}

pub(super) fn router(environment: GetActivity, aws: &SdkConfig) -> Router {
    let app = Arc::new(App { database: database(aws), table: environment.activity_table });
    api_router::<GetActivity, _, _>(app, |route, method| match route {
        GetActivityRoute::List => {
            on(method, async |State(app): State<Arc<App>>, call: Call| call.respond(list(&app, &call).await))
        }
    })
}

async fn list(app: &App, call: &Call) -> Result<Reply, Problem> {
    let account_id = call.reader()?.account_id.as_str();
    let limit = listing::limit(call)?;
    let scope = Scope { account_id, table: ACTIVITY, index: ACTIVITY_BY_ACCOUNT, partition: account_id };
    let start = call.query("lastKey")?.map(|cursor| scope.decode(cursor)).transpose()?;
    let mut query = Query::index(&app.table, index(ACTIVITY_BY_ACCOUNT), account_id)
        .descending()
        .filter(|at| at.compare(TTL, ">", time::ttl(0)));
    for (parameter, attribute) in [("type", "type"), ("resourceType", "resourceType")] {
        if let Some(value) = call.query(parameter)? {
            query = query.filter(|at| at.compare(attribute, "=", value));
        }
    }
    let page = listing::page::<Activity>(&app.database, &query, &scope, limit, start).await?;
    let activities = page.rows.iter().map(view).collect::<Result<Vec<Value>, Problem>>()?;
    let has_more = page.last_key.is_some();
    Ok(Reply::ok(json!({
        "count": activities.len(), "activities": activities, "lastKey": page.last_key, "hasMore": has_more,
    })))
}

fn view(activity: &Activity) -> Result<Value, Problem> {
    let mut view = serde_json::to_value(activity)?;
    if let Some(fields) = view.as_object_mut() {
        fields.remove(TTL);
    }
    Ok(view)
}
