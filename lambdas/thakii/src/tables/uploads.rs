//! Table `uploads`: the parameters of unfinished uploads. The uploaded pieces are listed by S3.

use serde::{Deserialize, Serialize};
use tables::{Change, Database, Item, from_item, strings, to_item};

use crate::aws::AwsError;

/// The lifetime of an upload, in seconds.
pub(crate) const LIFETIME: i64 = 24 * 3600;
/// The duration of an assembly's lease, in seconds: longer than any request.
const LEASE: i64 = 60;

/// The way the bytes are uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// One object, directly to S3.
    Single,
    /// Parts of a fixed size, directly to S3.
    Multipart,
    /// Chunks of the client's size, directly to S3.
    Presigned,
    /// Chunks of the client's size, through the API.
    Inline,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Open,
    /// A request holds the lease and assembles the video.
    Assembling,
    Done,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Upload {
    pub(crate) user_id: String,
    /// Chosen by the client, or the video's ID.
    pub(crate) file_id: String,
    pub(crate) video_id: String,
    pub(crate) mode: Mode,
    pub(crate) filename: String,
    pub(crate) content_type: String,
    /// The video's size in bytes, if declared in advance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<u64>,
    pub(crate) total_chunks: u64,
    /// The size of all parts but the last, if it is fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) part_size: Option<u64>,
    /// The ID of S3's multipart upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) upload_id: Option<String>,
    pub(crate) s3_key: String,
    pub(crate) state: State,
    /// In seconds since 1970.
    pub(crate) lease_until: i64,
    /// In seconds since 1970.
    pub(crate) expires_at: i64,
    /// The size of the finished video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) total_size: Option<u64>,
}

impl Upload {
    /// Returns the required size of a piece, if it is fixed.
    pub(crate) fn piece_size(&self, index: u64) -> Option<u64> {
        let size = self.size?;
        let Some(part) = self.part_size else { return Some(size) };
        Some(part.min(size.saturating_sub(part.saturating_mul(index))))
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Uploads {
    database: Database,
    table: String,
}

impl Uploads {
    pub(crate) fn new(database: Database, table: String) -> Self {
        Self { database, table }
    }

    /// Reads an upload. Expired records, which DynamoDB deletes late, count as absent.
    pub(crate) async fn get(&self, user_id: &str, file_id: &str, now: i64) -> Result<Option<Upload>, AwsError> {
        let item = self.database.get(&self.table, key(user_id, file_id)).await?;
        let upload: Option<Upload> = item.map(from_item).transpose()?;
        Ok(upload.filter(|upload| upload.expires_at > now))
    }

    /// Creates an upload. Returns false if it exists.
    pub(crate) async fn begin(&self, upload: &Upload, now: i64) -> Result<bool, AwsError> {
        let free =
            Change::new().when(|at| format!("{} OR {}", at.absent("file_id"), at.compare("expires_at", "<=", now)));
        self.database.put(&self.table, to_item(upload)?, free).await
    }

    /// Leases an upload for assembly. Returns `None` if it is leased by another request or done.
    pub(crate) async fn lease(&self, upload: &Upload, now: i64) -> Result<Option<Upload>, AwsError> {
        let change = Change::new().set("state", State::Assembling).set("lease_until", now + LEASE).when(|at| {
            let open = at.compare("state", "=", State::Open);
            let assembling = at.compare("state", "=", State::Assembling);
            format!("{open} OR ({assembling} AND {})", at.compare("lease_until", "<=", now))
        });
        let key = key(&upload.user_id, &upload.file_id);
        self.database.update(&self.table, key, change).await?.map(from_item).transpose()
    }

    /// Releases the lease of an upload that cannot be assembled yet. Only the holder can.
    pub(crate) async fn release(&self, upload: &Upload) -> Result<(), AwsError> {
        let change = Change::new()
            .set("state", State::Open)
            .set("lease_until", 0)
            .when(|at| at.compare("state", "=", State::Assembling))
            .when(|at| at.compare("lease_until", "=", upload.lease_until));
        let key = key(&upload.user_id, &upload.file_id);
        self.database.update(&self.table, key, change).await.map(|_| ())
    }

    /// Marks an upload as done.
    pub(crate) async fn finish(&self, upload: &Upload, total_size: u64) -> Result<(), AwsError> {
        let change =
            Change::new().set("state", State::Done).set("total_size", total_size).when(|at| at.exists("file_id"));
        let key = key(&upload.user_id, &upload.file_id);
        self.database.update(&self.table, key, change).await.map(|_| ())
    }
}

fn key(user_id: &str, file_id: &str) -> Item {
    strings([("user_id", user_id), ("file_id", file_id)])
}
