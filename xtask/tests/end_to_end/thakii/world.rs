//! The deployed cloud, four people who use it, and what they can look at from outside.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use ::thakii::queue::TaskMessage;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::{cloud::Cloud, rights::Watch};

/// How long something asynchronous may take; the specification's "within 10 s".
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
const PASSWORD: &str = "Correct-Horse-7-Battery";

/// Somebody who calls the API.
#[derive(Debug, Clone)]
pub(super) struct Person {
    http: reqwest::Client,
    api: String,
    /// The token they send.
    pub(super) token: Option<String>,
}

/// A status and its JSON.
pub(super) type Said = (u16, Value);

impl Person {
    pub(super) fn with_token(&self, token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), ..self.clone() }
    }

    pub(super) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.api));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(super) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Said {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        said(request.send().await.expect("an answer")).await
    }

    pub(super) async fn get(&self, path: &str) -> Said {
        self.call(Method::GET, path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Said {
        self.call(Method::POST, path, Some(body)).await
    }

    pub(super) async fn delete(&self, path: &str) -> Said {
        self.call(Method::DELETE, path, None).await
    }

    /// Sends a form: texts, and a file with a name.
    pub(super) async fn form(&self, path: &str, texts: &[(&str, &str)], file: Option<(&str, &str, &[u8])>) -> Said {
        let mut body = Vec::new();
        for (name, value) in texts {
            let part = format!("--limit\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(part.as_bytes());
        }
        if let Some((name, filename, bytes)) = file {
            let head = format!(
                "--limit\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{filename}\"\r\n\
                 Content-Type: application/octet-stream\r\n\r\n"
            );
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(bytes);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--limit--\r\n");
        let request = self.request(Method::POST, path).header("Content-Type", "multipart/form-data; boundary=limit");
        said(request.body(body).send().await.expect("an answer")).await
    }

    /// Uploads a small video and returns its id.
    pub(super) async fn upload(&self, name: &str, bytes: &[u8]) -> String {
        let (status, body) = self.form("/upload", &[], Some(("file", name, bytes))).await;
        assert_eq!(status, 200, "{body}");
        body["video_id"].as_str().expect("a video id").to_owned()
    }

    /// PUTs bytes to a link with the headers it asks for.
    pub(super) async fn put(&self, link: &Value, headers: &Value, bytes: Vec<u8>) -> u16 {
        let mut request = self.http.put(link.as_str().expect("a link")).body(bytes);
        for (name, value) in headers.as_object().into_iter().flatten() {
            request = request.header(name, value.as_str().expect("a header's value"));
        }
        request.send().await.expect("an answer").status().as_u16()
    }

    /// The bytes a link leads to.
    pub(super) async fn fetch(&self, link: &Value) -> Vec<u8> {
        let answer = self.http.get(link.as_str().expect("a link")).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        answer.bytes().await.expect("a body").to_vec()
    }

    /// Waits until a video has a status, and returns what is said of it.
    pub(super) async fn status_when(&self, video_id: &str, wanted: &str) -> Value {
        let mut last = Value::Null;
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                last = self.get(&format!("/status/{video_id}")).await.1;
                if last["status"] == wanted {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        assert!(waited.await.is_ok(), "{video_id} is not {wanted} after {PATIENCE:?}: {last}");
        last
    }
}

/// Status and body; a body that is no JSON is a text.
pub(super) async fn said(answer: Response) -> Said {
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// The error of an answer.
pub(super) fn error(said: &Said) -> (u16, &str) {
    (said.0, said.1["error"].as_str().unwrap_or_else(|| panic!("an error: {said:?}")))
}

/// What the rows need.
pub(super) struct World {
    pub(super) cloud: Cloud,
    pub(super) anonymous: Person,
    pub(super) user: Person,
    pub(super) other: Person,
    pub(super) admin: Person,
    pub(super) root: Person,
    pub(super) outputs: BTreeMap<String, String>,
    messages: Mutex<Vec<TaskMessage>>,
    /// What the functions are seen to do.
    pub(super) watch: Watch,
}

impl World {
    pub(super) fn deploy(runtime: &Runtime) -> Self {
        let cloud = Cloud::new();
        cloud.deploy();
        cloud.assert_signs_in("thakii");
        let status = cloud.json(&["status", "--stage", "local", "--format", "json"]);
        let outputs = outputs(&status);
        let api = status["urls"]["ThakiiApi"].as_str().expect("the API's URL").to_owned();
        let anonymous = Person { http: reqwest::Client::new(), api, token: None };
        let person = |email: &str, group: Option<&str>| {
            anonymous.with_token(runtime.block_on(sign_in(&cloud, &outputs, email, group)))
        };
        Self {
            user: person("ana@example.com", None),
            other: person("bob@example.com", None),
            admin: person("admin@example.com", Some("admins")),
            root: person("root@example.com", None),
            watch: runtime.block_on(Watch::start(&cloud, "thakii")),
            anonymous,
            outputs,
            cloud,
            messages: Mutex::default(),
        }
    }

    pub(super) fn bucket(&self) -> &str {
        &self.outputs["VideoBucketName"]
    }

    pub(super) fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.cloud.sdk())
    }

    pub(super) async fn queue(&self, name: &str) -> String {
        let found = self.cloud.sqs("GetQueueUrl", &json!({ "QueueName": format!("thakii-{name}-local") })).await;
        found["QueueUrl"].as_str().expect("its URL").to_owned()
    }

    /// Receives up to ten messages without waiting.
    pub(super) async fn received(&self, queue: &str) -> Vec<Value> {
        let request = json!({ "QueueUrl": queue, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 0 });
        self.cloud.sqs("ReceiveMessage", &request).await["Messages"].as_array().cloned().unwrap_or_default()
    }

    /// The messages to the worker about a video so far. Removes them from the queue.
    pub(super) async fn messages_of(&self, video_id: &str) -> Vec<TaskMessage> {
        let queue = self.queue("tasks").await;
        loop {
            let messages = self.received(&queue).await;
            if messages.is_empty() {
                break;
            }
            for message in messages {
                let body = message["Body"].as_str().expect("a body");
                self.messages.lock().unwrap().push(serde_json::from_str(body).expect("a task's message"));
                let delete = json!({ "QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"] });
                self.cloud.sqs("DeleteMessage", &delete).await;
            }
        }
        let messages = self.messages.lock().unwrap();
        messages.iter().filter(|message| message.video_id == video_id).cloned().collect()
    }

    /// What the worker would tell of a video.
    pub(super) async fn tell(&self, event: Value) {
        let queue = self.queue("task-events").await;
        let body = event.as_str().map_or_else(|| event.to_string(), str::to_owned);
        self.cloud.sqs("SendMessage", &json!({ "QueueUrl": queue, "MessageBody": body })).await;
    }

    pub(super) async fn put_object(&self, key: &str, bytes: &[u8]) {
        let put = self.cloud.s3().put_object().bucket(self.bucket()).key(key).body(bytes.to_vec().into());
        put.send().await.expect("stored");
    }

    pub(super) async fn object(&self, key: &str) -> Option<Vec<u8>> {
        let got = self.cloud.s3().get_object().bucket(self.bucket()).key(key).send().await.ok()?;
        Some(got.body.collect().await.expect("a body").to_vec())
    }

    /// The unfinished multipart uploads in the bucket.
    pub(super) async fn open_uploads(&self) -> usize {
        let listed = self.cloud.s3().list_multipart_uploads().bucket(self.bucket()).send().await.expect("a list");
        listed.uploads().len()
    }

    /// The pool's access token of a user who exists.
    pub(super) async fn access_token(&self, email: &str) -> String {
        token(&self.cloud, &self.outputs["WebClientId"], email, "AccessToken").await
    }

    /// The pool's ID token of a user who exists, made for another client of the pool than the API's.
    pub(super) async fn token_for_another_client(&self, email: &str) -> String {
        let input = json!({
            "UserPoolId": self.outputs["UserPoolId"],
            "ClientName": "another",
            "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"],
        });
        let created = self.cloud.cognito("CreateUserPoolClient", &input).await;
        let client = created["UserPoolClient"]["ClientId"].as_str().expect("its ID");
        token(&self.cloud, client, email, "IdToken").await
    }

    /// Makes the API accept another issuer beside those it has, as a stage file would.
    pub(super) async fn accept(&self, issuer: Value) {
        let name = "thakii-backend-api-local";
        let current = self.cloud.lambda().get_function_configuration().function_name(name).send().await;
        let current = current.expect("a configuration");
        let variables = current.environment().and_then(|environment| environment.variables()).expect("an environment");
        let mut issuers: Vec<Value> = serde_json::from_str(&variables["AUTH_ISSUERS"]).expect("a list");
        issuers.push(issuer);
        self.cloud.reconfigure(name, &[("AUTH_ISSUERS", json!(issuers).to_string())]).await;
    }

    /// Signs another person in.
    pub(super) async fn person(&self, email: &str) -> Person {
        self.anonymous.with_token(sign_in(&self.cloud, &self.outputs, email, None).await)
    }
}

/// An event of the worker, as of now.
pub(super) fn event(video_id: &str, status: &str) -> Value {
    json!({"video_id": video_id, "status": status, "at": "2026-01-31T12:00:00.000Z"})
}

/// Makes a user with a verified address and returns their ID token.
async fn sign_in(cloud: &Cloud, outputs: &BTreeMap<String, String>, email: &str, group: Option<&str>) -> String {
    let pool = &outputs["UserPoolId"];
    let attributes = json!([{ "Name": "email", "Value": email }, { "Name": "email_verified", "Value": "true" }]);
    let create =
        json!({ "UserPoolId": pool, "Username": email, "UserAttributes": attributes, "MessageAction": "SUPPRESS" });
    cloud.cognito("AdminCreateUser", &create).await;
    let set = json!({ "UserPoolId": pool, "Username": email, "Password": PASSWORD, "Permanent": true });
    cloud.cognito("AdminSetUserPassword", &set).await;
    if let Some(group) = group {
        let add = json!({ "UserPoolId": pool, "Username": email, "GroupName": group });
        cloud.cognito("AdminAddUserToGroup", &add).await;
    }
    token(cloud, &outputs["WebClientId"], email, "IdToken").await
}

/// Signs a user in through a client of the pool; returns one of the tokens.
async fn token(cloud: &Cloud, client: &str, email: &str, token: &str) -> String {
    let parameters = json!({ "USERNAME": email, "PASSWORD": PASSWORD });
    let input = json!({ "ClientId": client, "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": parameters });
    let answer = cloud.cognito("InitiateAuth", &input).await;
    answer["AuthenticationResult"][token].as_str().expect("a token").to_owned()
}

/// The outputs of Thakii's stacks, as `status` reports them.
fn outputs(status: &Value) -> BTreeMap<String, String> {
    let systems = status["systems"].as_array().expect("systems").iter();
    systems
        .filter(|system| system["name"] == "thakii")
        .flat_map(|system| system["stacks"].as_array().expect("stacks"))
        .flat_map(|stack| stack["outputs"].as_object().expect("outputs"))
        .map(|(name, value)| (name.clone(), value.as_str().expect("a value").to_owned()))
        .collect()
}
