//! Rows 5 to 8: sign-in, access tokens, and the attacks on both.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{
    person::PASSWORD,
    world::{World, sign},
};

pub(super) async fn row_05_a_name_or_an_address_signs_in(world: Arc<World>) {
    for body in [
        json!({ "username": "ana@example.com", "password": PASSWORD }),
        json!({ "email": "ana@example.com", "password": PASSWORD }),
        json!({ "username": "ana", "password": PASSWORD, "remember_me": true }),
    ] {
        let said = world.anonymous.post("/api/auth/login", body.clone()).await.ok(200);
        assert_eq!((&said["token_type"], &said["expires_in"]), (&json!("bearer"), &json!(1800)), "{body}");
        let user = &said["user"];
        assert_eq!((&user["id"], &user["username"]), (&json!(world.ana.id), &json!("ana")), "{user:#}");
        assert_eq!((&user["email"], &user["role"]), (&json!("ana@example.com"), &json!("user")), "{user:#}");
        assert!(user.get("password_hash").is_none(), "{user:#}");
        let token = said["access_token"].as_str().expect("a token");
        assert_ne!(world.anonymous.with_token(token).status().await.status, 401);
    }
    let wrong = world.anonymous.login("ana", "Wrong-Horse-7-Battery").await;
    let unknown = world.anonymous.login("nadie", PASSWORD).await;
    assert_eq!((wrong.error(401), unknown.error(401)), ("INVALID_CREDENTIALS", "INVALID_CREDENTIALS"));
    assert_eq!(wrong.body, unknown.body, "an unknown name looks like a wrong password");
    for body in [json!({ "password": PASSWORD }), json!({ "username": "ana", "password": "short" })] {
        world.anonymous.post("/api/auth/login", body).await.invalid();
    }
}

pub(super) async fn row_06_a_token_names_its_user_and_its_expiry(world: Arc<World>) {
    let said = world.anonymous.login("bob", PASSWORD).await.ok(200);
    let token = said["access_token"].as_str().expect("a token").to_owned();
    let part = |at: usize| -> Value {
        let part = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(at).expect("a part")).expect("Base64");
        serde_json::from_slice(&part).expect("JSON")
    };
    let (header, claims) = (part(0), part(1));
    assert_eq!(header["alg"], "HS256");
    assert_eq!(claims["exp"].as_i64().zip(claims["iat"].as_i64()).map(|(exp, iat)| exp - iat), Some(1800));
    assert_eq!((&claims["sub"], &claims["typ"]), (&json!(world.bob.id.to_string()), &json!("access")));
    assert!(claims["jti"].as_str().is_some_and(|id| !id.is_empty()), "{claims:#}");
}

pub(super) async fn row_07_bad_tokens_are_refused(world: Arc<World>) {
    let (id, good) = (world.ana.id, world.claims(world.ana.id, "ana", "user"));
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        world.sign(&claims)
    };
    let header = |alg: &str| json!({ "alg": alg, "typ": "JWT" });
    let valid = world.sign(&good);
    assert_ne!(world.anonymous.with_token(&valid).status().await.status, 401, "the claims are good");
    let now = jiff::Timestamp::now().as_second();
    let bad = [
        ("no signature", without_signature(&valid)),
        ("another secret", sign(&header("HS256"), &good, &"0".repeat(64))),
        ("an empty secret", sign(&header("HS256"), &good, "")),
        ("alg none", sign(&header("none"), &good, &world.secret)),
        ("alg none without a signature", without_signature(&sign(&header("none"), &good, ""))),
        ("alg RS256", sign(&header("RS256"), &good, &world.secret)),
        ("alg HS512", sign(&header("HS512"), &good, &world.secret)),
        ("expired", with("exp", json!(now - 1))),
        ("exp as a text", with("exp", json!((now + 1800).to_string()))),
        ("exp as a fraction", with("exp", json!(9_999_999_999.5))),
        ("no exp", with("exp", Value::Null)),
        ("another type", with("typ", json!("refresh"))),
        ("a leading zero", with("sub", json!(format!("0{id}")))),
        ("a sign", with("sub", json!(format!("+{id}")))),
        ("a number", with("sub", json!(id))),
        ("an unknown user", with("sub", json!("999999"))),
        ("no parts", "x".to_owned()),
    ];
    for (why, token) in bad {
        let said = world.anonymous.with_token(&token).status().await;
        assert_eq!(said.error(401), "NOT_AUTHENTICATED", "{why}");
        assert_eq!(said.headers["www-authenticate"], "Bearer", "{why}");
    }
    assert_eq!(world.anonymous.status().await.error(401), "NOT_AUTHENTICATED");
    let basic = world.anonymous.with_authorization(format!("Basic {valid}"));
    assert_eq!(basic.status().await.error(401), "NOT_AUTHENTICATED");
}

/// Returns a token with an empty signature.
fn without_signature(token: &str) -> String {
    let (signed, _) = token.rsplit_once('.').expect("a signature");
    format!("{signed}.")
}

/// bcrypt reads 72 bytes and ends at a NUL: such passwords must not open an account by their beginning.
pub(super) async fn passwords_of_more_than_seventy_two_bytes_are_refused(world: Arc<World>) {
    let longest = "p".repeat(72);
    world.user_with_password("lola", "user", &longest).await;
    world.anonymous.login("lola", &longest).await.ok(200);
    for (name, password) in
        [("lola", format!("{longest}p")), ("lola", format!("{longest}\0")), ("ana", format!("{PASSWORD}\0more"))]
    {
        let said = world.anonymous.login(name, &password).await;
        assert_eq!(said.error(401), "INVALID_CREDENTIALS", "{name}");
    }
}

pub(super) async fn row_08_the_thirty_first_sign_in_of_a_minute_is_refused(world: Arc<World>) {
    // All of them must be in one minute.
    let second = jiff::Timestamp::now().as_second() % 60;
    if second > 30 {
        tokio::time::sleep(Duration::from_secs(u64::try_from(61 - second).expect("less than a minute"))).await;
    }
    world.forget_sign_ins().await;
    // Each for an account of its own, so that only the address is the same.
    let names: Vec<_> = (0..31).map(|number| format!("stranger{number}")).collect();
    let said = join_all(names.iter().map(|name| world.anonymous.login(name, PASSWORD))).await;
    let of = |status: u16| said.iter().filter(move |said| said.status == status);
    assert_eq!((of(401).count(), of(429).count()), (30, 1), "{said:#?}");
    for refused in of(429) {
        assert_eq!(refused.error(429), "LOGIN_RATE_LIMITED");
    }
    // The right password is refused as well, and a header does not change the address.
    let forwarded = world.anonymous.http.post(format!("{}/api/auth/login", world.anonymous.api));
    let forwarded = forwarded.header("X-Forwarded-For", "203.0.113.7");
    let body = json!({ "username": "ana", "password": PASSWORD });
    assert_eq!(forwarded.json(&body).send().await.expect("a response").status(), 429);
    world.forget_sign_ins().await;
    world.anonymous.login("ana", PASSWORD).await.ok(200);
}
