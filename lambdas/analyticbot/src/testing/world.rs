//! A stage: tables in memory, a scripted KMS, the fake Telegram server, and the functions of bots behind API Gateway.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use analyticbot_contract::{AdminBot, UserBot, tables as names};
use axum::Router;
use contract::Function;
use jiff::Timestamp;
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};
use tables::{
    Index,
    testing::{Memory, Reply, Request, Schema, Script},
};

use super::{SECRET, kms, secret, secret_rule, user};
use crate::{admin_bot, crypto::access::AccessTokens, domain::user::Role, telegram::server::Server, user_bot};

/// Two users, an administrator and an owner.
pub(crate) const ANA: u64 = 1;
pub(crate) const BEN: u64 = 2;
pub(crate) const ADMIN: u64 = 3;
pub(crate) const OWNER: u64 = 4;

pub(crate) const USERS: &str = "users";
pub(crate) const BOTS: &str = "bots";
pub(crate) const ACTIONS: &str = "actions";

/// Slow tokens wait longer than the client's timeout of a second.
const PAUSE: Duration = Duration::from_secs(3);

type Hook = Box<dyn Fn(&Request) -> Option<Reply> + Send>;

pub(crate) struct World {
    pub(crate) memory: Memory,
    pub(crate) script: Script,
    pub(crate) server: Server,
    hook: Arc<Mutex<Hook>>,
    user_bot: Router,
    admin_bot: Router,
}

/// A response.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u64,
    pub(crate) body: Value,
    pub(crate) headers: Value,
}

impl Answer {
    /// Status and code of an error.
    pub(crate) fn error(&self) -> (u64, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let memory = Memory::new(schemas());
        for (id, role) in [(ANA, Role::User), (BEN, Role::User), (ADMIN, Role::Admin), (OWNER, Role::Owner)] {
            let mut stored = serde_json::to_value(user(id)).expect("a user");
            (stored["pk"], stored["role"]) = (json!(format!("ID#{id}")), json!(role));
            memory.insert(USERS, stored);
        }
        let hook: Arc<Mutex<Hook>> = Arc::new(Mutex::new(Box::new(|_| None)));
        let (tables, first, mut kms, secrets) = (memory.clone(), Arc::clone(&hook), kms(), secret_rule(SECRET));
        let script = Script::new(move |request| {
            let replaced = first.lock().expect("no panic")(request);
            replaced.or_else(|| tables.answer(request)).or_else(|| kms(request)).or_else(|| secrets(request))
        });
        let server = Server::stub(PAUSE);
        let (user_bot, admin_bot) = functions(&script, &server.base).await;
        Self { memory, script, server, hook, user_bot, admin_bot }
    }

    /// Runs `hook` before each request of AWS is answered.
    pub(crate) fn before_requests(&self, hook: impl Fn(&Request) + Send + 'static) {
        self.replace_answers(move |request| {
            hook(request);
            None
        });
    }

    /// Answers the requests of AWS for which `hook` has an answer with that one.
    pub(crate) fn replace_answers(&self, hook: impl Fn(&Request) -> Option<Reply> + Send + 'static) {
        *self.hook.lock().expect("no panic") = Box::new(hook);
    }

    /// Replaces the Telegram server. Memos of decrypted tokens start empty.
    pub(crate) async fn with_server(self, server: Server) -> Self {
        let (user_bot, admin_bot) = functions(&self.script, &server.base).await;
        Self { server, user_bot, admin_bot, ..self }
    }

    /// Calls the function `user-bot`.
    pub(crate) async fn own(&self, user_id: u64, method: &str, route: &str, body: Value) -> Answer {
        let path = format!("/api/user-bot/{route}");
        call::<UserBot>(self.user_bot.clone(), user_id, (method, &path), &body.to_string()).await
    }

    /// Calls the function `admin-bot`.
    pub(crate) async fn admin(&self, user_id: u64, method: &str, route: &str, body: Value) -> Answer {
        let path = format!("/api/admin/bots/{route}");
        call::<AdminBot>(self.admin_bot.clone(), user_id, (method, &path), &body.to_string()).await
    }

    /// Registers a bot.
    pub(crate) async fn create(&self, user_id: u64, token: &str) -> Answer {
        self.own(user_id, "POST", "create", json!({ "bot_token": token })).await
    }

    /// The stored bot of a user.
    pub(crate) fn bot(&self, user_id: u64) -> Value {
        self.memory.get(BOTS, &[&format!("USER#{user_id}")]).unwrap_or_default()
    }

    /// The leases of a user's bot.
    pub(crate) fn leases(&self, user_id: u64) -> usize {
        let item = self.memory.get(BOTS, &[&format!("CONC#{user_id}")]).unwrap_or_default();
        item["leases"].as_object().map_or(0, serde_json::Map::len)
    }
}

/// A token with this ID and this start of its secret.
pub(crate) fn token(id: u64, behaviour: &str) -> String {
    format!("{id}:{behaviour}{}", "x".repeat(35))
}

/// The variables of the functions of bots.
pub(crate) fn environment(telegram: &str) -> Value {
    json!({
        "STAGE": "local", "USERS_TABLE": USERS, "USER_BOT_CREDENTIALS_TABLE": BOTS, "ADMIN_BOT_ACTIONS_TABLE": ACTIONS,
        "JWT_SECRET_ARN": "jwt", "ACCESS_TOKEN_MINUTES": "30", "FINGERPRINT_SECRET_ARN": "fingerprint",
        "KMS_KEY_ID": "key", "TELEGRAM_API_BASE": telegram, "TELEGRAM_TIMEOUT_S": "1",
    })
}

async fn functions(script: &Script, telegram: &str) -> (Router, Router) {
    let environment = environment(telegram);
    let of_users = serde_json::from_value(environment.clone()).expect("every variable");
    let of_admins = serde_json::from_value(environment).expect("every variable");
    let user_bot = user_bot::build(&of_users, &script.aws()).await.expect("a function");
    (user_bot, admin_bot::build(&of_admins, &script.aws()).await.expect("a function"))
}

async fn call<F: Function>(router: Router, user_id: u64, (method, path): (&str, &str), body: &str) -> Answer {
    let tokens = AccessTokens::start(secret(SECRET), 30).await.expect("a secret");
    let token = tokens.issue(&user(user_id), Timestamp::now()).await.expect("a token");
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let event = json!({
        "version": "2.0", "rawPath": path, "rawQueryString": query, "isBase64Encoded": false, "body": body,
        "headers": { "authorization": format!("Bearer {token}"), "content-type": "application/json" },
        "requestContext": { "stage": "$default", "http": { "method": method, "path": path, "sourceIp": "192.0.2.1" } },
    });
    let answer =
        common::http::answer::<F>(router, LambdaEvent::new(event, Context::default())).await.expect("an answer");
    let body = answer["body"].as_str().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
    Answer { status: answer["statusCode"].as_u64().expect("a status"), body, headers: answer["headers"].clone() }
}

fn schemas() -> [Schema; 3] {
    let listed = |name, partition| Index { name, partition, sort: Some(names::LIST_SK) };
    let indexes = vec![listed(names::LIST_INDEX, names::LIST_PK), listed(names::STATUS_INDEX, names::STATUS)];
    let (partition, sort) = (names::TARGET_USER_ID, Some(names::ACTION_SK));
    [
        Schema { table: USERS, partition: names::PK, sort: None, indexes: Vec::new() },
        Schema { table: BOTS, partition: names::PK, sort: None, indexes },
        Schema { table: ACTIONS, partition, sort, indexes: Vec::new() },
    ]
}
