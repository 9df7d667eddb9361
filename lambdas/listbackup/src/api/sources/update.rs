//! `PUT /sources/{id}`.

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::{Router, extract::State, routing::on};
use common::{bus::Bus, telemetry};
use listbackup_contract::{
    api::{UpdateSource, UpdateSourceRoute},
    events,
    tables::SOURCES,
};
use serde_json::json;
use tables::{Change, Database, from_item};

use super::{
    input::{self, CredentialsChange},
    read_own,
    vault::Vault,
    view,
};
use crate::{
    api::call::{Call, database, router as api_router},
    connectors::policy::Rules,
    requests::{Fields, Reply, invalid},
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

/// The fields that a request may change.
const FIELDS: [&str; 5] = ["name", "config", "status", "settings", "credentials"];

struct App {
    database: Database,
    sources_table: String,
    audit: Audit,
    vault: Vault,
    rules: Rules,
}

pub(in crate::api) fn router(environment: UpdateSource, aws: &SdkConfig) -> Router {
    let database = database(aws);
    let app = Arc::new(App {
        sources_table: environment.sources_table,
        audit: Audit::new(database.clone(), environment.activity_table, Bus::new(aws, environment.event_bus_name)),
        database,
        vault: Vault::new(aws.clone(), environment.stage),
        rules: Rules::new(&environment.allow_private_sources, &environment.source_buckets, &environment.data_bucket),
    });
    api_router::<UpdateSource, _, _>(app, |route, method| match route {
        UpdateSourceRoute::Update => {
            on(method, async |State(app): State<Arc<App>>, call: Call| call.respond(update(&app, &call).await))
        }
    })
}

async fn update(app: &App, call: &Call) -> Result<Reply, Problem> {
    let caller = call.writer()?;
    let source_id = call.object(Kind::Source)?;
    let fields = call.fields()?;
    if !FIELDS.iter().any(|name| fields.0.contains_key(*name)) {
        return Err(invalid("body", &format!("must have one of {}", FIELDS.join(", "))));
    }
    let source = read_own(&app.database, &app.sources_table, &source_id, caller).await?;
    let credentials = input::credentials(&fields, &source.credential_headers)?;
    let change = change(app, caller, &source, &fields)?;
    let change = apply_credentials(app, &source, change, &credentials).await?;
    // A source that was deleted in the meantime stays deleted.
    let change = change.when(|at| at.compare("accountId", "=", &caller.account_id));
    let changed = app.database.update(&app.sources_table, key(SOURCES, &source_id), change).await?;
    let Some(changed) = changed else {
        if matches!(credentials, CredentialsChange::Replace(_)) {
            discard(app, &source_id).await;
        }
        return Err(Problem::not_found(Kind::Source));
    };
    if credentials == CredentialsChange::Remove && source.has_credentials {
        discard(app, &source_id).await;
    }
    let changed: Source = from_item(changed)?;
    let happening = Happening::new(caller, ("source", &source_id), "updated", format!("Changed {}", changed.name));
    app.audit.record(events::SOURCE_UPDATED, &happening).await;
    Ok(Reply::ok(json!({ "source": view(&changed)? })))
}

/// Returns the change of the row, without credentials. A source's type never changes.
fn change(app: &App, caller: &Identity, source: &Source, fields: &Fields) -> Result<Change, Problem> {
    let mut change = Change::new().set("updatedAt", time::now());
    if fields.has("name") {
        change = change.set("name", fields.name("name")?);
    }
    if let Some(config) = fields.object("config")? {
        input::check_config(&app.rules, &source.source_type, config, caller)?;
        change = change.set("config", config);
    }
    if let Some(settings) = input::settings(fields)? {
        change = change.set("settings", settings);
    }
    match fields.parsed("status", "must be active or inactive")? {
        None => {}
        Some(status @ (SourceStatus::Active | SourceStatus::Inactive)) => change = change.set("status", status),
        Some(_) => return Err(invalid("status", "must be active or inactive")),
    }
    Ok(change)
}

/// Writes new credentials, and adds their names to the change of the row.
async fn apply_credentials(
    app: &App,
    source: &Source,
    change: Change,
    credentials: &CredentialsChange,
) -> Result<Change, Problem> {
    let names: Vec<&String> = match credentials {
        CredentialsChange::Keep => return Ok(change),
        CredentialsChange::Remove => Vec::new(),
        CredentialsChange::Replace(credentials) => {
            match source.has_credentials {
                true => app.vault.replace(&source.source_id, credentials).await?,
                false => app.vault.create(&source.source_id, credentials).await?,
            }
            credentials.headers.keys().collect()
        }
    };
    Ok(change.set("hasCredentials", !names.is_empty()).set("credentialHeaders", names))
}

/// Deletes the secret of a source that needs it no more.
async fn discard(app: &App, source_id: &str) {
    if let Err(error) = app.vault.delete(source_id).await {
        tracing::error!(error = telemetry::chain(&error), source_id, "an unused secret of a source remains");
    }
}
