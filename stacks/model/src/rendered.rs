//! What rendering a system gives: plain data, ready to be validated, written, planned and deployed.

use std::collections::{BTreeMap, BTreeSet};

use contract::{FunctionName, Method, Route};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A system's stacks, in an order in which they can be deployed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RenderedSystem {
    /// The system's name, for example `notes`.
    pub name: String,
    /// Its stacks; every stack comes after the ones it takes values from.
    pub stacks: Vec<RenderedStack>,
    /// What it must serve once it is released.
    pub smoke: Vec<SmokeCheck>,
    /// What it must do for its clients, asked from outside after a deploy.
    pub live: Vec<LiveCheck>,
    /// How fast it must be.
    pub latency: Option<Latency>,
    /// How somebody signs in to it, and what they get then.
    pub sign_in: Option<SignIn>,
    /// Its static sites.
    pub sites: Vec<RenderedSite>,
    /// Who is told what its alarms tell, and what became of a deploy.
    pub alarm_topic: Option<RenderedTopic>,
}

/// The topic that a system's alarms tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenderedTopic {
    /// Its stack, by [`RenderedStack::stack`].
    pub stack: String,
    /// That stack's output with the topic's ARN.
    pub output: String,
}

/// A static site: files of the workspace that a deploy puts into a bucket, and says there where the system's APIs are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenderedSite {
    /// What it is called among the stage's URLs.
    pub name: String,
    /// The folder, relative to the workspace's root, whose files it is.
    pub source: String,
    /// The stack of its bucket and distribution, by [`RenderedStack::stack`].
    pub stack: String,
    /// That stack's output with the bucket's name.
    pub bucket_output: String,
    /// That stack's output with the distribution's id.
    pub distribution_output: String,
    /// That stack's output with the site's URL.
    pub url_output: String,
    /// What its `config.json` says: each field, and the output whose value it has.
    pub config: BTreeMap<String, SiteValue>,
}

/// An output of a stack of the same system that a site is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteValue {
    /// The stack, by [`RenderedStack::stack`].
    pub stack: String,
    /// The output's name.
    pub output: String,
}

/// A request that a system must answer, once it is released, as it says here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmokeCheck {
    /// The logical ID of the API that is asked.
    pub api: String,
    /// The path below the API's URL, with its slash.
    pub path: String,
    /// The status that must come.
    pub status: u16,
    /// What must be in the JSON that comes; fields that are not named may be anything.
    pub json: Option<Value>,
}

/// A request that a deployed system must answer as it says here, as its clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveCheck {
    /// What it is a check of.
    pub kind: LiveKind,
    /// The logical ID of the API that is asked.
    pub api: String,
    /// The method.
    pub method: Method,
    /// The path below the API's URL, with its slash.
    pub path: String,
    /// What the request carries: names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The statuses of which one must come.
    pub statuses: Vec<u16>,
    /// A header that must come, its name in lower case, and its value.
    pub answers: Option<(String, String)>,
}

/// What a [`LiveCheck`] is a check of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LiveKind {
    /// Whoever may not is turned away.
    Auth,
    /// Browsers of an allowed origin may ask.
    Cors,
    /// Whoever asks is answered.
    Served,
}

impl LiveKind {
    /// The kind in one word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Cors => "cors",
            Self::Served => "served",
        }
    }
}

impl LiveCheck {
    /// A request without a token is turned away.
    #[must_use]
    pub fn refuses_strangers(api: &str, method: Method, path: &str) -> Self {
        Self {
            kind: LiveKind::Auth,
            api: api.to_owned(),
            method,
            path: path.to_owned(),
            headers: Vec::new(),
            statuses: vec![401],
            answers: None,
        }
    }

    /// A request with a token that nobody signed is turned away.
    #[must_use]
    pub fn refuses_forgers(api: &str, method: Method, path: &str) -> Self {
        // {"alg":"none"} . {"sub":"nobody"} . nothing
        let token = "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJub2JvZHkifQ.";
        let headers = vec![("authorization".to_owned(), token.to_owned())];
        // API Gateway's own authorizers say 401 or 403.
        Self { headers, statuses: vec![401, 403], ..Self::refuses_strangers(api, method, path) }
    }

    /// A request is answered with one of these statuses.
    #[must_use]
    pub fn answers(api: &str, method: Method, path: &str, statuses: &[u16]) -> Self {
        Self { statuses: statuses.to_vec(), ..Self::refuses_strangers(api, method, path) }
    }

    /// Anybody gets an answer from behind the API: a function and what it reads are there.
    #[must_use]
    pub fn serves_anybody(api: &str, path: &str) -> Self {
        Self { kind: LiveKind::Served, ..Self::answers(api, Method::Get, path, &[200]) }
    }

    /// The method and path, and what is special about the request.
    #[must_use]
    pub fn title(&self) -> String {
        let is_forged = self.headers.iter().any(|(name, _)| name == "authorization");
        format!("{} {}{}", self.method.as_str(), self.path, if is_forged { ", token forged" } else { "" })
    }

    /// A browser at `origin` asks whether it may use a method, and may.
    #[must_use]
    pub fn preflight(api: &str, method: Method, path: &str, origin: &str) -> Self {
        Self {
            kind: LiveKind::Cors,
            api: api.to_owned(),
            method: Method::Options,
            path: path.to_owned(),
            headers: vec![
                ("origin".to_owned(), origin.to_owned()),
                ("access-control-request-method".to_owned(), method.as_str().to_owned()),
                ("access-control-request-headers".to_owned(), "authorization,content-type".to_owned()),
            ],
            statuses: vec![200, 204],
            answers: Some(("access-control-allow-origin".to_owned(), origin.to_owned())),
        }
    }
}

/// How a user signs in to a system by SRP, and what must be answered then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// The stack of the user pool, by [`RenderedStack::stack`].
    pub stack: String,
    /// Its output with the pool's id.
    pub pool_output: String,
    /// Its output with the client's id.
    pub client_output: String,
    /// What a user of the pool is called, for one who is made for the check and deleted after it.
    pub user: String,
    /// The attributes that a user of the pool must have.
    pub attributes: Vec<(String, String)>,
    /// Where the ID token is exchanged for one of the system's own, which the other requests carry then.
    pub exchange: Option<Exchange>,
    /// The requests, in order.
    pub checks: Vec<LiveCheck>,
}

/// A request that gets one token and answers another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// The request, without a token.
    pub check: LiveCheck,
    /// The field of the answer's JSON that holds the new token.
    pub token: String,
}

/// How fast a system must answer a request that reaches a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// The request.
    pub check: LiveCheck,
    /// The most that 19 of 20 answers should take, in milliseconds; more is told, and no failure.
    pub expected: u32,
    /// The most that 19 of 20 answers may take, in milliseconds.
    pub p95: u32,
    /// The most that any may take, in milliseconds.
    pub longest: u32,
}

/// One CloudFormation stack of one stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RenderedStack {
    /// The system the stack belongs to.
    pub system: String,
    /// The stack's name within its system, for example `api`.
    pub stack: String,
    /// The name in CloudFormation: `<system>-<stack>-<stage>`.
    pub name: String,
    /// The region the stack must live in; `None` is the stage's own.
    pub region: Option<String>,
    /// The template as CloudFormation takes it. Keys are sorted; there is no code and no account number in it.
    pub template: Value,
    /// Where each template parameter's value comes from when the stack is deployed.
    pub parameters: BTreeMap<String, ParameterSource>,
    /// The stacks of the same system, by [`RenderedStack::stack`], whose outputs this one takes.
    pub depends_on: BTreeSet<String>,
    /// The functions in the template.
    pub functions: Vec<RenderedFunction>,
    /// The layers in the template.
    pub layers: Vec<RenderedLayer>,
    /// The REST APIs in the template.
    pub apis: Vec<RenderedApi>,
}

impl RenderedStack {
    /// A stack as it is deployed, of which no more is known than its template.
    #[must_use]
    pub const fn deployed(
        system: String,
        stack: String,
        name: String,
        region: Option<String>,
        template: Value,
    ) -> Self {
        Self {
            system,
            stack,
            name,
            region,
            template,
            parameters: BTreeMap::new(),
            depends_on: BTreeSet::new(),
            functions: Vec::new(),
            layers: Vec::new(),
            apis: Vec::new(),
        }
    }
}

/// Where a template parameter's value comes from when the stack is deployed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ParameterSource {
    /// The name of the stage's artifact bucket.
    ArtifactBucket,
    /// The S3 key of a function's zip.
    FunctionCode(FunctionId),
    /// The S3 key of a layer's zip.
    LayerCode {
        /// The system that owns the layer.
        system: String,
        /// The layer's name within its system.
        layer: String,
    },
    /// The version the alias `live` of this function points to. Empty before the first release, which makes the
    /// template publish version 1; afterwards *use previous value*, so that moving the alias by API is no change.
    AliasVersion(FunctionId),
    /// `true` where the account has an OIDC provider for this issuer already, else `false`; decided when the stack is
    /// made, for after that it may be the stack's own.
    OidcProviderExists {
        /// The issuer's host and path.
        issuer: String,
    },
    /// An output of another stack of the same system.
    Output {
        /// The other stack, by [`RenderedStack::stack`].
        stack: String,
        /// The output's name.
        output: String,
    },
}

/// A function in a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenderedFunction {
    /// Its contract's name.
    pub id: FunctionId,
    /// Its name in Lambda: `<system>-<function>-<stage>`.
    pub function_name: String,
    /// The logical ID of its alias `live`.
    pub alias_logical_id: String,
}

/// Where a function is found: in the workspace, in its template and in AWS.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FunctionId {
    /// The system that owns the function.
    pub system: String,
    /// The function's name within its system.
    pub function: String,
    /// The `[[bin]]` that is built into the function's `bootstrap`; several functions may share one.
    pub binary: String,
    /// The logical ID of the `AWS::Lambda::Function` in its template.
    pub logical_id: String,
}

impl FunctionId {
    /// The name of its binary's zip within the system: the binary's name without the system's.
    #[must_use]
    pub fn artifact_name(&self) -> &str {
        self.binary.strip_prefix(&self.system).and_then(|rest| rest.strip_prefix('-')).unwrap_or(&self.binary)
    }
}

impl From<FunctionName> for FunctionId {
    fn from(name: FunctionName) -> Self {
        Self {
            system: name.system.to_owned(),
            function: name.function.to_owned(),
            binary: name.binary(),
            logical_id: name.logical_id.to_owned(),
        }
    }
}

/// A layer in a template, made of files of the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenderedLayer {
    /// The system that owns the layer.
    pub system: String,
    /// The layer's name within its system; its zip is `<system>-<layer>-<sha256>.zip`.
    pub layer: String,
    /// Its name in Lambda: `{stage}-…`.
    pub layer_name: String,
    /// The logical ID of the layer version.
    pub logical_id: String,
    /// The folder, relative to the workspace's root, whose files become the layer.
    pub source: String,
}

/// A route that an API serves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RenderedRoute {
    /// The HTTP method.
    pub method: Method,
    /// The path, like `/notes/{id}`.
    pub path: String,
}

impl From<Route> for RenderedRoute {
    fn from(route: Route) -> Self {
        Self { method: route.method, path: route.path.to_owned() }
    }
}

/// A REST API in a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenderedApi {
    /// The logical ID of the `AWS::ApiGateway::RestApi`.
    pub logical_id: String,
    /// The name of its one stage.
    pub stage_name: String,
    /// The routes it must serve, without `OPTIONS`.
    pub routes: Vec<RenderedRoute>,
    /// The paths that anybody may `GET`, and the function that answers, by its name in Lambda.
    pub open: BTreeMap<String, String>,
    /// The output that holds the API's id.
    pub id_output: String,
    /// The output that holds the URL of the deployed stage.
    pub url_output: String,
}
