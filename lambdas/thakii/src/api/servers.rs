//! The registry of processing servers, for admins.

use std::sync::Arc;

use axum::extract::State;
use serde_json::json;

use super::shared::{Answer, Id, Shared, ok};
use crate::{
    app::App,
    body::Fields,
    error::ApiError,
    ids, registry,
    tables::servers::{Edit, Outcome, Server, ServerStatus},
    time,
};

const MAX_TEXT_BYTES: usize = 255;
const MAX_DESCRIPTION_BYTES: usize = 2000;

pub(crate) async fn list(State(app): Shared) -> Answer {
    ok(app.servers.list().await?)
}

pub(crate) async fn add(State(app): Shared, fields: Fields) -> Answer {
    fields.only(&["name", "url", "type", "description"], "is not allowed")?;
    let name = required_text(&fields, "name")?;
    let url = required_text(&fields, "url")?;
    let kind = optional_text(&fields, "type", MAX_TEXT_BYTES)?.unwrap_or_else(|| "processing".to_owned());
    let description = optional_text(&fields, "description", MAX_DESCRIPTION_BYTES)?.unwrap_or_default();
    check_url(&app, &url).await?;
    let health = registry::check_server(&app.registered, &url).await;
    let now = time::now();
    let server = Server {
        id: ids::new_id(),
        name,
        url,
        kind,
        description,
        status: health.status(),
        last_health_check: Some(health.checked_at.clone()),
        health_status: Some(health),
        created_at: now.clone(),
        updated_at: now,
        total_jobs_processed: 0,
        current_load: 0,
    };
    match app.servers.add(&server).await? {
        Outcome::Written => ok(json!({"success": true, "server": server, "message": "Server added successfully"})),
        _ => Err(name_taken(&server.name)),
    }
}

pub(crate) async fn update(State(app): Shared, Id(id): Id, fields: Fields) -> Answer {
    let missing = || ApiError::bad_request("Server not found");
    fields.only(&["name", "url", "type", "description", "status"], "cannot be updated")?;
    let edit = Edit {
        name: optional_text(&fields, "name", MAX_TEXT_BYTES)?.map(|name| require_filled("name", name)).transpose()?,
        url: optional_text(&fields, "url", usize::MAX)?,
        kind: optional_text(&fields, "type", MAX_TEXT_BYTES)?.map(|kind| require_filled("type", kind)).transpose()?,
        description: optional_text(&fields, "description", MAX_DESCRIPTION_BYTES)?,
        status: parse_status(&fields)?,
    };
    if let Some(url) = &edit.url {
        check_url(&app, url).await?;
    }
    let server = find_server(&app, &id).await?.ok_or_else(missing)?;
    match app.servers.edit(&server, &edit, &time::now()).await? {
        Outcome::Written => {
            let server = find_server(&app, &id).await?.ok_or_else(missing)?;
            ok(json!({"success": true, "server": server, "message": "Server updated successfully"}))
        }
        Outcome::NameTaken => Err(name_taken(edit.name.as_deref().unwrap_or_default())),
        Outcome::NotFound => Err(missing()),
    }
}

pub(crate) async fn delete(State(app): Shared, Id(id): Id) -> Answer {
    let missing = || ApiError::not_found("Server not found");
    let server = find_server(&app, &id).await?.ok_or_else(missing)?;
    match app.servers.delete(&server).await? {
        Outcome::Written => ok(json!({"success": true, "message": "Server deleted successfully"})),
        _ => Err(missing()),
    }
}

pub(crate) async fn check(State(app): Shared) -> Answer {
    let checked = registry::check_servers(&app.servers, &app.registered).await?;
    let (total, healthy) = (checked.servers.len(), checked.healthy());
    // A result that was not stored would be missing from the list.
    checked.write_error.map_or(Ok(()), Err)?;
    ok(json!({
        "total_servers": total,
        "healthy_servers": healthy,
        "unhealthy_servers": total - healthy,
        "timestamp": time::now(),
    }))
}

async fn find_server(app: &Arc<App>, id: &str) -> Result<Option<Server>, ApiError> {
    if ids::is_id(id) { Ok(app.servers.get(id).await?) } else { Ok(None) }
}

fn name_taken(name: &str) -> ApiError {
    ApiError::bad_request(format!("Server with name \"{name}\" already exists"))
}

fn required_text(fields: &Fields, name: &str) -> Result<String, ApiError> {
    let value = optional_text(fields, name, if name == "url" { usize::MAX } else { MAX_TEXT_BYTES })?;
    value
        .filter(|value| !value.is_empty())
        .ok_or_else(|| ApiError::bad_request(format!("Field \"{name}\" is required")))
}

fn require_filled(name: &str, value: String) -> Result<String, ApiError> {
    if value.is_empty() { Err(ApiError::field(name, "a string that is not empty")) } else { Ok(value) }
}

fn optional_text(fields: &Fields, name: &str, max: usize) -> Result<Option<String>, ApiError> {
    let value = fields.text(name)?.map(|value| value.trim().to_owned());
    match value {
        Some(value) if value.len() > max => Err(ApiError::field(name, &format!("at most {max} bytes"))),
        value => Ok(value),
    }
}

fn parse_status(fields: &Fields) -> Result<Option<ServerStatus>, ApiError> {
    match fields.text("status")? {
        None => Ok(None),
        Some("active") => Ok(Some(ServerStatus::Active)),
        Some("inactive") => Ok(Some(ServerStatus::Inactive)),
        Some(_) => Err(ApiError::field("status", "active or inactive")),
    }
}

async fn check_url(app: &Arc<App>, url: &str) -> Result<(), ApiError> {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    if !matches!(scheme.as_deref(), Some("http" | "https")) {
        return Err(ApiError::bad_request("Server URL must start with http:// or https://"));
    }
    app.registered.ensure_allowed(url).await.map_err(|_| ApiError::bad_request("Server URL not allowed"))
}
