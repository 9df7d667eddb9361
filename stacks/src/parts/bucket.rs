//! A private bucket, and what can be granted on it.

use serde_json::{Value, json};

use super::policy::Statement;
use crate::{
    emulator::Feature,
    stage::Stage,
    template::{Expression, Part, Reference, RemovalPolicy, Resource, Stack, Text},
};

/// A private bucket: encrypted, owner enforced, public access blocked, TLS only.
#[derive(Debug, Clone)]
pub struct Bucket {
    logical_id: String,
    name: Text,
    properties: Value,
    rules: Vec<Value>,
    depends_on: Vec<String>,
    removal: RemovalPolicy,
    tls_only: bool,
}

/// A bucket's name, known before the bucket exists: what grants, environments and events are made of.
#[derive(Debug, Clone, PartialEq)]
pub struct BucketName(pub Text);

impl BucketName {
    /// The bucket's ARN.
    #[must_use]
    pub fn arn(&self) -> Text {
        self.objects_under("").1
    }

    /// The ARN of every object whose key starts with `prefix`, which ends in `/` or is empty.
    #[must_use]
    pub fn objects(&self, prefix: &str) -> Text {
        self.objects_under(prefix).0
    }

    fn objects_under(&self, prefix: &str) -> (Text, Text) {
        let name = || [("Name", self.0.clone())];
        (
            Expression::sub(&format!("arn:${{AWS::Partition}}:s3:::${{Name}}/{prefix}*"), name()).into(),
            Expression::sub("arn:${AWS::Partition}:s3:::${Name}", name()).into(),
        )
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

    fn grant(&self, objects: &[&str], bucket: &[&str]) -> Vec<Statement> {
        vec![
            Statement::allow(objects.iter().copied(), [self.objects("")]),
            Statement::allow(bucket.iter().copied(), [self.arn()]),
        ]
    }
}

const CRUD: &[&str] =
    &["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"];

impl Bucket {
    /// A bucket called `name`. It stays when its stack is deleted if the stage keeps data.
    #[must_use]
    pub fn new(logical_id: &str, name: &BucketName, stage: &Stage) -> Self {
        Self {
            logical_id: logical_id.to_owned(),
            name: name.0.clone(),
            properties: json!({}),
            rules: Vec::new(),
            depends_on: Vec::new(),
            // On the emulator too: `destroy` keeps what holds data in every stage.
            removal: RemovalPolicy::Retain,
            tls_only: Feature::TlsOnly.is_in(stage),
        }
    }

    /// Keeps old versions of objects.
    #[must_use]
    pub fn versioned(mut self) -> Self {
        self.properties["VersioningConfiguration"] = json!({ "Status": "Enabled" });
        self
    }

    /// Adds a lifecycle rule, in CloudFormation's form without its status.
    #[must_use]
    pub fn lifecycle(mut self, id: &str, mut rule: Value) -> Self {
        rule["Id"] = json!(id);
        rule["Status"] = json!("Enabled");
        self.rules.push(rule);
        self
    }

    /// Lets browsers of these origins use these methods.
    #[must_use]
    pub fn cors(mut self, origins: &[String], methods: &[&str]) -> Self {
        self.properties["CorsConfiguration"] = json!({ "CorsRules": [{
            "AllowedOrigins": origins,
            "AllowedMethods": methods,
            "AllowedHeaders": ["*"],
            "ExposedHeaders": ["ETag"],
            "MaxAge": 3000,
        }] });
        self
    }

    /// Sends `event` to a function's alias. `permission` is the logical ID of what allows S3 to invoke it.
    #[must_use]
    pub fn notify(mut self, event: &str, alias: &Text, permission: &Reference) -> Self {
        self.properties["NotificationConfiguration"] =
            json!({ "LambdaConfigurations": [{ "Event": event, "Function": alias }] });
        self.depends_on.push(permission.logical_id().to_owned());
        self
    }
}

impl Part for Bucket {
    type Handle = Reference;

    fn add_to(self, stack: &mut Stack) -> Reference {
        let mut properties = json!({
            "BucketName": self.name,
            "BucketEncryption": { "ServerSideEncryptionConfiguration": [
                { "ServerSideEncryptionByDefault": { "SSEAlgorithm": "AES256" } },
            ] },
            "OwnershipControls": { "Rules": [{ "ObjectOwnership": "BucketOwnerEnforced" }] },
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": true,
                "BlockPublicPolicy": true,
                "IgnorePublicAcls": true,
                "RestrictPublicBuckets": true,
            },
            "LifecycleConfiguration": { "Rules": self.rules },
        });
        if let (Some(all), Value::Object(more)) = (properties.as_object_mut(), self.properties) {
            all.extend(more);
        }
        let resource = Resource::new("AWS::S3::Bucket", properties).removal(self.removal);
        let resource = self.depends_on.iter().fold(resource, |resource, id| resource.depends_on(id));
        let bucket = stack.resource(&self.logical_id, resource);
        if self.tls_only {
            let arn = bucket.attribute("Arn");
            let policy = json!({
                "Bucket": bucket.id(),
                "PolicyDocument": { "Version": "2012-10-17", "Statement": [{
                    "Sid": "TlsOnly",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:*",
                    "Resource": [arn, Expression::sub("${Arn}/*", [("Arn", bucket.attribute("Arn"))])],
                    "Condition": { "Bool": { "aws:SecureTransport": "false" } },
                }] },
            });
            let policy = Resource::new("AWS::S3::BucketPolicy", policy).removal(self.removal);
            stack.resource(&format!("{}Policy", self.logical_id), policy);
        }
        bucket
    }
}
