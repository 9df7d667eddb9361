//! A caller's videos: list, status and download.

use axum::{Json, extract::State, response::IntoResponse};
use serde_json::{Map, Value, json};
use thakii_contract::limits::PRESIGN_SECONDS;

use super::{
    page::{Page, Parameters, SortKey},
    shared::{Answer, Id, Shared, ok},
};
use crate::{
    app::App,
    auth::identity::Identity,
    aws::AwsError,
    error::ApiError,
    files,
    http::{Caller, Degraded},
    ids,
    tables::tasks::{Status, Task},
    time,
};

pub(crate) async fn list(State(app): Shared, Caller(identity): Caller, parameters: Parameters) -> Answer {
    let page = Page::read(&parameters, SortKey::Tasks, 500, 1000)?;
    match list_tasks(&app, &identity, &page).await {
        Ok(mut tasks) => {
            let next = page.cut_to_page(&mut tasks, |task| &task.created_key);
            ok(list_body(&tasks, next))
        }
        Err(error) => {
            // As in the original service, the front end shows an empty list instead of an error.
            tracing::error!(%error, "failed to read a list; answered with an empty one");
            let mut body = list_body(&[], None);
            body.insert("error_message".to_owned(), json!("Database temporarily unavailable"));
            let mut response = Json(body).into_response();
            response.extensions_mut().insert(Degraded);
            Ok(response)
        }
    }
}

async fn list_tasks(app: &App, identity: &Identity, page: &Page) -> Result<Vec<Task>, AwsError> {
    let before = page.before.as_deref();
    if app.role(identity).await?.is_admin() {
        app.tasks.list(before, page.read_limit()).await
    } else {
        app.tasks.list_for_user(&identity.uid, before, page.read_limit()).await
    }
}

fn list_body(tasks: &[Task], next: Option<String>) -> Map<String, Value> {
    let videos: Vec<Value> = tasks
        .iter()
        .map(|task| {
            json!({
                "id": task.video_id,
                "video_id": task.video_id,
                "filename": task.filename,
                "video_name": task.filename,
                "status": task.status,
                "upload_date": task.upload_date,
                "date": task.upload_date,
                "user_email": task.user_email,
                "created_at": task.created_at,
                "updated_at": task.updated_at,
            })
        })
        .collect();
    let mut body =
        Map::from_iter([("total".to_owned(), json!(videos.len())), ("timestamp".to_owned(), json!(time::now()))]);
    if videos.is_empty() {
        body.insert("message".to_owned(), json!("No videos found"));
    }
    body.insert("videos".to_owned(), Value::Array(videos));
    body.extend(next.map(|next| ("next_token".to_owned(), json!(next))));
    body
}

pub(crate) async fn status(State(app): Shared, Caller(identity): Caller, Id(video_id): Id) -> Answer {
    let task = find_accessible(&app, &identity, &video_id).await?;
    let mut body = Map::from_iter([
        ("video_id".to_owned(), json!(task.video_id)),
        ("filename".to_owned(), json!(task.filename)),
        ("status".to_owned(), json!(task.status)),
        ("upload_date".to_owned(), json!(task.created_at)),
        ("updated_at".to_owned(), json!(task.updated_at)),
        ("user_email".to_owned(), json!(task.user_email)),
    ]);
    body.extend(task.error_message.map(|message| ("error_message".to_owned(), json!(message))));
    ok(body)
}

pub(crate) async fn download(
    State(app): Shared,
    Caller(identity): Caller,
    Id(video_id): Id,
    parameters: Parameters,
) -> Answer {
    let kind = parameters.get("type").unwrap_or("pdf");
    if !["pdf", "srt", "video"].contains(&kind) {
        return Err(ApiError::bad_request("Invalid type"));
    }
    let task = find_accessible(&app, &identity, &video_id).await?;
    if kind != "video" && task.status != Status::Done {
        return Err(ApiError::bad_request("PDF not ready yet"));
    }
    let (key, filename) = match kind {
        "video" => (task.s3_key.clone(), task.filename.clone()),
        // Not every video gets subtitles. For a finished one they will never appear, so the answer is 404, not "not
        // ready yet".
        "srt" => {
            let key = task.subtitle_key.ok_or_else(|| ApiError::not_found("Subtitles not found"))?;
            (key, with_extension(&task.filename, "srt"))
        }
        _ => (task.pdf_key.unwrap_or_else(|| files::pdf_key(&task.video_id)), with_extension(&task.filename, "pdf")),
    };
    let link = app.files.get_link(&key, &filename).await?;
    ok(json!({"download_url": link, "video_id": task.video_id, "filename": filename, "expires_in": PRESIGN_SECONDS}))
}

/// Replaces the extension of a video's name.
fn with_extension(filename: &str, extension: &str) -> String {
    let stem = filename.rsplit_once('.').map_or(filename, |(stem, _)| stem);
    format!("{stem}.{extension}")
}

/// Returns a task of the caller, or any task for an admin.
async fn find_accessible(app: &App, identity: &Identity, video_id: &str) -> Result<Task, ApiError> {
    let task = if ids::is_id(video_id) { app.tasks.get(video_id).await? } else { None };
    let task = task.ok_or_else(|| ApiError::not_found("Video not found"))?;
    if task.user_id != identity.uid && !app.role(identity).await?.is_admin() {
        return Err(ApiError::forbidden("Access denied"));
    }
    Ok(task)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_named_after_their_video() {
        assert_eq!(with_extension("lecture.1.mp4", "pdf"), "lecture.1.pdf");
        assert_eq!(with_extension("lecture.MKV", "srt"), "lecture.srt");
    }
}
