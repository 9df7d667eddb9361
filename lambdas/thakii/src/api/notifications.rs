//! A caller's notifications.

use axum::extract::State;
use serde_json::{Map, json};

use super::{
    page::{Page, Parameters, SortKey},
    shared::{Answer, Id, Shared, ok},
};
use crate::{body::Payload, error::ApiError, http::Caller, time};

pub(crate) async fn list(State(app): Shared, Caller(identity): Caller, parameters: Parameters) -> Answer {
    let page = Page::read(&parameters, SortKey::Notifications, 50, 100)?;
    let unread = parameters.flag("unread")?;
    let found = app.notifications.list_for_user(&identity.uid, unread, page.before.as_deref(), page.read_limit()).await;
    let mut notifications = found?;
    let next = page.cut_to_page(&mut notifications, |notification| &notification.notification_id);
    let mut body = Map::from_iter([
        ("total".to_owned(), json!(notifications.len())),
        ("notifications".to_owned(), json!(notifications)),
        ("timestamp".to_owned(), json!(time::now())),
    ]);
    body.extend(next.map(|next| ("next_token".to_owned(), json!(next))));
    ok(body)
}

pub(crate) async fn mark(State(app): Shared, Caller(identity): Caller, Id(id): Id, payload: Payload) -> Answer {
    let read = payload.optional_fields()?.boolean("read")?.unwrap_or(true);
    // The key contains the caller, so another user's notification is simply not found.
    let plausible = !id.is_empty() && id.len() <= 64;
    let marked = if plausible { app.notifications.set_read(&identity.uid, &id, read).await? } else { None };
    let notification = marked.ok_or_else(|| ApiError::not_found("Notification not found"))?;
    ok(json!({"success": true, "notification": notification}))
}
