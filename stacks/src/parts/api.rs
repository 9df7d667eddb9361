//! A regional REST API: resources, methods, authorizer, one deployment and one stage.

use std::collections::{BTreeMap, BTreeSet};

use contract::{Route, Routes};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::function::{FunctionHandle, LOG_RETENTION};
use crate::{
    emulator::Feature,
    rendered::RenderedApi,
    resources::{
        api_gateway::{
            Authorizer, Deployment, GatewayResponse, Method, Resource as PathPart, RestApi as Properties,
            Stage as ApiStage, method, rest_api, stage as api_stage,
        },
        logs::LogGroup,
    },
    stage::Stage,
    template::{
        Expression, Part, Reference, Resource, Stack, Text,
        json::{camel, sorted},
        list, set,
    },
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
        let properties = Properties {
            name: set(&self.name),
            endpoint_configuration: Some(rest_api::EndpointConfiguration {
                types: list(["REGIONAL"]),
                ..rest_api::EndpointConfiguration::default()
            }),
            ..Properties::default()
        };
        let api = stack.resource(id, Resource::of(properties));
        let mut deployed = Vec::new();
        let authorizer = self.add_authorizer(stack, &api);
        deployed.extend(authorizer.clone());
        let resources = resources(stack, id, &api, self.routes.iter().map(|(route, _)| *route));
        deployed.extend(self.methods(stack, &api, authorizer.as_ref(), &resources));
        deployed.extend(self.gateway_responses(stack, &api));
        self.permissions(stack, &api);
        let deployment = deployment(stack, id, &api, &deployed);
        let stage_name = self.stage(stack, &api, &deployment);
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
    fn add_authorizer(&self, stack: &mut Stack, api: &Reference) -> Option<Reference> {
        let (logical_id, user_pool_arn) = self.authorizer.as_ref()?;
        let authorizer = Authorizer {
            rest_api_id: set(api.id()),
            name: set(logical_id),
            r#type: set("COGNITO_USER_POOLS"),
            provider_arns: list([user_pool_arn]),
            identity_source: set("method.request.header.Authorization"),
            authorizer_result_ttl_in_seconds: set(300),
            ..Authorizer::default()
        };
        Some(stack.resource(logical_id, Resource::of(authorizer)))
    }

    /// Every route with the authorizer, and on every path an `OPTIONS` without: a preflight carries no token, and
    /// only a function can choose among several origins.
    fn methods(
        &self,
        stack: &mut Stack,
        api: &Reference,
        authorizer: Option<&Reference>,
        resources: &BTreeMap<String, Text>,
    ) -> Vec<Reference> {
        let routes =
            self.routes.iter().map(|(route, function)| (route.path, route.method.as_str(), function, authorizer));
        let mut preflight = BTreeMap::new();
        for (route, function) in &self.routes {
            preflight.entry(route.path).or_insert((route.path, "OPTIONS", function, None));
        }
        routes
            .chain(preflight.into_values())
            .map(|(path, verb, function, authorizer)| {
                let method = Method {
                    rest_api_id: set(api.id()),
                    resource_id: set(&resources[path]),
                    http_method: set(verb),
                    authorization_type: set(if authorizer.is_some() { "COGNITO_USER_POOLS" } else { "NONE" }),
                    authorizer_id: authorizer.map(Reference::id),
                    integration: Some(proxy(function)),
                    ..Method::default()
                };
                let logical_id = format!("{}{}{}", self.logical_id, camel(path), camel(&verb.to_lowercase()));
                stack.resource(&logical_id, Resource::of(method))
            })
            .collect()
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
    fn gateway_responses(&self, stack: &mut Stack, api: &Reference) -> Vec<Reference> {
        // The gateway cannot choose among several origins.
        let origin = match self.origins.as_slice() {
            [one] => one,
            _ => "*",
        };
        let header = "gatewayresponse.header.Access-Control-Allow-Origin".to_owned();
        GATEWAY_ERRORS
            .iter()
            .map(|(kind, status)| {
                let body = format!(
                    r#"{{"error":"$context.error.responseType","message":$context.error.messageString,"statusCode":{status}}}"#
                );
                let response = GatewayResponse {
                    rest_api_id: set(api.id()),
                    response_type: set(*kind),
                    // The defaults stand for many errors, whose own status must stay.
                    status_code: (!kind.starts_with("DEFAULT")).then(|| Text::from(status.to_string())),
                    response_parameters: Some([(header.clone(), Text::from(format!("'{origin}'")))].into()),
                    response_templates: Some([("application/json".to_owned(), Text::from(body))].into()),
                };
                let logical_id = format!("{}{}Response", self.logical_id, camel(&kind.to_lowercase()));
                stack.resource(&logical_id, Resource::of(response))
            })
            .collect()
    }

    fn stage(&self, stack: &mut Stack, api: &Reference, deployment: &Reference) -> Text {
        let id = &self.logical_id;
        let access_log = Feature::AccessLogs.is_in(&self.stage).then(|| {
            let group = LogGroup {
                log_group_name: set(format!("/aws/apigateway/{}", self.name)),
                retention_in_days: set(LOG_RETENTION),
                ..LogGroup::default()
            };
            let group = stack.resource(&format!("{id}AccessLogs"), Resource::of(group));
            api_stage::AccessLogSetting { destination_arn: set(group.attribute("Arn")), format: set(ACCESS_LOG_FORMAT) }
        });
        let stage = ApiStage {
            rest_api_id: set(api.id()),
            deployment_id: set(deployment.id()),
            stage_name: set(&self.stage.name),
            tracing_enabled: set(true),
            access_log_setting: access_log,
            method_settings: Some(vec![api_stage::MethodSetting {
                resource_path: set("/*"),
                http_method: set("*"),
                metrics_enabled: set(true),
                throttling_rate_limit: set(f64::from(self.rate)),
                throttling_burst_limit: set(i64::from(self.burst)),
                ..api_stage::MethodSetting::default()
            }]),
            ..ApiStage::default()
        };
        stack.resource(&format!("{id}StageResource"), Resource::of(stage)).id()
    }
}

/// The gateway's own errors that get the functions' body, each with its status: templates of gateway responses know
/// the error's type, but not its status. Developer guide, "Gateway response types for API Gateway".
const GATEWAY_ERRORS: &[(&str, u16)] = &[
    ("DEFAULT_4XX", 400),
    ("DEFAULT_5XX", 500),
    ("ACCESS_DENIED", 403),
    ("MISSING_AUTHENTICATION_TOKEN", 403),
    ("REQUEST_TOO_LARGE", 413),
    ("THROTTLED", 429),
    ("UNAUTHORIZED", 401),
];

/// Everything of a request goes to the function's alias, and its answer back.
fn proxy(function: &FunctionHandle) -> method::Integration {
    let uri = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Alias}/invocations";
    method::Integration {
        r#type: set("AWS_PROXY"),
        integration_http_method: set("POST"),
        uri: set(Expression::sub(uri, [("Alias", function.alias.clone())])),
        ..method::Integration::default()
    }
}

/// A deployment named after what it deploys: a deployment is a snapshot, so only a new one makes a changed API real.
fn deployment(stack: &mut Stack, id: &str, api: &Reference, deployed: &[Reference]) -> Reference {
    let shape: BTreeMap<_, _> = deployed
        .iter()
        .map(Reference::logical_id)
        .map(|logical_id| (logical_id, stack.resources.get(logical_id).map(Resource::properties)))
        .collect();
    let hash = hex::encode(Sha256::digest(sorted(json!(shape)).to_string()));
    let deployment = Resource::of(Deployment { rest_api_id: set(api.id()), ..Deployment::default() });
    let deployment = deployed.iter().fold(deployment, |deployment, part| deployment.depends_on(part.logical_id()));
    stack.resource(&format!("{id}Deployment{}", &hash[..10]), deployment)
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
        let resource = PathPart { rest_api_id: set(api.id()), parent_id: Some(parent), path_part: set(part) };
        let reference = stack.resource(&format!("{id}{}Resource", camel(&path)), Resource::of(resource));
        ids.insert(path, reference.id());
    }
    ids
}

#[cfg(test)]
mod tests {
    use contract::media_uploader::{RetrieveRoute, Upload, UploadEnvironment, UploadRoute};

    use super::*;
    use crate::parts::function::Function;

    fn deployment_of(change: impl FnOnce(RestApi, &FunctionHandle) -> RestApi) -> String {
        let stage = Stage::example("dev");
        let mut stack = Stack::new("api", "An API.");
        let environment = UploadEnvironment {
            raw_media_bucket: "raw".into(),
            allowed_origins: "https://example.com".into(),
            media_profile_path: "/opt/profile".into(),
            public_s3_endpoint: None,
        };
        let upload = stack.add(Function::new(&stage, Upload, environment));
        let api = RestApi::new("Api", "api".to_owned(), &stage).routes::<UploadRoute>(&upload);
        stack.add(change(api, &upload));
        let mut ids = stack.resources.into_keys().filter(|id| id.starts_with("ApiDeployment"));
        ids.next().expect("a deployment")
    }

    #[test]
    fn a_changed_api_is_deployed_anew_and_a_changed_stage_is_not() {
        let plain = deployment_of(|api, _| api);
        assert_eq!(plain, deployment_of(|api, _| api));
        assert_eq!(plain, deployment_of(|api, _| api.throttle(1, 1)));
        for changed in [
            deployment_of(|api, upload| api.routes::<RetrieveRoute>(upload)),
            deployment_of(|api, _| api.authorizer("Authorizer", "arn:pool".into())),
            deployment_of(|api, _| api.origins(&["https://example.com".to_owned()])),
        ] {
            assert_ne!(plain, changed);
        }
    }
}
