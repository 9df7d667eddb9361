//! Function `auth`: signs users in.
//!
//! A sign-in is counted before anything is looked up. An unknown name costs as many reads and as much hashing as a known one, and has
//! the same response as a wrong password.

use std::sync::Arc;

use analyticbot_contract::{
    Auth,
    metrics::{LOGINS_FAILED, LOGINS_OK},
    routes::AuthRoute,
};
use aws_config::SdkConfig;
use axum::{
    Extension, Json as JsonAnswer, Router, extract::State, http::header::CACHE_CONTROL, response::IntoResponse,
    routing::on,
};
use common::{Error, SourceAddress, Started, token::SecretSource};
use jiff::Timestamp;
use tables::Database;

use crate::{
    crypto::{access::AccessTokens, password},
    domain::user::User,
    http::{
        ApiError, Code, Fault, Json,
        caller::{LoggedUser, inactive},
        router,
    },
    metrics::{self, Metric},
    settings::positive,
    store::{users::Users, windows::TooMany},
    wire::{LoggedIn, Login, UserView},
};

struct App {
    stage: String,
    users: Users,
    tokens: AccessTokens,
    per_minute: u32,
}

/// Serves the function.
///
/// # Errors
/// When a variable is not a positive number, when the secret is not usable, or when Lambda's runtime interface fails.
pub async fn serve(Started { environment, aws }: Started<Auth>) -> Result<(), Error> {
    common::http::serve::<Auth>(router(environment, &aws).await?).await
}

async fn router(environment: Auth, aws: &SdkConfig) -> Result<Router, Error> {
    let minutes = positive("ACCESS_TOKEN_MINUTES", &environment.access_token_minutes)?;
    let secret = SecretSource::new(aws.clone(), environment.jwt_secret_arn);
    let database = Database::new(aws_sdk_dynamodb::Client::new(aws));
    let app = App {
        stage: environment.stage,
        users: Users::new(database, environment.users_table),
        tokens: AccessTokens::start(secret, minutes).await?,
        per_minute: positive("LOGIN_PER_MINUTE_IP", &environment.login_per_minute_ip)?,
    };
    Ok(router::router::<Auth, AuthRoute, _>(Arc::new(app), |route, method| match route {
        AuthRoute::Login => on(method, login),
    }))
}

async fn login(
    State(app): State<Arc<App>>,
    SourceAddress(address): SourceAddress,
    Extension(logged): Extension<LoggedUser>,
    Json(login): Json<Login>,
) -> Result<impl IntoResponse, ApiError> {
    let result = app.login(&address, &login, Timestamp::now()).await;
    let metric = if result.is_ok() { LOGINS_OK } else { LOGINS_FAILED };
    metrics::emit(&app.stage, &[Metric::count(metric, 1)]);
    let answer = result?;
    logged.set(answer.user.id);
    // RFC 6749, section 5.1: responses with tokens are not stored.
    Ok(([(CACHE_CONTROL, "no-store")], JsonAnswer(answer)))
}

impl App {
    async fn login(&self, address: &str, login: &Login, now: Timestamp) -> Result<LoggedIn, ApiError> {
        let name = name(login)?;
        if let Err(TooMany { seconds }) = self.users.admit_login(address, name, self.per_minute, now).await? {
            return Err(ApiError::limited(Code::LoginRateLimited, seconds, "Too many sign-in attempts"));
        }
        let user = self.users.find(name).await?;
        let hash = user.as_ref().map(|user| user.password_hash.as_str());
        let is_right = password::matches(&login.password, hash)?;
        let user = user.filter(|_| is_right).ok_or_else(refused)?;
        if !user.is_active {
            return Err(inactive());
        }
        let user = self.users.record_login(user.id, now).await?.ok_or_else(refused)?;
        let access_token = self.tokens.issue(&user, now).await?;
        let expires_in = self.tokens.lifetime();
        Ok(LoggedIn { access_token, token_type: "bearer".to_owned(), expires_in, user: view(user) })
    }
}

/// Returns the name or e-mail address of a sign-in.
fn name(login: &Login) -> Result<&str, ApiError> {
    let given = [&login.username, &login.email].into_iter().flatten();
    let name = given.map(|text| text.trim()).find(|text| !text.is_empty());
    name.ok_or_else(|| {
        ApiError::invalid(&[Fault::new("body", "username", "missing", "is required, unless email is set")])
    })
}

fn refused() -> ApiError {
    ApiError::new(Code::InvalidCredentials, "Incorrect username or password")
}

/// Returns a user without its secrets.
pub(crate) fn view(user: User) -> UserView {
    let User { id, email, username, full_name, role, status, .. } = user;
    UserView { id, email, username, full_name, role, status }
}

#[cfg(test)]
mod tests;
