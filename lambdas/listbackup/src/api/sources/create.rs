//! `POST /sources`.

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::{Router, extract::State, http::StatusCode, routing::on};
use common::{bus::Bus, telemetry};
use listbackup_contract::{
    api::{CreateSource, CreateSourceRoute},
    events,
    tables::ACCOUNTS,
};
use serde_json::json;
use tables::{AwsError, Change, Database, TransactionOutcome, Write, to_item};

use super::{
    input::{self, CredentialsChange},
    vault::Vault,
    view,
};
use crate::{
    api::call::{Call, database, router as api_router},
    connectors::{credentials::StoredCredentials, policy::Rules},
    requests::{Fields, Reply},
    shared::{
        audit::{Audit, Happening},
        envelope::Problem,
        identity::Identity,
        ids::Kind,
        rows::{Source, source::SourceStatus},
        store::key,
        time,
    },
};

struct App {
    database: Database,
    sources_table: String,
    accounts_table: String,
    audit: Audit,
    vault: Vault,
    rules: Rules,
}

pub(in crate::api) fn router(environment: CreateSource, aws: &SdkConfig) -> Router {
    let database = database(aws);
    let app = Arc::new(App {
        sources_table: environment.sources_table,
        accounts_table: environment.accounts_table,
        audit: Audit::new(database.clone(), environment.activity_table, Bus::new(aws, environment.event_bus_name)),
        database,
        vault: Vault::new(aws.clone(), environment.stage),
        rules: Rules::new(&environment.allow_private_sources, &environment.source_buckets, &environment.data_bucket),
    });
    api_router::<CreateSource, _, _>(app, |route, method| match route {
        CreateSourceRoute::Create => {
            on(method, async |State(app): State<Arc<App>>, call: Call| call.respond(create(&app, &call).await))
        }
    })
}

async fn create(app: &App, call: &Call) -> Result<Reply, Problem> {
    let caller = call.writer()?;
    let (source, credentials) = parse(app, caller, &call.fields()?)?;
    // The secret comes first: a source is never without its credentials.
    if let Some(credentials) = &credentials {
        app.vault.create(&source.source_id, credentials).await?;
    }
    let stored = store(app, caller, &source).await;
    if !matches!(stored, Ok(())) && credentials.is_some() {
        discard(app, &source).await;
    }
    stored?;
    Ok(Reply { status: StatusCode::CREATED, data: json!({ "source": view(&source)? }) })
}

fn parse(app: &App, caller: &Identity, fields: &Fields) -> Result<(Source, Option<StoredCredentials>), Problem> {
    let name = fields.name("name")?.to_owned();
    let source_type = fields.text("type")?.to_owned();
    let config = fields.required_object("config")?.clone();
    input::check_config(&app.rules, &source_type, &config, caller)?;
    let credentials = match input::credentials(fields, &[])? {
        CredentialsChange::Keep | CredentialsChange::Remove => None,
        CredentialsChange::Replace(credentials) => Some(credentials),
    };
    let now = time::now();
    let source = Source {
        source_id: Kind::Source.generate(),
        account_id: caller.account_id.clone(),
        user_id: caller.user_id.clone(),
        group_id: None,
        name,
        source_type,
        config,
        has_credentials: credentials.is_some(),
        credential_headers: credentials.iter().flat_map(|found| found.headers.keys().cloned()).collect(),
        settings: input::settings(fields)?.unwrap_or_default(),
        status: SourceStatus::Active,
        last_sync_at: None,
        last_error: None,
        stats: serde_json::Map::new(),
        created_at: now.clone(),
        updated_at: now,
    };
    Ok((source, credentials))
}

/// Writes the source and counts it, unless the account has as many as it may have.
async fn store(app: &App, caller: &Identity, source: &Source) -> Result<(), Problem> {
    let happening =
        Happening::new(caller, ("source", &source.source_id), "connected", format!("Connected {}", source.name))
            .with("sourceType", source.source_type.as_str());
    let absent = Change::new().when(|at| at.absent("sourceId"));
    let count = Change::new()
        .add("usage.sources", 1)
        .when(|at| format!("{} < {}", at.name("usage.sources"), at.name("settings.maxSources")));
    let writes = vec![
        Write::Put(app.sources_table.clone(), to_item(source)?, absent),
        Write::Change(app.accounts_table.clone(), key(ACCOUNTS, &caller.account_id), count),
        app.audit.trail.write(&happening.activity())?,
    ];
    match app.database.transact(writes).await? {
        TransactionOutcome::Committed => {
            app.audit.announce(events::SOURCE_CONNECTED, &happening).await;
            Ok(())
        }
        TransactionOutcome::ConditionsFailed(failed) if failed.contains(&1) => {
            let message = "the account has as many sources as its plan allows";
            Err(Problem::new(StatusCode::FORBIDDEN, "LIMIT_EXCEEDED", message))
        }
        TransactionOutcome::ConditionsFailed(_) => {
            Err(AwsError::unexpected("create a source", "its random ID exists already").into())
        }
    }
}

/// Deletes the secret of a source that was not created.
async fn discard(app: &App, source: &Source) {
    if let Err(error) = app.vault.delete(&source.source_id).await {
        let error = telemetry::chain(&error);
        tracing::error!(error, source_id = source.source_id, "the secret of a source that was not created remains");
    }
}
