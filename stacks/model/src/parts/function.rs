//! A Lambda function: its role, its logs, its versions and the alias `live` that everything calls.
//!
//! The template holds no code and no traffic: the zip's key and the alias's version are parameters, so that shipping
//! code and moving traffic change no template.

use std::collections::BTreeMap;

use contract::{Function as Contract, FunctionName};
use serde::Serialize;
use serde_json::json;

use super::policy::{self, Statement};
use crate::{
    emulator::Feature,
    rendered::{ParameterSource, RenderedFunction},
    resources::{
        lambda::{self, function},
        logs::LogGroup,
    },
    stage::Stage,
    template::{Expression, Part, Reference, RemovalPolicy, Resource, Stack, Text, list, set},
};

/// The alias that every caller uses.
pub const LIVE: &str = "live";
/// The runtime of a Rust function.
pub const RUNTIME: &str = "provided.al2023";

/// How long logs are kept, in days.
pub(super) const LOG_RETENTION: i64 = 30;

/// A Lambda function built from its contract's binary.
#[derive(Debug)]
pub struct Function {
    name: FunctionName,
    environment: BTreeMap<String, Text>,
    memory: u32,
    timeout: u32,
    statements: Vec<Statement>,
    layers: Vec<Text>,
    asynchronous: Option<Asynchronous>,
    log_retention: i64,
    stage: Stage,
}

/// What Lambda does with events it could not process.
#[derive(Debug, Clone, Copy)]
struct Asynchronous {
    retries: u32,
    maximum_age: u32,
}

/// What others need of a function.
#[derive(Debug, Clone)]
pub struct FunctionHandle {
    /// The ARN of its alias `live`: what calls the function.
    pub alias: Text,
    /// The function itself: what its metrics are of. Nothing calls it.
    pub function: Reference,
    alias_logical_id: String,
    logical_id: String,
    /// Its name in Lambda.
    pub name: String,
}

impl Function {
    /// A function with the environment that its contract declares: a missing variable does not compile.
    ///
    /// # Panics
    ///
    /// Never: an environment is an object of template values.
    #[must_use]
    pub fn new<C: Contract + Serialize>(stage: &Stage, environment: C) -> Self {
        let environment = serde_json::to_value(environment).expect("an environment is JSON");
        let variables = environment.as_object().into_iter().flatten();
        Self {
            name: C::NAME,
            environment: variables.map(|(name, value)| (name.clone(), text(value))).collect(),
            memory: 128,
            timeout: 10,
            statements: Vec::new(),
            layers: Vec::new(),
            asynchronous: None,
            log_retention: LOG_RETENTION,
            stage: stage.clone(),
        }
    }

    /// Memory in MB.
    #[must_use]
    pub fn memory(mut self, megabytes: u32) -> Self {
        self.memory = megabytes;
        self
    }

    /// The longest an invocation may take, in seconds.
    #[must_use]
    pub fn timeout(mut self, seconds: u32) -> Self {
        self.timeout = seconds;
        self
    }

    /// Allows the function's role something, usually a grant of another part.
    #[must_use]
    pub fn allow(mut self, statements: impl IntoIterator<Item = Statement>) -> Self {
        self.statements.extend(statements);
        self
    }

    /// Mounts a layer under `/opt`.
    #[must_use]
    pub fn layer(mut self, layer: &Reference) -> Self {
        self.layers.push(layer.id());
        self
    }

    /// How often an asynchronous invocation is tried again, and for how many seconds at most.
    #[must_use]
    pub fn asynchronous(mut self, retries: u32, maximum_age: u32) -> Self {
        self.asynchronous = Some(Asynchronous { retries, maximum_age });
        self
    }

    /// How long its logs are kept, in days: 30 unless told. CloudWatch Logs knows only some numbers.
    #[must_use]
    pub fn log_retention(mut self, days: u32) -> Self {
        self.log_retention = i64::from(days);
        self
    }

    fn role(&self, name: &str) -> Resource {
        let log_group =
            format!("arn:${{AWS::Partition}}:logs:${{AWS::Region}}:${{AWS::AccountId}}:log-group:/aws/lambda/{name}:*");
        let mut statements = vec![
            Statement::allow(["logs:CreateLogStream", "logs:PutLogEvents"], [Expression::sub(&log_group, []).into()]),
            // X-Ray has no resources to name.
            Statement::allow(["xray:PutTraceSegments", "xray:PutTelemetryRecords"], [Text::from("*")]),
        ];
        statements.extend(self.statements.iter().cloned());
        Resource::of(policy::role(&policy::service_trust("lambda.amazonaws.com"), &statements))
    }

    fn properties(&self, name: &str, role: &Reference, code: function::Code) -> lambda::Function {
        lambda::Function {
            function_name: set(name),
            runtime: set(RUNTIME),
            handler: set(self.name.handler()),
            architectures: list([self.stage.architecture.as_str()]),
            memory_size: set(i64::from(self.memory)),
            timeout: set(i64::from(self.timeout)),
            role: set(role.attribute("Arn")),
            code: Some(code),
            environment: Some(function::Environment { variables: Some(self.environment.clone()) }),
            tracing_config: Some(function::TracingConfig { mode: set("Active") }),
            layers: (!self.layers.is_empty()).then(|| self.layers.clone()),
            ..lambda::Function::default()
        }
    }

    fn event_invoke_config(&self, function: &Reference) -> Option<lambda::EventInvokeConfig> {
        let settings = self.asynchronous.filter(|_| Feature::EventInvokeConfig.is_in(&self.stage))?;
        Some(lambda::EventInvokeConfig {
            function_name: set(function.id()),
            qualifier: set(LIVE),
            maximum_retry_attempts: set(i64::from(settings.retries)),
            maximum_event_age_in_seconds: set(i64::from(settings.maximum_age)),
            ..lambda::EventInvokeConfig::default()
        })
    }
}

/// A variable's value, from its JSON.
fn text(json: &serde_json::Value) -> Text {
    match json.as_str() {
        Some(literal) => Text::from(literal),
        None => Expression::raw(json.clone()).into(),
    }
}

impl Part for Function {
    type Handle = FunctionHandle;

    fn add_to(self, stack: &mut Stack) -> FunctionHandle {
        let contract = self.name;
        let id = contract.logical_id;
        let name = format!("{}-{}-{}", contract.system, contract.function, self.stage.name);
        let role = stack.resource(&format!("{id}Role"), self.role(&name));
        let log_group = LogGroup {
            log_group_name: set(format!("/aws/lambda/{name}")),
            retention_in_days: set(self.log_retention),
            ..LogGroup::default()
        };
        let log_group = stack.resource(&format!("{id}LogGroup"), Resource::of(log_group));
        let (bucket, key) = artifact(stack, id, "function", ParameterSource::FunctionCode(contract.into()));
        let code = function::Code { s3_bucket: Some(bucket), s3_key: Some(key), ..function::Code::default() };
        // Otherwise the first invocation makes the log group, and the stack fails because it exists.
        let function = Resource::of(self.properties(&name, &role, code)).depends_on(log_group.logical_id());
        let function = stack.resource(id, function);
        let alias = alias(stack, &contract, &function);
        if let Some(config) = self.event_invoke_config(&function) {
            let config = Resource::of(config).depends_on(alias.logical_id());
            stack.resource(&format!("{id}EventInvokeConfig"), config);
        }
        stack.functions.push(RenderedFunction {
            id: contract.into(),
            function_name: name.clone(),
            alias_logical_id: alias.logical_id().to_owned(),
        });
        FunctionHandle {
            function: function.clone(),
            alias: alias.id(),
            alias_logical_id: alias.logical_id().to_owned(),
            logical_id: id.to_owned(),
            name,
        }
    }
}

/// The alias `live`. Its version is a parameter; while that is empty the template publishes version 1 itself.
fn alias(stack: &mut Stack, contract: &FunctionName, function: &Reference) -> Reference {
    let id = contract.logical_id;
    let first = format!("{id}IsNew");
    let live = stack.parameter(
        &format!("{id}LiveVersion"),
        json!({ "Type": "String", "Default": "", "Description": "The version `live` points to; empty before the first release." }),
        ParameterSource::AliasVersion((*contract).into()),
    );
    stack.condition(&first, json!({ "Fn::Equals": [live, ""] }));
    let version = lambda::Version { function_name: set(function.id()), ..lambda::Version::default() };
    let version = Resource::of(version).condition(&first).removal(RemovalPolicy::Retain);
    let version = stack.resource(&format!("{id}FirstVersion"), version);
    let current = Expression::raw(json!({ "Fn::If": [first, version.attribute("Version"), live] }));
    let alias = lambda::Alias {
        function_name: set(function.id()),
        name: set(LIVE),
        function_version: set(current),
        ..lambda::Alias::default()
    };
    stack.resource(&format!("{id}Alias"), Resource::of(alias))
}

/// The parameters for the artifact bucket and the key in it of what resource `id` is made of.
pub(super) fn artifact(stack: &mut Stack, id: &str, what: &str, source: ParameterSource) -> (Text, Text) {
    let bucket = json!({ "Type": "String", "Description": "The bucket that holds the zips." });
    let bucket = stack.parameter("ArtifactBucket", bucket, ParameterSource::ArtifactBucket);
    let key = json!({ "Type": "String", "Description": format!("The S3 key of the {what}'s zip.") });
    (bucket, stack.parameter(&format!("{id}CodeKey"), key, source))
}

impl FunctionHandle {
    /// Lets another function invoke this one's alias.
    #[must_use]
    pub fn invoke(&self) -> Vec<Statement> {
        vec![Statement::allow(["lambda:InvokeFunction"], [self.alias.clone()])]
    }

    /// Allows a service to invoke the alias on behalf of `source_arn`; `account` holds against confused deputies
    /// where an ARN names no account.
    pub fn permit(
        &self,
        stack: &mut Stack,
        logical_id: &str,
        service: &str,
        source_arn: Text,
        account: bool,
    ) -> Reference {
        let permission = lambda::Permission {
            action: set("lambda:InvokeFunction"),
            function_name: set(&self.alias),
            principal: set(service),
            source_arn: set(source_arn),
            source_account: account.then(|| Expression::pseudo("AWS::AccountId").into()),
            ..lambda::Permission::default()
        };
        stack.resource(logical_id, Resource::of(permission))
    }

    /// The name of its log group.
    #[must_use]
    pub fn log_group(&self) -> String {
        format!("/aws/lambda/{}", self.name)
    }

    /// The alias's logical ID.
    #[must_use]
    pub fn alias_logical_id(&self) -> &str {
        &self.alias_logical_id
    }

    /// The function's logical ID.
    #[must_use]
    pub fn logical_id(&self) -> &str {
        &self.logical_id
    }
}
