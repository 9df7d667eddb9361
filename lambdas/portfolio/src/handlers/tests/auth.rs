//! Signing in, refreshing, signing out, and the caller.

use serde_json::{Value, json};

use crate::testing::{
    Answer, Function, Request,
    script::Script,
    tokens::{owner, stranger, token},
};

const EMAIL: &str = "owner@example.com";

fn credentials() -> Value {
    json!({"email": EMAIL, "password": "correct horse"})
}

async fn login_with(script: Script, body: Value) -> (Answer, Function) {
    let function = Function::new(script);
    let answer = function.send(Request::new("POST", "/v1/auth/login").json(body)).await;
    (answer, function)
}

async fn login(script: Script) -> Answer {
    login_with(script, credentials()).await.0
}

async fn refresh(script: Script) -> (Answer, Function) {
    let function = Function::new(script);
    let request = Request::new("POST", "/v1/auth/refresh").json(json!({"refreshToken": "refresh-1"}));
    (function.send(request).await, function)
}

fn tokens(refresh: &Value) -> Value {
    json!({"AuthenticationResult": {
        "IdToken": owner(), "AccessToken": "access-1", "RefreshToken": refresh, "ExpiresIn": 3600,
        "TokenType": "Bearer",
    }})
}

fn refused(code: &str, message: &str) -> Script {
    Script::new().fail("InitiateAuth", code, message)
}

fn is_error(answer: &Answer, status: u64, code: &str) {
    assert_eq!(answer.error(), (status, code.to_owned(), Value::Null));
}

#[tokio::test(flavor = "current_thread")]
async fn the_right_password_returns_tokens_and_the_user() {
    let script = Script::new()
        .on("InitiateAuth", tokens(&json!("refresh-1")))
        .with("/AuthFlow", "USER_PASSWORD_AUTH")
        .with("/ClientId", "client")
        .with("/AuthParameters/USERNAME", EMAIL)
        .with("/AuthParameters/PASSWORD", "correct horse");
    let (answer, function) = login_with(script, credentials()).await;
    assert_eq!(
        answer.ok(200),
        json!({
            "token": owner(), "accessToken": "access-1", "refreshToken": "refresh-1", "tokenType": "Bearer",
            "expiresIn": 3600,
            "user": {
                "id": "sub-1", "email": EMAIL, "name": "Site Owner", "role": "owner", "emailVerified": true,
            },
        })
    );
    assert_eq!((function.counted("LoginAttempts"), function.counted("LoginFailures")), (1, 0));
}

#[tokio::test(flavor = "current_thread")]
async fn a_wrong_password_and_an_unknown_user_get_the_same_response() {
    let wrong = login(refused("NotAuthorizedException", "Incorrect username or password.")).await;
    let unknown = login(refused("UserNotFoundException", "User does not exist.")).await;
    is_error(&wrong, 401, "InvalidCredentials");
    assert_eq!(wrong.body(), unknown.body());
    assert_eq!(wrong.body()["message"], "Invalid email or password");
}

#[tokio::test(flavor = "current_thread")]
async fn a_failed_sign_in_is_counted() {
    let (_, function) = login_with(refused("NotAuthorizedException", "Incorrect"), credentials()).await;
    assert_eq!((function.counted("LoginAttempts"), function.counted("LoginFailures")), (1, 1));
}

#[tokio::test(flavor = "current_thread")]
async fn a_disabled_user_is_reported() {
    is_error(&login(refused("NotAuthorizedException", "User is disabled.")).await, 403, "AccountDisabled");
}

#[tokio::test(flavor = "current_thread")]
async fn an_unconfirmed_user_is_reported() {
    let answer = login(refused("UserNotConfirmedException", "User is not confirmed.")).await;
    is_error(&answer, 403, "AccountNotVerified");
}

#[tokio::test(flavor = "current_thread")]
async fn a_value_that_the_pool_rejects_is_a_client_error() {
    let answer = login(refused("InvalidParameterException", "USERNAME is odd")).await;
    assert_eq!(answer.error(), (400, "InvalidRequest".to_owned(), json!("body")));
}

#[tokio::test(flavor = "current_thread")]
async fn too_many_attempts_are_limited() {
    for code in ["TooManyRequestsException", "LimitExceededException"] {
        is_error(&login(refused(code, "Slow down")).await, 429, "TooManyRequests");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn other_errors_of_the_pool_are_not_exposed() {
    let answer = login(refused("ResourceNotFoundException", "pool eu-central-1_test does not exist")).await;
    is_error(&answer, 500, "InternalError");
    assert!(!answer.text().contains("eu-central-1_test"));
}

#[tokio::test(flavor = "current_thread")]
async fn a_response_without_tokens_is_an_error() {
    is_error(&login(Script::new().on("InitiateAuth", json!({}))).await, 500, "InternalError");
}

#[tokio::test(flavor = "current_thread")]
async fn missing_fields_are_named() {
    for (body, field) in [
        (json!({"password": "x"}), "email"),
        (json!({"email": EMAIL}), "password"),
        (json!({"email": EMAIL, "password": ""}), "password"),
        (json!({"email": EMAIL, "password": 1}), "password"),
        (json!({"email": EMAIL, "password": null}), "password"),
        (json!({"email": "owner", "password": "x"}), "email"),
        (json!({"email": ["a@b.test"], "password": "x"}), "email"),
    ] {
        let (answer, function) = login_with(Script::new(), body.clone()).await;
        assert_eq!(answer.error(), (400, "InvalidRequest".to_owned(), json!(field)), "{body}");
        assert_eq!(function.counted("LoginAttempts"), 0);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_challenge_has_a_name_and_a_session() {
    for name in ["NEW_PASSWORD_REQUIRED", "SOFTWARE_TOKEN_MFA"] {
        let challenge = json!({
            "ChallengeName": name, "Session": "session-1", "ChallengeParameters": {"USER_ID_FOR_SRP": "owner-1"},
        });
        let (answer, function) = login_with(Script::new().on("InitiateAuth", challenge), credentials()).await;
        is_error(&answer, 403, "ChallengeRequired");
        let details = answer.body()["details"].clone();
        assert_eq!(details["challengeName"], name);
        assert_eq!(details["session"], "owner-1:session-1");
        assert_eq!(function.counted("LoginFailures"), 0);
    }
}

async fn reply(script: Script, field: &str, value: &str) -> Answer {
    let mut body = credentials();
    body["session"] = json!("owner-1:session-1");
    body[field] = json!(value);
    login_with(script, body).await.0
}

#[tokio::test(flavor = "current_thread")]
async fn a_new_password_answers_its_challenge() {
    let script = Script::new()
        .on("RespondToAuthChallenge", tokens(&json!("refresh-1")))
        .with("/ChallengeName", "NEW_PASSWORD_REQUIRED")
        .with("/Session", "session-1")
        .with("/ChallengeResponses/USERNAME", "owner-1")
        .with("/ChallengeResponses/NEW_PASSWORD", "battery staple");
    assert_eq!(reply(script, "newPassword", "battery staple").await.ok(200)["token"], owner());
}

#[tokio::test(flavor = "current_thread")]
async fn a_code_answers_its_challenge() {
    let script = Script::new()
        .on("RespondToAuthChallenge", tokens(&json!("refresh-1")))
        .with("/ChallengeName", "SOFTWARE_TOKEN_MFA")
        .with("/ChallengeResponses/SOFTWARE_TOKEN_MFA_CODE", "123456");
    assert_eq!(reply(script, "mfaCode", "123456").await.status(), 200);
}

#[tokio::test(flavor = "current_thread")]
async fn a_wrong_response_to_a_challenge_is_a_wrong_credential() {
    for code in ["CodeMismatchException", "NotAuthorizedException", "ExpiredCodeException"] {
        let script = Script::new().fail("RespondToAuthChallenge", code, "No");
        is_error(&reply(script, "mfaCode", "000000").await, 401, "InvalidCredentials");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_weak_new_password_is_named() {
    let script = Script::new().fail("RespondToAuthChallenge", "InvalidPasswordException", "too short");
    let answer = reply(script, "newPassword", "x").await;
    assert_eq!(answer.error(), (400, "InvalidRequest".to_owned(), json!("newPassword")));
    assert!(answer.body()["message"].as_str().expect("a message").contains("too short"));
}

#[tokio::test(flavor = "current_thread")]
async fn a_session_without_a_response_is_rejected() {
    let mut body = credentials();
    body["session"] = json!("session-1");
    let answer = login_with(Script::new(), body).await.0;
    assert_eq!(answer.error(), (400, "InvalidRequest".to_owned(), json!("session")));
}

#[tokio::test(flavor = "current_thread")]
async fn refreshing_keeps_the_old_refresh_token_if_there_is_no_new_one() {
    let script = Script::new()
        .on("InitiateAuth", tokens(&Value::Null))
        .with("/AuthFlow", "REFRESH_TOKEN_AUTH")
        .with("/AuthParameters/REFRESH_TOKEN", "refresh-1");
    let (answer, function) = refresh(script).await;
    assert_eq!(
        answer.ok(200),
        json!({
            "token": owner(), "accessToken": "access-1", "refreshToken": "refresh-1", "tokenType": "Bearer",
            "expiresIn": 3600,
        })
    );
    assert_eq!(function.counted("TokenRefreshCount"), 1);
    let (answer, _) = refresh(Script::new().on("InitiateAuth", tokens(&json!("refresh-2")))).await;
    assert_eq!(answer.ok(200)["refreshToken"], "refresh-2");
}

#[tokio::test(flavor = "current_thread")]
async fn an_invalid_refresh_token_is_rejected() {
    let (answer, function) = refresh(refused("NotAuthorizedException", "Invalid Refresh Token")).await;
    is_error(&answer, 401, "InvalidToken");
    assert_eq!(function.counted("TokenRefreshCount"), 0);
}

#[tokio::test(flavor = "current_thread")]
async fn a_missing_refresh_token_is_named() {
    for body in [json!({}), json!({"refreshToken": ""}), json!({"refreshToken": null}), json!({"refreshToken": {}})] {
        let request = Request::new("POST", "/v1/auth/refresh").json(body.clone());
        let answer = Function::new(Script::new()).send(request).await;
        assert_eq!(answer.error(), (400, "InvalidRequest".to_owned(), json!("refreshToken")), "{body}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn signing_out_ends_every_session() {
    let script = Script::new()
        .on("AdminUserGlobalSignOut", json!({}))
        .with("/UserPoolId", "eu-central-1_test")
        .with("/Username", "owner-1");
    let answer = Function::new(script).send(Request::new("POST", "/v1/auth/logout").owner()).await;
    assert_eq!(answer.ok(200), json!({"message": "Successfully logged out"}));
}

#[tokio::test(flavor = "current_thread")]
async fn signing_out_succeeds_even_if_the_pool_fails() {
    let script = Script::new().fail("AdminUserGlobalSignOut", "InternalErrorException", "oops");
    let answer = Function::new(script).send(Request::new("POST", "/v1/auth/logout").token(stranger())).await;
    assert_eq!(answer.ok(200), json!({"message": "Successfully logged out"}));
}

#[tokio::test(flavor = "current_thread")]
async fn every_signed_in_user_can_read_their_own_data() {
    let me =
        async |token| Function::new(Script::new()).send(Request::new("GET", "/v1/auth/me").token(token)).await.ok(200);
    assert_eq!(
        me(owner()).await,
        json!({"id": "sub-1", "email": EMAIL, "name": "Site Owner", "role": "owner", "emailVerified": true})
    );
    let other = me(stranger()).await;
    assert_eq!((&other["role"], &other["emailVerified"]), (&json!("public"), &json!(false)));
    assert_eq!(me(token(&json!({"email_verified": "true"}))).await["emailVerified"], true);
}

#[tokio::test(flavor = "current_thread")]
async fn a_token_of_another_use_is_rejected() {
    for changes in [json!({"token_use": "access"}), json!({"aud": "other"}), json!({"iss": "https://evil.test"})] {
        let request = Request::new("GET", "/v1/auth/me").token(token(&changes));
        is_error(&Function::new(Script::new()).send(request).await, 401, "InvalidToken");
    }
}
