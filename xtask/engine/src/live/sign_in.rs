//! Signs in the test user of a system, as an app does: by SRP.

use miette::Diagnostic;
use model::rendered::{RenderedSystem, SignIn};
use plan::full_name;
use thiserror::Error;

use crate::{aws::AwsError, deploy::Outputs, session::Session, surroundings};

/// The test user of a system cannot be signed in.
#[derive(Debug, Error, Diagnostic)]
pub enum SignInError {
    /// The system declares no users.
    #[error("failed to sign in: system {system} has no users")]
    #[diagnostic(help("select a system with a user pool: {}", .with_users.join(", ")))]
    NoUsers {
        /// The system.
        system: String,
        /// The systems of the stage that have users.
        with_users: Vec<String>,
    },
    /// The stack of the user pool is not deployed.
    #[error("failed to sign in: stack {stack} is not deployed")]
    #[diagnostic(help("run `cargo xtask deploy --stage {stage}` first"))]
    NotDeployed {
        /// The stack.
        stack: String,
        /// The stage.
        stage: String,
    },
    /// The operating system's random numbers are not available.
    #[error("failed to generate a password: {0}")]
    Random(String),
    /// A call of Cognito failed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Aws(#[from] AwsError),
}

/// A signed-in user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The user's name in the pool.
    pub username: String,
    /// The ID token.
    pub id_token: String,
}

/// A system's test user in a deployed user pool.
#[derive(Debug, Clone)]
struct TestUser<'a> {
    sign_in: SignIn,
    session: &'a Session,
    pool: &'a str,
    client: &'a str,
}

impl<'a> TestUser<'a> {
    /// Returns the user of a sign-in that `system` declares.
    fn of(
        sign_in: SignIn,
        system: &RenderedSystem,
        session: &'a Session,
        outputs: &'a Outputs,
    ) -> Result<Self, SignInError> {
        let stack = full_name(&system.name, &sign_in.stack, &session.stage.name);
        let output = |name: &str| outputs.get(&stack)?.get(name).map(String::as_str);
        let ids = output(&sign_in.pool_output).zip(output(&sign_in.client_output));
        match ids {
            Some((pool, client)) => Ok(Self { sign_in, session, pool, client }),
            None => Err(SignInError::NotDeployed { stack, stage: session.stage.name.clone() }),
        }
    }

    /// Creates the user if there is none, sets a new random password, and signs in.
    async fn id_token(&self) -> Result<String, SignInError> {
        let mut random = [0_u8; 16];
        surroundings::fill_random(&mut random).map_err(|error| SignInError::Random(error.to_string()))?;
        // Contains a character of every class that a pool can require.
        let password = format!("Aa1!{}", hex::encode(random));
        let (cognito, user) = (self.session.clients.cognito(), &self.sign_in.user);
        cognito.provide(self.pool, user, &self.sign_in.attributes, &password).await?;
        Ok(cognito.sign_in_by_srp(self.pool, self.client, user, &password).await?)
    }

    /// Deletes the user. Its tokens stay valid.
    async fn delete(&self) -> Result<(), AwsError> {
        self.session.clients.cognito().forget(self.pool, &self.sign_in.user).await
    }

    /// Returns the user's name, as it is in the pool's events and tokens.
    async fn username(&self) -> Result<String, AwsError> {
        self.session.clients.cognito().username(self.pool, &self.sign_in.user).await
    }
}

/// Signs in a user of `system` for requests by hand, and keeps the user. Without a name, it is one that no check deletes.
///
/// # Errors
///
/// When the system has no users, its user pool is not deployed, or a call fails.
pub async fn sign_in(
    system: &RenderedSystem,
    user: Option<&str>,
    session: &Session,
    outputs: &Outputs,
) -> Result<SignedIn, SignInError> {
    let has_users = |system: &&RenderedSystem| system.sign_in.is_some();
    let declared = system.sign_in.as_ref().ok_or_else(|| SignInError::NoUsers {
        system: system.name.clone(),
        with_users: session.systems.iter().filter(has_users).map(|system| system.name.clone()).collect(),
    })?;
    let by_hand = user.map_or_else(|| declared.by_hand(), |user| declared.of_user(user));
    let user = TestUser::of(by_hand, system, session, outputs)?;
    let id_token = user.id_token().await?;
    Ok(SignedIn { username: user.username().await?, id_token })
}

/// Returns the ID token of a test user that is created for the checks of `system` and deleted at once.
///
/// `None` where the system has no users, `Err` where the user cannot sign in.
pub(super) async fn token(
    system: &RenderedSystem,
    session: &Session,
    outputs: &Outputs,
) -> Option<Result<String, String>> {
    let user = match TestUser::of(system.sign_in.clone()?, system, session, outputs) {
        Ok(user) => user,
        Err(error) => return Some(Err(error.to_string())),
    };
    let token = user.id_token().await;
    if let Err(error) = user.delete().await {
        let error = crate::error::one_line(&error);
        session.context.ui.warn(format_args!("failed to delete the test user of {}: {error}", system.name));
    }
    Some(token.map_err(|error| error.to_string()))
}
