//! The user pool: signing in, refreshing, signing out. Passwords and tokens are never logged.

use std::collections::HashMap;

use aws_call::{Call, CallError, services::COGNITO};
use aws_config::SdkConfig;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use serde::Deserialize;
use serde_json::{Value, json};

/// The user pool and its client.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    config: SdkConfig,
    pool: String,
    app_client: String,
}

/// Tokens of the pool.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) id: String,
    pub(crate) access: String,
    /// None if the sent one stays valid.
    pub(crate) refresh: Option<String>,
    /// In seconds.
    pub(crate) expires_in: i32,
}

/// The result of signing in.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum SignIn {
    Done(Tokens),
    /// The pool requires another step.
    Challenge {
        /// Cognito's name of the challenge.
        name: String,
        /// To be sent with the response.
        session: String,
    },
}

/// The response to a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply<'a> {
    /// A new password instead of the temporary one.
    NewPassword(&'a str),
    /// The code of the authenticator.
    Code(&'a str),
}

/// Why the pool rejected a request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PoolError {
    /// The password, code or token is wrong, or the user does not exist.
    #[error("the credentials are wrong")]
    Credentials,
    #[error("the account is disabled")]
    Disabled,
    #[error("the account has not been confirmed")]
    Unconfirmed,
    #[error("the user pool rejected a value: {0}")]
    Parameter(String),
    #[error("the new password was rejected: {0}")]
    Password(String),
    #[error("there were too many attempts")]
    TooMany,
    #[error("failed to call the user pool")]
    Other(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A response of `InitiateAuth` or `RespondToAuthChallenge` (Cognito user pools API reference).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    authentication_result: Option<AuthenticationResult>,
    challenge_name: Option<String>,
    #[serde(default)]
    challenge_parameters: HashMap<String, String>,
    session: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AuthenticationResult {
    access_token: Option<String>,
    #[serde(default)]
    expires_in: i32,
    id_token: Option<String>,
    refresh_token: Option<String>,
}

impl Pool {
    pub(crate) fn new(config: SdkConfig, pool: &str, app_client: &str) -> Self {
        Self { config, pool: pool.to_owned(), app_client: app_client.to_owned() }
    }

    /// Signs in with a password.
    pub(crate) async fn sign_in(&self, email: &str, password: &str) -> Result<SignIn, PoolError> {
        let parameters = json!({ "USERNAME": email, "PASSWORD": password });
        let answer = self.initiate("USER_PASSWORD_AUTH", &parameters).await?;
        let user = answer.challenge_parameters.get("USER_ID_FOR_SRP").cloned();
        signed_in(answer, user.as_deref())
    }

    /// Signs in with the response to a challenge.
    pub(crate) async fn reply(&self, email: &str, session: &str, reply: Reply<'_>) -> Result<SignIn, PoolError> {
        let (user, session) = unpack(session, email);
        let (challenge, field, value) = match reply {
            Reply::NewPassword(password) => ("NEW_PASSWORD_REQUIRED", "NEW_PASSWORD", password),
            Reply::Code(code) => ("SOFTWARE_TOKEN_MFA", "SOFTWARE_TOKEN_MFA_CODE", code),
        };
        let input = json!({
            "ClientId": self.app_client,
            "ChallengeName": challenge,
            "Session": session,
            "ChallengeResponses": { "USERNAME": user, field: value },
        });
        signed_in(self.ask("RespondToAuthChallenge", &input).await?, Some(user))
    }

    /// Exchanges a refresh token for new tokens.
    pub(crate) async fn refresh(&self, token: &str) -> Result<Tokens, PoolError> {
        let answer = self.initiate("REFRESH_TOKEN_AUTH", &json!({ "REFRESH_TOKEN": token })).await?;
        answer.authentication_result.and_then(tokens).ok_or_else(no_tokens)
    }

    /// Ends every session of a user.
    pub(crate) async fn sign_out(&self, username: &str) -> Result<(), PoolError> {
        let input = json!({ "UserPoolId": self.pool, "Username": username });
        let call = Call::json(COGNITO, "AdminUserGlobalSignOut", &input);
        call.send(&self.config).await.map(drop).map_err(rejection)
    }

    async fn initiate(&self, flow: &str, parameters: &Value) -> Result<Answer, PoolError> {
        let input = json!({ "ClientId": self.app_client, "AuthFlow": flow, "AuthParameters": parameters });
        self.ask("InitiateAuth", &input).await
    }

    /// Calls an operation of apps, which the pool answers without credentials of AWS.
    async fn ask(&self, operation: &'static str, input: &Value) -> Result<Answer, PoolError> {
        Call::json(COGNITO, operation, input).unsigned().receive(&self.config).await.map_err(rejection)
    }
}

fn signed_in(answer: Answer, user: Option<&str>) -> Result<SignIn, PoolError> {
    if let Some(tokens) = answer.authentication_result.and_then(tokens) {
        return Ok(SignIn::Done(tokens));
    }
    let name = answer.challenge_name.ok_or_else(no_tokens)?;
    let session = pack(user, &answer.session.unwrap_or_default());
    Ok(SignIn::Challenge { name, session })
}

/// Adds the user's name in the pool, which a response to a challenge needs and the client does not know, to the session
/// that the client sends back. Cognito checks that the two belong together.
fn pack(user: Option<&str>, session: &str) -> String {
    user.map_or_else(|| session.to_owned(), |user| format!("{user}:{session}"))
}

/// Splits a packed session into user and session. Cognito's own sessions have no colon.
pub(crate) fn unpack<'a>(packed: &'a str, email: &'a str) -> (&'a str, &'a str) {
    packed.split_once(':').unwrap_or((email, packed))
}

fn tokens(result: AuthenticationResult) -> Option<Tokens> {
    Some(Tokens {
        expires_in: result.expires_in,
        id: result.id_token?,
        access: result.access_token?,
        refresh: result.refresh_token,
    })
}

fn no_tokens() -> PoolError {
    PoolError::Other("the user pool gave neither tokens nor a challenge".into())
}

/// Converts an error of the pool. The codes are those of
/// <https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_InitiateAuth.html>.
fn rejection(error: CallError) -> PoolError {
    let service = error.as_service_error();
    let message = service.and_then(ProvideErrorMetadata::message).unwrap_or_default().to_owned();
    match service.and_then(ProvideErrorMetadata::code).unwrap_or_default() {
        "NotAuthorizedException" if message.to_lowercase().contains("disabled") => PoolError::Disabled,
        "NotAuthorizedException" | "UserNotFoundException" | "CodeMismatchException" | "ExpiredCodeException" => {
            PoolError::Credentials
        }
        "UserNotConfirmedException" => PoolError::Unconfirmed,
        "InvalidParameterException" => PoolError::Parameter(message),
        "InvalidPasswordException" | "PasswordHistoryPolicyViolationException" => PoolError::Password(message),
        "TooManyRequestsException" | "LimitExceededException" | "TooManyFailedAttemptsException" => PoolError::TooMany,
        _ => PoolError::Other(Box::new(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenges_session_contains_the_user() {
        let packed = pack(Some("0a1b-2c3d"), "AYABeC-_=");
        assert_eq!(unpack(&packed, "owner@example.com"), ("0a1b-2c3d", "AYABeC-_="));
        assert_eq!(unpack("AYABeC-_=", "owner@example.com"), ("owner@example.com", "AYABeC-_="));
        assert_eq!(pack(None, "AYABeC"), "AYABeC");
    }
}
