//! A stage with a user pool, and requests to its functions.

use std::sync::{Arc, Mutex};

use axum::Router;
use common::{http, token::sign_hs256};
use lambda_runtime::{Context, LambdaEvent};
use listbackup_contract::auth as contract;
use serde_json::{Value, json};
use tables::testing::{Reply, Request, Script, error_reply, json_reply};

use crate::{auth::serve, memory::Memory};

pub(super) const USERS: &str = "listbackup-test-users";
pub(super) const ACCOUNTS: &str = "listbackup-test-accounts";
pub(super) const ACTIVITY: &str = "listbackup-test-activity";
pub(super) const PASSWORD: &str = "Correct-horse-1";
/// The code that every authenticator shows.
pub(super) const CODE: &str = "123456";
pub(super) const SECRET: &str = "a secret of tokens that is long enough";

/// A user of the pool.
#[derive(Debug, Clone, Default)]
pub(super) struct PoolUser {
    pub(super) email: String,
    pub(super) password: String,
    pub(super) sub: String,
    pub(super) is_permanent: bool,
    pub(super) needs_code: bool,
}

#[derive(Debug, Default)]
struct Pool {
    users: Vec<PoolUser>,
    /// Operations that fail, with the error's code and message.
    failing: Vec<(&'static str, &'static str, &'static str)>,
}

/// A stage.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) memory: Memory,
    pub(super) script: Script,
    pool: Arc<Mutex<Pool>>,
}

impl World {
    pub(super) fn new() -> Self {
        let (memory, pool) = (Memory::default(), Arc::new(Mutex::new(Pool::default())));
        let (tables, users) = (memory.clone(), Arc::clone(&pool));
        let script = Script::new(move |request| answer(&tables, &mut users.lock().expect("no panic"), request));
        Self { memory, script, pool }
    }

    /// Makes an operation fail from now on.
    pub(super) fn fail(&self, operation: &'static str, code: &'static str) {
        self.refuse(operation, code, "no");
    }

    /// As [`fail`](Self::fail), with a message.
    pub(super) fn refuse(&self, operation: &'static str, code: &'static str, message: &'static str) {
        self.pool.lock().expect("no panic").failing.push((operation, code, message));
    }

    /// Ends all failures.
    pub(super) fn recover(&self) {
        self.pool.lock().expect("no panic").failing.clear();
    }

    pub(super) fn pool_users(&self) -> Vec<PoolUser> {
        self.pool.lock().expect("no panic").users.clone()
    }

    pub(super) async fn register(&self, body: Value) -> Answer {
        let environment: contract::Register = self.environment();
        let router = serve::register_router(environment, &self.script.aws()).expect("an environment");
        call::<contract::Register>(router, "/auth/register", &body, None).await
    }

    /// Registers a user and returns its ID.
    pub(super) async fn registered(&self, email: &str) -> String {
        let answer = self.register(json!({ "email": email, "password": PASSWORD, "name": "Ana" })).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.text("/data/user/userId")
    }

    pub(super) async fn login(&self, body: Value) -> Answer {
        let router = serve::login_router(self.environment(), &self.script.aws()).expect("an environment");
        call::<contract::Login>(router, "/auth/login", &body, None).await
    }

    /// Signs a user in and returns its refresh token.
    pub(super) async fn signed_in(&self, email: &str) -> String {
        let answer = self.login(json!({ "email": email, "password": PASSWORD })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.text("/data/refreshToken")
    }

    pub(super) async fn refresh(&self, token: &str) -> Answer {
        let router = serve::refresh_router(self.environment(), &self.script.aws()).expect("an environment");
        call::<contract::Refresh>(router, "/auth/refresh", &json!({ "refreshToken": token }), None).await
    }

    pub(super) async fn logout(&self, caller: Value) -> Answer {
        let router = serve::logout_router(self.environment(), &self.script.aws());
        call::<contract::Logout>(router, "/auth/logout", &json!({}), Some(caller)).await
    }

    pub(super) async fn mfa_setup(&self, caller: Value, body: Value) -> Answer {
        let router = serve::mfa_setup_router(self.environment(), &self.script.aws()).expect("an environment");
        call::<contract::MfaSetup>(router, "/auth/mfa/setup", &body, Some(caller)).await
    }

    pub(super) async fn mfa_verify(&self, caller: Value, body: Value) -> Answer {
        let router = serve::mfa_verify_router(self.environment(), &self.script.aws()).expect("an environment");
        call::<contract::MfaVerify>(router, "/auth/mfa/verify", &body, Some(caller)).await
    }

    /// The stored row of a user.
    pub(super) fn user(&self, user_id: &str) -> Value {
        self.memory.get(USERS, &[user_id]).expect("a user")
    }

    /// The families of a user's row.
    pub(super) fn families(&self, user_id: &str) -> Vec<String> {
        let user = self.user(user_id);
        user["families"].as_object().expect("a map").keys().cloned().collect()
    }

    /// The details of all events that were sent.
    pub(super) fn events(&self) -> Vec<String> {
        let sent = self.script.bodies("AWSEvents.PutEvents");
        sent.iter().map(|body| body["Entries"][0]["DetailType"].as_str().expect("a type").to_owned()).collect()
    }

    fn environment<E: serde::de::DeserializeOwned>(&self) -> E {
        let environment = json!({
            "STAGE": "test", "USERS_TABLE": USERS, "ACCOUNTS_TABLE": ACCOUNTS, "ACTIVITY_TABLE": ACTIVITY,
            "EVENT_BUS_NAME": "events", "USER_POOL_ID": "us-east-2_pool", "USER_POOL_CLIENT_ID": "client",
            "SES_FROM_EMAIL": "noreply@example.com", "ACCESS_SECRET_ARN": "access", "REFRESH_SECRET_ARN": "refresh",
            "SIGN_IN_PER_MINUTE": "60",
        });
        serde_json::from_value(environment).expect("an environment")
    }
}

/// The caller as the authorizer passes it on.
pub(super) fn caller(user_id: &str, email: &str, family: &str) -> Value {
    json!({
        "userId": user_id, "accountId": "account:1", "role": "owner", "email": email, "family": family,
        "canWrite": "true",
    })
}

/// A response.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u64,
    pub(super) body: Value,
}

impl Answer {
    pub(super) fn text(&self, pointer: &str) -> String {
        let found = self.body.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("{pointer} in {self:?}")).to_owned()
    }

    /// Status and code of an error.
    pub(super) fn error(&self) -> (u64, String) {
        assert_eq!(self.body["success"], false, "{self:?}");
        (self.status, self.text("/code"))
    }
}

async fn call<F: ::contract::Function>(router: Router, path: &str, body: &Value, caller: Option<Value>) -> Answer {
    let mut event = json!({
        "version": "2.0", "routeKey": format!("POST {path}"), "rawPath": path, "rawQueryString": "",
        "headers": { "content-type": "application/json" },
        "requestContext": {
            "apiId": "api", "stage": "$default", "requestId": "request-1", "accountId": "1", "time": "t", "timeEpoch": 0,
            "routeKey": format!("POST {path}"),
            "http": { "method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1" },
        },
        "body": body.as_str().map_or_else(|| body.to_string(), str::to_owned), "isBase64Encoded": false,
    });
    if let Some(caller) = caller {
        event["requestContext"]["authorizer"] = json!({ "lambda": caller });
    }
    let answer = http::answer::<F>(router, LambdaEvent::new(event, Context::default())).await.expect("a response");
    let body = serde_json::from_str(answer["body"].as_str().unwrap_or("null")).expect("JSON");
    Answer { status: answer["statusCode"].as_u64().expect("a status"), body }
}

fn answer(memory: &Memory, pool: &mut Pool, request: &Request) -> Option<Reply> {
    let operation = request.action.rsplit('.').next().unwrap_or_default();
    if let Some((_, code, message)) = pool.failing.iter().find(|(failing, ..)| *failing == operation) {
        return Some((400, json!({ "__type": format!("com.amazonaws#{code}"), "message": message }).to_string()));
    }
    match request.action.split('.').next().unwrap_or_default() {
        "DynamoDB" => memory.answer(request),
        "secretsmanager" if request.body["VersionStage"] == "AWSCURRENT" => {
            json_reply(json!({ "SecretString": format!("{SECRET}: {}", request.body["SecretId"]) }))
        }
        "secretsmanager" => error_reply("ResourceNotFoundException"),
        "AWSEvents" => json_reply(json!({ "FailedEntryCount": 0, "Entries": [{ "EventId": "1" }] })),
        "SNS" => Some((200, "<SendEmailResponse/>".to_owned())),
        "AWSCognitoIdentityProviderService" => pool.answer(operation, &request.body),
        _ => None,
    }
}

impl Pool {
    fn answer(&mut self, operation: &str, body: &Value) -> Option<Reply> {
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        match operation {
            "AdminCreateUser" => self.create(&text("/Username"), &text("/TemporaryPassword")),
            "AdminInitiateAuth" => {
                let (email, password) = (text("/AuthParameters/USERNAME"), text("/AuthParameters/PASSWORD"));
                match self.users.iter().find(|user| user.email == email && user.password == password) {
                    None => error_reply("NotAuthorizedException"),
                    Some(user) if !user.is_permanent => challenge("NEW_PASSWORD_REQUIRED", user),
                    Some(user) if user.needs_code => challenge("SOFTWARE_TOKEN_MFA", user),
                    Some(user) => tokens(user),
                }
            }
            "AdminRespondToAuthChallenge" => {
                let (sub, code) =
                    (text("/ChallengeResponses/USERNAME"), text("/ChallengeResponses/SOFTWARE_TOKEN_MFA_CODE"));
                match self.users.iter().find(|user| user.sub == sub) {
                    Some(user) if code == CODE => tokens(user),
                    _ => error_reply("CodeMismatchException"),
                }
            }
            "AssociateSoftwareToken" => json_reply(json!({ "SecretCode": "JBSWY3DP" })),
            "VerifySoftwareToken" if text("/UserCode") == CODE => json_reply(json!({ "Status": "SUCCESS" })),
            "VerifySoftwareToken" => error_reply("EnableSoftwareTokenMFAException"),
            _ => self.change(operation, &text("/Username"), body),
        }
    }

    fn create(&mut self, email: &str, password: &str) -> Option<Reply> {
        if !password.chars().any(|character| character.is_ascii_digit()) {
            return error_reply("InvalidPasswordException");
        }
        if self.users.iter().any(|user| user.email == email) {
            return error_reply("UsernameExistsException");
        }
        let sub = format!("00000000-0000-4000-8000-{:012}", self.users.len());
        let user = PoolUser {
            email: email.to_owned(),
            password: password.to_owned(),
            sub: sub.clone(),
            ..PoolUser::default()
        };
        self.users.push(user);
        json_reply(json!({ "User": { "Username": sub, "Attributes": [{ "Name": "sub", "Value": sub }] } }))
    }

    fn change(&mut self, operation: &str, sub: &str, body: &Value) -> Option<Reply> {
        let at = self.users.iter().position(|user| user.sub == sub)?;
        match operation {
            "AdminSetUserPassword" => self.users[at].is_permanent = body["Permanent"] == true,
            "AdminSetUserMFAPreference" => self.users[at].needs_code = true,
            "AdminDeleteUser" => drop(self.users.remove(at)),
            "AdminUserGlobalSignOut" => {}
            _ => return None,
        }
        json_reply(json!({}))
    }
}

fn challenge(name: &str, user: &PoolUser) -> Option<Reply> {
    let parameters = json!({ "USER_ID_FOR_SRP": user.sub });
    json_reply(json!({ "ChallengeName": name, "Session": "session", "ChallengeParameters": parameters }))
}

fn tokens(user: &PoolUser) -> Option<Reply> {
    let id = sign_hs256(b"the pool's", &json!({ "sub": user.sub, "email_verified": false }));
    json_reply(json!({ "AuthenticationResult": { "IdToken": id, "AccessToken": "of the pool", "ExpiresIn": 3600 } }))
}
