//! The features that stage `local`, and a rehearsal of another stage, omit: the declared difference between the
//! emulator and AWS.
//!
//! Observed in MiniStack 1.5.33. Features that it accepts and ignores stay in the templates, because they do no harm:
//! lifecycle rules of buckets (objects do not expire or change their storage class, and the bucket has no lifecycle configuration),
//! headers that a presigned URL sets for a version of an object, kinds of characters that a generated secret excludes, expiry of
//! items and recovery of tables, retries and dead-letter queues of event rules (an event whose function fails is lost),
//! batching windows of event source mappings, splitting of failed batches of a stream, request validators (methods do not keep
//! theirs), tracing, reserved concurrency of functions, CloudFront's cache (requests are served, and invalidations are listed), and
//! networks: functions in a VPC reach the same services as others, subnets and security groups need not exist, and endpoints have
//! no effect. Throttles of REST APIs are enforced, so stage files set higher ones for it; those of HTTP APIs are not. JWT
//! authorizers, authorizers of functions and their TTL work as in AWS. An HTTP API refuses the preflight of an unknown origin with
//! status 403, and AWS answers it without CORS headers.
//!
//! Event buses, rules with patterns, filters, partial batch failures, the maximum concurrency of queues, streams of tables and
//! their failure destinations work.
//!
//! WebSocket APIs work, with these differences: the emulator sends the body that a message's function returns to the client
//! (AWS does so only for routes with a route response), refuses a connection with status 403 and no body where the function of
//! `$connect` does, and does not end connections after two hours or ten idle minutes.

use crate::stage::Stage;

/// The path at which the emulator serves an API: its ID and its stage follow (`_parse_execute_api_url`). The names of hosts that it
/// gives APIs are known to this machine's resolvers only if they know every name below `localhost`.
pub const API_PATH: &str = "/_aws/execute-api/";

/// A feature that the emulator does not support.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// `AWS::ApiGateway::Account` and access logs: account-wide settings without effect on the emulator.
    AccessLogs,
    /// The names of an HTTP API's CORS configuration: the emulator reads those of API Gateway's own API (`allowOrigins`) from a template.
    CorsNames,
    /// `AWS::Lambda::EventInvokeConfig`: the emulator retries in its own way, which would hide a failing function.
    EventInvokeConfig,
    /// Hosts of their own for APIs: the emulator serves them below [`API_PATH`].
    ApiHosts,
    /// Alarms on metric math: they make the stack fail.
    MetricMath,
    /// `AWS::IAM::OIDCProvider`: an unknown type.
    OidcProvider,
    /// `AWS::ResourceGroups::Group`: an unknown type.
    ResourceGroups,
    /// References to secrets through Parameter Store, under `/aws/reference/secretsmanager`: the parameters do not exist.
    SecretReferences,
    /// Policies of buckets, queues and topics that deny requests without TLS: the emulator serves HTTP only.
    TlsOnly,
    /// The account's settings of SMS: `sns:GetSMSAttributes` is an unknown operation, and no message is sent.
    SmsAttributes,
    /// `AWS::Cognito::UserPoolUser`: an unknown type.
    UserPoolUsers,
    /// Web ACLs: `AWS::WAFv2::WebACLAssociation` is an unknown type, and without it an ACL has no effect.
    WebAcls,
}

impl Feature {
    /// Returns whether the stage uses the feature.
    #[must_use]
    pub fn is_in(self, stage: &Stage) -> bool {
        !stage.is_local() && !stage.emulated
    }
}
