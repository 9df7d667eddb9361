//! The services that are called without their SDK crates.
//!
//! Names, versions and targets are those of the services' Smithy models, which AWS publishes for its SDKs.

use crate::{JsonService, Service};

/// The connections of a WebSocket API, whose endpoint is that of the API's stage.
pub const API_CONNECTIONS: Service = Service::regional("execute-api", "ApiGatewayManagementApi");

/// CloudFront: one endpoint for each partition.
pub const CLOUD_FRONT: Service =
    Service { host: "cloudfront", signing_name: "cloudfront", id: "CloudFront", is_global: true };

/// CloudWatch: metrics and alarms.
pub const CLOUD_WATCH: JsonService =
    Service::regional("monitoring", "CloudWatch").with_json("1.0", "GraniteServiceVersion20100801");

/// CloudWatch Logs: log groups.
pub const CLOUD_WATCH_LOGS: JsonService =
    Service::regional("logs", "CloudWatch Logs").with_json("1.1", "Logs_20140328");

/// Cognito user pools.
pub const COGNITO: JsonService =
    Service::regional("cognito-idp", "Cognito Identity Provider").with_json("1.1", "AWSCognitoIdentityProviderService");

/// DynamoDB, for functions that need no more than a few operations of it.
pub const DYNAMODB: JsonService = Service::regional("dynamodb", "DynamoDB").with_json("1.0", "DynamoDB_20120810");

/// Simple Email Service, version 1: its query protocol suffices to send a mail.
pub const EMAIL: Service = Service { host: "email", signing_name: "ses", id: "SES", is_global: false };

/// EventBridge: event buses.
pub const EVENTS: JsonService = Service::regional("events", "EventBridge").with_json("1.1", "AWSEvents");

/// Key Management Service: keys and data keys.
pub const KEYS: JsonService = Service::regional("kms", "KMS").with_json("1.1", "TrentService");

/// EC2: networks.
pub const NETWORKS: Service = Service::regional("ec2", "EC2");

/// Secrets Manager.
pub const SECRETS_MANAGER: JsonService =
    Service::regional("secretsmanager", "Secrets Manager").with_json("1.1", "secretsmanager");

/// Systems Manager: parameters.
pub const SYSTEMS_MANAGER: JsonService = Service::regional("ssm", "SSM").with_json("1.1", "AmazonSSM");

/// Simple Notification Service: topics.
pub const NOTIFICATIONS: Service = Service::regional("sns", "SNS");

/// Simple Queue Service.
pub const QUEUES: JsonService = Service::regional("sqs", "SQS").with_json("1.0", "AmazonSQS");
