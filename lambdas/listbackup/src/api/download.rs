//! `POST /data/download`: a link to a file's stored version, or a small file's content.
//!
//! Files are foreign content on this system's domain names. A link therefore answers as an attachment with a type that no browser
//! shows.

use std::{io::Read, sync::Arc, time::Duration};

use aws_config::SdkConfig;
use aws_sdk_s3::{
    Client,
    config::{Builder, RequestChecksumCalculation},
    presigning::PresigningConfig,
};
use axum::{Router, extract::State, http::StatusCode, routing::on};
use base64::{Engine, prelude::BASE64_STANDARD};
use flate2::read::MultiGzDecoder;
use listbackup_contract::{
    api::{DownloadFile, DownloadFileRoute},
    limits::{DIRECT_BYTES, PRESIGN_SECONDS},
    tables::FILES,
};
use serde_json::{Value, json};
use tables::{AwsError, Database, from_item};

use super::call::{Call, database, router as api_router};
use crate::{
    requests::{Fields, Reply, invalid},
    shared::{
        audit::{Happening, Trail},
        envelope::Problem,
        ids::Kind,
        rows::FileRow,
        store::key,
    },
};

/// A type that browsers save and never show.
const HARMLESS: &str = "application/octet-stream";

struct App {
    database: Database,
    files_table: String,
    trail: Trail,
    bucket: String,
    s3: Client,
    /// Signs links for clients, who may reach S3 at another address.
    presigner: Client,
}

pub(super) fn router(environment: DownloadFile, aws: &SdkConfig) -> Router {
    let database = database(aws);
    let presigner = match environment.public_s3_endpoint.filter(|endpoint| !endpoint.is_empty()) {
        Some(endpoint) => Client::from_conf(configuration(aws).endpoint_url(endpoint).force_path_style(true).build()),
        None => s3_client(aws),
    };
    let app = Arc::new(App {
        files_table: environment.files_table,
        trail: Trail::new(database.clone(), environment.activity_table),
        database,
        bucket: environment.data_bucket,
        s3: s3_client(aws),
        presigner,
    });
    api_router::<DownloadFile, _, _>(app, |route, method| match route {
        DownloadFileRoute::Download => {
            on(method, async |State(app): State<Arc<App>>, call: Call| call.respond(download(&app, &call).await))
        }
    })
}

pub(super) fn s3_client(aws: &SdkConfig) -> Client {
    Client::from_conf(configuration(aws).build())
}

fn configuration(aws: &SdkConfig) -> Builder {
    Builder::from(aws)
        // An emulator has one host name for all buckets.
        .force_path_style(aws.endpoint_url().is_some())
        // The SDK's default signs the checksum of an empty body into URLs (AWS SDKs reference guide, "Data integrity protections").
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DownloadType {
    Url,
    Direct,
}

async fn download(app: &App, call: &Call) -> Result<Reply, Problem> {
    let caller = call.reader()?;
    let fields = call.fields()?;
    let file_id = fields.reference("fileId", Kind::File)?.ok_or_else(|| invalid("fileId", "is missing"))?;
    let download_type = download_type(&fields)?;
    let file_id = file_id.ok_or_else(|| Problem::not_found(Kind::File))?;
    let item = app.database.get(&app.files_table, key(FILES, &file_id)).await?;
    let file: FileRow = from_item(item.ok_or_else(|| Problem::not_found(Kind::File))?)?;
    caller.check_account(&file.account_id)?;
    let (name, answer) = match download_type {
        DownloadType::Url => ("url", json!({ "downloadUrl": app.link(&file).await?, "expiresIn": PRESIGN_SECONDS })),
        DownloadType::Direct => {
            let content = BASE64_STANDARD.encode(app.content(&file).await?);
            ("direct", json!({ "content": content, "contentType": file.content_type }))
        }
    };
    let happening = Happening::new(caller, ("file", &file_id), "downloaded", format!("Downloaded {}", file.name))
        .with("downloadType", name);
    app.trail.record(&happening.activity()).await;
    let mut data = json!({
        "fileId": file_id, "fileName": file.name, "fileSize": file.size_bytes, "downloadType": name,
    });
    if let (Some(data), Value::Object(answer)) = (data.as_object_mut(), answer) {
        data.extend(answer);
    }
    Ok(Reply::ok(data))
}

fn download_type(fields: &Fields) -> Result<DownloadType, Problem> {
    match fields.optional_text("downloadType")? {
        None | Some("url") => Ok(DownloadType::Url),
        Some("direct") => Ok(DownloadType::Direct),
        Some(_) => Err(invalid("downloadType", "must be url or direct")),
    }
}

impl App {
    /// Signs a link to the stored version of a file.
    async fn link(&self, file: &FileRow) -> Result<String, AwsError> {
        const ACTION: &str = "sign a link";
        let lifetime = PresigningConfig::expires_in(Duration::from_secs(PRESIGN_SECONDS));
        let lifetime = lifetime.map_err(|error| AwsError::new(ACTION, &error))?;
        let request = self
            .presigner
            .get_object()
            .bucket(&self.bucket)
            .key(&file.s3_key)
            .set_version_id(file.s3_version_id.clone())
            .response_content_disposition(attachment(&file.name))
            .response_content_type(HARMLESS);
        let signed = request.presigned(lifetime).await.map_err(|error| AwsError::new(ACTION, &error))?;
        Ok(signed.uri().to_owned())
    }

    /// Reads a small file. The limit counts decoded bytes; the size in the row is only a hint.
    async fn content(&self, file: &FileRow) -> Result<Vec<u8>, Problem> {
        if file.size_bytes > DIRECT_BYTES || file.stored_bytes > DIRECT_BYTES {
            return Err(too_large());
        }
        let stored = self.stored(file).await?.ok_or_else(too_large)?;
        if !file.compressed {
            return Ok(stored);
        }
        let content =
            decoded(&stored).map_err(|error| AwsError::new(format!("decompress {}", file.file_id), &error))?;
        content.ok_or_else(too_large)
    }

    /// Reads the stored bytes; `None` if there are more than the limit.
    async fn stored(&self, file: &FileRow) -> Result<Option<Vec<u8>>, AwsError> {
        let action = || format!("read {}", file.file_id);
        let request = self.s3.get_object().bucket(&self.bucket).key(&file.s3_key);
        let answer = request.set_version_id(file.s3_version_id.clone()).send().await;
        let mut body = answer.map_err(|error| AwsError::new(action(), &error))?.body;
        let mut stored = Vec::new();
        while let Some(chunk) = body.next().await {
            stored.extend_from_slice(&chunk.map_err(|error| AwsError::new(action(), &error))?);
            if exceeds(stored.len()) {
                return Ok(None);
            }
        }
        Ok(Some(stored))
    }
}

/// Decompresses gzip; `None` if there are more bytes than the limit. No more than these are decoded.
pub(super) fn decoded(stored: &[u8]) -> std::io::Result<Option<Vec<u8>>> {
    let mut content = Vec::new();
    // One byte more than the limit shows that there are more.
    MultiGzDecoder::new(stored).take(DIRECT_BYTES + 1).read_to_end(&mut content)?;
    Ok(Some(content).filter(|content| !exceeds(content.len())))
}

fn exceeds(bytes: usize) -> bool {
    u64::try_from(bytes).map_or(true, |bytes| bytes > DIRECT_BYTES)
}

fn too_large() -> Problem {
    let message = format!("a direct download has at most {DIRECT_BYTES} bytes; use the type url");
    Problem::new(StatusCode::BAD_REQUEST, "FILE_TOO_LARGE", message).with("maxSize", DIRECT_BYTES)
}

/// Formats a `Content-Disposition` header for any file name: <https://www.rfc-editor.org/rfc/rfc6266#section-4.3>.
fn attachment(name: &str) -> String {
    let is_plain = |character: char| (character.is_ascii_graphic() || character == ' ') && !"\"\\%".contains(character);
    let plain: String = name.chars().map(|character| if is_plain(character) { character } else { '_' }).collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", super::oauth::encoded(name))
}
