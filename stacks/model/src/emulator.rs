//! What stage `local`, and a rehearsal of another, leaves out, each with its reason: the declared difference between the emulator and AWS.
//!
//! Seen in MiniStack 1.5.33. What it accepts and ignores stays in the templates, because it does no harm there: bucket
//! lifecycle rules (nothing expires, and the bucket has no lifecycle configuration), expiry of items and recovery of tables,
//! request validators (methods do not keep theirs), tracing, and what CloudFront would cache (it serves, and keeps a list of what
//! was invalidated). Throttling is real there, so stage files ask for less of it.

use crate::stage::Stage;

/// Something the emulator does not have, or cannot be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// `AWS::ApiGateway::Account` and access logs: account-wide settings that nothing local reads.
    AccessLogs,
    /// `AWS::Lambda::EventInvokeConfig`: the emulator has retries of its own, which would hide a failing function.
    EventInvokeConfig,
    /// Alarms on what is computed from several metrics: they fail the stack.
    MetricMath,
    /// `AWS::IAM::OIDCProvider`: the emulator's CloudFormation does not know it.
    OidcProvider,
    /// `AWS::ResourceGroups::Group`: an unknown type.
    ResourceGroups,
    /// Secrets that Parameter Store shows under `/aws/reference/secretsmanager`: no such parameters.
    SecretReferences,
    /// Policies of buckets and queues that deny requests without TLS: the emulator speaks http.
    TlsOnly,
    /// `AWS::Cognito::UserPoolUser`: an unknown type.
    UserPoolUsers,
    /// Web ACLs: `AWS::WAFv2::WebACLAssociation` is an unknown type, and without it an ACL guards nothing.
    WebAcls,
}

impl Feature {
    /// Is the feature used in this stage?
    #[must_use]
    pub fn is_in(self, stage: &Stage) -> bool {
        !stage.is_local() && !stage.emulated
    }
}
