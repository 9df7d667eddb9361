//! A regional REST API: resources, methods, authorizer, one deployment and one stage.

use std::collections::{BTreeMap, BTreeSet};

use contract::{Route, Routes};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::function::FunctionHandle;
use crate::{
    emulator::Feature,
    rendered::RenderedApi,
    stage::Stage,
    template::{Expression, Part, Reference, RemovalPolicy, Resource, Stack, Text},
};

/// A regional REST API whose every route goes to a function's alias.
#[derive(Debug, Clone)]
pub struct RestApi {
    logical_id: String,
    name: String,
    stage: Stage,
    authorizer: Option<(String, Text)>,
    routes: Vec<(Route, FunctionHandle)>,
    origins: Vec<String>,
    rate: u32,
    burst: u32,
}

/// What others need of an API.
#[derive(Debug, Clone)]
pub struct ApiHandle {
    /// Its id.
    pub id: Text,
    /// The name of its stage.
    pub stage_name: Text,
}

impl RestApi {
    /// An API called `name`, whose stage is called like the stage.
    #[must_use]
    pub fn new(logical_id: &str, name: String, stage: &Stage) -> Self {
        Self {
            logical_id: logical_id.to_owned(),
            name,
            stage: stage.clone(),
            authorizer: None,
            routes: Vec::new(),
            origins: Vec::new(),
            rate: 50,
            burst: 100,
        }
    }

    /// Asks every method but `OPTIONS` for an ID token of this user pool.
    #[must_use]
    pub fn authorizer(mut self, logical_id: &str, user_pool_arn: Text) -> Self {
        self.authorizer = Some((logical_id.to_owned(), user_pool_arn));
        self
    }

    /// Sends all of a function's routes to it.
    #[must_use]
    pub fn routes<R: Routes>(mut self, function: &FunctionHandle) -> Self {
        self.routes.extend(R::ALL.iter().map(|route| (route.route(), function.clone())));
        self
    }

    /// The origins whose browsers may read the gateway's own errors.
    #[must_use]
    pub fn origins(mut self, origins: &[String]) -> Self {
        self.origins = origins.to_vec();
        self
    }

    /// Requests per second, steady and in a burst.
    #[must_use]
    pub fn throttle(mut self, rate: u32, burst: u32) -> Self {
        self.rate = rate;
        self.burst = burst;
        self
    }
}

impl Part for RestApi {
    type Handle = ApiHandle;

    fn add_to(self, stack: &mut Stack) -> ApiHandle {
        let id = self.logical_id.as_str();
        let properties = json!({ "Name": self.name, "EndpointConfiguration": { "Types": ["REGIONAL"] } });
        let api = stack.resource(id, Resource::new("AWS::ApiGateway::RestApi", properties));
        let authorizer = self.authorizer.as_ref().map(|(logical_id, arn)| {
            let properties = json!({
                "RestApiId": api.id(),
                "Name": logical_id,
                "Type": "COGNITO_USER_POOLS",
                "ProviderARNs": [arn],
                "IdentitySource": "method.request.header.Authorization",
                "AuthorizerResultTtlInSeconds": 300,
            });
            stack.resource(logical_id, Resource::new("AWS::ApiGateway::Authorizer", properties))
        });
        let resources = resources(stack, id, &api, self.routes.iter().map(|(route, _)| *route));
        let methods = self.methods(stack, &api, authorizer.as_ref(), &resources);
        self.permissions(stack, &api);
        let responses = self.gateway_responses(stack, &api);
        let stage_name = self.deployment(stack, &api, &methods, &responses);
        stack.apis.push(RenderedApi {
            logical_id: id.to_owned(),
            stage_name: self.stage.name.clone(),
            routes: self.routes.iter().map(|(route, _)| *route).collect(),
            id_output: format!("{id}Id"),
            url_output: format!("{id}Url"),
        });
        ApiHandle { id: api.id(), stage_name }
    }
}

impl RestApi {
    /// Adds every method; returns what was added, to be deployed.
    fn methods(
        &self,
        stack: &mut Stack,
        api: &Reference,
        authorizer: Option<&Reference>,
        resources: &BTreeMap<String, Text>,
    ) -> BTreeMap<String, Value> {
        let mut methods = BTreeMap::new();
        let mut add = |path: &str, method: &str, function: &FunctionHandle, authorizer: Option<&Reference>| {
            let mut properties = json!({
                "RestApiId": api.id(),
                "ResourceId": resources[path],
                "HttpMethod": method,
                "AuthorizationType": "NONE",
                "Integration": {
                    "Type": "AWS_PROXY",
                    "IntegrationHttpMethod": "POST",
                    "Uri": Expression::sub(
                        "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Alias}/invocations",
                        [("Alias", function.alias.clone())],
                    ),
                },
            });
            if let Some(authorizer) = authorizer {
                properties["AuthorizationType"] = json!("COGNITO_USER_POOLS");
                properties["AuthorizerId"] = json!(authorizer.id());
            }
            let logical_id = format!("{}{}{}", self.logical_id, camel(path), camel(&method.to_lowercase()));
            stack.resource(&logical_id, Resource::new("AWS::ApiGateway::Method", properties.clone()));
            methods.insert(logical_id, properties);
        };
        let mut preflight = BTreeMap::new();
        for (route, function) in &self.routes {
            add(route.path, route.method.as_str(), function, authorizer);
            preflight.entry(route.path).or_insert(function);
        }
        for (path, function) in preflight {
            add(path, "OPTIONS", function, None);
        }
        methods
    }

    fn permissions(&self, stack: &mut Stack, api: &Reference) {
        let functions: BTreeMap<_, _> =
            self.routes.iter().map(|(_, function)| (function.logical_id().to_owned(), function)).collect();
        for (logical_id, function) in functions {
            let arn = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*";
            let source = Expression::sub(arn, [("Api", api.id())]).into();
            let logical_id = format!("{}{logical_id}Permission", self.logical_id);
            function.permit(stack, &logical_id, "apigateway.amazonaws.com", source, false);
        }
    }

    /// The gateway's own errors, in the body and with the header that the functions' errors have.
    fn gateway_responses(&self, stack: &mut Stack, api: &Reference) -> Vec<Value> {
        // The gateway cannot choose among several origins.
        let origin = match self.origins.as_slice() {
            [one] => one,
            _ => "*",
        };
        let kinds = [("DEFAULT_4XX", None), ("DEFAULT_5XX", None), ("UNAUTHORIZED", Some("401"))];
        let mut all = Vec::new();
        for (kind, status) in kinds {
            let body = "{\"error\":\"$context.error.responseType\",\"message\":$context.error.messageString,\"statusCode\":$context.status}";
            let body = match status {
                Some(status) => body.replace("$context.status", status),
                // `$context.status` is not set in gateway responses' templates on every error; the type's class is.
                None => body.replace("$context.status", if kind == "DEFAULT_4XX" { "400" } else { "500" }),
            };
            let mut properties = json!({
                "RestApiId": api.id(),
                "ResponseType": kind,
                "ResponseParameters": { "gatewayresponse.header.Access-Control-Allow-Origin": format!("'{origin}'") },
                "ResponseTemplates": { "application/json": body },
            });
            if let Some(status) = status {
                properties["StatusCode"] = json!(status);
            }
            let name: String = kind.split('_').map(|word| camel(&word.to_lowercase())).collect();
            let logical_id = format!("{}{name}Response", self.logical_id);
            stack.resource(&logical_id, Resource::new("AWS::ApiGateway::GatewayResponse", properties.clone()));
            all.push(properties);
        }
        all
    }

    /// A deployment named after what it deploys, so that a changed API is really deployed; and the stage.
    fn deployment(
        &self,
        stack: &mut Stack,
        api: &Reference,
        methods: &BTreeMap<String, Value>,
        responses: &[Value],
    ) -> Text {
        let id = &self.logical_id;
        let authorizer = self.authorizer.as_ref().map(|(logical_id, arn)| json!([logical_id, arn]));
        let hash = hex::encode(Sha256::digest(json!([methods, responses, authorizer]).to_string()));
        let logical_id = format!("{id}Deployment{}", &hash[..10]);
        let deployment = Resource::new("AWS::ApiGateway::Deployment", json!({ "RestApiId": api.id() }));
        let deployment = methods.keys().fold(deployment, |deployment, method| deployment.depends_on(method));
        let deployment = stack.resource(&logical_id, deployment);
        let mut properties = json!({
            "RestApiId": api.id(),
            "DeploymentId": deployment.id(),
            "StageName": self.stage.name,
            "TracingEnabled": true,
            "MethodSettings": [{
                "ResourcePath": "/*",
                "HttpMethod": "*",
                "MetricsEnabled": true,
                "ThrottlingRateLimit": self.rate,
                "ThrottlingBurstLimit": self.burst,
            }],
        });
        if Feature::AccessLogs.is_in(&self.stage) {
            let group = json!({ "LogGroupName": format!("/aws/apigateway/{}", self.name), "RetentionInDays": 30 });
            let group = stack.resource(&format!("{id}AccessLogs"), Resource::new("AWS::Logs::LogGroup", group));
            properties["AccessLogSetting"] = json!({
                "DestinationArn": group.attribute("Arn"),
                "Format": ACCESS_LOG_FORMAT,
            });
        }
        // A stage takes its traffic along when it goes; the API itself decides whether it may.
        let stage = Resource::new("AWS::ApiGateway::Stage", properties).removal(RemovalPolicy::Delete);
        stack.resource(&format!("{id}StageResource"), stage).id()
    }
}

/// One JSON line a request. No token, no query: both may hold secrets.
const ACCESS_LOG_FORMAT: &str = concat!(
    r#"{"requestId":"$context.requestId","time":"$context.requestTime","method":"$context.httpMethod","#,
    r#""path":"$context.resourcePath","status":"$context.status","latency":"$context.responseLatency","#,
    r#""bytes":"$context.responseLength","sourceIp":"$context.identity.sourceIp","error":"$context.error.responseType"}"#,
);

/// Adds a resource for every path and all its parents; returns their ids by path.
fn resources(
    stack: &mut Stack,
    id: &str,
    api: &Reference,
    routes: impl Iterator<Item = Route>,
) -> BTreeMap<String, Text> {
    let mut paths = BTreeSet::new();
    for route in routes {
        let steps: Vec<_> = route.path.split('/').skip(1).collect();
        for length in 1..=steps.len() {
            paths.insert(format!("/{}", steps[..length].join("/")));
        }
    }
    let mut ids = BTreeMap::new();
    // Sorted, so a parent comes before its children.
    for path in paths {
        let (parent, part) = path.rsplit_once('/').unwrap_or_default();
        let parent = ids.get(parent).cloned().unwrap_or_else(|| api.attribute("RootResourceId"));
        let properties = json!({ "RestApiId": api.id(), "ParentId": parent, "PathPart": part });
        let resource = Resource::new("AWS::ApiGateway::Resource", properties);
        let reference = stack.resource(&format!("{id}{}Resource", camel(&path)), resource);
        ids.insert(path, reference.id());
    }
    ids
}

/// `/media/{filename}` → `MediaFilename`: what a logical ID may be made of.
fn camel(path: &str) -> String {
    path.split(|character: char| !character.is_ascii_alphanumeric())
        .filter_map(|word| {
            let mut characters = word.chars();
            characters.next().map(|first| first.to_ascii_uppercase().to_string() + characters.as_str())
        })
        .collect()
}
