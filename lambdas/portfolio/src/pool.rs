//! The user pool: signing in, refreshing, signing out. Passwords and tokens pass through and are never logged.

use aws_sdk_cognitoidentityprovider::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::{AuthFlowType, AuthenticationResultType, ChallengeNameType},
};

/// The user pool and the client that reaches it.
#[derive(Debug, Clone)]
pub struct Pool {
    client: Client,
    pool: String,
    app_client: String,
}

/// Tokens as the pool hands them out.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are OAuth's")]
pub struct Tokens {
    pub id: String,
    pub access: String,
    /// None where the one that was sent stays good.
    pub refresh: Option<String>,
    /// In seconds.
    pub expires_in: i32,
}

/// What came of signing in.
#[derive(Clone, PartialEq, Eq)]
pub enum SignIn {
    /// It worked.
    Done(Tokens),
    /// The pool wants to know more first.
    Challenge {
        /// What: Cognito's name.
        name: String,
        /// What the answer must come with.
        session: String,
    },
}

/// The answer to a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply<'a> {
    /// A password of the user's own, for the temporary one.
    NewPassword(&'a str),
    /// The code of the user's authenticator.
    Code(&'a str),
}

/// Why the pool refused.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The password, code or token is wrong, or nobody has that name.
    #[error("the credentials are wrong")]
    Credentials,
    /// The user has been disabled.
    #[error("the account is disabled")]
    Disabled,
    /// The user has not confirmed the account.
    #[error("the account has not been confirmed")]
    Unconfirmed,
    /// The pool does not take such a value.
    #[error("the user pool refused a value: {0}")]
    Parameter(String),
    /// The new password is too weak.
    #[error("the new password was refused: {0}")]
    Password(String),
    /// Too many tries.
    #[error("there were too many attempts")]
    TooMany,
    /// Anything else.
    #[error("failed to ask the user pool")]
    Other(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Pool {
    /// The pool with this id, on behalf of its client `app_client`.
    #[must_use]
    pub fn new(client: Client, pool: &str, app_client: &str) -> Self {
        Self { client, pool: pool.to_owned(), app_client: app_client.to_owned() }
    }

    /// Signs in with a password.
    ///
    /// # Errors
    /// Why the pool refused.
    pub async fn sign_in(&self, email: &str, password: &str) -> Result<SignIn, PoolError> {
        let request = self.client.initiate_auth().client_id(&self.app_client).auth_flow(AuthFlowType::UserPasswordAuth);
        let request = request.auth_parameters("USERNAME", email).auth_parameters("PASSWORD", password);
        let answer = request.send().await.map_err(refused)?;
        let user = answer.challenge_parameters.as_ref().and_then(|parameters| parameters.get("USER_ID_FOR_SRP"));
        signed_in(answer.authentication_result, answer.challenge_name, answer.session, user.map(String::as_str))
    }

    /// Signs in with what a challenge asked for.
    ///
    /// # Errors
    /// Why the pool refused.
    pub async fn reply(&self, email: &str, session: &str, reply: Reply<'_>) -> Result<SignIn, PoolError> {
        let (user, session) = unpack(session, email);
        let (challenge, field, value) = match reply {
            Reply::NewPassword(password) => (ChallengeNameType::NewPasswordRequired, "NEW_PASSWORD", password),
            Reply::Code(code) => (ChallengeNameType::SoftwareTokenMfa, "SOFTWARE_TOKEN_MFA_CODE", code),
        };
        let request = self.client.respond_to_auth_challenge().client_id(&self.app_client).challenge_name(challenge);
        let request = request.session(session).challenge_responses("USERNAME", user).challenge_responses(field, value);
        let answer = request.send().await.map_err(refused)?;
        signed_in(answer.authentication_result, answer.challenge_name, answer.session, Some(user))
    }

    /// New tokens for a refresh token.
    ///
    /// # Errors
    /// Why the pool refused.
    pub async fn refresh(&self, token: &str) -> Result<Tokens, PoolError> {
        let request = self.client.initiate_auth().client_id(&self.app_client).auth_flow(AuthFlowType::RefreshTokenAuth);
        let answer = request.auth_parameters("REFRESH_TOKEN", token).send().await.map_err(refused)?;
        answer.authentication_result.and_then(tokens).ok_or_else(no_tokens)
    }

    /// Ends every session of a user.
    ///
    /// # Errors
    /// Why the pool refused.
    pub async fn sign_out(&self, username: &str) -> Result<(), PoolError> {
        let request = self.client.admin_user_global_sign_out().user_pool_id(&self.pool).username(username);
        request.send().await.map(|_| ()).map_err(refused)
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

/// A challenge must be answered in the user's name in the pool, which is not the address the client knows: the session
/// that the client sends back carries it. Cognito checks that the two belong together.
fn pack(user: Option<&str>, session: &str) -> String {
    user.map_or_else(|| session.to_owned(), |user| format!("{user}:{session}"))
}

/// The user and the session of a packed one. Cognito's own sessions have no colon.
fn unpack<'a>(packed: &'a str, email: &'a str) -> (&'a str, &'a str) {
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

/// What the pool's error means. The codes are those of
/// <https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_InitiateAuth.html>.
fn refused<E, R>(error: SdkError<E, R>) -> PoolError
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
    fn a_challenges_session_brings_the_user_back() {
        let packed = pack(Some("0a1b-2c3d"), "AYABeC-_=");
        assert_eq!(unpack(&packed, "owner@example.com"), ("0a1b-2c3d", "AYABeC-_="));
        assert_eq!(unpack("AYABeC-_=", "owner@example.com"), ("owner@example.com", "AYABeC-_="));
        assert_eq!(pack(None, "AYABeC"), "AYABeC");
    }
}
