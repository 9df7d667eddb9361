//! A private bucket, and the statements that grant access to it.

use serde_json::{Value, json};

use super::policy::{self, Statement};
use crate::{
    emulator::Feature,
    resources::s3::{self, bucket},
    stage::Stage,
    template::{Expression, Part, Reference, RemovalPolicy, Resource, Stack, Text, json::camel, list, set},
};

/// A private `AWS::S3::Bucket` and its policy: encrypted, owned by the account, without public access, reachable over
/// TLS only.
#[derive(Debug, Clone)]
pub struct Bucket {
    logical_id: String,
    properties: s3::Bucket,
    rules: Vec<bucket::Rule>,
    depends_on: Vec<String>,
    tls_only: bool,
    /// The other statements of the bucket's own policy.
    statements: Vec<Value>,
}

/// A bucket's name, which is known before the bucket exists. Grants, environments and event sources use it, so that
/// they do not depend on the bucket's stack.
#[derive(Debug, Clone, PartialEq)]
pub struct BucketName(pub Text);

impl BucketName {
    /// Returns the bucket's ARN.
    #[must_use]
    pub fn arn(&self) -> Text {
        Expression::sub("arn:${AWS::Partition}:s3:::${Name}", [("Name", self.0.clone())]).into()
    }

    /// Returns the ARN of all objects whose key matches `pattern`, which may contain IAM's variables as `${!…}`.
    #[must_use]
    pub fn objects(&self, pattern: &str) -> Text {
        let arn = format!("arn:${{AWS::Partition}}:s3:::${{Name}}/{pattern}");
        Expression::sub(&arn, [("Name", self.0.clone())]).into()
    }

    /// Allows reading objects, and listing them, without which S3 responds to a missing object with 403 instead of 404.
    #[must_use]
    pub fn read(&self) -> Vec<Statement> {
        self.grant(&["s3:GetObject"], &["s3:ListBucket"])
    }

    /// Allows reading, writing, deleting and listing objects, multipart uploads included.
    #[must_use]
    pub fn crud(&self) -> Vec<Statement> {
        self.grant(CRUD, &["s3:ListBucket"])
    }

    /// Allows the same as [`BucketName::crud`], and listing multipart uploads.
    #[must_use]
    pub fn crud_with_uploads(&self) -> Vec<Statement> {
        self.grant(CRUD, &["s3:ListBucket", "s3:ListBucketMultipartUploads"])
    }

    /// Allows reading objects only. Without listing, a missing object cannot be distinguished from a forbidden one.
    #[must_use]
    pub fn get_objects(&self) -> Vec<Statement> {
        vec![Statement::allow(["s3:GetObject"], [self.objects("*")])]
    }

    /// Allows uploading whole objects whose keys match `pattern`. Multipart uploads cannot be started: their parts cause no
    /// event until they are completed, so nothing could limit them (Amazon S3 User Guide, "Enforce conditional writes on
    /// Amazon S3 buckets", about `s3:ObjectCreationOperation`).
    #[must_use]
    pub fn upload(&self, pattern: &str) -> Vec<Statement> {
        let whole = json!({ "Bool": { "s3:ObjectCreationOperation": "true" } });
        vec![Statement::allow(["s3:PutObject"], [self.objects(pattern)]).when(whole)]
    }

    /// Allows listing objects with their previous versions.
    #[must_use]
    pub fn list_versions(&self) -> Vec<Statement> {
        vec![Statement::allow(["s3:ListBucketVersions"], [self.arn()])]
    }

    /// Allows deleting versions of objects for good.
    #[must_use]
    pub fn delete_versions(&self) -> Vec<Statement> {
        vec![Statement::allow(["s3:DeleteObjectVersion"], [self.objects("*")])]
    }

    /// Allows `actions` on the objects whose keys match one of `patterns`.
    #[must_use]
    pub fn allow<'a>(&self, actions: &[&str], patterns: impl IntoIterator<Item = &'a str>) -> Statement {
        Statement::allow(actions.iter().copied(), patterns.into_iter().map(|pattern| self.objects(pattern)))
    }

    /// Allows listing objects under these prefixes, without which S3 responds to a missing object with 403 instead of 404.
    #[must_use]
    pub fn list_under(&self, prefixes: &[&str]) -> Statement {
        let patterns: Vec<_> = prefixes.iter().map(|prefix| format!("{prefix}*")).collect();
        Statement::allow(["s3:ListBucket"], [self.arn()]).when(json!({ "StringLike": { "s3:prefix": patterns } }))
    }

    fn grant(&self, objects: &[&str], bucket: &[&str]) -> Vec<Statement> {
        vec![
            Statement::allow(objects.iter().copied(), [self.objects("*")]),
            Statement::allow(bucket.iter().copied(), [self.arn()]),
        ]
    }
}

const CRUD: &[&str] =
    &["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"];

impl Bucket {
    /// Creates a bucket called `name`. It is retained when its stack is deleted, also on the emulator: `destroy` keeps
    /// stateful resources in every stage.
    #[must_use]
    pub fn new(logical_id: &str, name: &BucketName, stage: &Stage) -> Self {
        Self {
            logical_id: logical_id.to_owned(),
            properties: private(name),
            rules: Vec::new(),
            depends_on: Vec::new(),
            tls_only: Feature::TlsOnly.is_in(stage),
            statements: Vec::new(),
        }
    }

    /// Adds a statement, in IAM's JSON form, to the bucket's own policy.
    #[must_use]
    pub fn statement(mut self, statement: Value) -> Self {
        self.statements.push(statement);
        self
    }

    /// Uses a bucket key instead of a key for each object, which makes fewer requests to KMS.
    #[must_use]
    pub fn bucket_key(mut self) -> Self {
        let encryption = self.properties.bucket_encryption.as_mut();
        for rule in encryption.and_then(|it| it.server_side_encryption_configuration.as_mut()).into_iter().flatten() {
            rule.bucket_key_enabled = set(true);
        }
        self
    }

    /// Keeps previous versions of objects.
    #[must_use]
    pub fn versioned(mut self) -> Self {
        self.properties.versioning_configuration = Some(bucket::VersioningConfiguration { status: set("Enabled") });
        self
    }

    /// Deletes objects at this age in days.
    #[must_use]
    pub fn expire(self, days: u32) -> Self {
        self.rule("Expire", bucket::Rule { expiration_in_days: set(i64::from(days)), ..bucket::Rule::default() })
    }

    /// Deletes objects of more than `bytes` at this age in days. Smaller ones are kept.
    #[must_use]
    pub fn expire_larger(self, bytes: u64, days: u32) -> Self {
        let rule = bucket::Rule {
            object_size_greater_than: set(bytes.to_string()),
            expiration_in_days: set(i64::from(days)),
            ..bucket::Rule::default()
        };
        self.rule("Expire", rule)
    }

    /// Deletes previous versions of deleted or overwritten objects after this many days.
    #[must_use]
    pub fn expire_noncurrent(self, days: u32) -> Self {
        let expiration = bucket::NoncurrentVersionExpiration {
            noncurrent_days: set(i64::from(days)),
            ..bucket::NoncurrentVersionExpiration::default()
        };
        self.rule(
            "ExpireNoncurrent",
            bucket::Rule {
                noncurrent_version_expiration: Some(expiration),
                expired_object_delete_marker: set(true),
                ..bucket::Rule::default()
            },
        )
    }

    /// Deletes the parts of multipart uploads that are not completed within this many days.
    #[must_use]
    pub fn abort_uploads(self, days: u32) -> Self {
        let abort = bucket::AbortIncompleteMultipartUpload { days_after_initiation: set(i64::from(days)) };
        self.rule(
            "AbortUploads",
            bucket::Rule { abort_incomplete_multipart_upload: Some(abort), ..bucket::Rule::default() },
        )
    }

    /// Deletes objects under `prefix` at this age in days.
    #[must_use]
    pub fn expire_under(self, prefix: &str, days: u32) -> Self {
        let id = format!("Expire{}", camel(prefix));
        self.rule(
            &id,
            bucket::Rule { prefix: set(prefix), expiration_in_days: set(i64::from(days)), ..bucket::Rule::default() },
        )
    }

    /// Moves objects under `prefix` to the storage class `STANDARD_IA` at this age in days: storage is cheaper there,
    /// and reading costs more. S3 requires at least 30 days (S3 user guide, "Transitioning objects using Amazon S3
    /// Lifecycle").
    #[must_use]
    pub fn cool_under(self, prefix: &str, days: u32) -> Self {
        let transition = bucket::Transition {
            storage_class: set("STANDARD_IA"),
            transition_in_days: set(i64::from(days)),
            ..bucket::Transition::default()
        };
        let id = format!("Cool{}", camel(prefix));
        self.rule(
            &id,
            bucket::Rule { prefix: set(prefix), transitions: Some(vec![transition]), ..bucket::Rule::default() },
        )
    }

    /// Moves every object, and every previous version, to the storage class `INTELLIGENT_TIERING` at once: S3 then chooses
    /// the cheapest tier by access, without fees for reading (S3 user guide, "How S3 Intelligent-Tiering works"). The tiers
    /// that archive objects stay off, so reading never has to wait.
    #[must_use]
    pub fn intelligent_tiering(self) -> Self {
        let class = || set("INTELLIGENT_TIERING");
        let current =
            bucket::Transition { storage_class: class(), transition_in_days: set(0), ..bucket::Transition::default() };
        let noncurrent = bucket::NoncurrentVersionTransition {
            storage_class: class(),
            transition_in_days: set(0),
            ..bucket::NoncurrentVersionTransition::default()
        };
        self.rule(
            "IntelligentTiering",
            bucket::Rule {
                transitions: Some(vec![current]),
                noncurrent_version_transitions: Some(vec![noncurrent]),
                ..bucket::Rule::default()
            },
        )
    }

    fn rule(mut self, id: &str, rule: bucket::Rule) -> Self {
        self.rules.push(bucket::Rule { id: set(id), status: set("Enabled"), ..rule });
        self
    }

    /// Allows browsers of these origins to use these methods. Preflight responses are cached for 3000 seconds.
    #[must_use]
    pub fn cors(mut self, origins: &[String], methods: &[&str]) -> Self {
        self.properties.cors_configuration = Some(bucket::CorsConfiguration {
            cors_rules: Some(vec![bucket::CorsRule {
                allowed_origins: list(origins),
                allowed_methods: list(methods.iter().copied()),
                allowed_headers: list(["*"]),
                exposed_headers: list(["ETag"]),
                max_age: set(3000),
                ..bucket::CorsRule::default()
            }]),
        });
        self
    }

    /// Sends `event`, for example `s3:ObjectCreated:*`, to a function's alias. The bucket waits for `permission`, which
    /// allows S3 to invoke the alias: S3 rejects a notification that it could not deliver.
    #[must_use]
    pub fn notify(mut self, event: &str, alias: &Text, permission: &Reference) -> Self {
        self.properties.notification_configuration = Some(bucket::NotificationConfiguration {
            lambda_configurations: Some(vec![bucket::LambdaConfiguration {
                event: set(event),
                function: set(alias),
                ..bucket::LambdaConfiguration::default()
            }]),
            ..bucket::NotificationConfiguration::default()
        });
        self.depends_on.push(permission.logical_id().to_owned());
        self
    }
}

impl Part for Bucket {
    type Handle = Reference;

    fn add_to(mut self, stack: &mut Stack) -> Reference {
        if !self.rules.is_empty() {
            self.properties.lifecycle_configuration = Some(bucket::LifecycleConfiguration {
                rules: Some(self.rules),
                ..bucket::LifecycleConfiguration::default()
            });
        }
        let resource = Resource::of(self.properties).removal(RemovalPolicy::Retain);
        let resource = self.depends_on.iter().fold(resource, |resource, id| resource.depends_on(id));
        let bucket = stack.resource(&self.logical_id, resource);
        if self.tls_only {
            self.statements.insert(0, tls_only(&bucket));
        }
        if !self.statements.is_empty() {
            let policy = s3::BucketPolicy {
                bucket: set(bucket.id()),
                policy_document: Some(policy::resource_policy(self.statements)),
            };
            let policy = Resource::of(policy).removal(RemovalPolicy::Retain);
            stack.resource(&format!("{}Policy", self.logical_id), policy);
        }
        bucket
    }
}

fn private(name: &BucketName) -> s3::Bucket {
    s3::Bucket {
        bucket_name: set(&name.0),
        bucket_encryption: Some(bucket::BucketEncryption {
            server_side_encryption_configuration: Some(vec![bucket::ServerSideEncryptionRule {
                server_side_encryption_by_default: Some(bucket::ServerSideEncryptionByDefault {
                    sse_algorithm: set("AES256"),
                    ..bucket::ServerSideEncryptionByDefault::default()
                }),
                ..bucket::ServerSideEncryptionRule::default()
            }]),
        }),
        ownership_controls: Some(bucket::OwnershipControls {
            rules: Some(vec![bucket::OwnershipControlsRule { object_ownership: set("BucketOwnerEnforced") }]),
        }),
        public_access_block_configuration: Some(bucket::PublicAccessBlockConfiguration {
            block_public_acls: set(true),
            block_public_policy: set(true),
            ignore_public_acls: set(true),
            restrict_public_buckets: set(true),
        }),
        ..s3::Bucket::default()
    }
}

fn tls_only(bucket: &Reference) -> Value {
    let arn = bucket.attribute("Arn");
    let objects = Expression::sub("${Arn}/*", [("Arn", arn.clone())]);
    policy::deny_without_tls("s3:*", &[arn, objects.into()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> BucketName {
        BucketName("uploads".into())
    }

    #[test]
    fn small_objects_may_outlive_the_others() {
        let mut stack = Stack::new("data", "Data.");
        stack.add(Bucket::new("Files", &name(), &Stage::example("dev")).expire_larger(1, 30));
        let rules = &stack.resources["Files"].to_json()["Properties"]["LifecycleConfiguration"]["Rules"];
        let rule = json!({ "Id": "Expire", "Status": "Enabled", "ExpirationInDays": 30, "ObjectSizeGreaterThan": "1" });
        assert_eq!(*rules, json!([rule]));
    }

    #[test]
    fn all_versions_are_tiered_and_only_previous_ones_expire() {
        let mut stack = Stack::new("files", "Files.");
        let bucket = Bucket::new("Files", &name(), &Stage::example("dev")).versioned().intelligent_tiering();
        stack.add(bucket.expire_noncurrent(730).abort_uploads(7));
        let properties = stack.resources["Files"].to_json()["Properties"].clone();
        assert_eq!(properties["VersioningConfiguration"]["Status"], "Enabled");
        let rules = &properties["LifecycleConfiguration"]["Rules"];
        let tier = json!([{ "StorageClass": "INTELLIGENT_TIERING", "TransitionInDays": 0 }]);
        assert_eq!((&rules[0]["Transitions"], &rules[0]["NoncurrentVersionTransitions"]), (&tier, &tier));
        assert_eq!(rules[1]["NoncurrentVersionExpiration"]["NoncurrentDays"], 730);
        assert_eq!(rules[2]["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"], 7);
    }

    #[test]
    fn uploads_are_whole_objects() {
        let document = policy::document(&name().upload("own/*"));
        let statement = &document["Statement"][0];
        assert_eq!(statement["Action"], json!(["s3:PutObject"]));
        assert_eq!(statement["Condition"], json!({ "Bool": { "s3:ObjectCreationOperation": "true" } }));
    }
}
