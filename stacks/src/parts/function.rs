//! A Lambda function: its role, its logs, its versions and the alias `live` that everything calls.
//!
//! The template holds no code and no traffic: the zip's key and the alias's version are parameters, so that shipping
//! code and moving traffic change no template.

use std::marker::PhantomData;

use contract::Function as Contract;
use serde::Serialize;
use serde_json::json;

use super::policy::{self, Statement};
use crate::{
    emulator::Feature,
    rendered::{ParameterSource, RenderedFunction, RenderedLayer},
    stage::Stage,
    template::{Expression, Part, Reference, RemovalPolicy, Resource, Stack, Text},
};

/// The alias that every caller uses.
pub const LIVE: &str = "live";
/// The runtime of a Rust function.
pub const RUNTIME: &str = "provided.al2023";

/// A Lambda function built from its contract's binary.
#[derive(Debug)]
pub struct Function<C> {
    environment: serde_json::Value,
    memory: u32,
    timeout: u32,
    statements: Vec<Statement>,
    layers: Vec<Text>,
    asynchronous: Option<Asynchronous>,
    stage: Stage,
    contract: PhantomData<C>,
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
    alias_logical_id: String,
    logical_id: String,
    /// Its name in Lambda.
    pub name: String,
}

impl<C: Contract> Function<C> {
    /// A function with the environment its contract asks for: a variable that is missing does not compile.
    ///
    /// # Panics
    ///
    /// Never: an environment is an object of template values.
    #[must_use]
    pub fn new(stage: &Stage, _contract: C, environment: C::Environment<Text>) -> Self
    where
        C::Environment<Text>: Serialize,
    {
        Self {
            environment: serde_json::to_value(environment).expect("an environment is JSON"),
            memory: 128,
            timeout: 10,
            statements: Vec::new(),
            layers: Vec::new(),
            asynchronous: None,
            stage: stage.clone(),
            contract: PhantomData,
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

    fn role(&self, name: &str) -> Resource {
        let log_group =
            format!("arn:${{AWS::Partition}}:logs:${{AWS::Region}}:${{AWS::AccountId}}:log-group:/aws/lambda/{name}:*");
        let mut statements = vec![
            Statement::allow(["logs:CreateLogStream", "logs:PutLogEvents"], [Expression::sub(&log_group, []).into()]),
            // X-Ray has no resources to name.
            Statement::allow(["xray:PutTraceSegments", "xray:PutTelemetryRecords"], [Text::from("*")]),
        ];
        statements.extend(self.statements.iter().cloned());
        policy::role(&policy::service_trust("lambda.amazonaws.com"), &statements)
    }
}

impl<C: Contract> Part for Function<C> {
    type Handle = FunctionHandle;

    fn add_to(self, stack: &mut Stack) -> FunctionHandle {
        let contract = C::NAME;
        let id = contract.logical_id;
        let name = format!("{}-{}-{}", contract.system, contract.function, self.stage.name);
        let role = stack.resource(&format!("{id}Role"), self.role(&name));
        let log_group = json!({ "LogGroupName": format!("/aws/lambda/{name}"), "RetentionInDays": 30 });
        let log_group = stack.resource(&format!("{id}LogGroup"), Resource::new("AWS::Logs::LogGroup", log_group));
        let bucket = artifact_bucket(stack);
        let key = stack.parameter(
            &format!("{id}CodeKey"),
            json!({ "Type": "String", "Description": "The S3 key of the function's zip." }),
            ParameterSource::FunctionCode(contract),
        );
        let mut properties = json!({
            "FunctionName": name,
            "Runtime": RUNTIME,
            "Handler": "bootstrap",
            "Architectures": [self.stage.architecture.as_str()],
            "MemorySize": self.memory,
            "Timeout": self.timeout,
            "Role": role.attribute("Arn"),
            "Code": { "S3Bucket": bucket, "S3Key": key },
            "Environment": { "Variables": self.environment },
            "TracingConfig": { "Mode": "Active" },
        });
        if !self.layers.is_empty() {
            properties["Layers"] = json!(self.layers);
        }
        // Otherwise the first invocation makes the log group, and the stack fails because it exists.
        let function = Resource::new("AWS::Lambda::Function", properties).depends_on(log_group.logical_id());
        let function = stack.resource(id, function);
        let alias = alias(stack, &contract, &function);
        if let Some(settings) = self.asynchronous.filter(|_| Feature::EventInvokeConfig.is_in(&self.stage)) {
            let properties = json!({
                "FunctionName": function.id(),
                "Qualifier": LIVE,
                "MaximumRetryAttempts": settings.retries,
                "MaximumEventAgeInSeconds": settings.maximum_age,
            });
            let config = Resource::new("AWS::Lambda::EventInvokeConfig", properties).depends_on(alias.logical_id());
            stack.resource(&format!("{id}EventInvokeConfig"), config);
        }
        stack.functions.push(RenderedFunction {
            name: contract,
            function_name: name.clone(),
            alias_logical_id: alias.logical_id().to_owned(),
        });
        FunctionHandle {
            alias: alias.id(),
            alias_logical_id: alias.logical_id().to_owned(),
            logical_id: id.to_owned(),
            name,
        }
    }
}

/// The alias `live`. Its version is a parameter; while that is empty the template publishes version 1 itself.
fn alias(stack: &mut Stack, contract: &contract::FunctionName, function: &Reference) -> Reference {
    let id = contract.logical_id;
    let first = format!("{id}IsNew");
    let live = stack.parameter(
        &format!("{id}LiveVersion"),
        json!({ "Type": "String", "Default": "", "Description": "The version `live` points to; empty before the first release." }),
        ParameterSource::AliasVersion(*contract),
    );
    stack.condition(&first, json!({ "Fn::Equals": [live, ""] }));
    let version = Resource::new("AWS::Lambda::Version", json!({ "FunctionName": function.id() }))
        .condition(&first)
        .removal(RemovalPolicy::Retain);
    let version = stack.resource(&format!("{id}FirstVersion"), version);
    let alias = json!({
        "FunctionName": function.id(),
        "Name": LIVE,
        "FunctionVersion": { "Fn::If": [first, version.attribute("Version"), live] },
    });
    stack.resource(&format!("{id}Alias"), Resource::new("AWS::Lambda::Alias", alias))
}

fn artifact_bucket(stack: &mut Stack) -> Text {
    stack.parameter(
        "ArtifactBucket",
        json!({ "Type": "String", "Description": "The bucket that holds the zips." }),
        ParameterSource::ArtifactBucket,
    )
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
        let mut properties = json!({
            "Action": "lambda:InvokeFunction",
            "FunctionName": self.alias,
            "Principal": service,
            "SourceArn": source_arn,
        });
        if account {
            properties["SourceAccount"] = Expression::pseudo("AWS::AccountId").to_json();
        }
        stack.resource(logical_id, Resource::new("AWS::Lambda::Permission", properties))
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

/// A layer of files of the workspace.
#[derive(Debug, Clone)]
pub struct Layer {
    /// The logical ID.
    pub logical_id: String,
    /// The system that owns it.
    pub system: &'static str,
    /// Its name within the system.
    pub layer: String,
    /// Its name in Lambda.
    pub layer_name: String,
    /// The folder, relative to the workspace's root.
    pub source: String,
}

impl Part for Layer {
    type Handle = Reference;

    fn add_to(self, stack: &mut Stack) -> Reference {
        let bucket = artifact_bucket(stack);
        let key = stack.parameter(
            &format!("{}CodeKey", self.logical_id),
            json!({ "Type": "String", "Description": "The S3 key of the layer's zip." }),
            ParameterSource::LayerCode { system: self.system.to_owned(), layer: self.layer.clone() },
        );
        let properties = json!({
            "LayerName": self.layer_name,
            "CompatibleRuntimes": [RUNTIME],
            "CompatibleArchitectures": ["arm64", "x86_64"],
            "Content": { "S3Bucket": bucket, "S3Key": key },
        });
        let version = Resource::new("AWS::Lambda::LayerVersion", properties).removal(RemovalPolicy::Retain);
        let reference = stack.resource(&self.logical_id, version);
        stack.layers.push(RenderedLayer {
            system: self.system.to_owned(),
            layer: self.layer,
            layer_name: self.layer_name,
            logical_id: self.logical_id,
            source: self.source,
        });
        reference
    }
}
