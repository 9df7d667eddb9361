//! The deployed cloud, four people who use it, and what they can look at from outside.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use ::thakii::queue::TaskMessage;
use aws_sdk_cognitoidentityprovider::types::{
    AttributeType, AuthFlowType, AuthenticationResultType, ExplicitAuthFlowsType, MessageActionType,
};
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

    pub(super) fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.cloud.sdk())
    }

    pub(super) fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.cloud.sdk())
    }

    pub(super) async fn queue(&self, name: &str) -> String {
        let found = self.sqs().get_queue_url().queue_name(format!("thakii-{name}-local")).send().await;
        found.expect("a queue").queue_url.expect("its URL")
    }

    /// The messages that told the worker of a video so far. Takes them out of the queue.
    pub(super) async fn messages_of(&self, video_id: &str) -> Vec<TaskMessage> {
        let (sqs, queue) = (self.sqs(), self.queue("tasks").await);
        loop {
            let received = sqs.receive_message().queue_url(&queue).max_number_of_messages(10).wait_time_seconds(0);
            let messages = received.send().await.expect("messages").messages.unwrap_or_default();
            if messages.is_empty() {
                break;
            }
            for message in messages {
                let body = message.body().expect("a body");
                self.messages.lock().unwrap().push(serde_json::from_str(body).expect("a task's message"));
                let handle = message.receipt_handle().expect("a handle");
                sqs.delete_message().queue_url(&queue).receipt_handle(handle).send().await.expect("deleted");
            }
        }
        let messages = self.messages.lock().unwrap();
        messages.iter().filter(|message| message.video_id == video_id).cloned().collect()
    }

    /// What the worker would tell of a video.
    pub(super) async fn tell(&self, event: Value) {
        let queue = self.queue("task-events").await;
        let body = event.as_str().map_or_else(|| event.to_string(), str::to_owned);
        self.sqs().send_message().queue_url(queue).message_body(body).send().await.expect("sent");
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
        tokens(&self.cloud, &self.outputs["WebClientId"], email).await.access_token.expect("an access token")
    }

    /// The pool's ID token of a user who exists, made for another client of the pool than the API's.
    pub(super) async fn token_for_another_client(&self, email: &str) -> String {
        let cognito = aws_sdk_cognitoidentityprovider::Client::new(&self.cloud.sdk());
        let create = cognito.create_user_pool_client().user_pool_id(&self.outputs["UserPoolId"]);
        let create = create.client_name("another").explicit_auth_flows(ExplicitAuthFlowsType::AllowUserPasswordAuth);
        let created = create.send().await.expect("a client").user_pool_client.expect("a client");
        tokens(&self.cloud, &created.client_id.expect("its id"), email).await.id_token.expect("an ID token")
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
    let cognito = aws_sdk_cognitoidentityprovider::Client::new(&cloud.sdk());
    let pool = &outputs["UserPoolId"];
    let attribute = |name: &str, value: &str| AttributeType::builder().name(name).value(value).build().unwrap();
    let create = cognito.admin_create_user().user_pool_id(pool).username(email);
    create
        .message_action(MessageActionType::Suppress)
        .user_attributes(attribute("email", email))
        .user_attributes(attribute("email_verified", "true"))
        .send()
        .await
        .expect("a user");
    let set = cognito.admin_set_user_password().user_pool_id(pool).username(email).password(PASSWORD);
    set.permanent(true).send().await.expect("a password");
    if let Some(group) = group {
        let add = cognito.admin_add_user_to_group().user_pool_id(pool).username(email).group_name(group);
        add.send().await.expect("a member");
    }
    tokens(cloud, &outputs["WebClientId"], email).await.id_token.expect("an ID token")
}

/// What the pool gives a user through a client.
async fn tokens(cloud: &Cloud, client: &str, email: &str) -> AuthenticationResultType {
    let sign_in = aws_sdk_cognitoidentityprovider::Client::new(&cloud.sdk()).initiate_auth().client_id(client);
    let signed_in = sign_in
        .auth_flow(AuthFlowType::UserPasswordAuth)
        .auth_parameters("USERNAME", email)
        .auth_parameters("PASSWORD", PASSWORD)
        .send()
        .await
        .expect("signed in");
    signed_in.authentication_result.expect("tokens")
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
