//! The connector `s3`: the objects of a bucket, read with a role of the customer or because the stage allows the bucket.

use std::sync::LazyLock;

use aws_config::{Region, SdkConfig, sts::AssumeRoleProvider};
use aws_sdk_s3::{
    Client,
    config::SharedCredentialsProvider,
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
    operation::get_object::GetObjectOutput,
    types::{EncodingType, Object},
};
use futures_util::{StreamExt, stream};
use regex_lite::Regex;
use serde_json::Value;

use super::{ConnectorError, Fetched, Invalid, Listed, Origin, Policy, Position, paths::decode};
use crate::shared::ids;

/// The number of times that an interrupted object is read on from where it ended.
const RESUMES: u32 = 5;

/// A checked configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Config {
    /// The bucket's name.
    pub bucket: String,
    /// Only objects whose keys begin so.
    pub prefix: Option<String>,
    /// The bucket's region, if it is not the function's.
    pub region: Option<String>,
    /// The customer's role that may read the bucket.
    pub role_arn: Option<String>,
}

/// Names of general purpose buckets (Amazon S3 user guide, "General purpose bucket naming rules"). ARNs and URLs have other characters.
static BUCKET: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"));
static REGION: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[a-z]{2,3}(-[a-z]+){1,3}-[0-9]{1,2}$"));
/// Roles that the function's own role may assume; customers choose the end of the name.
static ROLE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:role/listbackup-source-[A-Za-z0-9+=,.@_-]{1,45}$")
});

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a fixed pattern")
}

/// Endings that the same page reserves for aliases of access points and for other kinds of buckets. An alias may lead to the bucket
/// of backups.
const RESERVED_ENDINGS: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

pub(super) fn validate(config: &Value, policy: &Policy) -> Result<S3Config, Invalid> {
    let Value::Object(fields) = config else {
        return Err(Invalid::new("config", "the configuration must be an object"));
    };
    if let Some(unknown) =
        fields.keys().find(|name| !matches!(name.as_str(), "bucket" | "prefix" | "region" | "roleArn"))
    {
        return Err(Invalid::new(format!("config.{unknown}"), "the field is unknown"));
    }
    let text = |name: &str| match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Invalid::new(format!("config.{name}"), "the field must be a string")),
    };
    let bucket = text("bucket")?.ok_or_else(|| Invalid::new("config.bucket", "the bucket is missing"))?;
    check_bucket(&bucket, policy)?;
    let prefix = text("prefix")?.filter(|prefix| !prefix.is_empty());
    if prefix.as_ref().is_some_and(|prefix| prefix.len() > 900 || prefix.chars().any(char::is_control)) {
        return Err(Invalid::new("config.prefix", "the prefix is not valid"));
    }
    let region = text("region")?;
    if region.as_ref().is_some_and(|region| !REGION.is_match(region)) {
        return Err(Invalid::new("config.region", "the region is not valid"));
    }
    let role_arn = text("roleArn")?;
    match &role_arn {
        Some(role) if !ROLE.is_match(role) => {
            return Err(Invalid::new("config.roleArn", "the role's name must begin with listbackup-source-"));
        }
        None if !policy.rules.source_buckets.allow(&bucket, &policy.account_id) => {
            return Err(Invalid::new("config.roleArn", "a role is required for this bucket"));
        }
        _ => {}
    }
    Ok(S3Config { bucket, prefix, region, role_arn })
}

fn check_bucket(bucket: &str, policy: &Policy) -> Result<(), Invalid> {
    let refuse = |message: &str| Err(Invalid::new("config.bucket", message));
    if !BUCKET.is_match(bucket) || bucket.contains("..") || bucket.parse::<std::net::Ipv4Addr>().is_ok() {
        return refuse("the bucket must be the name of a general purpose bucket");
    }
    if RESERVED_ENDINGS.iter().any(|ending| bucket.ends_with(ending)) {
        return refuse("aliases of access points are not supported");
    }
    if bucket == policy.rules.data_bucket {
        return refuse("the bucket of backups cannot be a source");
    }
    Ok(())
}

/// The client of the last bucket: a run uses it for each file, and a role is not assumed for each.
#[derive(Debug, Default)]
pub(super) struct ClientCache(Option<(S3Config, String, Client)>);

impl ClientCache {
    pub(super) async fn client(&mut self, aws: &SdkConfig, config: &S3Config, account_id: &str) -> Client {
        match &self.0 {
            Some((known, account, client)) if known == config && account == account_id => client.clone(),
            _ => {
                let client = client(aws, config, account_id).await;
                self.0 = Some((config.clone(), account_id.to_owned(), client.clone()));
                client
            }
        }
    }
}

/// Creates a client for a bucket. A role is assumed with the account as external ID, so that no account can use another's role
/// (IAM user guide, "The confused deputy problem").
async fn client(aws: &SdkConfig, config: &S3Config, account_id: &str) -> Client {
    let mut builder = aws_sdk_s3::config::Builder::from(aws).force_path_style(aws.endpoint_url().is_some());
    if let Some(region) = &config.region {
        builder = builder.region(Region::new(region.clone()));
    }
    if let Some(role) = &config.role_arn {
        let provider = AssumeRoleProvider::builder(role)
            .external_id(ids::bare(account_id))
            .session_name("listbackup")
            .configure(aws)
            .build()
            .await;
        builder = builder.credentials_provider(SharedCredentialsProvider::new(provider));
    }
    Client::from_conf(builder.build())
}

/// An opened bucket.
#[derive(Debug, Clone)]
pub struct S3Connector {
    config: S3Config,
    client: Client,
}

impl S3Connector {
    pub(super) fn new(config: S3Config, client: Client) -> Self {
        Self { config, client }
    }

    /// Lists a page of at most a thousand objects.
    pub(super) async fn list(&self, position: &Position) -> Result<(Vec<Listed>, Position), ConnectorError> {
        let token = match position {
            Position::Start => None,
            Position::After(token) => Some(token.clone()),
            Position::End => return Ok((Vec::new(), Position::End)),
        };
        let request = self.client.list_objects_v2().bucket(&self.config.bucket).set_prefix(self.config.prefix.clone());
        // A control character in a key would make the response invalid XML.
        let request = request.encoding_type(EncodingType::Url).set_continuation_token(token);
        let answer = request.send().await;
        let answer = answer.map_err(|error| classify("list the bucket", &error))?;
        // Keys that end with a slash are the folders that consoles create.
        let is_encoded = answer.encoding_type == Some(EncodingType::Url);
        let objects = answer.contents.unwrap_or_default().into_iter().filter_map(|object| listed(object, is_encoded));
        let files = objects.filter(|file| !file.path.ends_with('/')).collect();
        let next = answer.next_continuation_token.filter(|_| answer.is_truncated == Some(true));
        Ok((files, next.map_or(Position::End, Position::After)))
    }

    /// Streams an object. If the stream breaks, it resumes with the rest of the same version.
    pub(super) async fn fetch(&self, key: &str, max_bytes: u64) -> Result<Fetched, ConnectorError> {
        let first = self.get(key, None).await?;
        let size = first.content_length.and_then(|length| u64::try_from(length).ok());
        if size.is_some_and(|size| size > max_bytes) {
            return Err(ConnectorError::permanent("the file is too large"));
        }
        let (content_type, tag) = (first.content_type.clone(), first.e_tag.clone());
        let reader = Reader {
            connector: self.clone(),
            key: key.to_owned(),
            tag: tag.clone(),
            size,
            read: 0,
            resumes: RESUMES,
            body: first.body,
        };
        let stream =
            stream::try_unfold(
                reader,
                |mut reader| async move { Ok(reader.next().await?.map(|chunk| (chunk, reader))) },
            );
        Ok(Fetched { stream: stream.boxed(), size, content_type, origin_tag: tag, sha256: None })
    }

    /// Gets an object, or the rest of a version of it.
    async fn get(&self, key: &str, rest: Option<(u64, Option<&str>)>) -> Result<GetObjectOutput, ConnectorError> {
        let mut request = self.client.get_object().bucket(&self.config.bucket).key(key);
        if let Some((from, tag)) = rest {
            request = request.range(format!("bytes={from}-")).set_if_match(tag.map(str::to_owned));
        }
        request.send().await.map_err(|error| classify("read the object", &error))
    }
}

/// An object that is being read.
struct Reader {
    connector: S3Connector,
    key: String,
    tag: Option<String>,
    size: Option<u64>,
    read: u64,
    resumes: u32,
    body: aws_sdk_s3::primitives::ByteStream,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<axum::body::Bytes>, ConnectorError> {
        loop {
            match self.body.next().await {
                Some(Ok(chunk)) => {
                    self.read += chunk.len() as u64;
                    return Ok(Some(chunk));
                }
                None if self.size.is_none_or(|size| self.read == size) => return Ok(None),
                Some(Err(_)) | None if self.resumes > 0 && self.tag.is_some() => {
                    self.resumes -= 1;
                    let rest = (self.read, self.tag.as_deref());
                    self.body = self.connector.get(&self.key, Some(rest)).await?.body;
                }
                Some(Err(_)) | None => return Err(ConnectorError::transient("the object ended early")),
            }
        }
    }
}

fn listed(object: Object, is_encoded: bool) -> Option<Listed> {
    // Encoded as a form: a space is a plus sign.
    let key = object.key.map(|key| if is_encoded { decode(&key.replace('+', " ")) } else { key })?;
    Some(Listed {
        path: key.clone(),
        origin: Origin::S3 { key },
        size: object.size.and_then(|size| u64::try_from(size).ok()),
        modified_at: object.last_modified.and_then(|time| {
            let time = jiff::Timestamp::from_millisecond(time.to_millis().ok()?).ok()?;
            Some(crate::shared::time::text(time))
        }),
        origin_tag: object.e_tag,
    })
}

/// Distinguishes failures that a repetition may change.
fn classify<E, R>(action: &str, error: &SdkError<E, R>) -> ConnectorError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default();
    let chain = DisplayErrorContext(error).to_string();
    let message = match code {
        "NoSuchKey" | "NotFound" => "the object does not exist",
        "NoSuchBucket" => "the bucket does not exist",
        "InvalidObjectState" => "the object is archived",
        "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
            "the bucket is in another region"
        }
        // A role that cannot be assumed fails before the service is reached.
        _ if chain.contains("AccessDenied") => "access is denied",
        "PreconditionFailed" => return ConnectorError::transient("the object changed while it was read"),
        _ => {
            tracing::warn!(action, error = chain, "an S3 source failed");
            return ConnectorError::transient(format!("failed to {action}"));
        }
    };
    ConnectorError::permanent(message)
}

#[cfg(test)]
mod tests;
