//! Posts, projects and certifications, with the same seven operations.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use common::ApiError;
use uuid::Uuid;

use crate::{
    answers::Categories,
    app::Shared,
    content::{Content, ListQuery, Status, Stored},
    gate::Viewer,
    input::{Body, Changes, InPath, Query, invalid},
    store::{Reach, StoreError},
};

/// The largest response of a function, 6 MB, minus the gateway's envelope: AWS Lambda Developer Guide, "Lambda quotas".
const MOST_BYTES: usize = 5_900_000;

/// A part of the content, newest first.
pub(crate) async fn list<C: Content>(
    State(app): Shared,
    viewer: Viewer,
    Query(query): Query<C::Query>,
) -> Result<Response, ApiError> {
    let statuses = query.statuses().visible_to(viewer.is_owner());
    let partitions = C::partitions(&query, statuses);
    let reach = if viewer.is_owner() { Reach::Whole } else { Reach::Bounded };
    let listed = app.table().list::<C>(&partitions, &query.filters(), query.paging(), reach).await?;
    let listed = listed.ok_or_else(|| invalid("offset", "is beyond the readable part of the list"))?;
    let items = listed.items.into_iter().map(Stored::wire).collect();
    let page = serde_json::to_string(&C::page(items, listed.total, query.paging()))?;
    if wrapped(&page) > MOST_BYTES {
        return Err(invalid("limit", "is too large for content as long as this; ask for less at a time"));
    }
    Ok(([(CONTENT_TYPE, "application/json")], page).into_response())
}

/// Returns the length of a response as a JSON string, which is how Lambda receives it.
fn wrapped(page: &str) -> usize {
    page.len() + page.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count()
}

/// New content, as a draft.
pub(crate) async fn create<C: Content>(
    State(app): Shared,
    Body(create): Body<C::Create>,
) -> Result<(StatusCode, Json<C::Wire>), ApiError> {
    let content = C::create(Uuid::new_v4().to_string(), app.now(), create);
    let stored = app.table().create(content).await.map_err(failure)?;
    Ok((StatusCode::CREATED, Json(stored.wire())))
}

/// One piece of content.
pub(crate) async fn get<C: Content>(
    State(app): Shared,
    viewer: Viewer,
    path: InPath,
) -> Result<Json<C::Wire>, ApiError> {
    let found = app.table().get::<C>(path.id()).await?;
    let seen = found.filter(|stored| stored.status == Status::Published || viewer.is_owner());
    answer(seen)
}

/// Changes content.
pub(crate) async fn update<C: Content>(
    State(app): Shared,
    path: InPath,
    changes: Changes<C::Create>,
) -> Result<Json<C::Wire>, ApiError> {
    answer(app.table().update::<C>(path.id(), &changes.fields, app.now()).await.map_err(failure)?)
}

/// Deletes content.
pub(crate) async fn delete<C: Content>(State(app): Shared, path: InPath) -> Result<StatusCode, ApiError> {
    let deleted = app.table().delete::<C>(path.id()).await.map_err(failure)?;
    if deleted { Ok(StatusCode::NO_CONTENT) } else { Err(not_found()) }
}

/// Publishes content.
pub(crate) async fn publish<C: Content>(State(app): Shared, path: InPath) -> Result<Json<C::Wire>, ApiError> {
    answer(app.table().set_status::<C>(path.id(), Status::Published, app.now()).await.map_err(failure)?)
}

/// Makes content a draft again.
pub(crate) async fn unpublish<C: Content>(State(app): Shared, path: InPath) -> Result<Json<C::Wire>, ApiError> {
    answer(app.table().set_status::<C>(path.id(), Status::Draft, app.now()).await.map_err(failure)?)
}

/// The categories of posts.
pub(crate) async fn categories(State(app): Shared) -> Result<Json<Categories>, ApiError> {
    let counts = app.table().categories().await?;
    Ok(Json(Categories { categories: counts.keys().cloned().collect(), counts }))
}

fn answer<C: Content>(stored: Option<Stored<C>>) -> Result<Json<C::Wire>, ApiError> {
    stored.map(|stored| Json(stored.wire())).ok_or_else(not_found)
}

/// Returns the response to a failed write. Contention is temporary, so it is not an internal error.
fn failure(error: StoreError) -> ApiError {
    match error {
        StoreError::Contended { .. } => {
            ApiError::too_many_requests(1, "Too many requests are changing this content; please try again")
        }
        error => error.into(),
    }
}

/// Returns the response to unknown content and to invisible drafts.
pub(super) fn not_found() -> ApiError {
    ApiError::not_found("The requested resource was not found")
}
