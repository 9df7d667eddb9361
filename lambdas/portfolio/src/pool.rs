//! The user pool: signing in, refreshing, signing out. Passwords and tokens are never logged.

use aws_sdk_cognitoidentityprovider::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::{AuthFlowType, AuthenticationResultType, ChallengeNameType},
};

/// The user pool and its client.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    client: Client,
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

impl Pool {
    pub(crate) fn new(client: Client, pool: &str, app_client: &str) -> Self {
        Self { client, pool: pool.to_owned(), app_client: app_client.to_owned() }
    }

    /// Signs in with a password.
    pub(crate) async fn sign_in(&self, email: &str, password: &str) -> Result<SignIn, PoolError> {
        let request = self.client.initiate_auth().client_id(&self.app_client).auth_flow(AuthFlowType::UserPasswordAuth);
        let request = request.auth_parameters("USERNAME", email).auth_parameters("PASSWORD", password);
        let answer = request.send().await.map_err(rejection)?;
        let user = answer.challenge_parameters.as_ref().and_then(|parameters| parameters.get("USER_ID_FOR_SRP"));
        signed_in(answer.authentication_result, answer.challenge_name, answer.session, user.map(String::as_str))
    }

    /// Signs in with the response to a challenge.
    pub(crate) async fn reply(&self, email: &str, session: &str, reply: Reply<'_>) -> Result<SignIn, PoolError> {
        let (user, session) = unpack(session, email);
        let (challenge, field, value) = match reply {
            Reply::NewPassword(password) => (ChallengeNameType::NewPasswordRequired, "NEW_PASSWORD", password),
            Reply::Code(code) => (ChallengeNameType::SoftwareTokenMfa, "SOFTWARE_TOKEN_MFA_CODE", code),
        };
        let request = self.client.respond_to_auth_challenge().client_id(&self.app_client).challenge_name(challenge);
        let request = request.session(session).challenge_responses("USERNAME", user).challenge_responses(field, value);
        let answer = request.send().await.map_err(rejection)?;
        signed_in(answer.authentication_result, answer.challenge_name, answer.session, Some(user))
    }

    /// Exchanges a refresh token for new tokens.
    pub(crate) async fn refresh(&self, token: &str) -> Result<Tokens, PoolError> {
        let request = self.client.initiate_auth().client_id(&self.app_client).auth_flow(AuthFlowType::RefreshTokenAuth);
        let answer = request.auth_parameters("REFRESH_TOKEN", token).send().await.map_err(rejection)?;
        answer.authentication_result.and_then(tokens).ok_or_else(no_tokens)
    }

    /// Ends every session of a user.
    pub(crate) async fn sign_out(&self, username: &str) -> Result<(), PoolError> {
        let request = self.client.admin_user_global_sign_out().user_pool_id(&self.pool).username(username);
        request.send().await.map(|_| ()).map_err(rejection)
    }
}

fn signed_in(
    result: Option<AuthenticationResultType>,
    challenge: Option<ChallengeNameType>,
    session: Option<String>,
    user: Option<&str>,
) -> Result<SignIn, PoolError> {
    if let Some(tokens) = result.and_then(tokens) {
        return Ok(SignIn::Done(tokens));
    }
    let name = challenge.ok_or_else(no_tokens)?;
    let session = pack(user, &session.unwrap_or_default());
    Ok(SignIn::Challenge { name: name.as_str().to_owned(), session })
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

fn tokens(result: AuthenticationResultType) -> Option<Tokens> {
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
fn rejection<E, R>(error: SdkError<E, R>) -> PoolError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
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
