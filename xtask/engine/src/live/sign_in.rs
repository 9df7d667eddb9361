//! Signs the test user of a system in, as an app does: by SRP.

use miette::Diagnostic;
use model::rendered::{RenderedSystem, SignIn};
use plan::full_name;
use thiserror::Error;

use crate::{aws::AwsError, deploy::Outputs, session::Session};

/// A system's test user could not be signed in.
#[derive(Debug, Error, Diagnostic)]
pub enum SignInError {
    /// The system's users are not declared.
    #[error("system {0} has no users to sign in")]
    #[diagnostic(help("name a system with a user pool: `--system <SYSTEM>`"))]
    NoUsers(String),
    /// The stack of the user pool is not deployed.
    #[error("{0} is not deployed")]
    #[diagnostic(help("deploy the stage first"))]
    NotDeployed(String),
    /// The system's random numbers are not available.
    #[error("failed to make a password: {0}")]
    Random(String),
    /// Cognito refused.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Aws(#[from] AwsError),
}

/// A user who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The user's name in the pool.
    pub username: String,
    /// The ID token.
    pub id_token: String,
}

/// A system's test user in a deployed user pool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TestUser<'a> {
    sign_in: &'a SignIn,
    session: &'a Session,
    pool: &'a str,
    client: &'a str,
}

impl<'a> TestUser<'a> {
    /// The test user of `system`, or `None` where the system has no users.
    pub(crate) fn of(
        system: &'a RenderedSystem,
        session: &'a Session,
        outputs: &'a Outputs,
    ) -> Option<Result<Self, SignInError>> {
        let sign_in = system.sign_in.as_ref()?;
        let stack = full_name(&system.name, &sign_in.stack, &session.stage.name);
        let output = |name: &str| outputs.get(&stack)?.get(name).map(String::as_str);
        let found = output(&sign_in.pool_output).zip(output(&sign_in.client_output));
        Some(match found {
            Some((pool, client)) => Ok(Self { sign_in, session, pool, client }),
            None => Err(SignInError::NotDeployed(stack)),
        })
    }

    /// Creates the user where there is none, gives it a new random password, and signs it in.
    pub(crate) async fn id_token(&self) -> Result<String, SignInError> {
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random).map_err(|error| SignInError::Random(error.to_string()))?;
        // One character at least of every kind that a pool may require.
        let password = format!("Aa1!{}", hex::encode(random));
        let (cognito, user) = (self.session.clients.cognito(), &self.sign_in.user);
        cognito.provide(self.pool, user, &self.sign_in.attributes, &password).await?;
        Ok(cognito.sign_in_by_srp(self.pool, self.client, user, &password).await?)
    }

    /// Deletes the user. A token stays valid without its user.
    pub(crate) async fn delete(&self) -> Result<(), AwsError> {
        self.session.clients.cognito().forget(self.pool, &self.sign_in.user).await
    }

    /// The user's name, as the pool's events and tokens carry it.
    async fn username(&self) -> Result<String, AwsError> {
        self.session.clients.cognito().username(self.pool, &self.sign_in.user).await
    }
}

/// Signs the test user of `system` in and keeps the user.
///
/// # Errors
///
/// When the system has no users, its user pool is not deployed, or Cognito refuses.
pub async fn sign_in(system: &RenderedSystem, session: &Session, outputs: &Outputs) -> Result<SignedIn, SignInError> {
    let user = TestUser::of(system, session, outputs).ok_or_else(|| SignInError::NoUsers(system.name.clone()))??;
    let id_token = user.id_token().await?;
    Ok(SignedIn { username: user.username().await?, id_token })
}
