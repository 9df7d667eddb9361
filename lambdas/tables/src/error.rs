//! The error of a call to AWS.

use aws_sdk_dynamodb::error::DisplayErrorContext;

/// A failed call to AWS, or an unexpected answer or stored value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to {action}: {cause}")]
pub struct AwsError {
    /// The action, such as `read notes-local`.
    pub action: String,
    /// The whole chain of causes.
    pub cause: String,
}

impl AwsError {
    /// Describes a failed call. The `Display` of an SDK error prints only its outermost layer, so the whole chain is kept.
    pub fn new(action: impl Into<String>, error: &(impl std::error::Error + 'static)) -> Self {
        Self { action: action.into(), cause: DisplayErrorContext(error).to_string() }
    }

    /// Describes an answer or a stored value that should not occur.
    pub fn unexpected(action: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { action: action.into(), cause: cause.into() }
    }
}
