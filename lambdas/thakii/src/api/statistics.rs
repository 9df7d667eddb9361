//! Counts for admins, read concurrently.

use std::time::Duration;

use axum::extract::State;
use serde_json::json;

use super::shared::{Answer, Shared, ok};
use crate::{
    aws::AwsError,
    tables::{servers::ServerStatus, tasks::Status},
};

const TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) async fn get(State(app): Shared) -> Answer {
    let counted = async {
        tokio::try_join!(
            app.users.count_with_videos(),
            app.tasks.count_with_status(Status::InQueue),
            app.tasks.count_with_status(Status::InProgress),
            app.tasks.count_with_status(Status::Done),
            app.tasks.count_with_status(Status::Failed),
            app.servers.list(),
        )
    };
    let late = |_| AwsError::unexpected("count users, tasks and servers", "it took too long");
    let (users, queued, progress, done, failed, servers) =
        tokio::time::timeout(TIMEOUT, counted).await.map_err(late)??;
    let active = servers.iter().filter(|server| server.status == ServerStatus::Active).count();
    ok(json!({
        "totalUsers": users,
        "totalVideos": queued + progress + done + failed,
        "totalPDFs": done,
        "activeProcessing": progress,
        "inQueue": queued,
        "failed": failed,
        "activeServers": active,
    }))
}
