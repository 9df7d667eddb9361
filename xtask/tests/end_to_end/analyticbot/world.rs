//! The deployed cloud, its users, and what can be seen of it from outside.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::hmac;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::{
    deploying,
    person::{Heard, PASSWORD, Person},
};
use crate::{cloud::Cloud, rights::Watch};

/// The tables.
pub(super) const USERS: &str = "analyticbot-local-users";
pub(super) const CREDENTIALS: &str = "analyticbot-local-user_bot_credentials";
pub(super) const ACTIONS: &str = "analyticbot-local-admin_bot_actions";
/// The functions that tests invoke or reconfigure.
pub(super) const USER_ADMIN: &str = "analyticbot-local-user-admin";
pub(super) const USER_BOT: &str = "analyticbot-local-user-bot";
pub(super) const CLEANUP: &str = "analyticbot-local-cleanup";
/// The parameter of which a new user's password is read.
const PASSWORD_PARAMETER: &str = "/analyticbot/local/bootstrap-password";

/// An item of a table.
pub(super) type Item = BTreeMap<String, AttributeValue>;

/// The values that all rows use.
pub(super) struct World {
    pub(super) cloud: Cloud,
    /// The URL of the panel.
    pub(super) panel: String,
    pub(super) anonymous: Person,
    pub(super) ana: Person,
    pub(super) bob: Person,
    pub(super) admin: Person,
    pub(super) owner: Person,
    /// The secret that signs access tokens.
    pub(super) secret: String,
    /// The tokens of Telegram that the tests used.
    tokens: Mutex<BTreeSet<String>>,
    /// What the commands of the tests printed.
    pub(super) printed: Vec<String>,
    /// Records the functions' calls.
    pub(super) watch: Watch,
}

impl World {
    pub(super) fn deploy(runtime: &Runtime) -> Self {
        let cloud = Cloud::new();
        let printed = deploying::rows_02_and_03_two_deploys(&cloud);
        let status = cloud.json(&["status", "--stage", "local", "--format", "json"]);
        let url = |name: &str| status["urls"][name].as_str().expect("a URL").to_owned();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        let anonymous =
            Person { http, api: url("AnalyticBotApi"), authorization: None, id: 0, heard: Heard::default() };
        let watch = runtime.block_on(Watch::start(&cloud, "analyticbot"));
        let [ana, bob, admin, owner] = [(); 4].map(|()| anonymous.clone());
        let (tokens, secret, panel) = (Mutex::default(), String::new(), url("Panel"));
        let mut world = Self { cloud, panel, anonymous, ana, bob, admin, owner, secret, tokens, printed, watch };
        runtime.block_on(async {
            let secret = world.cloud.secret("analyticbot/local/jwt-secret-key").await;
            secret["SecretString"].as_str().expect("a value").clone_into(&mut world.secret);
            world.ana = world.user("ana", "user").await;
            world.bob = world.user("bob", "user").await;
            world.admin = world.user("adm", "admin").await;
            world.owner = world.user("own", "owner").await;
        });
        world
    }

    /// Creates a user as an operator does, with the password of all users, and signs in.
    pub(super) async fn user(&self, name: &str, role: &str) -> Person {
        self.user_with_password(name, role, PASSWORD).await
    }

    /// Creates a user as an operator does, and signs in.
    pub(super) async fn user_with_password(&self, name: &str, role: &str, password: &str) -> Person {
        self.cloud.put_secret_parameter(PASSWORD_PARAMETER, password).await;
        let email = format!("{name}@example.com");
        let event = json!({
            "op": "create_user", "username": name, "email": email, "role": role, "password_param": PASSWORD_PARAMETER,
        });
        self.administer(&event).await;
        let guard = self.item(USERS, &format!("USERNAME#{name}")).await.expect("a name is reserved");
        let id = number(&guard["id"]);
        let token = self.sign(&self.claims(id, name, role));
        Person { id, ..self.anonymous.with_token(&token) }
    }

    /// Returns the claims of a valid access token.
    pub(super) fn claims(&self, id: u64, name: &str, role: &str) -> Value {
        let now = jiff::Timestamp::now().as_second();
        json!({
            "sub": id.to_string(), "email": format!("{name}@example.com"), "username": name, "role": role,
            "typ": "access", "iat": now, "exp": now + 1800, "jti": format!("test-{id}-{now}"),
        })
    }

    /// Signs claims as the system does.
    pub(super) fn sign(&self, claims: &Value) -> String {
        sign(&json!({ "alg": "HS256", "typ": "JWT" }), claims, &self.secret)
    }

    /// Invokes the function for the administration of users.
    pub(super) async fn administer(&self, event: &Value) -> Value {
        self.invoke(USER_ADMIN, event).await
    }

    /// Invokes a function's live version, which must succeed.
    pub(super) async fn invoke(&self, function: &str, event: &Value) -> Value {
        let invoke = self.cloud.lambda().invoke().function_name(function).qualifier("live");
        let payload = aws_sdk_lambda::primitives::Blob::new(event.to_string());
        let response = invoke.payload(payload).send().await.expect("a response");
        let text = response.payload().map_or(&[][..], |payload| payload.as_ref());
        assert_eq!(response.function_error(), None, "{event}: {}", String::from_utf8_lossy(text));
        serde_json::from_slice(text).unwrap_or_default()
    }

    /// Makes the function of users call another Bot API server; returns the address of the former one.
    pub(super) async fn point_at(&self, base: &str) -> String {
        const BASE: &str = "TELEGRAM_API_BASE";
        let lambda = self.cloud.lambda();
        let current = lambda.get_function_configuration().function_name(USER_BOT).qualifier("live").send().await;
        let current = current.expect("a configuration");
        let variables = current.environment().and_then(|environment| environment.variables()).expect("variables");
        let former = variables[BASE].clone();
        self.cloud.reconfigure(USER_BOT, &[(BASE, base.to_owned())]).await;
        former
    }

    /// Returns a token of a bot whose secret selects the behaviour of the fake server. Its secret is remembered.
    pub(super) fn token(&self, bot_id: u64, behavior: &str) -> String {
        let mut random = [0; 16];
        ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut random).expect("random bytes");
        let token = format!("{bot_id}:{behavior}{}", hex::encode(random));
        self.remember(&token);
        token
    }

    /// Remembers a token, which no output may contain.
    pub(super) fn remember(&self, token: &str) {
        self.tokens.lock().expect("no panic").insert(token.to_owned());
    }

    /// Returns the token that was made for a bot, which has one only.
    pub(super) fn token_of(&self, bot_id: u64) -> String {
        let tokens = self.tokens.lock().expect("no panic");
        let found = tokens.iter().find(|token| token.starts_with(&format!("{bot_id}:")));
        found.expect("a token").clone()
    }

    /// Returns the secrets of all tokens that the tests used.
    pub(super) fn secrets(&self) -> Vec<String> {
        let tokens = self.tokens.lock().expect("no panic");
        tokens.iter().map(|token| token.split_once(':').expect("an ID").1.to_owned()).collect()
    }

    pub(super) fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.cloud.sdk())
    }

    /// Returns all items of a table.
    pub(super) async fn items(&self, table: &str) -> Vec<Item> {
        let scan = self.dynamodb().scan().table_name(table).consistent_read(true);
        let items = scan.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        items.expect("items").into_iter().map(|item| item.into_iter().collect()).collect()
    }

    /// Returns the items of a table whose key begins with a prefix.
    pub(super) async fn items_with(&self, table: &str, prefix: &str) -> Vec<Item> {
        let mut items = self.items(table).await;
        items.retain(|item| item["pk"].as_s().is_ok_and(|key| key.starts_with(prefix)));
        items
    }

    /// Returns the item with this key, if it exists.
    pub(super) async fn item(&self, table: &str, key: &str) -> Option<Item> {
        let get = self.dynamodb().get_item().table_name(table).key("pk", text(key)).consistent_read(true);
        get.send().await.expect("a response").item.map(|item| item.into_iter().collect())
    }

    /// Stores an item as it is.
    pub(super) async fn put(&self, table: &str, item: &Item) {
        let item = item.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        self.dynamodb().put_item().table_name(table).set_item(Some(item)).send().await.expect("stored");
    }

    /// Returns the stored bot of a person.
    pub(super) async fn bot(&self, person: &Person) -> Item {
        self.item(CREDENTIALS, &format!("USER#{}", person.id)).await.expect("a bot")
    }

    /// Deletes all windows of sign-ins, as their expiry does.
    pub(super) async fn forget_sign_ins(&self) {
        for item in self.items_with(USERS, "LOGIN#").await {
            let delete = self.dynamodb().delete_item().table_name(USERS).key("pk", item["pk"].clone());
            delete.send().await.expect("deleted");
        }
    }

    /// Returns the recorded actions on a person's bot, the oldest first.
    pub(super) async fn actions(&self, person: &Person) -> Vec<Item> {
        let mut actions = self.items(ACTIONS).await;
        actions.retain(|action| number(&action["target_user_id"]) == person.id);
        actions.sort_by_key(|action| action["action_sk"].as_s().expect("a text").clone());
        actions
    }
}

/// Signs claims with any header and secret.
pub(super) fn sign(header: &Value, claims: &Value, secret: &str) -> String {
    let part = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// Returns a text as the value of an attribute.
pub(super) fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// Returns the number in an attribute.
pub(super) fn number(value: &AttributeValue) -> u64 {
    value.as_n().expect("a number").parse().expect("a whole number")
}
