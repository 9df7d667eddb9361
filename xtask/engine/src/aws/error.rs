//! What went wrong in a call to AWS, in our own words.

use std::error::Error as StdError;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use miette::Diagnostic;
use thiserror::Error;

/// A call to AWS failed.
#[derive(Debug, Clone, Error)]
#[error("failed to call {operation}: {message}{}", .code.as_deref().map(|code| format!(" ({code})")).unwrap_or_default())]
pub struct AwsError {
    /// Service and operation, for example `cloudformation:CreateChangeSet`.
    pub operation: &'static str,
    /// What kind of failure it is.
    pub kind: Kind,
    /// AWS's error code.
    pub code: Option<String>,
    /// What AWS, or the way there, says.
    pub message: String,
}

impl AwsError {
    /// A call that took longer than it may.
    #[must_use]
    pub fn late(operation: &'static str, limit: std::time::Duration) -> Self {
        let message = format!("there was no answer within {} s", limit.as_secs());
        Self { operation, kind: Kind::Unreachable, code: None, message }
    }
}

/// What kind of failure it is, as far as it decides what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The thing does not exist.
    NotFound,
    /// The thing, or its state, is in the way.
    Conflict,
    /// Too many calls.
    Throttled,
    /// The caller may not do this.
    AccessDenied,
    /// The caller's credentials have expired.
    ExpiredCredentials,
    /// There are no credentials.
    NoCredentials,
    /// Nobody answered.
    Unreachable,
    /// Anything else.
    Other,
}

impl Diagnostic for AwsError {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        let help = match self.kind {
            Kind::ExpiredCredentials => {
                "sign in again (`aws sso login`, or renew the session), then run the command again"
            }
            Kind::NoCredentials => "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            Kind::AccessDenied => "the caller needs a permission for this operation; the message names it",
            Kind::Unreachable => {
                "check the network; for stage local see `cargo xtask local status` and `cargo xtask local logs`"
            }
            Kind::Throttled => "run the command again: it goes on where this one stopped",
            Kind::NotFound | Kind::Conflict | Kind::Other => return None,
        };
        Some(Box::new(help))
    }
}

/// Turns an SDK error into ours.
pub(crate) fn failed<E, R>(operation: &'static str, error: SdkError<E, R>) -> AwsError
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    match error {
        SdkError::ServiceError(error) => {
            let error = error.into_err();
            let code = error.code().map(str::to_owned);
            let message = error.message().map_or_else(|| error.to_string(), str::to_owned);
            let kind = kind(code.as_deref().unwrap_or_default(), &message);
            AwsError { operation, kind, code, message }
        }
        other => {
            let messages = crate::error::chain(&other);
            let message = messages.last().cloned().unwrap_or_default();
            let credentials =
                messages.iter().any(|message| message.contains("credential") || message.contains("identity"));
            let kind = if credentials { Kind::NoCredentials } else { Kind::Unreachable };
            // What the last of the places that were asked says is no reason by itself.
            let message = if credentials { format!("no credentials were found ({message})") } else { message };
            AwsError { operation, kind, code: None, message }
        }
    }
}

/// Turns a thing that does not exist into `None`.
pub(super) fn if_found<T>(result: Result<T, AwsError>) -> Result<Option<T>, AwsError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Accepts that the thing to delete does not exist.
pub(super) fn gone_is_fine<T>(result: Result<T, AwsError>) -> Result<(), AwsError> {
    if_found(result).map(drop)
}

/// By the code; CloudFormation says "does not exist" only in the message of a `ValidationError`.
fn kind(code: &str, message: &str) -> Kind {
    match code {
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" | "TokenRefreshRequired" => {
            Kind::ExpiredCredentials
        }
        "InvalidClientTokenId" | "UnrecognizedClientException" | "InvalidAccessKeyId" | "SignatureDoesNotMatch" => {
            Kind::NoCredentials
        }
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => Kind::AccessDenied,
        "Throttling" | "ThrottlingException" | "TooManyRequestsException" | "RequestLimitExceeded" | "SlowDown" => {
            Kind::Throttled
        }
        "ResourceNotFoundException"
        | "NotFoundException"
        | "NoSuchKey"
        | "NoSuchBucket"
        | "NotFound"
        | "ChangeSetNotFound"
        | "ChangeSetNotFoundException"
        | "NoSuchEntity" => Kind::NotFound,
        "ResourceConflictException"
        | "OperationInProgressException"
        | "AlreadyExistsException"
        | "ConflictException"
        | "ConditionalRequestConflict"
        | "UsernameExistsException"
        | "PreconditionFailed" => Kind::Conflict,
        _ if message.contains("does not exist") => Kind::NotFound,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_messages_are_understood() {
        assert_eq!(kind("ValidationError", "Stack with id x does not exist"), Kind::NotFound);
        assert_eq!(
            kind("ExpiredToken", "The security token included in the request is expired"),
            Kind::ExpiredCredentials
        );
        assert_eq!(kind("ValidationError", "Template format error"), Kind::Other);
    }
}
