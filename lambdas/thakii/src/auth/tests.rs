//! Valid and invalid tokens through the API, on every route that takes one.

mod limits;

use serde_json::{Value, json};

use crate::{
    fixtures::{KEY_ID, secret_token, unsigned_token},
    testing::{AUDIENCE, Api, SECRET, Script, claims, empty_account, error_reply},
};

/// The claims with `changes` applied; null removes a claim.
fn changed(changes: Value) -> Value {
    let mut claims = claims("ana");
    for (name, value) in changes.as_object().expect("an object") {
        if value.is_null() {
            claims.as_object_mut().expect("an object").remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

#[tokio::test(flavor = "current_thread")]
async fn a_valid_token_identifies_the_caller() {
    let api = Api::empty().await;
    let answer = api.call_as("ana", "GET", "/auth/user", None).await;
    assert_eq!(answer.status(), 200);
    let user = &answer.body()["user"];
    assert_eq!(
        (&user["uid"], &user["email"], &user["role"], &user["token_type"], &user["firebase_provider"]),
        (&json!("ana"), &json!("ana@example.com"), &json!("user"), &json!("cognito"), &json!("cognito"))
    );
    assert_eq!(user["token_expires_at"].as_i64().zip(user["token_issued_at"].as_i64()).map(|(e, i)| e - i), Some(3600));
}

#[tokio::test(flavor = "current_thread")]
async fn a_second_issuer_is_accepted_for_its_own_audience_only() {
    let api = Api::empty().await;
    let firebase = |audience: &str| {
        api.issuer.token(&changed(json!({
            "iss": "https://securetoken.google.com/demo", "aud": audience, "token_use": null, "user_id": "bob",
            "firebase": {"sign_in_provider": "google.com"},
        })))
    };
    let answer = api.call("GET", "/auth/user", Some(&firebase("demo")), None).await;
    let user = &answer.body()["user"];
    assert_eq!(
        (&user["uid"], &user["token_type"], &user["firebase_provider"]),
        (&json!("bob"), &json!("firebase"), &json!("google.com"))
    );
    assert_eq!(api.call("GET", "/list", Some(&firebase("demo")), None).await.status(), 200);
    assert_eq!(api.call("GET", "/list", Some(&firebase(AUDIENCE)), None).await.status(), 401);
}

#[tokio::test(flavor = "current_thread")]
async fn invalid_tokens_are_rejected_on_every_route() {
    let api = Api::empty().await;
    let issuer = &api.issuer;
    let good = claims("ana");
    let mut forged = issuer.token(&good);
    let last = if forged.ends_with("AA") { "BB" } else { "AA" };
    forged.replace_range(forged.len() - 20..forged.len() - 18, last);
    let header = |kid: Option<&str>| json!({"alg": "RS256", "kid": kid});
    let rejected = [
        ("forged", forged),
        ("alg none", unsigned_token(&good)),
        ("HS256 with the public key", issuer.confused_token(&good)),
        ("access token", issuer.token(&changed(json!({"token_use": "access"})))),
        ("other pool", issuer.token(&changed(json!({"iss": "https://cognito-idp.us-east-2.amazonaws.com/other"})))),
        ("other audience", issuer.token(&changed(json!({"aud": "other"})))),
        ("no audience", issuer.token(&changed(json!({"aud": null})))),
        ("no issuer", issuer.token(&changed(json!({"iss": null})))),
        ("no key", issuer.token_with(&header(None), &good)),
        ("unknown key", issuer.token_with(&header(Some("other")), &good)),
        ("alg RS512", issuer.token_with(&json!({"alg": "RS512", "kid": KEY_ID}), &good)),
        ("no expiry", issuer.token(&changed(json!({"exp": null})))),
        ("from the future", issuer.token(&changed(json!({"iat": now() + 600})))),
        ("not yet", issuer.token(&changed(json!({"nbf": now() + 600})))),
    ];
    for (name, token) in rejected {
        let list = api.call("GET", "/list", Some(&token), None).await;
        assert_eq!(list.error(), (401, "Authentication required".to_owned()), "{name}");
        assert_eq!(list.body()["message"], "Token verification failed", "{name}");
        let login = api.call("POST", "/auth/login", Some(&token), None).await;
        assert_eq!(login.error(), (401, "Invalid Firebase token".to_owned()), "{name}");
        let exchange = api.call("POST", "/auth/exchange-token", Some(&token), None).await;
        assert_eq!(exchange.error(), (401, "Invalid Firebase token".to_owned()), "{name}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn expired_tokens_are_reported_as_expired() {
    let api = Api::empty().await;
    let token = api.issuer.token(&changed(json!({"exp": now() - 61, "iat": now() - 4000})));
    let list = api.call("GET", "/list", Some(&token), None).await;
    assert_eq!((list.status(), &list.body()["message"]), (401, &json!("Token has expired")));
    let login = api.call("POST", "/auth/login", Some(&token), None).await;
    assert_eq!(login.error(), (401, "Firebase token expired".to_owned()));
    let exchange = api.call("POST", "/auth/exchange-token", Some(&token), None).await;
    assert_eq!((exchange.status(), &exchange.body()["message"]), (401, &json!("Token has expired")));
    // A difference of up to a minute is tolerated.
    let token = api.issuer.token(&changed(json!({"exp": now() - 30, "iat": now() - 4000})));
    assert_eq!(api.call("GET", "/list", Some(&token), None).await.status(), 200);
}

#[tokio::test(flavor = "current_thread")]
async fn tokens_without_user_or_address_are_rejected() {
    let api = Api::empty().await;
    for changes in [json!({"email": null}), json!({"email": " "}), json!({"sub": null})] {
        let token = api.issuer.token(&changed(changes.clone()));
        assert_eq!(api.call("GET", "/list", Some(&token), None).await.status(), 401, "{changes}");
        let login = api.call("POST", "/auth/login", Some(&token), None).await;
        assert_eq!(login.error(), (400, "Invalid Firebase token data".to_owned()), "{changes}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn malformed_tokens_are_reported_at_login() {
    let api = Api::empty().await;
    for token in ["x", "a.b", "a.b.c", "e30.e30.!", "e30.e30."] {
        let login = api.call("POST", "/auth/login", Some(token), None).await;
        assert_eq!(login.error(), (400, "Invalid Firebase token format".to_owned()), "{token}");
        assert_eq!(api.call("GET", "/list", Some(token), None).await.status(), 401, "{token}");
    }
    let login = api.call("POST", "/auth/login", None, None).await;
    assert_eq!(login.error(), (400, "No Firebase token provided".to_owned()));
}

#[tokio::test(flavor = "current_thread")]
async fn backend_tokens_last_three_days_and_cannot_be_exchanged() {
    let api = Api::empty().await;
    let exchanged = api.call_as("ana", "POST", "/auth/exchange-token", None).await;
    assert_eq!(exchanged.status(), 200, "{exchanged:?}");
    let body = exchanged.body();
    assert_eq!((&body["expires_in_hours"], &body["token_type"]), (&json!(72), &json!("custom_backend")));
    let token = body["custom_token"].as_str().expect("a token");
    let answer = api.call("GET", "/auth/user", Some(token), None).await;
    let user = &answer.body()["user"];
    assert_eq!(
        (&user["uid"], &user["token_type"], &user["role"], &user["firebase_provider"]),
        (&json!("ana"), &json!("custom_backend"), &json!("user"), &json!("cognito"))
    );
    assert_eq!(
        user["token_expires_at"].as_i64().zip(user["token_issued_at"].as_i64()).map(|(e, i)| e - i),
        Some(259_200)
    );
    assert_eq!(user["token_expires_at"], body["expires_at"]);
    let again = api.call("POST", "/auth/exchange-token", Some(token), None).await;
    assert_eq!(again.error(), (400, "Token already custom".to_owned()));
    assert_eq!((&again.body()["token_type"], &again.body()["expires_at"]), (&json!("custom"), &body["expires_at"]));
}

#[tokio::test(flavor = "current_thread")]
async fn login_returns_the_token_lifetime() {
    let api = Api::empty().await;
    let login = api.call_as("ana", "POST", "/auth/login", None).await;
    let body = login.body();
    assert_eq!((login.status(), &body["success"], &body["expires_in_days"]), (200, &json!(true), &json!(3)));
    assert_eq!(body["user"]["is_admin"], false);
    let token = body["backend_token"].as_str().expect("a token");
    assert_eq!(api.call("GET", "/list", Some(token), None).await.status(), 200);
}

#[tokio::test(flavor = "current_thread")]
async fn forged_backend_tokens_are_rejected() {
    let api = Api::empty().await;
    let ours = json!({
        "iss": "thakii-backend", "aud": "thakii-frontend", "token_type": "custom_backend", "user_id": "ana",
        "email": "ana@example.com", "iat": now(), "exp": now() + 60, "cognito:groups": ["super-admins"],
    });
    let with = |name: &str, value: Value| {
        let mut claims = ours.clone();
        claims[name] = value;
        secret_token(SECRET.as_bytes(), &claims)
    };
    let good = secret_token(SECRET.as_bytes(), &ours);
    let answer = api.call("GET", "/auth/user", Some(&good), None).await;
    // Groups count only in a Cognito token itself.
    assert_eq!((answer.status(), &answer.body()["user"]["role"]), (200, &json!("user")));
    for token in [
        secret_token(b"another secret", &ours),
        api.issuer.token(&ours),
        unsigned_token(&ours),
        with("aud", json!("other")),
        with("token_type", json!("other")),
        with("user_id", json!(null)),
        with("email", json!(null)),
        with("exp", json!(now() - 61)),
        with("exp", json!(null)),
        with("iat", json!(null)),
    ] {
        assert_eq!(api.call("GET", "/auth/user", Some(&token), None).await.status(), 401, "{token}");
    }
}

/// The claims of a backend token, issued some seconds ago.
fn backend_claims(age: i64, lifetime: i64) -> Value {
    let issued_at = now() - age;
    json!({
        "iss": "thakii-backend", "aud": "thakii-frontend", "token_type": "custom_backend", "user_id": "ana",
        "email": "ana@example.com", "iat": issued_at, "exp": issued_at + lifetime,
    })
}

/// An account whose secret was rotated some seconds ago; without its previous version once that is revoked.
fn rotated(age: i64, is_revoked: bool) -> Script {
    Script::new(move |request| match (request.action.as_str(), request.body["VersionStage"].as_str()) {
        ("secretsmanager.GetSecretValue", Some("AWSCURRENT")) => {
            crate::testing::json_reply(json!({"SecretString": "the new secret", "CreatedDate": now() - age}))
        }
        ("secretsmanager.GetSecretValue", _) if !is_revoked => {
            crate::testing::json_reply(json!({"SecretString": "the old secret", "CreatedDate": 1}))
        }
        _ => empty_account(request),
    })
}

async fn status_of(api: &Api, secret: &str, claims: &Value) -> u64 {
    api.call("GET", "/auth/user", Some(&secret_token(secret.as_bytes(), claims)), None).await.status()
}

#[tokio::test(flavor = "current_thread")]
async fn the_previous_secret_verifies_tokens_of_before_its_rotation() {
    let script = rotated(600, false);
    let api = Api::new(script.clone()).await;
    assert_eq!(status_of(&api, "the new secret", &backend_claims(0, 3600)).await, 200);
    assert_eq!(status_of(&api, "the old secret", &backend_claims(700, 3600)).await, 200);
    // Issued after the rotation: an instance signs with the new secret by then, so this one is forged.
    assert_eq!(status_of(&api, "the old secret", &backend_claims(0, 3600)).await, 401);
    // Each version is read once and cached.
    assert_eq!(script.bodies("secretsmanager.GetSecretValue").len(), 2);
}

#[tokio::test(flavor = "current_thread")]
async fn the_previous_secret_ends_one_lifetime_after_its_rotation() {
    let api = Api::new(rotated(259_200 + 120, false)).await;
    // It was issued before the rotation and has not expired, but no such token can still be in use.
    let dated_back = backend_claims(259_200 + 200, 259_200 * 2);
    assert_eq!(status_of(&api, "the old secret", &dated_back).await, 401);
    let api = Api::new(rotated(259_200 - 120, false)).await;
    assert_eq!(status_of(&api, "the old secret", &backend_claims(259_200 - 60, 259_200)).await, 200);
}

#[tokio::test(flavor = "current_thread")]
async fn a_revoked_secret_verifies_no_token() {
    let api = Api::new(rotated(600, true)).await;
    assert_eq!(status_of(&api, "the old secret", &backend_claims(700, 3600)).await, 401);
    assert_eq!(status_of(&api, "the new secret", &backend_claims(700, 3600)).await, 200);
}

#[tokio::test(flavor = "current_thread")]
async fn no_token_outlives_its_issuers_tokens() {
    let api = Api::empty().await;
    for (lifetime, expected) in [(259_200, 200), (259_201, 401), (31 * 31_536_000, 401)] {
        assert_eq!(status_of(&api, SECRET, &backend_claims(0, lifetime)).await, expected, "{lifetime}");
    }
    let identity = async |changes: Value| {
        let token = api.issuer.token(&changed(changes));
        api.call("GET", "/auth/user", Some(&token), None).await.status()
    };
    let firebase = |lifetime: i64| {
        json!({
            "iss": "https://securetoken.google.com/demo", "aud": "demo", "token_use": null, "user_id": "bob",
            "exp": now() + lifetime,
        })
    };
    assert_eq!(identity(json!({"exp": now() + 86_399})).await, 200);
    assert_eq!(identity(json!({"exp": now() + 86_410})).await, 401);
    assert_eq!((identity(firebase(3599)).await, identity(firebase(3610)).await), (200, 401));
    assert_eq!(identity(json!({"iat": null})).await, 401);
}

#[tokio::test(flavor = "current_thread")]
async fn keys_are_fetched_once_and_again_for_an_unknown_id() {
    let api = Api::empty().await;
    for _ in 0..3 {
        assert_eq!(api.call_as("ana", "GET", "/auth/user", None).await.status(), 200);
    }
    assert_eq!(api.keys.requests().len(), 1);
    let unknown = api.issuer.token_with(&json!({"alg": "RS256", "kid": "unknown"}), &claims("ana"));
    for _ in 0..3 {
        assert_eq!(api.call("GET", "/auth/user", Some(&unknown), None).await.status(), 401);
    }
    // Unknown key IDs cause at most one fetch per minute.
    assert_eq!(api.keys.requests().len(), 2);
}

#[tokio::test(flavor = "current_thread")]
async fn a_rotated_key_is_found() {
    let api = Api::empty().await;
    assert_eq!(api.call_as("ana", "GET", "/auth/user", None).await.status(), 200);
    let mut jwks = api.issuer.jwks();
    jwks["keys"][0]["kid"] = json!("rotated");
    api.keys.answer(200, &jwks.to_string());
    let token = api.issuer.token_with(&json!({"alg": "RS256", "kid": "rotated"}), &claims("ana"));
    assert_eq!(api.call("GET", "/auth/user", Some(&token), None).await.status(), 200);
}

#[tokio::test(flavor = "current_thread")]
async fn without_keys_authentication_is_unavailable_but_cached_keys_suffice() {
    let api = Api::empty().await;
    api.keys.answer(500, "{}");
    for path in ["/auth/user", "/list"] {
        let answer = api.call_as("ana", "GET", path, None).await;
        assert_eq!(answer.error(), (503, "Authentication unavailable".to_owned()));
        assert!(answer.body()["request_id"].is_string());
    }
    for path in ["/auth/login", "/auth/exchange-token"] {
        assert_eq!(api.call_as("ana", "POST", path, None).await.status(), 503, "{path}");
    }
    api.keys.answer(200, &api.issuer.jwks().to_string());
    assert_eq!(api.call_as("ana", "GET", "/list", None).await.status(), 200);
    api.keys.answer(500, "{}");
    assert_eq!(api.call_as("ana", "GET", "/list", None).await.status(), 200);
}

#[tokio::test(flavor = "current_thread")]
async fn without_the_secret_sign_in_is_unavailable() {
    let script = Script::new(|request| match request.action.as_str() {
        "secretsmanager.GetSecretValue" => error_reply("InternalServiceError"),
        _ => empty_account(request),
    });
    let api = Api::new(script).await;
    let login = api.call_as("ana", "POST", "/auth/login", None).await;
    assert_eq!(login.error(), (503, "Authentication unavailable".to_owned()));
}

#[tokio::test(flavor = "current_thread")]
async fn an_unverified_super_admin_address_grants_no_role() {
    let api = Api::empty().await;
    let role = async |verified: bool| {
        let claims = changed(json!({"email": "Root@Example.com", "email_verified": verified}));
        let answer = api.call("GET", "/auth/user", Some(&api.issuer.token(&claims)), None).await;
        answer.body()["user"]["role"].clone()
    };
    assert_eq!((role(true).await, role(false).await), (json!("super_admin"), json!("user")));
}
