//! Function `user-admin`: operators invoke it to administer users and to read recorded actions.
//!
//! A password is never part of an event, which Lambda may log: it is read from the one SSM parameter that the environment names, and the
//! parameter is deleted before the password is used.
//!
//! Each operation is one log line with the user and its role, because such changes are no actions on bots. CloudTrail records who invoked
//! the function, if the account records invocations.

mod event;
mod password;

use analyticbot_contract::UserAdmin;
use aws_config::SdkConfig;
use common::{Error, Started, events, telemetry};
use jiff::Timestamp;
use serde::Serialize;
use tables::{AwsError, Database};

pub use self::event::{Event, UserName};
use self::password::{Parameter, ParameterError};
use crate::{
    auth::view,
    crypto::password::PasswordError,
    domain::{names, user::User},
    store::{
        actions::{Action, Actions},
        users::{Created, NewUser, Users},
    },
    wire::UserView,
};

/// The state of the parameter after a password was taken from it.
const PASSWORD_IS_GONE: &str = "the parameter was deleted, so store the password again before you repeat the operation";

/// The answer to an operator.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// The user as it is now.
    User {
        /// The user.
        user: UserView,
        /// Whether the user may sign in.
        is_active: bool,
    },
    /// Recorded actions, newest first.
    Actions {
        /// The actions.
        actions: Vec<Action>,
    },
}

/// The reason why an operation failed. No message contains a password.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// The name has another form.
    #[error("no user was created: `username` must have 1 to 64 ASCII letters, digits, `_`, `-` and `.`")]
    Username,
    /// The address has another form.
    #[error("no user was created: `email` is not an e-mail address")]
    Email,
    /// The name is in use.
    #[error("no user was created: another user has this username; {PASSWORD_IS_GONE}")]
    UsernameInUse,
    /// The address is in use.
    #[error("no user was created: another user has this e-mail address; {PASSWORD_IS_GONE}")]
    EmailInUse,
    /// The user does not exist.
    #[error("no user was changed: no user has this ID, name or e-mail address")]
    NoUser,
    /// The password cannot be read.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The password is refused.
    #[error("no user was changed: the password is refused; store another one in the parameter")]
    Password(#[from] PasswordError),
    /// A table failed.
    #[error("the operation failed; repeat it, and store the password again first if its parameter is gone")]
    Table(#[from] AwsError),
}

struct App {
    users: Users,
    actions: Actions,
    password: Parameter,
}

/// Serves the function.
///
/// # Errors
/// When Lambda's runtime interface fails.
pub async fn serve(Started { environment, aws }: Started<UserAdmin>) -> Result<(), Error> {
    let app = App::new(environment, &aws);
    events::serve::<UserAdmin, Event, Answer>(async |event| app.handle(event, Timestamp::now()).await).await
}

impl App {
    fn new(environment: UserAdmin, aws: &SdkConfig) -> Self {
        let database = Database::new(aws_sdk_dynamodb::Client::new(aws));
        Self {
            users: Users::new(database.clone(), environment.users_table),
            actions: Actions::new(database, environment.admin_bot_actions_table),
            password: Parameter::new(aws.clone(), environment.bootstrap_password_param),
        }
    }

    /// Performs an operation. The error contains all causes, because Lambda reports only the outermost message to operators.
    async fn handle(&self, event: Event, now: Timestamp) -> Result<Answer, Error> {
        self.run(event, now).await.map_err(|error| Error::from(telemetry::chain(&error)))
    }

    /// Runs an operation, and logs it without names, addresses and passwords.
    async fn run(&self, event: Event, now: Timestamp) -> Result<Answer, OperationError> {
        let operation = event.name();
        let result = self.apply(event, now).await;
        let error = result.as_ref().err().map(ToString::to_string);
        let (user_id, role, is_active) = match &result {
            Ok(Answer::User { user, is_active }) => (Some(user.id), Some(user.role.as_str()), Some(*is_active)),
            Ok(Answer::Actions { .. }) | Err(_) => (None, None, None),
        };
        tracing::info!(operation, user_id, role, is_active, error, "administration of users");
        result
    }

    async fn apply(&self, event: Event, now: Timestamp) -> Result<Answer, OperationError> {
        match event {
            Event::CreateUser(new) => {
                if !names::is_user_name(&new.username) {
                    return Err(OperationError::Username);
                }
                if !names::is_email(&new.email) {
                    return Err(OperationError::Email);
                }
                let password_hash = self.password.take_hash(new.password_param.as_deref()).await?;
                let event::NewUserEvent { username, email, role, full_name, telegram_id, .. } = new;
                let new = NewUser { username, email, password_hash, role, full_name, telegram_id };
                match self.users.create(new, now).await? {
                    Created::User(user) => Ok(answer(*user)),
                    Created::UsernameInUse => Err(OperationError::UsernameInUse),
                    Created::EmailInUse => Err(OperationError::EmailInUse),
                }
            }
            Event::SetRole { user, role } => changed(self.users.set_role(self.id(&user).await?, role).await?),
            Event::SetActive { user, active } => changed(self.users.set_active(self.id(&user).await?, active).await?),
            Event::SetPassword { user, password_param } => {
                let id = self.id(&user).await?;
                let hash = self.password.take_hash(password_param.as_deref()).await?;
                changed(self.users.set_password(id, &hash).await?)
            }
            Event::ListActions { by, limit } => {
                let (limit, mut actions, mut start) = (limit.clamp(1, event::MOST_ACTIONS), Vec::new(), None);
                loop {
                    let (page, next) = self.actions.page(&by, limit - actions.len(), start).await?;
                    actions.extend(page);
                    start = next;
                    if start.is_none() || actions.len() >= limit {
                        return Ok(Answer::Actions { actions });
                    }
                }
            }
        }
    }

    /// Returns the ID of a user.
    async fn id(&self, user: &UserName) -> Result<u64, OperationError> {
        match user {
            UserName::Id(id) => Ok(*id),
            UserName::Login(login) => self.users.find(login).await?.map(|user| user.id).ok_or(OperationError::NoUser),
        }
    }
}

fn changed(user: Option<User>) -> Result<Answer, OperationError> {
    user.map(answer).ok_or(OperationError::NoUser)
}

fn answer(user: User) -> Answer {
    Answer::User { is_active: user.is_active, user: view(user) }
}

#[cfg(test)]
mod tests;
