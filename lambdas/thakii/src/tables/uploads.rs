//! Table `uploads`: what an upload under way was begun as. What has arrived of it is asked of S3.

use serde::{Deserialize, Serialize};

use super::{
    attributes::{Item, from_item, strings, to_item},
    change::Change,
    database::Database,
};
use crate::aws::AwsError;

/// How long an upload may take, in seconds.
pub const KEPT: i64 = 24 * 3600;
/// How long an assembly has the upload to itself, in seconds: longer than any request lives.
const LEASE: i64 = 60;

/// How the bytes come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// In one piece, to S3.
    Single,
    /// In parts of our size, to S3.
    Multipart,
    /// In chunks of the client's size, to S3.
    Presigned,
    /// In chunks of the client's size, through the API.
    Inline,
}

/// How far an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Bytes are coming.
    Open,
    /// Somebody makes a video of them.
    Assembling,
    /// It is a video.
    Done,
}

/// An upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// Whose it is.
    pub user_id: String,
    /// What its owner calls it.
    pub file_id: String,
    /// The video it will be.
    pub video_id: String,
    /// How the bytes come.
    pub mode: Mode,
    /// The video's name.
    pub filename: String,
    /// The video's declared type.
    pub content_type: String,
    /// The video's bytes, where they were said beforehand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// How many pieces there are.
    pub total_chunks: u64,
    /// The bytes of every piece but the last, where we chose them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_size: Option<u64>,
    /// S3's multipart upload, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_id: Option<String>,
    /// Where the video will lie.
    pub s3_key: String,
    /// How far it is.
    pub state: State,
    /// Until when the assembly has it to itself, in seconds since 1970.
    pub lease_until: i64,
    /// When the record goes by itself, in seconds since 1970.
    pub expires_at: i64,
    /// The video's bytes, once it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_size: Option<u64>,
}

impl Upload {
    /// The bytes a piece must have, where we chose them.
    #[must_use]
    pub fn piece(&self, index: u64) -> Option<u64> {
        let size = self.size?;
        let Some(part) = self.part_size else { return Some(size) };
        Some(part.min(size.saturating_sub(part.saturating_mul(index))))
    }
}

/// The repository.
#[derive(Debug, Clone)]
pub struct Uploads {
    database: Database,
    table: String,
}

impl Uploads {
    /// In this table.
    #[must_use]
    pub fn new(database: Database, table: String) -> Self {
        Self { database, table }
    }

    /// An upload as it is now. DynamoDB removes old records late: they count as gone.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn get(&self, user_id: &str, file_id: &str, now: i64) -> Result<Option<Upload>, AwsError> {
        let item = self.database.get(&self.table, key(user_id, file_id)).await?;
        let upload: Option<Upload> = item.map(from_item).transpose()?;
        Ok(upload.filter(|upload| upload.expires_at > now))
    }

    /// Begins an upload; false when somebody else has.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn begin(&self, upload: &Upload, now: i64) -> Result<bool, AwsError> {
        let free =
            Change::new().when(|at| format!("{} OR {}", at.absent("file_id"), at.compare("expires_at", "<=", now)));
        Ok(self.database.put(&self.table, to_item(upload)?, free).await?.is_made())
    }

    /// Takes an upload for assembly; nothing when somebody else has it, or it is done.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn lease(&self, upload: &Upload, now: i64) -> Result<Option<Upload>, AwsError> {
        let change = Change::new().set("state", State::Assembling).set("lease_until", now + LEASE).when(|at| {
            let open = at.compare("state", "=", State::Open);
            let assembling = at.compare("state", "=", State::Assembling);
            format!("{open} OR ({assembling} AND {})", at.compare("lease_until", "<=", now))
        });
        let key = key(&upload.user_id, &upload.file_id);
        self.database.change(&self.table, key, change).await?.map(from_item).transpose()
    }

    /// Gives an upload back that cannot be assembled yet. Only the lease's holder may.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn release(&self, upload: &Upload) -> Result<(), AwsError> {
        let change = Change::new()
            .set("state", State::Open)
            .set("lease_until", 0)
            .when(|at| at.compare("state", "=", State::Assembling))
            .when(|at| at.compare("lease_until", "=", upload.lease_until));
        let key = key(&upload.user_id, &upload.file_id);
        self.database.change(&self.table, key, change).await.map(|_| ())
    }

    /// Notes that an upload is a video now.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn finish(&self, upload: &Upload, total_size: u64) -> Result<(), AwsError> {
        let change =
            Change::new().set("state", State::Done).set("total_size", total_size).when(|at| at.exists("file_id"));
        let key = key(&upload.user_id, &upload.file_id);
        self.database.change(&self.table, key, change).await.map(|_| ())
    }
}

fn key(user_id: &str, file_id: &str) -> Item {
    strings([("user_id", user_id), ("file_id", file_id)])
}
