//! The second factor: an authenticator's secret, and its first code. Both routes take the password, because an access token alone must
//! not lock its user out.

use axum::http::StatusCode;
use common::limits::Attempt;
use jiff::Timestamp;
use serde_json::json;

use super::{
    gate::Gate,
    login::{is_code, refusal, use_code},
    pool::{Pool, PoolError, SignIn, SignedIn},
    serve::session_required,
    users::Users,
};
use crate::{
    requests::{Fields, Reply, invalid},
    shared::{envelope::Problem, identity::Identity, ids},
};

/// The issuer that authenticators show.
const ISSUER: &str = "ListBackup";

/// The state of both functions.
#[derive(Debug)]
pub(crate) struct Mfa {
    pub(crate) pool: Pool,
    pub(crate) users: Users,
    pub(crate) gate: Gate,
}

/// Begins the setup.
pub(crate) async fn setup(app: &Mfa, address: &str, caller: &Identity, fields: &Fields) -> Result<Reply, Problem> {
    let signed_in = sign_in(app, address, caller, fields.text("password")?).await?;
    let secret = app.pool.associate(&signed_in).await.map_err(refusal)?;
    let url = otpauth_url(&caller.email, &secret);
    Ok(Reply::ok(json!({ "secret": secret, "otpauthUrl": url })))
}

/// Ends the setup with the authenticator's first code.
pub(crate) async fn verify(app: &Mfa, address: &str, caller: &Identity, fields: &Fields) -> Result<Reply, Problem> {
    let (password, code) = (fields.text("password")?, fields.text("code")?);
    if !is_code(code) {
        return Err(invalid("code", "must have six digits"));
    }
    let signed_in = sign_in(app, address, caller, password).await?;
    let attempt = app.gate.try_code(&caller.email, Timestamp::now()).await?;
    if let Err(error) = app.pool.verify(&signed_in, code).await {
        return Err(wrong(app, attempt, error).await);
    }
    app.gate.succeed(attempt).await;
    let sub = ids::bare(&caller.user_id);
    // The code cannot sign in, too. That it was used before does not matter: the pool has accepted it for this setup.
    use_code(&app.users, sub, code).await?;
    app.pool.require_code(sub).await.map_err(refusal)?;
    app.users.require_code(&caller.user_id).await?;
    Ok(Reply::ok(json!({ "mfaEnabled": true })))
}

/// Signs the caller in to the pool, whose operations about a second factor need its own token.
async fn sign_in(app: &Mfa, address: &str, caller: &Identity, password: &str) -> Result<SignedIn, Problem> {
    session_required(caller)?;
    let now = Timestamp::now();
    app.gate.admit_address(address, now).await?;
    app.gate.admit_account(&caller.email, now).await?;
    let attempt = app.gate.try_password(&caller.email, address, now).await?;
    match app.pool.sign_in(&caller.email, password).await {
        Ok(SignIn::Done(signed_in)) => {
            app.gate.succeed(attempt).await;
            Ok(signed_in)
        }
        Ok(SignIn::Code(_)) => {
            app.gate.succeed(attempt).await;
            let message = "the user has a second factor already";
            Err(Problem::new(StatusCode::BAD_REQUEST, "MFA_ALREADY_ENABLED", message))
        }
        Err(error) => {
            app.gate.fail(attempt, &error).await;
            Err(refusal(error))
        }
    }
}

async fn wrong(app: &Mfa, attempt: Attempt, error: PoolError) -> Problem {
    app.gate.fail(attempt, &error).await;
    match error {
        PoolError::Code => {
            Problem::new(StatusCode::BAD_REQUEST, "MFA_CODE_INVALID", "the code is wrong, or no setup has begun")
        }
        error => refusal(error),
    }
}

/// Returns the URL that authenticators read as a QR code
/// (<https://github.com/google/google-authenticator/wiki/Key-Uri-Format>).
fn otpauth_url(email: &str, secret: &str) -> String {
    let label = escaped(email);
    format!("otpauth://totp/{ISSUER}:{label}?secret={secret}&issuer={ISSUER}")
}

/// Escapes every byte that is not unreserved in a URL (RFC 3986, section 2.3).
fn escaped(text: &str) -> String {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    text.bytes()
        .map(|byte| if is_unreserved(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authenticators_url_escapes_the_address() {
        let url = otpauth_url("a+b&c@example.com", "JBSWY3DP");
        assert_eq!(url, "otpauth://totp/ListBackup:a%2Bb%26c%40example.com?secret=JBSWY3DP&issuer=ListBackup");
    }
}
