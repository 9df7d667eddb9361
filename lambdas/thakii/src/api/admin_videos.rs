//! All users' videos, for admins.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, HeaderValue},
    response::IntoResponse,
};
use serde_json::{Value, json};

use super::{
    page::{Page, Parameters, SortKey},
    shared::{Answer, Id, Shared, ok},
};
use crate::{
    error::ApiError,
    files, ids,
    tables::tasks::{Status, Task},
};

const NEXT_TOKEN: HeaderName = HeaderName::from_static("x-next-token");

pub(crate) async fn list(State(app): Shared, parameters: Parameters) -> Answer {
    let page = Page::read(&parameters, SortKey::Tasks, 500, 1000)?;
    let status =
        parameters.get("status").map(|text| Status::parse(text).ok_or_else(|| ApiError::bad_request("Invalid status")));
    let before = page.before.as_deref();
    let mut tasks = match status.transpose()? {
        Some(status) => app.tasks.list_with_status(status, before, page.read_limit()).await?,
        None => app.tasks.list(before, page.read_limit()).await?,
    };
    let next = page.cut_to_page(&mut tasks, |task| &task.created_key);
    let mut response = Json(tasks.iter().map(video_json).collect::<Vec<_>>()).into_response();
    // Base64 is a valid header value.
    if let Some(next) = next.and_then(|next| HeaderValue::from_str(&next).ok()) {
        response.headers_mut().insert(NEXT_TOKEN, next);
    }
    Ok(response)
}

fn video_json(task: &Task) -> Value {
    json!({
        "id": task.video_id,
        "video_name": task.filename,
        "status": task.status,
        "date": task.upload_date,
        "updated_at": task.updated_at,
        "user_email": task.user_email,
        "user_id": task.user_id,
    })
}

pub(crate) async fn delete(State(app): Shared, Id(video_id): Id) -> Answer {
    let missing = || ApiError::not_found("Video not found");
    let task = if ids::is_id(&video_id) { app.tasks.get(&video_id).await? } else { None };
    let task = task.ok_or_else(missing)?;
    // The row is deleted last, so that a repetition finds the remaining objects.
    let keys = [task.s3_key.clone(), files::subtitle_key(&video_id), files::pdf_key(&video_id)];
    for key in &keys {
        app.files.delete(key).await?;
    }
    if !app.tasks.delete(&task).await? {
        return Err(missing());
    }
    ok(json!({"message": "Video deleted successfully", "database": "deleted", "s3_deletions": keys}))
}
