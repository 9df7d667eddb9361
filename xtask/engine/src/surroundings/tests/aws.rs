//! A scripted AWS of one account: stacks that take a minute to create, and objects with conditional writes.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorFuture},
        orchestrator::{HttpRequest, HttpResponse},
    },
    http::StatusCode,
};
use aws_smithy_types::{DateTime, body::SdkBody, date_time::Format};
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use crate::surroundings::Clock;

/// How long CloudFormation creates a stack.
pub(super) const CREATION: Duration = Duration::from_secs(60);
/// The only region with stacks.
const REGION: &str = "eu-central-1";

/// The response to a throttled call (CloudFormation API reference, "Common errors").
const THROTTLED: &str = "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>";

/// The account. Clones are the same one.
#[derive(Debug, Clone)]
pub(super) struct Aws {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    latency: Duration,
    throttled: Option<usize>,
    requests: Vec<String>,
    stacks: BTreeMap<String, Stack>,
    objects: BTreeMap<String, Object>,
}

#[derive(Debug)]
struct Stack {
    template: Value,
    /// When its change set was executed.
    executed: Option<Instant>,
}

#[derive(Debug, Clone, Default)]
struct Object {
    body: String,
    writes: u32,
    written: String,
}

type Answer = (u16, Vec<(&'static str, String)>, String);

impl Aws {
    pub(super) fn new(clock: Clock) -> Self {
        let state = State { latency: Duration::from_millis(20), ..State::default() };
        Self { clock, state: Arc::new(Mutex::new(state)) }
    }

    /// The time until a response.
    pub(super) fn set_latency(&self, latency: Duration) {
        self.state().latency = latency;
    }

    /// Throttles every request whose number is a multiple of this one.
    pub(super) fn throttle_every(&self, number: usize) {
        self.state().throttled = Some(number);
    }

    /// Every request so far: method, URL, headers and body.
    pub(super) fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    /// How often an object was written, and its content.
    pub(super) fn object(&self, key: &str) -> (u32, String) {
        let object = self.state().objects.get(key).cloned().unwrap_or_default();
        (object.writes, object.body)
    }

    /// Changes the templates of all stacks by hand, so that a deploy has something to do.
    pub(super) fn change_templates(&self) {
        for stack in self.state().stacks.values_mut() {
            stack.template["Description"] = "Changed by hand.".into();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, method: &str, url: &Url, request: &HttpRequest) -> Answer {
        let body = text(request);
        let form: BTreeMap<String, String> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let host = url.host_str().unwrap_or_default();
        let answer = match form.get("Action").map(String::as_str) {
            None if host.contains(".s3.") => return self.object_answer(method, url, request),
            Some("GetCallerIdentity") => {
                let arn = "<Arn>arn:aws:iam::111122223333:user/ann</Arn>";
                Ok(format!("<Account>111122223333</Account>{arn}"))
            }
            Some(action) if host.starts_with("cloudformation.") => {
                self.state().cloudformation(action, &form, host.contains(REGION))
            }
            _ => Err(("AccessDenied", "not allowed".to_owned())),
        };
        let action = form.get("Action").cloned().unwrap_or_default();
        let kind = vec![("content-type", "text/xml".to_owned())];
        match answer {
            Ok(result) => {
                let result = format!("<{action}Result>{result}</{action}Result>");
                (200, kind, format!("<{action}Response>{result}</{action}Response>"))
            }
            Err((code, message)) => {
                let error =
                    format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>");
                (400, kind, format!("<ErrorResponse>{error}</ErrorResponse>"))
            }
        }
    }

    fn object_answer(&self, method: &str, url: &Url, request: &HttpRequest) -> Answer {
        let now = DateTime::from(self.clock.now()).fmt(Format::HttpDate).expect("a date");
        let date = ("date", now.clone());
        let key = url.path().trim_start_matches('/').to_owned();
        let mut state = self.state();
        if method == "GET" && key.is_empty() && state.stacks.values().all(|stack| stack.status() != "CREATE_COMPLETE") {
            return (404, vec![date], "<Error><Code>NoSuchBucket</Code><Message>no</Message></Error>".to_owned());
        }
        if method == "GET" && key.is_empty() {
            return (200, vec![date], "<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>".to_owned());
        }
        let found = state.objects.get(&key).cloned();
        if method == "PUT" {
            let header = |name: &str| request.headers().get(name);
            let tag = found.as_ref().map(|object| format!("\"{}\"", object.writes));
            let holds = match (header("if-none-match"), header("if-match")) {
                (Some(_), _) => found.is_none(),
                (_, wanted @ Some(_)) => tag.as_deref() == wanted,
                _ => true,
            };
            if !holds {
                let error = "<Error><Code>PreconditionFailed</Code><Message>no</Message></Error>";
                return (412, vec![date], error.to_owned());
            }
            let object = state.objects.entry(key).or_default();
            *object = Object { body: text(request), writes: object.writes + 1, written: now };
            return (200, vec![date, ("etag", format!("\"{}\"", object.writes))], String::new());
        }
        let Some(Object { body, writes, written }) = found else {
            return (404, vec![date], "<Error><Code>NoSuchKey</Code><Message>no</Message></Error>".to_owned());
        };
        (200, vec![date, ("etag", format!("\"{writes}\"")), ("last-modified", written)], body)
    }
}

impl State {
    fn cloudformation(
        &mut self,
        action: &str,
        form: &BTreeMap<String, String>,
        is_home: bool,
    ) -> Result<String, (&'static str, String)> {
        let name = form.get("StackName").cloned();
        let missing =
            || ("ValidationError", format!("Stack with id {} does not exist", name.clone().unwrap_or_default()));
        if action == "CreateChangeSet" {
            let template = serde_json::from_str(&form["TemplateBody"]).expect("JSON");
            self.stacks.insert(form["StackName"].clone(), Stack { template, executed: None });
            return Ok("<Id>change</Id><StackId>stack</StackId>".to_owned());
        }
        let described = |stacks: &mut dyn Iterator<Item = (&String, &Stack)>| {
            let members: String = stacks.map(|(name, stack)| stack.described(name)).collect();
            Ok(format!("<Stacks>{members}</Stacks>"))
        };
        let Some(named) = &name else { return described(&mut self.stacks.iter().filter(|_| is_home)) };
        if action == "DeleteChangeSet" {
            return Ok(String::new());
        }
        let stack = self.stacks.get_mut(named).ok_or_else(missing)?;
        match action {
            "DescribeStacks" => described(&mut std::iter::once((named, &*stack))),
            "GetTemplate" => {
                let template = stack.template.to_string().replace('&', "&amp;").replace('<', "&lt;");
                Ok(format!("<TemplateBody>{template}</TemplateBody>"))
            }
            "DescribeStackEvents" => Ok(stack.events(named)),
            "DescribeChangeSet" => Ok(stack.change_set()),
            "ExecuteChangeSet" => {
                stack.executed = Some(Instant::now());
                Ok(String::new())
            }
            "UpdateTerminationProtection" => Ok("<StackId>stack</StackId>".to_owned()),
            _ => Err(("AccessDenied", "not allowed".to_owned())),
        }
    }
}

impl Stack {
    fn status(&self) -> &'static str {
        match self.executed.map(|executed| executed.elapsed()) {
            None => "REVIEW_IN_PROGRESS",
            Some(elapsed) if elapsed < CREATION => "CREATE_IN_PROGRESS",
            Some(_) => "CREATE_COMPLETE",
        }
    }

    fn described(&self, name: &str) -> String {
        let status = self.status();
        let mut outputs = String::new();
        for output in self.template["Outputs"].as_object().into_iter().flat_map(|outputs| outputs.keys()) {
            let value = "<OutputValue>artifacts-of-dev</OutputValue>";
            let _ = write!(outputs, "<member><OutputKey>{output}</OutputKey>{value}</member>");
        }
        let protection = "<EnableTerminationProtection>true</EnableTerminationProtection>";
        let time = "<CreationTime>2027-01-15T08:00:00Z</CreationTime>";
        format!(
            "<member><StackName>{name}</StackName><StackStatus>{status}</StackStatus>{time}{protection}<Outputs>{outputs}</Outputs></member>"
        )
    }

    fn events(&self, name: &str) -> String {
        let event = |id: u8, status: &str| {
            let kind = "<ResourceType>AWS::CloudFormation::Stack</ResourceType>";
            format!(
                "<member><StackId>s</StackId><StackName>{name}</StackName><EventId>{id}</EventId>\
                 <LogicalResourceId>{name}</LogicalResourceId>{kind}<ResourceStatus>{status}</ResourceStatus>\
                 <Timestamp>2027-01-15T08:00:00Z</Timestamp></member>"
            )
        };
        let events = match self.status() {
            "CREATE_COMPLETE" => event(2, "CREATE_COMPLETE") + &event(1, "CREATE_IN_PROGRESS"),
            status => event(1, status),
        };
        format!("<StackEvents>{events}</StackEvents>")
    }

    fn change_set(&self) -> String {
        let mut changes = String::new();
        for (id, resource) in self.template["Resources"].as_object().into_iter().flatten() {
            let kind = resource["Type"].as_str().unwrap_or_default();
            let change = format!("<LogicalResourceId>{id}</LogicalResourceId><ResourceType>{kind}</ResourceType>");
            let change = format!("<ResourceChange><Action>Add</Action>{change}</ResourceChange>");
            let _ = write!(changes, "<member><Type>Resource</Type>{change}</member>");
        }
        format!(
            "<Status>CREATE_COMPLETE</Status><ExecutionStatus>AVAILABLE</ExecutionStatus><Changes>{changes}</Changes>"
        )
    }
}

impl HttpConnector for Aws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut written = format!("{} {}\n", request.method(), request.uri());
        for (name, value) in request.headers() {
            let _ = writeln!(written, "{name}: {value}");
        }
        written.push_str(&text(&request));
        let (latency, is_throttled) = {
            let mut state = self.state();
            state.requests.push(written);
            (state.latency, state.throttled.is_some_and(|number| state.requests.len().is_multiple_of(number)))
        };
        let aws = self.clone();
        HttpConnectorFuture::new(async move {
            tokio::time::sleep(latency).await;
            let url = Url::parse(request.uri()).expect("a URL");
            let (status, headers, body) = match is_throttled {
                true => (400, Vec::new(), THROTTLED.to_owned()),
                false => aws.answer(request.method(), &url, &request),
            };
            let status = StatusCode::try_from(status).expect("a status");
            let mut response = HttpResponse::new(status, SdkBody::from(body));
            for (name, value) in headers {
                response.headers_mut().insert(name, value);
            }
            Ok(response)
        })
    }
}

fn text(request: &HttpRequest) -> String {
    String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned()
}
