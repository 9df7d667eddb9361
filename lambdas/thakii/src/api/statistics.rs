//! Counts for admins, read concurrently.

use std::time::Duration;

use axum::extract::State;
use serde_json::json;

use super::shared::{Answer, Shared, ok};
use crate::{
    aws::AwsError,
    tables::{servers::ServerStatus, tasks::Status},
};

const BUDGET: Duration = Duration::from_secs(20);

pub(crate) async fn get(State(app): Shared) -> Answer {
    let counted = async {
        tokio::try_join!(
            app.users.with_videos(),
            app.tasks.count(Status::InQueue),
            app.tasks.count(Status::InProgress),
            app.tasks.count(Status::Done),
            app.tasks.count(Status::Failed),
            app.servers.all(),
        )
    };
    let late = |_| AwsError::odd("count", "it takes too long");
    let (users, queued, progress, done, failed, servers) =
        tokio::time::timeout(BUDGET, counted).await.map_err(late)??;
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
