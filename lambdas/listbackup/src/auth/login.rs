//! Signing in: password, then the code of a second factor, then tokens of a new family.

use axum::http::StatusCode;
use common::token::SecretSource;
use jiff::Timestamp;
use listbackup_contract::{events::USER_LOGIN, limits::ACCESS_SECONDS};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    gate::Gate,
    pool::{Challenge, Pool, PoolError, SignIn, SignedIn},
    serve::{happening_of, unavailable},
    users::Users,
};
use crate::{
    requests::{Fields, Reply},
    shared::{
        audit::Audit,
        envelope::Problem,
        ids::Kind,
        rows::{User, user::UserStatus},
    },
    tokens::{self, Access, Refresh},
};

/// The seconds for which a used code is remembered. A code is valid for three steps of half a minute, and clocks differ.
const CODE_SECONDS: i64 = 300;

/// The secrets of both kinds of tokens, and the stage that they are for.
#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) access: SecretSource,
    pub(crate) refresh: SecretSource,
    pub(crate) stage: String,
}

/// The state of the function.
#[derive(Debug)]
pub(crate) struct Login {
    pub(crate) pool: Pool,
    pub(crate) users: Users,
    pub(crate) audit: Audit,
    pub(crate) gate: Gate,
    pub(crate) issuer: Issuer,
}

pub(crate) async fn login(app: &Login, address: &str, fields: &Fields) -> Result<Reply, Problem> {
    let (email, password) = (fields.email("email")?, fields.text("password")?);
    let code = fields.has("mfaCode").then(|| fields.text("mfaCode")).transpose()?;
    let now = Timestamp::now();
    app.gate.admit_address(address, now).await?;
    app.gate.admit_account(&email, now).await?;
    let attempt = app.gate.try_password(&email, address, now).await?;
    let signed_in = match app.pool.sign_in(&email, password).await {
        Ok(signed_in) => signed_in,
        Err(error) => {
            app.gate.fail(attempt, &error).await;
            return Err(refusal(error));
        }
    };
    app.gate.succeed(attempt).await;
    match (signed_in, code) {
        (SignIn::Done(signed_in), _) => issue(app, &signed_in, now).await,
        (SignIn::Code(_), None) => Err(code_required()),
        (SignIn::Code(challenge), Some(code)) => {
            let signed_in = answer(app, &email, &challenge, code).await?;
            issue(app, &signed_in, now).await
        }
    }
}

/// Answers the pool's question for a code, which is accepted once.
async fn answer(app: &Login, email: &str, challenge: &Challenge, code: &str) -> Result<SignedIn, Problem> {
    if !is_code(code) {
        return Err(wrong_code());
    }
    let attempt = app.gate.try_code(email, Timestamp::now()).await?;
    let signed_in = match app.pool.answer(challenge, code).await {
        Ok(signed_in) => signed_in,
        Err(error) => {
            app.gate.fail(attempt, &error).await;
            return Err(match error {
                PoolError::Code => wrong_code(),
                error => refusal(error),
            });
        }
    };
    let (sub, _) = signed_in.subject().map_err(refusal)?;
    if !use_code(&app.users, &sub, code).await? {
        return Err(wrong_code());
    }
    app.gate.succeed(attempt).await;
    Ok(signed_in)
}

/// Uses up a code of a user's second factor; returns false if it was used before (RFC 6238, section 5.2).
pub(super) async fn use_code(users: &Users, sub: &str, code: &str) -> Result<bool, Problem> {
    let now = Timestamp::now().as_second();
    let pseudonym = format!("CODE#{}", hex::encode(Sha256::digest(format!("{sub}\n{code}"))));
    Ok(users.use_code(&pseudonym, now, now.saturating_add(CODE_SECONDS)).await?)
}

/// Checks the form of a code: six digits.
pub(super) fn is_code(code: &str) -> bool {
    code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit())
}

async fn issue(app: &Login, signed_in: &SignedIn, now: Timestamp) -> Result<Reply, Problem> {
    let (sub, email_verified) = signed_in.subject().map_err(refusal)?;
    let read = app.users.get(&Kind::User.with(&sub)).await?;
    // A registration that has not ended yet, or was interrupted.
    let user = read.ok_or_else(wrong_credentials)?;
    if user.status != UserStatus::Active {
        return Err(suspended());
    }
    let refresh = Refresh::next(&user.user_id, &tokens::random_id(), now);
    let tokens = app.issuer.issue(&user, &refresh, now).await?;
    let added = app.users.add_family(user.clone(), &refresh, now.as_second()).await;
    if !added? {
        return Err(suspended());
    }
    let id = format!("login:{}", refresh.family);
    let happening = happening_of((&user.account_id, &user.user_id), &id, "login", "A user signed in");
    app.audit.record(USER_LOGIN, &happening).await;
    let mut data = tokens;
    data["idToken"] = json!(signed_in.id_token);
    data["user"] = json!({
        "userId": user.user_id,
        "email": user.email,
        "name": user.name,
        "accountId": user.account_id,
        "role": user.role,
        "mfaEnabled": user.mfa_enabled,
        "emailVerified": email_verified,
    });
    Ok(Reply::ok(data))
}

impl Issuer {
    /// Signs the tokens of a family; returns them as responses contain them.
    pub(super) async fn issue(&self, user: &User, refresh: &Refresh, now: Timestamp) -> Result<Value, Problem> {
        let access = Access {
            user_id: user.user_id.clone(),
            account_id: user.account_id.clone(),
            role: user.role,
            email: user.email.clone(),
            family: refresh.family.clone(),
        };
        let access = tokens::issue_access(&self.access, &self.stage, &access, now).await?;
        let refresh = tokens::issue_refresh(&self.refresh, &self.stage, refresh, now).await?;
        Ok(json!({
            "accessToken": access,
            "refreshToken": refresh,
            "expiresIn": ACCESS_SECONDS,
            "tokenType": "Bearer",
        }))
    }
}

/// Converts an error of the pool about a password.
pub(super) fn refusal(error: PoolError) -> Problem {
    match error {
        PoolError::Credentials => wrong_credentials(),
        PoolError::Unconfirmed => {
            let message = "the e-mail address has not been verified";
            Problem::new(StatusCode::FORBIDDEN, "EMAIL_NOT_VERIFIED", message).with("requiresVerification", true)
        }
        PoolError::TooMany => unavailable(),
        error => error.into(),
    }
}

/// The same response for a wrong password and an unknown address, so that no client learns which addresses are registered.
fn wrong_credentials() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS", "e-mail address or password is wrong")
}

fn wrong_code() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "MFA_CODE_INVALID", "the code is wrong, or was used before")
}

fn suspended() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "ACCESS_DENIED", "the user is suspended")
}

/// The pool's own session stays here: with it, a client could try codes at the pool, past the limits.
fn code_required() -> Problem {
    let message = "enter the code of your authenticator";
    Problem::new(StatusCode::OK, "MFA_REQUIRED", message)
        .with("requiresMfa", true)
        .with("session", tokens::random_id())
        .with("message", message)
}
