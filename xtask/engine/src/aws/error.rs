//! Errors of calls to AWS.

use std::error::Error as StdError;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use miette::Diagnostic;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::Resource;
use crate::network;

/// The code of a call that Lambda refuses while another operation on the function is in progress.
pub(super) const BUSY_FUNCTION: &str = "ResourceConflictException";

/// A call to AWS failed.
#[derive(Debug, Clone, Error)]
#[error("failed to call {operation}{}: {message}{}", .resource.beside(.message), in_brackets(.code.as_deref()))]
pub struct AwsError {
    /// Service and operation, for example `cloudformation:CreateChangeSet`.
    pub operation: &'static str,
    /// The resource that the call is about.
    pub resource: Box<Resource>,
    /// The class of the failure.
    pub kind: ErrorKind,
    /// AWS's error code.
    pub code: Option<Box<str>>,
    /// The message of AWS or of the network.
    pub message: String,
}

impl AwsError {
    /// Leaves out the resource as far as `outer` names it: the message of an error with this one as its cause.
    #[must_use]
    pub(crate) fn below(mut self, outer: &str) -> Self {
        *self.resource = self.resource.beside(outer);
        self
    }

    /// The error of a call that exceeded its time limit.
    #[must_use]
    pub fn late(operation: &'static str, resource: Resource, limit: std::time::Duration) -> Self {
        let (resource, message) = (Box::new(resource), format!("there was no response within {} s", limit.as_secs()));
        Self { operation, resource, kind: ErrorKind::Unreachable, code: None, message }
    }
}

fn in_brackets(code: Option<&str>) -> String {
    code.map(|code| format!(" ({code})")).unwrap_or_default()
}

/// The classes of failures that callers distinguish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The thing does not exist.
    NotFound,
    /// The thing exists already, or its state forbids the call.
    Conflict,
    /// Too many calls.
    Throttled,
    /// The caller may not do this.
    AccessDenied,
    /// The caller's credentials have expired.
    ExpiredCredentials,
    /// There are no credentials.
    NoCredentials,
    /// There was no response.
    Unreachable,
    /// The server's certificate is signed by none of the trusted ones: a proxy may have replaced it.
    Untrusted,
    /// Any other failure.
    Other,
}

impl Diagnostic for AwsError {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        let help = match self.kind {
            ErrorKind::ExpiredCredentials => {
                "sign in again (`aws sso login`, or renew the session), then run the command again"
            }
            ErrorKind::NoCredentials => "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            ErrorKind::AccessDenied => "grant the caller the permission for this operation; the message names both",
            ErrorKind::Untrusted => {
                "set AWS_CA_BUNDLE to a PEM file with the root certificate that signs the connections of this network"
            }
            ErrorKind::Unreachable => return Some(Box::new(unreachable_help())),
            ErrorKind::Throttled => "run the command again: it resumes where this one stopped",
            ErrorKind::Conflict if self.code.as_deref() == Some(BUSY_FUNCTION) => {
                "wait until the other operation on the function ends, then run the same command again"
            }
            // Another run may have changed the resource meanwhile, or AWS failed.
            ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::Other => {
                "run the same command again; if it fails again, fix the cause that the message names"
            }
        };
        Some(Box::new(help))
    }
}

fn unreachable_help() -> String {
    match network::proxy_variable() {
        Some(variable) => format!("check the network, and the proxy that {variable} names"),
        None => "check the network; for stage local, check `cargo xtask local status` and `cargo xtask local logs`"
            .to_owned(),
    }
}

/// Converts an error of the SDK. The only way to do so, so no call can omit its resource.
pub(crate) fn failed<E, R>(operation: &'static str, resource: Resource) -> impl FnOnce(SdkError<E, R>) -> AwsError
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let resource = Box::new(resource);
    move |error| match error {
        SdkError::ServiceError(error) => {
            let error = error.into_err();
            let code = error.code().map(Box::from);
            let message = error.message().map_or_else(|| error.to_string(), str::to_owned);
            let kind = kind(code.as_deref().unwrap_or_default(), &message);
            AwsError { operation, resource, kind, code, message }
        }
        other => {
            let messages = crate::error::chain(&other);
            let (kind, message) = without_response(&messages);
            AwsError { operation, resource, kind, code: None, message }
        }
    }
}

/// Returns the operation in `service:Operation`, the form in which errors name calls.
pub(super) fn operation_name(operation: &'static str) -> &'static str {
    operation.split_once(':').map_or(operation, |(_, name)| name)
}

/// Reads a response in JSON.
pub(super) fn read<T: DeserializeOwned>(
    operation: &'static str,
    resource: Resource,
    body: &[u8],
) -> Result<T, AwsError> {
    serde_json::from_slice(body).map_err(|error| {
        let message = format!("the response is not what the API reference describes: {error}");
        AwsError { operation, resource: Box::new(resource), kind: ErrorKind::Other, code: None, message }
    })
}

/// Classifies an error without a response of the service, by the messages of its chain.
fn without_response(messages: &[String]) -> (ErrorKind, String) {
    let cause = messages.last().cloned().unwrap_or_default();
    let is_any = |messages: &[String], words: &[&str]| {
        messages.iter().any(|message| words.iter().any(|word| message.contains(word)))
    };
    if is_any(messages, &["UnknownIssuer", "invalid peer certificate"]) {
        return (ErrorKind::Untrusted, cause);
    }
    let credentials =
        messages.iter().position(|message| message.contains("credential") || message.contains("identity"));
    match credentials {
        // The source of the credentials was called, and did not respond.
        Some(at) if is_any(&messages[at + 1..], &["dispatch failure", "timeout", "timed out"]) => {
            (ErrorKind::Unreachable, format!("the source of the credentials does not respond ({cause})"))
        }
        // The last source of the chain only says why it has none.
        Some(_) => (ErrorKind::NoCredentials, format!("no credentials were found ({cause})")),
        None => (ErrorKind::Unreachable, cause),
    }
}

/// Turns a thing that does not exist into `None`.
pub(super) fn if_found<T>(result: Result<T, AwsError>) -> Result<Option<T>, AwsError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns `None` if the caller may not make the call.
pub(crate) fn if_allowed<T>(result: Result<T, AwsError>) -> Result<Option<T>, AwsError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind == ErrorKind::AccessDenied => Ok(None),
        Err(error) => Err(error),
    }
}

/// Accepts that the thing to delete does not exist.
pub(super) fn gone_is_fine<T>(result: Result<T, AwsError>) -> Result<(), AwsError> {
    if_found(result).map(drop)
}

/// Classifies by the code. Of CloudFormation, only the message of a `ValidationError` says "does not exist".
fn kind(code: &str, message: &str) -> ErrorKind {
    match code {
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" | "TokenRefreshRequired" => {
            ErrorKind::ExpiredCredentials
        }
        "InvalidClientTokenId" | "UnrecognizedClientException" | "InvalidAccessKeyId" | "SignatureDoesNotMatch" => {
            ErrorKind::NoCredentials
        }
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => ErrorKind::AccessDenied,
        "Throttling" | "ThrottlingException" | "TooManyRequestsException" | "RequestLimitExceeded" | "SlowDown" => {
            ErrorKind::Throttled
        }
        "ResourceNotFoundException"
        | "NotFoundException"
        | "NoSuchKey"
        | "NoSuchBucket"
        | "NotFound"
        | "ChangeSetNotFound"
        | "ChangeSetNotFoundException"
        | "NoSuchEntity" => ErrorKind::NotFound,
        "ResourceConflictException"
        | "OperationInProgressException"
        | "AlreadyExistsException"
        | "ConflictException"
        | "ConditionalRequestConflict"
        | "UsernameExistsException"
        | "PreconditionFailed"
        | "PreconditionFailedException" => ErrorKind::Conflict,
        _ if message.contains("does not exist") => ErrorKind::NotFound,
        _ => ErrorKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_resource_once_and_has_a_next_step() {
        let error = |message: &str| AwsError {
            operation: "cloudformation:GetTemplate",
            resource: Box::new(Resource::stack("notes-api-dev")),
            kind: ErrorKind::Other,
            code: Some("ValidationError".into()),
            message: message.to_owned(),
        };
        for (error, expected) in [
            (
                error("busy"),
                "failed to call cloudformation:GetTemplate for stack notes-api-dev: busy (ValidationError)",
            ),
            (
                error("Stack notes-api-dev is busy"),
                "failed to call cloudformation:GetTemplate: Stack notes-api-dev is busy (ValidationError)",
            ),
            (
                error("busy").below("failed to deploy notes-api-dev"),
                "failed to call cloudformation:GetTemplate: busy (ValidationError)",
            ),
        ] {
            assert_eq!(error.to_string(), expected);
        }
        assert!(error("busy").help().is_some_and(|help| help.to_string().starts_with("run the same command again")));
    }

    #[test]
    fn codes_and_messages_are_classified() {
        assert_eq!(kind("ValidationError", "Stack with id x does not exist"), ErrorKind::NotFound);
        assert_eq!(
            kind("ExpiredToken", "The security token included in the request is expired"),
            ErrorKind::ExpiredCredentials
        );
        assert_eq!(kind("ValidationError", "Template format error"), ErrorKind::Other);
    }

    #[test]
    fn a_call_without_a_response_is_classified_by_its_causes() {
        let of = |messages: &[&str]| {
            let messages: Vec<_> = messages.iter().map(|message| (*message).to_owned()).collect();
            without_response(&messages).0
        };
        assert_eq!(of(&["dispatch failure", "io error", "connection refused"]), ErrorKind::Unreachable);
        assert_eq!(
            of(&[
                "dispatch failure",
                "other",
                "an error occurred while loading credentials",
                "the SSO token has expired"
            ]),
            ErrorKind::NoCredentials
        );
        let portal =
            ["dispatch failure", "an error occurred while loading credentials", "dispatch failure", "dns error"];
        assert_eq!(of(&portal), ErrorKind::Unreachable);
        let certificate = ["dispatch failure", "io error", "invalid peer certificate: UnknownIssuer"];
        assert_eq!(of(&certificate), ErrorKind::Untrusted);
    }
}
