//! The deployed cloud and the people who use it: the owner, somebody without a role, and everybody else.

use std::{collections::BTreeMap, sync::Mutex};

use reqwest::{Method, RequestBuilder, Response, header::HeaderMap};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::{cloud::Cloud, rights::Watch};

pub(super) const OWNER: &str = "owner@example.com";
pub(super) const PASSWORD: &str = "Correct-Horse-7-Battery";

/// What the rows need.
pub(super) struct World {
    pub(super) cloud: Cloud,
    pub(super) outputs: BTreeMap<String, String>,
    pub(super) owner: Person,
    pub(super) stranger: Person,
    pub(super) anonymous: Person,
    /// Records the function's calls while it is there: deploys would release the version that was deployed.
    watch: Mutex<Option<Watch>>,
}

/// Somebody who calls the API.
#[derive(Debug, Clone)]
pub(super) struct Person {
    http: reqwest::Client,
    api: String,
    /// The token they send.
    pub(super) token: Option<String>,
}

/// An answer of the API.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    /// Null where there is none.
    pub(super) body: Value,
}

impl Said {
    async fn read(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.expect("a body");
        let text = || String::from_utf8_lossy(&bytes);
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{error}: {}", text()))
        };
        Self { status, headers, body }
    }

    /// That it succeeded, and with what.
    pub(super) fn ok(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:#}", self.body);
        self.body
    }

    /// That it failed as the API's own errors do: the code and the field.
    pub(super) fn error(&self, status: u16) -> (&str, &Value) {
        assert_eq!((self.status, &self.body["statusCode"]), (status, &json!(status)), "{:#}", self.body);
        (self.body["details"]["code"].as_str().unwrap_or_default(), &self.body["details"]["field"])
    }
}

impl Person {
    pub(super) fn with_token(&self, token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), ..self.clone() }
    }

    /// Where the API is.
    pub(super) fn api(&self) -> &str {
        &self.api
    }

    /// A request of a path as the whole API has it: `/v1/…`, `/health`.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.api));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(super) async fn send(&self, request: RequestBuilder) -> Said {
        Said::read(request.send().await.expect("an answer")).await
    }

    pub(super) async fn get(&self, path: &str) -> Said {
        self.send(self.request(Method::GET, path)).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Said {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    pub(super) async fn put(&self, path: &str, body: Value) -> Said {
        self.send(self.request(Method::PUT, path).json(&body)).await
    }

    /// A POST without a body.
    pub(super) async fn act(&self, path: &str) -> Said {
        self.send(self.request(Method::POST, path)).await
    }

    pub(super) async fn delete(&self, path: &str) -> Said {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// Creates content, and returns it.
    pub(super) async fn create(&self, path: &str, body: Value) -> Value {
        self.post(path, body).await.ok(201)
    }

    /// Creates content, publishes it, and returns its id.
    pub(super) async fn published(&self, path: &str, body: Value) -> String {
        let created = self.create(path, body).await;
        let id = created["id"].as_str().expect("an id").to_owned();
        self.act(&format!("{path}/{id}/publish")).await.ok(200);
        id
    }
}

impl World {
    /// Records the function's calls from now on.
    pub(super) async fn start_watch(&self) {
        let watch = Watch::start(&self.cloud, "portfolio").await;
        *self.watch.lock().expect("no panic") = Some(watch);
    }

    /// Fails for calls that AWS would have refused.
    pub(super) fn assert_allowed(&self) {
        self.watch.lock().expect("no panic").as_ref().expect("the functions are watched").assert_allowed();
    }

    /// Hands over the recording, which the caller stops.
    pub(super) fn end_watch(&self) -> Watch {
        self.watch.lock().expect("no panic").take().expect("the functions are watched")
    }

    pub(super) fn deploy(runtime: &Runtime) -> Self {
        let cloud = Cloud::new();
        for system in ["foundation", "portfolio"] {
            cloud.success(&["deploy", "--stage", "local", "--system", system, "--yes"]);
        }
        cloud.assert_signs_in("portfolio");
        let status = cloud.json(&["status", "--stage", "local", "--format", "json"]);
        let outputs = outputs(&status);
        let api = status["urls"]["PortfolioApi"].as_str().expect("the API's URL").to_owned();
        let anonymous = Person { http: reqwest::Client::new(), api, token: None };
        let mut world = Self {
            owner: anonymous.clone(),
            stranger: anonymous.clone(),
            anonymous,
            cloud,
            outputs,
            watch: Mutex::default(),
        };
        runtime.block_on(async {
            world.add_user(OWNER, Some("owner"), true).await;
            world.add_user("somebody@example.com", None, true).await;
            world.owner = world.anonymous.with_token(world.sign_in(OWNER).await["token"].as_str().expect("a token"));
            let stranger = world.sign_in("somebody@example.com").await;
            world.stranger = world.anonymous.with_token(stranger["token"].as_str().expect("a token"));
        });
        world
    }

    /// Signs in through the API.
    pub(super) async fn sign_in(&self, email: &str) -> Value {
        let body = json!({"email": email, "password": PASSWORD});
        self.anonymous.post("/v1/auth/login", body).await.ok(200)
    }

    pub(super) fn pool(&self) -> &str {
        &self.outputs["CognitoUserPoolId"]
    }

    /// An ID token that lives a second, which AWS would not allow: made for a client of the pool's that is not the
    /// API's.
    pub(super) async fn short_lived_token(&self, email: &str) -> String {
        let create = json!({
            "UserPoolId": self.pool(),
            "ClientName": "short-lived",
            "IdTokenValidity": 1,
            "AccessTokenValidity": 1,
            "TokenValidityUnits": { "IdToken": "seconds", "AccessToken": "seconds" },
            "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        });
        let created = self.cloud.cognito("CreateUserPoolClient", &create).await;
        let sign_in = json!({
            "ClientId": created["UserPoolClient"]["ClientId"],
            "AuthFlow": "USER_PASSWORD_AUTH",
            "AuthParameters": { "USERNAME": email, "PASSWORD": PASSWORD },
        });
        let answer = self.cloud.cognito("InitiateAuth", &sign_in).await;
        answer["AuthenticationResult"]["IdToken"].as_str().expect("a token").to_owned()
    }

    /// Makes a user, whose password is for good or to be replaced.
    pub(super) async fn add_user(&self, email: &str, role: Option<&str>, for_good: bool) {
        let attribute = |name: &str, value: &str| json!({ "Name": name, "Value": value });
        let mut attributes =
            vec![attribute("email", email), attribute("email_verified", "true"), attribute("name", "Site Owner")];
        attributes.extend(role.map(|role| attribute("custom:role", role)));
        let create = json!({
            "UserPoolId": self.pool(),
            "Username": email,
            "MessageAction": "SUPPRESS",
            "TemporaryPassword": PASSWORD,
            "UserAttributes": attributes,
        });
        self.cloud.cognito("AdminCreateUser", &create).await;
        if for_good {
            let set = json!({ "UserPoolId": self.pool(), "Username": email, "Password": PASSWORD, "Permanent": true });
            self.cloud.cognito("AdminSetUserPassword", &set).await;
        }
    }
}

/// The outputs of every stack, as `status` reports them.
fn outputs(status: &Value) -> BTreeMap<String, String> {
    let systems = status["systems"].as_array().expect("systems").iter();
    systems
        .flat_map(|system| system["stacks"].as_array().expect("stacks"))
        .flat_map(|stack| stack["outputs"].as_object().expect("outputs"))
        .map(|(name, value)| (name.clone(), value.as_str().expect("a value").to_owned()))
        .collect()
}

/// A post with this title in this category.
pub(super) fn post(title: &str, category: &str) -> Value {
    json!({"title": title, "excerpt": "Short", "content": "# Long\n\nText", "category": category, "tags": ["rust"]})
}

pub(super) fn project(name: &str, featured: bool) -> Value {
    json!({"name": name, "description": "Short", "longDescription": "Long", "tech": ["Rust"], "company": "Own",
        "featured": featured})
}

pub(super) fn certification(name: &str, kind: &str, date: &str) -> Value {
    json!({"name": name, "issuer": "AWS", "icon": "☁", "type": kind, "featured": false, "description": "Text",
        "dateEarned": date})
}

/// The ids in a list's answer.
pub(super) fn ids(page: &Value, name: &str) -> Vec<String> {
    let items = page[name].as_array().unwrap_or_else(|| panic!("no {name}: {page:#}"));
    items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}
