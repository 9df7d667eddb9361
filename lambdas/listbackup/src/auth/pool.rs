//! The user pool: its users, their passwords and second factors. Passwords, codes and tokens are never logged.

use aws_call::{Call, CallError, services::COGNITO};
use aws_config::SdkConfig;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use common::token::Unverified;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// The challenge of a user with a second factor.
const CODE_CHALLENGE: &str = "SOFTWARE_TOKEN_MFA";

/// The user pool and its client.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    config: SdkConfig,
    id: String,
    client: String,
}

/// A user who has signed in to the pool.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SignedIn {
    pub(crate) id_token: String,
    /// Of the pool, for its operations about the user's own second factor.
    pub(crate) access_token: String,
}

/// The result of a correct password.
pub(crate) enum SignIn {
    Done(SignedIn),
    /// The pool requires a code of the second factor.
    Code(Challenge),
}

/// The pool's question for a code.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// The user's name in the pool.
    username: String,
    session: String,
}

/// Why the pool refused a request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PoolError {
    /// The password or the token is wrong, or the user does not exist or is disabled.
    #[error("the credentials are wrong")]
    Credentials,
    /// The code is wrong, expired or used.
    #[error("the code is wrong")]
    Code,
    #[error("the user has not confirmed the e-mail address")]
    Unconfirmed,
    #[error("a user with this e-mail address exists")]
    Exists,
    /// The password does not meet the policy; the text is the pool's.
    #[error("the password was refused: {0}")]
    Password(String),
    /// Another value has a form that the pool does not accept; the text is the pool's.
    #[error("a value was refused: {0}")]
    Parameter(String),
    #[error("there were too many attempts")]
    TooMany,
    #[error("failed to call the user pool")]
    Other(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A response of `AdminInitiateAuth` or `AdminRespondToAuthChallenge` (Cognito user pools API reference).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    authentication_result: Option<AuthenticationResult>,
    challenge_name: Option<String>,
    #[serde(default)]
    challenge_parameters: Value,
    session: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AuthenticationResult {
    access_token: Option<String>,
    id_token: Option<String>,
}

/// A response of `AdminCreateUser`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Created {
    user: CreatedUser,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreatedUser {
    #[serde(default)]
    attributes: Vec<Attribute>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    name: String,
    #[serde(default)]
    value: String,
}

/// A response of `AssociateSoftwareToken`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Associated {
    secret_code: String,
}

impl Pool {
    pub(crate) fn new(config: SdkConfig, id: String, client: String) -> Self {
        Self { config, id, client }
    }

    /// Creates a user and returns the pool's `sub`. The password is passed as a temporary one, so that the pool refuses a password
    /// against its policy before the user exists. No invitation is sent.
    pub(crate) async fn create(&self, email: &str, name: &str, password: &str) -> Result<String, PoolError> {
        let input = json!({
            "UserPoolId": self.id,
            "Username": email,
            "TemporaryPassword": password,
            "MessageAction": "SUPPRESS",
            "UserAttributes": [{ "Name": "email", "Value": email }, { "Name": "name", "Value": name }],
        });
        let created: Created = self.call("AdminCreateUser", &input).await?;
        let sub = created.user.attributes.into_iter().find(|attribute| attribute.name == "sub");
        sub.map(|attribute| attribute.value).ok_or_else(|| unexpected("the user pool gave a user without a sub"))
    }

    /// Makes a user's password permanent, so that signing in needs no further step.
    pub(crate) async fn set_password(&self, username: &str, password: &str) -> Result<(), PoolError> {
        let input = json!({ "UserPoolId": self.id, "Username": username, "Password": password, "Permanent": true });
        self.call("AdminSetUserPassword", &input).await.map(|_: Value| ())
    }

    /// Deletes a user.
    pub(crate) async fn delete(&self, username: &str) -> Result<(), PoolError> {
        let input = json!({ "UserPoolId": self.id, "Username": username });
        Call::json(COGNITO, "AdminDeleteUser", &input).send(&self.config).await.map(drop).map_err(refusal)
    }

    /// Signs in with a password.
    pub(crate) async fn sign_in(&self, email: &str, password: &str) -> Result<SignIn, PoolError> {
        let input = json!({
            "UserPoolId": self.id,
            "ClientId": self.client,
            "AuthFlow": "ADMIN_USER_PASSWORD_AUTH",
            "AuthParameters": { "USERNAME": email, "PASSWORD": password },
        });
        let answer: Answer = self.call("AdminInitiateAuth", &input).await?;
        match answer.challenge_name.as_deref() {
            Some(CODE_CHALLENGE) => {
                let username = answer.challenge_parameters["USER_ID_FOR_SRP"].as_str().unwrap_or(email).to_owned();
                Ok(SignIn::Code(Challenge { username, session: answer.session.unwrap_or_default() }))
            }
            // A user whose password is still the temporary one: the registration has not ended.
            Some("NEW_PASSWORD_REQUIRED") => Err(PoolError::Credentials),
            Some(_) => Err(unexpected("the user pool asks for a step that no client can take")),
            None => signed_in(answer).map(SignIn::Done),
        }
    }

    /// Answers the pool's question for a code.
    pub(crate) async fn answer(&self, challenge: &Challenge, code: &str) -> Result<SignedIn, PoolError> {
        let input = json!({
            "UserPoolId": self.id,
            "ClientId": self.client,
            "ChallengeName": CODE_CHALLENGE,
            "Session": challenge.session,
            "ChallengeResponses": { "USERNAME": challenge.username, "SOFTWARE_TOKEN_MFA_CODE": code },
        });
        match self.call("AdminRespondToAuthChallenge", &input).await {
            Ok(answer) => signed_in(answer),
            // The password was right, so the session has expired or the code was used before.
            Err(PoolError::Credentials) => Err(PoolError::Code),
            Err(error) => Err(error),
        }
    }

    /// Ends every session of a user in the pool.
    pub(crate) async fn sign_out(&self, username: &str) -> Result<(), PoolError> {
        let input = json!({ "UserPoolId": self.id, "Username": username });
        Call::json(COGNITO, "AdminUserGlobalSignOut", &input).send(&self.config).await.map(drop).map_err(refusal)
    }

    /// Begins the setup of a second factor, and returns its secret.
    pub(crate) async fn associate(&self, user: &SignedIn) -> Result<String, PoolError> {
        let input = json!({ "AccessToken": user.access_token });
        self.call_of_user::<Associated>("AssociateSoftwareToken", &input).await.map(|answer| answer.secret_code)
    }

    /// Compares a code with the secret of a setup.
    pub(crate) async fn verify(&self, user: &SignedIn, code: &str) -> Result<(), PoolError> {
        let input = json!({ "AccessToken": user.access_token, "UserCode": code });
        let answer: Value = self.call_of_user("VerifySoftwareToken", &input).await?;
        if answer["Status"] == "SUCCESS" { Ok(()) } else { Err(PoolError::Code) }
    }

    /// Requires the second factor from now on.
    pub(crate) async fn require_code(&self, username: &str) -> Result<(), PoolError> {
        let input = json!({
            "UserPoolId": self.id,
            "Username": username,
            "SoftwareTokenMfaSettings": { "Enabled": true, "PreferredMfa": true },
        });
        let call = Call::json(COGNITO, "AdminSetUserMFAPreference", &input);
        call.send(&self.config).await.map(drop).map_err(refusal)
    }

    async fn call<T>(&self, operation: &'static str, input: &Value) -> Result<T, PoolError>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        Call::json(COGNITO, operation, input).receive(&self.config).await.map_err(refusal)
    }

    /// Calls an operation that the user's own token permits, without credentials of AWS.
    async fn call_of_user<T>(&self, operation: &'static str, input: &Value) -> Result<T, PoolError>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        Call::json(COGNITO, operation, input).unsigned().receive(&self.config).await.map_err(refusal)
    }
}

impl SignedIn {
    /// Returns the pool's `sub`, and whether the e-mail address is verified. The token comes from the pool itself.
    pub(crate) fn subject(&self) -> Result<(String, bool), PoolError> {
        let malformed = || unexpected("the user pool gave a malformed ID token");
        let token = Unverified::parse(&self.id_token).map_err(|_| malformed())?;
        let claims = token.from_issuer();
        let sub = claims.text("sub").ok_or_else(malformed)?.to_owned();
        Ok((sub, claims.truth("email_verified")))
    }
}

fn signed_in(answer: Answer) -> Result<SignedIn, PoolError> {
    let result = answer.authentication_result;
    let tokens = result.and_then(|result| Some((result.id_token?, result.access_token?)));
    let (id_token, access_token) =
        tokens.ok_or_else(|| unexpected("the user pool gave neither tokens nor a challenge"))?;
    Ok(SignedIn { id_token, access_token })
}

fn unexpected(text: &'static str) -> PoolError {
    PoolError::Other(text.into())
}

/// Converts an error of the pool. The codes are those of the Cognito user pools API reference, at each operation under "Errors".
fn refusal(error: CallError) -> PoolError {
    let service = error.as_service_error();
    let message = service.and_then(ProvideErrorMetadata::message).unwrap_or_default().to_owned();
    match service.and_then(ProvideErrorMetadata::code).unwrap_or_default() {
        "NotAuthorizedException" | "UserNotFoundException" | "PasswordResetRequiredException" => PoolError::Credentials,
        "CodeMismatchException" | "ExpiredCodeException" | "EnableSoftwareTokenMFAException" => PoolError::Code,
        "UserNotConfirmedException" => PoolError::Unconfirmed,
        "UsernameExistsException" | "AliasExistsException" => PoolError::Exists,
        "InvalidPasswordException" => PoolError::Password(message),
        "InvalidParameterException" => PoolError::Parameter(message),
        "TooManyRequestsException" | "LimitExceededException" | "TooManyFailedAttemptsException" => PoolError::TooMany,
        _ => PoolError::Other(Box::new(error)),
    }
}
