//! A Lambda function with its role, its log group, its first version and the alias `live` that all callers use.
//!
//! The template contains neither code nor traffic: the zip's key and the alias's version are parameters, so that releasing
//! code and shifting traffic do not change the template.

use std::collections::BTreeMap;

use contract::{Function as Contract, FunctionName};
use serde::Serialize;
use serde_json::json;

use super::{
    policy::{self, Statement},
    queue::QueueHandle,
    vpc::{self, Vpc},
};
use crate::{
    emulator::Feature,
    rendered::{ParameterSource, RenderedFunction},
    resources::{
        lambda::{self, event_invoke_config, function},
        logs::LogGroup,
    },
    stage::{Architecture, Stage},
    template::{Expression, Part, Reference, RemovalPolicy, Resource, Stack, Text, list, set},
};

/// The alias that all callers use.
pub const LIVE: &str = "live";
/// The runtime of Rust functions.
pub const RUNTIME: &str = "provided.al2023";

/// The default retention of logs, in days.
pub(super) const LOG_RETENTION: i64 = 30;

/// An `AWS::Lambda::Function` with a role of its own, a log group and the alias `live`, built from its contract's binary.
#[derive(Debug)]
pub struct Function {
    contract: FunctionName,
    /// The name in Lambda.
    name: String,
    environment: BTreeMap<String, Text>,
    memory: u32,
    timeout: u32,
    statements: Vec<Statement>,
    layers: Vec<Text>,
    asynchronous: Option<Asynchronous>,
    concurrency: Option<u32>,
    vpc: Option<Vpc>,
    log_retention: i64,
    architecture: Architecture,
    /// Whether the stage supports settings of asynchronous invocations.
    has_event_invoke_config: bool,
}

/// The handling of events that the function failed to process.
#[derive(Debug, Clone)]
struct Asynchronous {
    retries: u32,
    maximum_age: u32,
    /// The ARN of the queue that receives events that were given up.
    failures: Option<Text>,
}

/// The values by which other parts refer to a function.
#[derive(Debug, Clone)]
pub struct FunctionHandle {
    /// The ARN of the alias `live`, which callers use.
    pub alias: Text,
    /// The function itself, for its metrics. Callers use the alias.
    pub function: Reference,
    alias_logical_id: String,
    logical_id: String,
    /// The function's name in Lambda.
    pub name: String,
}

impl Function {
    /// Creates a function with the environment that its contract requires: a missing variable does not compile.
    ///
    /// It has 128 MB of memory, a timeout of 10 seconds and a log retention of 30 days.
    ///
    /// # Panics
    ///
    /// Never: an environment is an object of template values, which can be written as JSON.
    #[must_use]
    pub fn new<C: Contract + Serialize>(stage: &Stage, environment: C) -> Self {
        let environment = serde_json::to_value(environment).expect("an environment is JSON");
        let variables = environment.as_object().into_iter().flatten();
        Self::of(C::NAME, variables.map(|(name, value)| (name.clone(), to_text(value))).collect(), stage)
    }

    /// Creates a function of any name, with these variables: for functions whose contract is not a type.
    #[must_use]
    pub fn of(contract: FunctionName, environment: BTreeMap<String, Text>, stage: &Stage) -> Self {
        Self {
            contract,
            name: format!("{}-{}-{}", contract.system, contract.function, stage.name),
            environment,
            memory: 128,
            timeout: 10,
            statements: Vec::new(),
            layers: Vec::new(),
            asynchronous: None,
            concurrency: None,
            vpc: None,
            log_retention: LOG_RETENTION,
            architecture: stage.architecture,
            has_event_invoke_config: Feature::EventInvokeConfig.is_in(stage),
        }
    }

    /// Sets the name in Lambda, which is `<system>-<function>-<stage>` otherwise. The log group has the same name.
    ///
    /// Permissions are limited by names, so the name must start with `<system>-` and contain the stage between hyphens or after the last
    /// one. A system with another name is refused when it is rendered.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Sets the memory, in MB.
    #[must_use]
    pub fn memory(mut self, megabytes: u32) -> Self {
        self.memory = megabytes;
        self
    }

    /// Sets the timeout of an invocation, in seconds; at most 900 (Lambda developer guide, "Lambda quotas").
    #[must_use]
    pub fn timeout(mut self, seconds: u32) -> Self {
        self.timeout = seconds;
        self
    }

    /// Adds statements to the function's role, usually those of another part.
    #[must_use]
    pub fn allow(mut self, statements: impl IntoIterator<Item = Statement>) -> Self {
        self.statements.extend(statements);
        self
    }

    /// Adds a layer, whose files appear under `/opt`.
    #[must_use]
    pub fn layer(mut self, layer: &Reference) -> Self {
        self.layers.push(layer.id());
        self
    }

    /// Sets the number of retries of an asynchronous invocation, at most 2, and the age in seconds at which its event is
    /// given up, 60 to 21600 (Lambda API reference, `PutFunctionEventInvokeConfig`). The emulator does not support these
    /// settings.
    #[must_use]
    pub fn asynchronous(mut self, retries: u32, maximum_age: u32) -> Self {
        let failures = self.asynchronous.and_then(|settings| settings.failures);
        self.asynchronous = Some(Asynchronous { retries, maximum_age, failures });
        self
    }

    /// Sends asynchronous events that were given up to a queue, after Lambda's two retries within six hours unless
    /// [`Function::asynchronous`] sets others.
    #[must_use]
    pub fn failures(mut self, queue: &QueueHandle) -> Self {
        let (retries, maximum_age) =
            self.asynchronous.as_ref().map_or((2, 21_600), |settings| (settings.retries, settings.maximum_age));
        self.asynchronous = Some(Asynchronous { retries, maximum_age, failures: Some(queue.arn()) });
        self.allow(queue.send())
    }

    /// Limits the number of simultaneous invocations, and reserves as many of the account's; `None` does neither. Lambda
    /// refuses a reservation that leaves less than 100 to other functions (Lambda developer guide, "Configuring reserved
    /// concurrency for a function").
    #[must_use]
    pub fn concurrency(mut self, invocations: Option<u32>) -> Self {
        self.concurrency = invocations;
        self
    }

    /// Attaches the function to a network, so that its connections leave through the network's subnets. Lambda creates network
    /// interfaces there: the role may manage them, and the function's own code may not.
    ///
    /// Without a NAT gateway, the function reaches S3 and DynamoDB only through
    /// [`GatewayEndpoints`](super::gateway_endpoints::GatewayEndpoints), and other services only through endpoints of their own.
    #[must_use]
    pub fn vpc(mut self, vpc: &Vpc) -> Self {
        self.vpc = Some(vpc.clone());
        self
    }

    /// Sets the retention of logs, in days. CloudWatch Logs accepts certain values only (CloudWatch Logs API reference,
    /// `PutRetentionPolicy`).
    #[must_use]
    pub fn log_retention(mut self, days: u32) -> Self {
        self.log_retention = i64::from(days);
        self
    }

    fn role(&self) -> Resource {
        let log_group = format!(
            "arn:${{AWS::Partition}}:logs:${{AWS::Region}}:${{AWS::AccountId}}:log-group:/aws/lambda/{}:*",
            self.name
        );
        let mut statements = vec![
            Statement::allow(["logs:CreateLogStream", "logs:PutLogEvents"], [Expression::sub(&log_group, []).into()]),
            // These actions support no resource-level permissions (Service Authorization Reference, "AWS X-Ray").
            Statement::allow(["xray:PutTraceSegments", "xray:PutTelemetryRecords"], [Text::from("*")]),
        ];
        if self.vpc.is_some() {
            statements.extend(vpc::interfaces(&self.name));
        }
        statements.extend(self.statements.iter().cloned());
        Resource::of(policy::role(&policy::service_trust("lambda.amazonaws.com"), &statements))
    }

    fn properties(&self, role: &Reference, code: function::Code) -> lambda::Function {
        lambda::Function {
            function_name: set(&self.name),
            runtime: set(RUNTIME),
            handler: set(self.contract.handler()),
            architectures: list([self.architecture.as_str()]),
            memory_size: set(i64::from(self.memory)),
            timeout: set(i64::from(self.timeout)),
            role: set(role.attribute("Arn")),
            code: Some(code),
            environment: Some(function::Environment { variables: Some(self.environment.clone()) }),
            reserved_concurrent_executions: self.concurrency.map(|invocations| i64::from(invocations).into()),
            tracing_config: Some(function::TracingConfig { mode: set("Active") }),
            vpc_config: self.vpc.as_ref().map(Vpc::config),
            layers: (!self.layers.is_empty()).then(|| self.layers.clone()),
            ..lambda::Function::default()
        }
    }

    fn event_invoke_config(&self, function: &Reference) -> Option<lambda::EventInvokeConfig> {
        let settings = self.asynchronous.as_ref().filter(|_| self.has_event_invoke_config)?;
        let to = |queue: &Text| event_invoke_config::DestinationConfig {
            on_failure: Some(event_invoke_config::OnFailure { destination: set(queue) }),
            ..event_invoke_config::DestinationConfig::default()
        };
        Some(lambda::EventInvokeConfig {
            destination_config: settings.failures.as_ref().map(to),
            function_name: set(function.id()),
            qualifier: set(LIVE),
            maximum_retry_attempts: set(i64::from(settings.retries)),
            maximum_event_age_in_seconds: set(i64::from(settings.maximum_age)),
        })
    }
}

/// Converts the JSON of a variable into its value.
fn to_text(json: &serde_json::Value) -> Text {
    match json.as_str() {
        Some(literal) => Text::from(literal),
        None => Expression::raw(json.clone()).into(),
    }
}

impl Part for Function {
    type Handle = FunctionHandle;

    fn add_to(self, stack: &mut Stack) -> FunctionHandle {
        let contract = self.contract;
        let id = contract.logical_id;
        let role = stack.resource(&format!("{id}Role"), self.role());
        let log_group = LogGroup {
            log_group_name: set(format!("/aws/lambda/{}", self.name)),
            retention_in_days: set(self.log_retention),
            ..LogGroup::default()
        };
        let log_group = stack.resource(&format!("{id}LogGroup"), Resource::of(log_group));
        let (bucket, key) = add_code_parameters(stack, id, "function", ParameterSource::FunctionCode(contract.into()));
        let code = function::Code { s3_bucket: Some(bucket), s3_key: Some(key), ..function::Code::default() };
        // Otherwise an early invocation creates the log group, and the stack fails because it exists.
        let function = Resource::of(self.properties(&role, code)).depends_on(log_group.logical_id());
        let function = stack.resource(id, function);
        let alias = add_alias(stack, &contract, &function);
        if let Some(config) = self.event_invoke_config(&function) {
            let config = Resource::of(config).depends_on(alias.logical_id());
            stack.resource(&format!("{id}EventInvokeConfig"), config);
        }
        stack.functions.push(RenderedFunction {
            id: contract.into(),
            function_name: self.name.clone(),
            alias_logical_id: alias.logical_id().to_owned(),
        });
        FunctionHandle {
            function: function.clone(),
            alias: alias.id(),
            alias_logical_id: alias.logical_id().to_owned(),
            logical_id: id.to_owned(),
            name: self.name,
        }
    }
}

/// Adds the alias `live`. Its version is a parameter; while that is empty, the template publishes version 1 itself.
fn add_alias(stack: &mut Stack, contract: &FunctionName, function: &Reference) -> Reference {
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

/// Adds the parameters for the artifact bucket and for the key of the zip of resource `id`; returns their values.
/// `noun` describes the resource.
pub(super) fn add_code_parameters(stack: &mut Stack, id: &str, noun: &str, source: ParameterSource) -> (Text, Text) {
    let bucket = json!({ "Type": "String", "Description": "The bucket that holds the zips." });
    let bucket = stack.parameter("ArtifactBucket", bucket, ParameterSource::ArtifactBucket);
    let key = json!({ "Type": "String", "Description": format!("The S3 key of the {noun}'s zip.") });
    (bucket, stack.parameter(&format!("{id}CodeKey"), key, source))
}

impl FunctionHandle {
    /// Allows invoking the function's alias.
    #[must_use]
    pub fn invoke(&self) -> Vec<Statement> {
        vec![Statement::allow(["lambda:InvokeFunction"], [self.alias.clone()])]
    }

    /// Adds a permission for a service to invoke the alias on behalf of `source_arn`.
    ///
    /// `with_account` limits it to sources in this account, which is necessary if the ARN contains no account, as a
    /// bucket's (Lambda API reference, `AddPermission`).
    pub fn permit(
        &self,
        stack: &mut Stack,
        logical_id: &str,
        service: &str,
        source_arn: Text,
        with_account: bool,
    ) -> Reference {
        let permission = lambda::Permission {
            action: set("lambda:InvokeFunction"),
            function_name: set(&self.alias),
            principal: set(service),
            source_arn: set(source_arn),
            source_account: with_account.then(|| Expression::pseudo("AWS::AccountId").into()),
            ..lambda::Permission::default()
        };
        stack.resource(logical_id, Resource::of(permission))
    }

    /// Returns the name of the log group.
    #[must_use]
    pub fn log_group(&self) -> String {
        format!("/aws/lambda/{}", self.name)
    }

    /// Returns the alias's logical ID.
    #[must_use]
    pub fn alias_logical_id(&self) -> &str {
        &self.alias_logical_id
    }

    /// Returns the function's logical ID.
    #[must_use]
    pub fn logical_id(&self) -> &str {
        &self.logical_id
    }
}

#[cfg(test)]
mod tests;
