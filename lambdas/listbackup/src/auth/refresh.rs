//! Exchanging a refresh token. Each token is accepted once; a second use ends its family, because the token was copied.

use axum::http::StatusCode;
use jiff::Timestamp;

use super::{
    gate::Gate,
    login::Issuer,
    users::{Rotation, Users},
};
use crate::{
    requests::{Fields, Reply},
    shared::{envelope::Problem, rows::user::UserStatus},
    tokens::{self, Refresh as Token},
};

/// The state of the function.
#[derive(Debug)]
pub(crate) struct Refresh {
    pub(crate) users: Users,
    pub(crate) gate: Gate,
    pub(crate) issuer: Issuer,
}

pub(crate) async fn refresh(app: &Refresh, address: &str, fields: &Fields) -> Result<Reply, Problem> {
    let token = fields.text("refreshToken")?;
    let now = Timestamp::now();
    app.gate.admit_address(address, now).await?;
    let issuer = &app.issuer;
    let verified = tokens::verify_refresh(&issuer.refresh, &issuer.stage, token, now).await;
    let old = verified.map_err(|error| if error.is_refusal() { invalid() } else { error.into() })?;
    app.gate.admit_account(&old.user_id, now).await?;
    let user = app.users.get(&old.user_id).await?;
    let user = user.filter(|user| user.status == UserStatus::Active && user.families.contains_key(&old.family));
    let user = user.ok_or_else(invalid)?;
    let new = Token::next(&old.user_id, &old.family, now);
    // Signed before the exchange, so that an unavailable secret does not use the old token up.
    let data = issuer.issue(&user, &new, now).await?;
    match app.users.rotate(&old, &new).await? {
        Rotation::Rotated => Ok(Reply::ok(data)),
        Rotation::Replayed => {
            app.users.remove_family(&old.user_id, &old.family).await?;
            tracing::warn!(user = old.user_id, "a refresh token was used twice; its session was ended");
            Err(invalid())
        }
    }
}

fn invalid() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "INVALID_REFRESH_TOKEN", "the refresh token is invalid or was used before")
}
