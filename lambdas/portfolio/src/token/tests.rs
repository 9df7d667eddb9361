//! Accepted and rejected tokens.

use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::testing::{
    NOW, aws,
    script::Script,
    tokens::{ISSUER, KEY_ID, claims as example, encode, owner, signed, stranger, token},
};

fn verifier(script: &Script) -> Verifier {
    let http = aws(script).http_client().expect("the script");
    Verifier::new(ISSUER, "client", &format!("{ISSUER}/.well-known/jwks.json"), http)
}

async fn verify(token: &str) -> Result<Claims, TokenError> {
    verifier(&Script::new()).verify(token, NOW).await
}

async fn refused(token: &str) -> String {
    verify(token).await.expect_err("refused").to_string()
}

#[tokio::test(flavor = "current_thread")]
async fn the_owners_token_has_the_owners_claims() {
    let expected = Claims {
        sub: "sub-1".to_owned(),
        username: "owner-1".to_owned(),
        email: "owner@example.com".to_owned(),
        name: "Site Owner".to_owned(),
        role: Some("owner".to_owned()),
        email_verified: true,
    };
    let claims = verify(&owner()).await.expect("good");
    assert_eq!(claims, expected);
    assert!(claims.is_owner());
}

#[tokio::test(flavor = "current_thread")]
async fn a_user_without_a_role_is_not_the_owner() {
    let claims = verify(&stranger()).await.expect("good");
    assert_eq!((claims.role.as_deref(), claims.is_owner(), claims.email_verified), (None, false, false));
}

#[tokio::test(flavor = "current_thread")]
async fn a_user_with_another_role_is_not_the_owner() {
    for role in ["Owner", "admin", "", "public"] {
        let claims = verify(&token(&json!({"custom:role": role}))).await.expect("good");
        assert!(!claims.is_owner(), "{role}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn email_verified_may_be_a_string() {
    for (value, expected) in
        [(json!("true"), true), (json!(true), true), (json!("false"), false), (json!(false), false)]
    {
        let claims = verify(&token(&json!({"email_verified": value}))).await.expect("good");
        assert_eq!(claims.email_verified, expected);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn an_expired_token_is_reported_as_expired() {
    let expired = |seconds: i64| token(&json!({"exp": NOW.as_second() + seconds}));
    assert!(matches!(verify(&expired(-3600)).await, Err(TokenError::Expired)));
    assert!(matches!(verify(&expired(0)).await, Err(TokenError::Expired)));
    assert!(verify(&expired(1)).await.is_ok());
}

#[tokio::test(flavor = "current_thread")]
async fn another_issuer_is_rejected() {
    assert_eq!(refused(&token(&json!({"iss": "https://evil.test"}))).await, "the token's issuer is wrong");
}

#[tokio::test(flavor = "current_thread")]
async fn another_clients_token_is_rejected() {
    assert_eq!(refused(&token(&json!({"aud": "other"}))).await, "the token's audience is wrong");
    assert_eq!(refused(&token(&json!({"aud": null}))).await, "the token's audience is wrong");
}

#[tokio::test(flavor = "current_thread")]
async fn an_access_token_is_rejected() {
    assert_eq!(refused(&token(&json!({"token_use": "access"}))).await, "the token's use is wrong");
    assert_eq!(refused(&token(&json!({"token_use": null}))).await, "the token's use is wrong");
}

#[tokio::test(flavor = "current_thread")]
async fn a_token_without_an_expiry_is_rejected() {
    assert!(matches!(verify(&token(&json!({"exp": null}))).await, Err(TokenError::Malformed(_))));
}

#[tokio::test(flavor = "current_thread")]
async fn a_token_is_valid_for_a_day_at_most() {
    let now = NOW.as_second();
    let lasting = |seconds: i64| token(&json!({"iat": now, "exp": now + seconds}));
    assert!(verify(&lasting(86_400)).await.is_ok());
    for seconds in [86_401, 31 * 31_536_000] {
        assert_eq!(refused(&lasting(seconds)).await, "the token's lifetime is wrong");
    }
    assert!(matches!(verify(&token(&json!({"iat": null}))).await, Err(TokenError::Malformed(_))));
    assert_eq!(refused(&token(&json!({"iat": now + 600}))).await, "the token's time of issue is wrong");
}

#[tokio::test(flavor = "current_thread")]
async fn changed_claims_are_rejected() {
    let stranger = stranger();
    let signature = stranger.rsplit('.').next().expect("a signature");
    let owner = owner();
    let (signed, _) = owner.rsplit_once('.').expect("a signature");
    assert!(matches!(verify(&format!("{signed}.{signature}")).await, Err(TokenError::Signature(_))));
}

#[tokio::test(flavor = "current_thread")]
async fn a_changed_signature_is_rejected() {
    let token = owner();
    let forged = format!("{}AAAA", &token[..token.len() - 4]);
    assert!(matches!(verify(&forged).await, Err(TokenError::Signature(_))));
    let (unsigned, _) = token.rsplit_once('.').expect("a signature");
    assert!(matches!(verify(&format!("{unsigned}.")).await, Err(TokenError::Signature(_))));
}

#[tokio::test(flavor = "current_thread")]
async fn only_one_algorithm_is_accepted() {
    for algorithm in ["none", "HS256", "RS512", "rs256"] {
        let token = signed(&json!({"alg": algorithm, "kid": KEY_ID}), &example());
        assert!(matches!(verify(&token).await, Err(TokenError::Malformed(_))), "{algorithm}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn an_unknown_key_is_rejected() {
    for id in ["key-2", "elliptic", ""] {
        let token = signed(&json!({"alg": "RS256", "kid": id}), &example());
        assert!(matches!(verify(&token).await, Err(TokenError::UnknownKey)), "{id}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn malformed_tokens_are_rejected() {
    let no_json = format!("{}.{}.AAAA", encode(b"{"), encode(b"{}"));
    let no_key = format!("{}.{}.AAAA", encode(b"{\"alg\":\"RS256\"}"), encode(b"{}"));
    for token in ["", ".", "..", "a.b.c", "abc", "ä.ö.ü", &no_json, &no_key] {
        assert!(matches!(verify(token).await, Err(TokenError::Malformed(_))), "{token}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn keys_are_fetched_once_and_kept() {
    let script = Script::new();
    let verifier = verifier(&script);
    for _ in 0..3 {
        verifier.verify(&owner(), NOW).await.expect("good");
    }
    assert_eq!(script.key_requests(), 1);
}

#[tokio::test(flavor = "current_thread")]
async fn an_unknown_key_is_fetched_once_a_minute() {
    let script = Script::new();
    let verifier = verifier(&script);
    let unknown = signed(&json!({"alg": "RS256", "kid": "key-2"}), &example());
    for (seconds, fetched) in [(0, 1), (1, 1), (59, 1), (60, 2), (61, 2)] {
        let now = NOW + SignedDuration::from_secs(seconds);
        assert!(matches!(verifier.verify(&unknown, now).await, Err(TokenError::UnknownKey)));
        assert_eq!(script.key_requests(), fetched, "after {seconds} s");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn unavailable_keys_are_an_error() {
    let script = Script::new().without_keys();
    let verifier = verifier(&script);
    for fetched in 1..3 {
        assert!(matches!(verifier.verify(&owner(), NOW).await, Err(TokenError::Keys(_))));
        // A failure is not cached.
        assert_eq!(script.key_requests(), fetched);
    }
}

#[test]
fn the_pools_own_response_is_read_without_its_keys() {
    assert!(claims(&owner()).expect("claims").is_owner());
    assert!(matches!(claims("nonsense"), Err(TokenError::Malformed(_))));
}
