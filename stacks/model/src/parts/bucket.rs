//! A private bucket, and what can be granted on it.

use serde_json::{Value, json};

use super::policy::{self, Statement};
use crate::{
    emulator::Feature,
    resources::s3::{self, bucket},
    stage::Stage,
    template::{Expression, Part, Reference, RemovalPolicy, Resource, Stack, Text, json::camel, list, set},
};

/// A private bucket: encrypted, owner enforced, public access blocked, TLS only.
#[derive(Debug, Clone)]
pub struct Bucket {
    logical_id: String,
    properties: s3::Bucket,
    rules: Vec<bucket::Rule>,
    depends_on: Vec<String>,
    tls_only: bool,
    /// What else its own policy says.
    statements: Vec<Value>,
}

/// A bucket's name, known before the bucket exists: what grants, environments and events are made of.
#[derive(Debug, Clone, PartialEq)]
pub struct BucketName(pub Text);

impl BucketName {
    /// The bucket's ARN.
    #[must_use]
    pub fn arn(&self) -> Text {
        Expression::sub("arn:${AWS::Partition}:s3:::${Name}", [("Name", self.0.clone())]).into()
    }

    /// The ARN of every object whose key matches `pattern`, which may hold IAM's variables as `${!…}`.
    #[must_use]
    pub fn objects(&self, pattern: &str) -> Text {
        let arn = format!("arn:${{AWS::Partition}}:s3:::${{Name}}/{pattern}");
        Expression::sub(&arn, [("Name", self.0.clone())]).into()
    }

    /// Reading objects and, so that a missing one is 404 and not 403, listing.
    #[must_use]
    pub fn read(&self) -> Vec<Statement> {
        self.grant(&["s3:GetObject"], &["s3:ListBucket"])
    }

    /// Reading, writing and deleting objects, multipart uploads included.
    #[must_use]
    pub fn crud(&self) -> Vec<Statement> {
        self.grant(CRUD, &["s3:ListBucket"])
    }

    /// Like [`BucketName::crud`], and listing multipart uploads.
    #[must_use]
    pub fn crud_with_uploads(&self) -> Vec<Statement> {
        self.grant(CRUD, &["s3:ListBucket", "s3:ListBucketMultipartUploads"])
    }

    /// Reading objects and nothing else: who has this cannot tell a missing object from a forbidden one.
    #[must_use]
    pub fn get_objects(&self) -> Vec<Statement> {
        vec![Statement::allow(["s3:GetObject"], [self.objects("*")])]
    }

    /// Uploading objects whose keys match `pattern`, at once or in parts.
    #[must_use]
    pub fn upload(&self, pattern: &str) -> Vec<Statement> {
        let actions = ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"];
        vec![Statement::allow(actions, [self.objects(pattern)])]
    }

    /// Some `actions` on the objects whose keys match one of `patterns`.
    #[must_use]
    pub fn allow<'a>(&self, actions: &[&str], patterns: impl IntoIterator<Item = &'a str>) -> Statement {
        Statement::allow(actions.iter().copied(), patterns.into_iter().map(|pattern| self.objects(pattern)))
    }

    /// Listing what lies under these prefixes: without it a missing object is 403 and not 404.
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
    /// A bucket called `name`. It stays when its stack is deleted, on the emulator too: `destroy` keeps what holds
    /// data in every stage.
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

    /// Also with this statement in the bucket's own policy, in IAM's own form.
    #[must_use]
    pub fn statement(mut self, statement: Value) -> Self {
        self.statements.push(statement);
        self
    }

    /// Encrypts with a key of the bucket's own instead of one an object, which makes a KMS key cheaper.
    #[must_use]
    pub fn bucket_key(mut self) -> Self {
        let encryption = self.properties.bucket_encryption.as_mut();
        for rule in encryption.and_then(|it| it.server_side_encryption_configuration.as_mut()).into_iter().flatten() {
            rule.bucket_key_enabled = set(true);
        }
        self
    }

    /// Keeps old versions of objects.
    #[must_use]
    pub fn versioned(mut self) -> Self {
        self.properties.versioning_configuration = Some(bucket::VersioningConfiguration { status: set("Enabled") });
        self
    }

    /// Removes objects that are older than this many days.
    #[must_use]
    pub fn expire(self, days: u32) -> Self {
        self.rule("Expire", bucket::Rule { expiration_in_days: set(i64::from(days)), ..bucket::Rule::default() })
    }

    /// Removes what was deleted or overwritten after this many days.
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

    /// Removes the parts of multipart uploads that nobody completed in this many days.
    #[must_use]
    pub fn abort_uploads(self, days: u32) -> Self {
        let abort = bucket::AbortIncompleteMultipartUpload { days_after_initiation: set(i64::from(days)) };
        self.rule(
            "AbortUploads",
            bucket::Rule { abort_incomplete_multipart_upload: Some(abort), ..bucket::Rule::default() },
        )
    }

    /// Removes objects under `prefix` that are older than this many days.
    #[must_use]
    pub fn expire_under(self, prefix: &str, days: u32) -> Self {
        let id = format!("Expire{}", camel(prefix));
        self.rule(
            &id,
            bucket::Rule { prefix: set(prefix), expiration_in_days: set(i64::from(days)), ..bucket::Rule::default() },
        )
    }

    /// Moves objects under `prefix` that are older than this many days to where keeping is cheap and reading is not.
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

    fn rule(mut self, id: &str, rule: bucket::Rule) -> Self {
        self.rules.push(bucket::Rule { id: set(id), status: set("Enabled"), ..rule });
        self
    }

    /// Lets browsers of these origins use these methods.
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

    /// Sends `event` to a function's alias. The bucket waits for `permission`, which allows S3 to invoke it: S3
    /// refuses a notification it could not deliver.
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
