//! Every combination of kind, audience, secret and age, of which one is accepted.

use jiff::SignedDuration;
use tables::testing::{Script, error_reply, json_reply};

use super::*;

const ACCESS_SECRET: &str = "the secret of access tokens, which is long enough";
const REFRESH_SECRET: &str = "the secret of refresh tokens, which is long enough";
const OLD_SECRET: &str = "the secret before the rotation, which is long enough";
const ROTATED: i64 = 1_700_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

/// A secret that was rotated.
fn secret(current: &'static str) -> SecretSource {
    let script = Script::new(move |request| match request.body["VersionStage"].as_str() {
        Some("AWSCURRENT") => json_reply(json!({ "SecretString": current, "CreatedDate": ROTATED })),
        _ => json_reply(json!({ "SecretString": OLD_SECRET, "CreatedDate": 1 })),
    });
    SecretSource::new(script.aws(), "secret".to_owned())
}

fn access() -> Access {
    Access {
        user_id: "user:1".to_owned(),
        account_id: "account:2".to_owned(),
        role: Role::Admin,
        email: "ana@example.com".to_owned(),
        family: "f".to_owned(),
    }
}

fn claims(kind: &str, audience: &Value, issued_at: i64, lifetime: i64) -> Value {
    json!({
        "sub": "user:1", "accountId": "account:2", "role": "admin", "email": "ana@example.com", "fid": "f", "jti": "j",
        "typ": kind, "aud": audience, "iat": issued_at, "exp": issued_at + lifetime,
    })
}

#[tokio::test(flavor = "current_thread")]
async fn issued_tokens_are_accepted_as_what_they_are() {
    let (accesses, refreshes, now) = (secret(ACCESS_SECRET), secret(REFRESH_SECRET), at(ROTATED + 10_000));
    let token = issue_access(&accesses, "dev", &access(), now).await.expect("a token");
    assert_eq!(verify_access(&accesses, "dev", &token, now).await.expect("accepted"), access());
    let last = now + SignedDuration::from_secs(ACCESS_SECONDS - 1);
    assert!(verify_access(&accesses, "dev", &token, last).await.is_ok());
    let refresh = Refresh::next("user:1", "f", now);
    let token = issue_refresh(&refreshes, "dev", &refresh, now).await.expect("a token");
    assert_eq!(verify_refresh(&refreshes, "dev", &token, now).await.expect("accepted"), refresh);
    assert_eq!(refresh.expires_at - now.as_second(), 30 * 24 * 3600);
    assert_ne!(Refresh::next("user:1", "f", now).jti, refresh.jti);
}

#[tokio::test(flavor = "current_thread")]
async fn of_all_kinds_audiences_secrets_and_ages_one_combination_is_accepted() {
    let now = ROTATED + 10_000_000;
    let mut accepted = Vec::new();
    for kind in ["access", "refresh", "id", ""] {
        for audience in [json!("dev"), json!("prod"), json!(["dev"]), json!(null)] {
            for signer in [ACCESS_SECRET, REFRESH_SECRET, OLD_SECRET, ""] {
                for (name, issued_at, lifetime) in [
                    ("valid", now - 60, 3600),
                    ("expired", now - 3600, 3600),
                    ("future", now + 120, 3600),
                    ("long", now - 60, 30 * 24 * 3600 + 1),
                ] {
                    let token = sign_hs256(signer.as_bytes(), &claims(kind, &audience, issued_at, lifetime));
                    let combination = format!("{kind} {audience} {signer:.21} {name}");
                    if verify_access(&secret(ACCESS_SECRET), "dev", &token, at(now)).await.is_ok() {
                        accepted.push(format!("access: {combination}"));
                    }
                    if verify_refresh(&secret(REFRESH_SECRET), "dev", &token, at(now)).await.is_ok() {
                        accepted.push(format!("refresh: {combination}"));
                    }
                }
            }
        }
    }
    let expected = [
        r#"access: access "dev" the secret of access  valid"#,
        r#"refresh: refresh "dev" the secret of refresh valid"#,
    ];
    assert_eq!(accepted, expected);
}

#[tokio::test(flavor = "current_thread")]
async fn the_previous_secret_is_accepted_for_tokens_of_before_its_rotation_only() {
    let token = |issued_at| sign_hs256(OLD_SECRET.as_bytes(), &claims("access", &json!("dev"), issued_at, 3600));
    let verified = async |issued_at: i64, now: i64| {
        verify_access(&secret(ACCESS_SECRET), "dev", &token(issued_at), at(now)).await.is_ok()
    };
    assert!(verified(ROTATED - 600, ROTATED + 600).await);
    assert!(!verified(ROTATED + 600, ROTATED + 600).await, "issued after the rotation");
    assert!(!verified(ROTATED - 600, ROTATED + 3600).await, "expired");
}

#[tokio::test(flavor = "current_thread")]
async fn other_algorithms_and_malformed_tokens_are_refused() {
    let unread = Script::new(|_| panic!("the secret is not read"));
    let source = SecretSource::new(unread.aws(), "secret".to_owned());
    let body = "eyJ0eXAiOiJhY2Nlc3MifQ";
    for token in ["", "x", "a.b.c", &format!("eyJhbGciOiJub25lIn0.{body}."), &format!("eyJhbGciOiJIUzUxMiJ9.{body}.AA")]
    {
        let refused = verify_access(&source, "dev", token, at(ROTATED)).await.expect_err("refused");
        assert!(refused.is_refusal(), "{token}: {refused:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_token_without_a_claim_is_refused() {
    let now = ROTATED + 10_000;
    for name in ["sub", "accountId", "role", "email", "fid", "typ", "aud", "iat", "exp"] {
        let mut claims = claims("access", &json!("dev"), now, 3600);
        claims.as_object_mut().expect("an object").remove(name);
        let token = sign_hs256(ACCESS_SECRET.as_bytes(), &claims);
        let refused = verify_access(&secret(ACCESS_SECRET), "dev", &token, at(now)).await.expect_err(name);
        assert!(refused.is_refusal(), "{name}: {refused:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_short_or_unavailable_secret_signs_nothing() {
    let short = secret("thirty-one bytes are too short.");
    let error = issue_access(&short, "dev", &access(), at(ROTATED)).await.expect_err("too short");
    assert!(matches!(error, TokenError::ShortSecret), "{error:?}");
    let signed = sign_hs256(b"thirty-one bytes are too short.", &claims("access", &json!("dev"), ROTATED, 3600));
    let error = verify_access(&short, "dev", &signed, at(ROTATED)).await.expect_err("too short");
    assert!(matches!(error, TokenError::ShortSecret), "{error:?}");
    let script = Script::new(|_| error_reply("InternalServiceError"));
    let absent = SecretSource::new(script.aws(), "secret".to_owned());
    let error = issue_access(&absent, "dev", &access(), at(ROTATED)).await.expect_err("unavailable");
    assert!(matches!(error, TokenError::Unavailable(_)) && !error.is_refusal(), "{error:?}");
}
