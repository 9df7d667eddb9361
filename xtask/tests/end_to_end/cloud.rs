//! A local cloud of the test's own: own port, own state, gone when the test ends.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use aws_call::{
    Call, JsonService,
    services::{CLOUD_WATCH, CLOUD_WATCH_LOGS, COGNITO, KEYS, NOTIFICATIONS, QUEUES, SECRETS_MANAGER, SYSTEMS_MANAGER},
};
use aws_smithy_async::{rt::sleep::TokioSleep, time::SystemTimeSource};
use camino::Utf8Path;
use engine::local::{Emulator, Keys};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A MiniStack of its own, and a workspace to deploy to it from.
pub(crate) struct Cloud {
    directory: TempDir,
    workspace: PathBuf,
    target: PathBuf,
    port: u16,
}

impl Cloud {
    /// A cloud that the workspace under test is deployed to.
    pub(crate) fn new() -> Self {
        Self::of(workspace(), target())
    }

    /// A cloud that a checkout of the test's own is deployed to.
    ///
    /// It shares the dependencies that this test was built with, so that only the workspace's own crates are compiled. Cargo
    /// identifies those by name, version and path *within* a workspace: the checkout gets a version and a target directory of its
    /// own, or checkouts would take each other's crates and binaries. One name, one test.
    pub(crate) fn of_checkout(checkout: &Path, name: &str) -> Self {
        let manifest = checkout.join("Cargo.toml");
        let text = fs_err::read_to_string(&manifest).expect("the workspace's manifest");
        let own = text.replacen("version = \"0.1.0\"", &format!("version = \"0.1.0-{name}\""), 1);
        fs_err::write(&manifest, own).expect("written");
        Self::of(checkout.to_owned(), Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
    }

    fn of(workspace: PathBuf, target: PathBuf) -> Self {
        Self { directory: tempfile::tempdir().expect("a temporary folder"), workspace, target, port: free_port() }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The running cloud, for clients of the engine.
    pub(crate) fn emulator(&self) -> Emulator {
        self.emulator_at(self.endpoint())
    }

    /// A proxy in front of the running cloud.
    pub(crate) fn emulator_at(&self, url: String) -> Emulator {
        Emulator { url, keys: self.keys() }
    }

    /// The keys that calls to the running cloud are signed with.
    fn keys(&self) -> Keys {
        let directory = Utf8Path::from_path(self.directory.path()).expect("UTF-8");
        Keys::read(directory).expect("readable").expect("a running cloud has keys")
    }

    /// A client that reaches the emulator without its gate.
    pub(crate) fn past_the_gate(&self) -> reqwest::Client {
        let socket = self.directory.path().join("emulator.sock");
        reqwest::Client::builder().no_proxy().unix_socket(socket).build().expect("a client")
    }

    /// `cargo xtask <arguments>` as a user runs it, with nothing of the developer's AWS set-up in reach.
    pub(crate) fn xtask(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("xtask starts")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(arguments);
        self.lead(&mut command);
        command
    }

    /// Leads another tool to this cloud, with nothing of the developer's AWS set-up in reach.
    pub(crate) fn lead(&self, command: &mut Command) {
        command
            .current_dir(&self.workspace)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_BUILD_BUILD_DIR", target())
            .env("XTASK_LOCAL_DIRECTORY", self.directory.path())
            .env("XTASK_LOCAL_PORT", self.port.to_string())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("NO_COLOR", "1")
            .env("CI", "true")
            // A job's summary tells of the job, not of what its tests do.
            .env_remove("GITHUB_OUTPUT")
            .env_remove("GITHUB_STEP_SUMMARY")
            .env_remove("GITHUB_REF")
            .env_remove("GITHUB_TOKEN")
            .env_remove("GH_TOKEN")
            .env_remove("AWS_ENDPOINT_URL")
            .env_remove("AWS_PROFILE");
    }

    /// Runs a command that must succeed, and returns the JSON it printed.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.success(arguments);
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{arguments:?} printed no JSON: {error}\n{}", text(&output)))
    }

    /// Runs a command that must succeed.
    pub(crate) fn success(&self, arguments: &[&str]) -> Output {
        let output = self.xtask(arguments);
        assert!(output.status.success(), "{arguments:?} failed\n{}", text(&output));
        output
    }

    /// Deploys the whole stage; returns what the command reported.
    pub(crate) fn deploy(&self) -> Value {
        self.json(&["deploy", "--stage", "local", "--yes", "--format", "json"])
    }

    /// Signs in a user of a deployed system as a developer does.
    pub(crate) fn assert_signs_in(&self, system: &str) {
        let signed_in = self.json(&["local", "sign-in", "--system", system, "--format", "json"]);
        assert!(signed_in["idToken"].is_string() && signed_in["username"].is_string(), "{system}");
    }

    /// The last lines the emulator and the functions logged.
    pub(crate) fn log_tail(&self) -> String {
        text(&self.xtask(&["local", "logs", "-n", "80"]))
    }

    /// All lines that the emulator and the functions logged.
    pub(crate) fn log(&self) -> String {
        text(&self.success(&["local", "logs", "-n", "10000000"]))
    }

    /// A client configuration for looking at the cloud from outside.
    pub(crate) fn sdk(&self) -> aws_config::SdkConfig {
        let keys = self.keys();
        aws_config::SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::v2026_01_12())
            .endpoint_url(self.endpoint())
            .region(aws_config::Region::new("us-east-1"))
            .credentials_provider(aws_sdk_s3::config::SharedCredentialsProvider::new(
                aws_sdk_s3::config::Credentials::new(keys.access_key(), keys.secret(), None, None, "tests"),
            ))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .sleep_impl(TokioSleep::new())
            .time_source(SystemTimeSource::new())
            .build()
    }

    pub(crate) fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.sdk()).force_path_style(true).build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// Calls CloudWatch Logs.
    pub(crate) async fn logs(&self, operation: &'static str, input: &Value) -> Value {
        self.call(CLOUD_WATCH_LOGS, operation, input).await
    }

    /// Calls CloudWatch.
    pub(crate) async fn cloudwatch(&self, operation: &'static str, input: &Value) -> Value {
        self.call(CLOUD_WATCH, operation, input).await
    }

    /// Calls Cognito user pools.
    pub(crate) async fn cognito(&self, operation: &'static str, input: &Value) -> Value {
        self.call(COGNITO, operation, input).await
    }

    /// Calls SQS.
    pub(crate) async fn sqs(&self, operation: &'static str, input: &Value) -> Value {
        self.call(QUEUES, operation, input).await
    }

    /// The current value of a secret, as Secrets Manager returns it.
    pub(crate) async fn secret(&self, name: &str) -> Value {
        self.call(SECRETS_MANAGER, "GetSecretValue", &json!({ "SecretId": name })).await
    }

    /// A parameter, as Systems Manager returns it.
    pub(crate) async fn parameter(&self, name: &str) -> Value {
        self.call(SYSTEMS_MANAGER, "GetParameter", &json!({ "Name": name })).await["Parameter"].clone()
    }

    /// Stores a parameter that operators create.
    pub(crate) async fn put_parameter(&self, name: &str, value: &str) {
        let input = json!({ "Name": name, "Value": value, "Type": "String" });
        self.call(SYSTEMS_MANAGER, "PutParameter", &input).await;
    }

    /// Stores an encrypted parameter that operators create.
    pub(crate) async fn put_secret_parameter(&self, name: &str, value: &str) {
        let input = json!({ "Name": name, "Value": value, "Type": "SecureString", "Overwrite": true });
        self.call(SYSTEMS_MANAGER, "PutParameter", &input).await;
    }

    /// Calls KMS.
    pub(crate) async fn kms(&self, operation: &'static str, input: &Value) -> Value {
        self.call(KEYS, operation, input).await
    }

    /// The ARNs of all topics.
    pub(crate) async fn topics(&self) -> Vec<String> {
        let sent = Call::query(NOTIFICATIONS, "2010-03-31", "ListTopics", &[]).send(&self.sdk()).await;
        let listed = String::from_utf8(sent.expect("topics")).expect("XML");
        let topics = listed.split("<TopicArn>").skip(1);
        topics.map(|rest| rest.split('<').next().expect("a text").to_owned()).collect()
    }

    /// Subscribes a queue to a topic.
    pub(crate) async fn subscribe(&self, queue: &str, topic: &str) {
        let parameters = [("TopicArn", topic), ("Protocol", "sqs"), ("Endpoint", queue)];
        let call = Call::query(NOTIFICATIONS, "2010-03-31", "Subscribe", &parameters);
        call.send(&self.sdk()).await.unwrap_or_else(|error| panic!("{topic}: {error:?}"));
    }

    /// Makes a call that must succeed; returns its JSON, or `null` where the response is empty.
    async fn call(&self, service: JsonService, operation: &'static str, input: &Value) -> Value {
        let sent = Call::json(service, operation, input).send(&self.sdk()).await;
        let body = sent.unwrap_or_else(|error| panic!("{operation} failed: {error:?}"));
        serde_json::from_slice(&body).unwrap_or_default()
    }

    /// Reads a path of CloudFront's API past the gate; returns the XML. The emulator finds the service by the signature, which it does not
    /// verify.
    pub(crate) async fn cloudfront(&self, path: &str) -> String {
        let signature = "AWS4-HMAC-SHA256 Credential=000000000000/20260101/us-east-1/cloudfront/aws4_request, \
                         SignedHeaders=host, Signature=0";
        let request = self.past_the_gate().get(format!("{}/2020-05-31{path}", self.endpoint()));
        let response = request.header("authorization", signature).send().await.expect("CloudFront responds");
        assert!(response.status().is_success(), "{path}: {}", response.status());
        response.text().await.expect("text")
    }

    /// Returns the stacks of a system in the order in which they were created. All of them are complete.
    #[tokio::main(flavor = "current_thread")]
    pub(crate) async fn created_stacks(&self, system: &str) -> Vec<String> {
        let client = aws_sdk_cloudformation::Client::new(&self.sdk());
        let described = client.describe_stacks().send().await.expect("stacks");
        let prefix = format!("{system}-");
        let is_own = |name: &str| name.starts_with(&prefix);
        let own = described.stacks().iter().filter(|stack| stack.stack_name().is_some_and(is_own));
        let mut found: Vec<_> = own
            .map(|stack| {
                let name = stack.stack_name().expect("a name").to_owned();
                assert_eq!(stack.stack_status().map(|status| status.as_str()), Some("CREATE_COMPLETE"), "{name}");
                (stack.creation_time().expect("a time").as_nanos(), name)
            })
            .collect();
        found.sort();
        found.into_iter().map(|(_, name)| name).collect()
    }

    pub(crate) fn lambda(&self) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(&self.sdk())
    }

    /// Changes the environment of a function's live version, as another stage file would.
    pub(crate) async fn reconfigure(&self, function: &str, changes: &[(&str, String)]) {
        let lambda = self.lambda();
        let current = lambda.get_function_configuration().function_name(function).qualifier("live").send().await;
        let current = current.unwrap_or_else(|error| panic!("{function}: {error:?}"));
        let variables = current.environment().and_then(|environment| environment.variables()).cloned();
        let mut variables = variables.unwrap_or_default();
        variables.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let environment = aws_sdk_lambda::types::Environment::builder().set_variables(Some(variables)).build();
        let update = lambda.update_function_configuration().function_name(function).environment(environment);
        update.send().await.expect("updated");
        let version = lambda.publish_version().function_name(function).send().await.expect("published");
        let alias = lambda.update_alias().function_name(function).name("live");
        alias.function_version(version.version().expect("a version")).send().await.expect("moved");
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let stopped = self.xtask(&["local", "down"]);
        if !stopped.status.success() && !std::thread::panicking() {
            panic!("local down failed\n{}", text(&stopped));
        }
    }
}

/// Both streams of a finished command, for a failed assertion's message.
pub(crate) fn text(output: &Output) -> String {
    format!(
        "stdout:\n{}\nstderr:\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// The workspace under test.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's root").to_owned()
}

/// The target directory this test was built in, so that nothing is compiled twice.
fn target() -> PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_xtask"));
    binary.ancestors().nth(2).expect("target/<profile>/xtask").to_owned()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}
