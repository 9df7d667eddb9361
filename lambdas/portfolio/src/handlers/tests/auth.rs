//! Signing in, refreshing, signing out, and the caller.

use portfolio_contract::Api;
use serde_json::{Value, json};

use crate::testing::{
    Answer, Function, Request, environment,
    script::Script,
    tokens::{owner, stranger, token},
};

const EMAIL: &str = "owner@example.com";

fn credentials() -> Value {
    json!({"email": EMAIL, "password": "correct horse"})
}

/// A function with the salt from which pseudonyms in counters are derived.
fn function(script: Script) -> Function {
    Function::with(Api { visitor_salt: Some("salt".to_owned()), ..environment() }, script)
}

async fn login_with(script: Script, body: Value) -> (Answer, Function) {
    let function = function(script);
    let answer = function.send(Request::new("POST", "/v1/auth/login").json(body)).await;
    (answer, function)
}

async fn login(script: Script) -> Answer {
    login_with(script, credentials()).await.0
}

async fn refresh(script: Script) -> (Answer, Function) {
    let function = function(script);
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

/// A script in which the pool refuses so many passwords.
fn refusing(script: Script, count: usize) -> Script {
    (0..count).fold(script, |script, _| script.fail("InitiateAuth", "NotAuthorizedException", "Incorrect"))
}

/// Sends credentials for an account from an address.
async fn try_login(function: &Function, email: &str, address: &str) -> Answer {
    let body = json!({"email": email, "password": "guess"});
    // A header that clients set names no address.
    let request =
        Request::new("POST", "/v1/auth/login").json(body).address(address).header("X-Forwarded-For", "203.0.113.7");
    function.attempt(request).await
}

fn is_limited(answer: &Answer, seconds: &str) {
    is_error(answer, 429, "TooManyRequests");
    assert_eq!(answer.header("retry-after"), Some(seconds));
}

const HOME: &str = "192.0.2.1";

#[tokio::test(flavor = "current_thread")]
async fn wrong_passwords_make_an_account_pause_for_one_address() {
    let script = refusing(Script::new(), 6);
    let function = function(script.clone());
    for _ in 0..4 {
        is_error(&try_login(&function, EMAIL, HOME).await, 401, "InvalidCredentials");
    }
    for _ in 0..2 {
        // In another spelling, too. The pool is not asked, and the pause does not grow.
        is_limited(&try_login(&function, "Owner@Example.com", HOME).await, "30");
    }
    // The owner signs in from elsewhere, and others from the same address.
    is_error(&try_login(&function, EMAIL, "192.0.2.2").await, 401, "InvalidCredentials");
    is_error(&try_login(&function, "other@example.com", HOME).await, 401, "InvalidCredentials");
    script.assert_played();
}

#[tokio::test(flavor = "current_thread")]
async fn the_right_password_forgets_failures_and_a_challenge_does_not() {
    let challenge = json!({"ChallengeName": "SOFTWARE_TOKEN_MFA", "Session": "session-1", "ChallengeParameters": {}});
    let script = refusing(Script::new(), 3).on("InitiateAuth", tokens(&json!("refresh-1")));
    let script = refusing(script, 3).on("InitiateAuth", challenge);
    let function = function(script.clone());
    let mut statuses = Vec::new();
    for _ in 0..9 {
        statuses.push(try_login(&function, EMAIL, HOME).await.status());
    }
    assert_eq!(statuses, [401, 401, 401, 200, 401, 401, 401, 403, 429]);
    script.assert_played();
}

#[tokio::test(flavor = "current_thread")]
async fn codes_are_guessed_as_slowly_as_passwords() {
    let script =
        (0..4).fold(Script::new(), |script, _| script.fail("RespondToAuthChallenge", "CodeMismatchException", "No"));
    let function = function(script.clone());
    let guess = async |email: &str| {
        let body = json!({"email": email, "password": "x", "session": "owner-1:session-1", "mfaCode": "000000"});
        function.attempt(Request::new("POST", "/v1/auth/login").json(body)).await
    };
    // The session names the account, so another email makes no difference.
    for email in ["a@example.com", "b@example.com", "c@example.com", "d@example.com"] {
        is_error(&guess(email).await, 401, "InvalidCredentials");
    }
    is_limited(&guess("e@example.com").await, "30");
    script.assert_played();
}

#[tokio::test(flavor = "current_thread")]
async fn an_address_has_ten_requests_a_minute() {
    let script = refusing(Script::new(), 11);
    let function = function(script.clone());
    let refresh = async |address: &str| {
        let request = Request::new("POST", "/v1/auth/refresh").json(json!({"refreshToken": "x"}));
        function.attempt(request.address(address)).await
    };
    for _ in 0..10 {
        is_error(&refresh("2001:db8::1").await, 401, "InvalidToken");
    }
    // The tests' time is the start of a minute. All addresses of the client's network count.
    is_limited(&refresh("2001:db8::2").await, "60");
    is_limited(&try_login(&function, EMAIL, "2001:db8::1").await, "60");
    is_error(&refresh("2001:db8:0:1::1").await, 401, "InvalidToken");
    script.assert_played();
}

#[tokio::test(flavor = "current_thread")]
async fn without_the_counters_the_owner_still_signs_in() {
    let script = Script::new().without_counters().on("InitiateAuth", tokens(&json!("refresh-1")));
    login(script).await.ok(200);
    // Without the salt, too.
    let script = Script::new().fail("GetParameter", "InternalServerError", "oops");
    let script = script.on("InitiateAuth", tokens(&json!("refresh-1")));
    Function::new(script).send(Request::new("POST", "/v1/auth/login").json(credentials())).await.ok(200);
}

#[tokio::test(flavor = "current_thread")]
async fn an_unavailable_pool_is_no_failure_of_the_account() {
    for (code, status, expected) in
        [("InternalErrorException", 500, "InternalError"), ("TooManyRequestsException", 429, "TooManyRequests")]
    {
        let down = (0..5).fold(Script::new(), |script, _| script.fail("InitiateAuth", code, "oops"));
        let script = refusing(down, 1);
        let function = function(script.clone());
        for _ in 0..5 {
            is_error(&try_login(&function, EMAIL, HOME).await, status, expected);
        }
        is_error(&try_login(&function, EMAIL, HOME).await, 401, "InvalidCredentials");
        script.assert_played();
    }
}
