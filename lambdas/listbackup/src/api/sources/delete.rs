//! `DELETE /sources/{id}`. The files and runs of a source stay, so that they can be browsed.

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::{Router, extract::State, http::StatusCode, routing::on};
use common::{bus::Bus, telemetry};
use listbackup_contract::{
    api::{DeleteSource, DeleteSourceRoute},
    events,
    tables::{ACCOUNTS, JOBS_BY_SOURCE, SOURCES},
};
use serde_json::Value;
use tables::{Change, Database, Query, TransactionOutcome, Write};

use super::{read_own, vault::Vault};
use crate::{
    api::call::{Call, database, router as api_router},
    requests::Reply,
    shared::{
        audit::{Audit, Happening},
        envelope::Problem,
        identity::Identity,
        ids::Kind,
        rows::Source,
        store::{index, key},
    },
};

struct App {
    database: Database,
    sources_table: String,
    accounts_table: String,
    jobs_table: String,
    audit: Audit,
    vault: Vault,
}

pub(in crate::api) fn router(environment: DeleteSource, aws: &SdkConfig) -> Router {
    let database = database(aws);
    let app = Arc::new(App {
        sources_table: environment.sources_table,
        accounts_table: environment.accounts_table,
        jobs_table: environment.jobs_table,
        audit: Audit::new(database.clone(), environment.activity_table, Bus::new(aws, environment.event_bus_name)),
        database,
        vault: Vault::new(aws.clone(), environment.stage),
    });
    api_router::<DeleteSource, _, _>(app, |route, method| match route {
        DeleteSourceRoute::Delete => {
            on(method, async |State(app): State<Arc<App>>, call: Call| call.respond(delete(&app, &call).await))
        }
    })
}

async fn delete(app: &App, call: &Call) -> Result<Reply, Problem> {
    let caller = call.writer()?;
    let source_id = call.object(Kind::Source)?;
    let source = read_own(&app.database, &app.sources_table, &source_id, caller).await?;
    // The index lags behind. A job that was created a moment ago stays without its source then, and its runs are refused.
    let jobs = app.database.count(&Query::index(&app.jobs_table, index(JOBS_BY_SOURCE), &source_id)).await?;
    if jobs > 0 {
        let problem = Problem::new(StatusCode::BAD_REQUEST, "SOURCE_HAS_JOBS", "jobs back this source up");
        return Err(problem.with("jobCount", jobs));
    }
    let happening = remove(app, caller, &source).await?;
    if source.has_credentials
        && let Err(error) = app.vault.delete(&source_id).await
    {
        tracing::error!(error = telemetry::chain(&error), source_id, "the secret of a deleted source remains");
    }
    app.audit.announce(events::SOURCE_DISCONNECTED, &happening).await;
    Ok(Reply { status: StatusCode::NO_CONTENT, data: Value::Null })
}

/// Deletes the row and counts it, once: of two requests at the same time, the second one finds no source.
async fn remove(app: &App, caller: &Identity, source: &Source) -> Result<Happening, Problem> {
    let message = format!("Disconnected {}", source.name);
    let happening = Happening::new(caller, ("source", &source.source_id), "disconnected", message);
    let own = Change::new().when(|at| at.compare("accountId", "=", &caller.account_id));
    let writes = vec![
        Write::Delete(app.sources_table.clone(), key(SOURCES, &source.source_id), own),
        Write::Change(
            app.accounts_table.clone(),
            key(ACCOUNTS, &caller.account_id),
            Change::new().add("usage.sources", -1),
        ),
        app.audit.trail.write(&happening.activity())?,
    ];
    match app.database.transact(writes).await? {
        TransactionOutcome::Committed => Ok(happening),
        TransactionOutcome::ConditionsFailed(_) => Err(Problem::not_found(Kind::Source)),
    }
}
