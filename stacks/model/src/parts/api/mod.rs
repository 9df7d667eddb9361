//! A regional REST API: resources, methods, authorizer, gateway responses, one deployment and one stage.

mod deployment;
mod errors;
mod methods;
mod routes;
mod settings;

use std::{collections::BTreeMap, panic::Location};

use contract::{Method, Route, Routes};

use self::methods::{ANY, Endpoint};
pub(crate) use self::{
    deployment::{check as check_deployments, seal},
    routes::segments,
};
pub use self::{
    errors::GatewayError,
    methods::{Model, RouteSettings},
    routes::{RefusedRoute, RouteProblem},
    settings::{LogField, Throttle},
};
use super::function::{FunctionHandle, LOG_RETENTION};
use crate::{
    emulator::Feature,
    rendered::{ApiKind, RenderedApi, RenderedMethod},
    resources::api_gateway::{RestApi as Properties, rest_api},
    stage::Stage,
    template::{Expression, Part, Reference, Resource, Stack, Text, json::camel, list, set},
};

/// An `AWS::ApiGateway::RestApi` with everything that serves it: a resource for each path, a method for each route, an
/// `OPTIONS` method for each path, permissions, deployment, stage and access log.
///
/// Every route is integrated with the alias `live` of a function. The stack gets the outputs `<logical ID>Id` with the API's ID
/// and `<logical ID>Url` with the URL at which clients reach it, which checks and commands read. An output of the same name that
/// the stack adds later replaces it.
#[derive(Debug, Clone)]
pub struct RestApi {
    logical_id: String,
    name: String,
    stage_name: String,
    /// Whether the stage supports access logs and execution logs.
    has_logs: bool,
    authorizer: Option<(String, Text)>,
    routes: Vec<Route>,
    endpoints: Vec<Endpoint>,
    binary: Vec<String>,
    errors: Vec<GatewayError>,
    origin: String,
    throttle: Throttle,
    log_fields: &'static [LogField],
    log_retention: i64,
    execution_logs: bool,
    domain: Option<String>,
    path_names: BTreeMap<&'static str, (String, &'static Location<'static>)>,
}

/// The values by which other parts refer to an API.
#[derive(Debug, Clone)]
pub struct ApiHandle {
    /// The API's ID.
    pub id: Text,
    /// The name of the API's stage.
    pub stage_name: Text,
    /// The API's name: the dimension `ApiName` of its metrics.
    pub name: String,
    /// The URL of the API's stage at the gateway's own endpoint.
    pub url: Text,
}

impl RestApi {
    /// Creates an API called `name` with one API stage, which has the stage's name.
    ///
    /// It is throttled at 50 requests per second with a burst of 100, and its access log is kept for 30 days.
    #[must_use]
    pub fn new(logical_id: &str, name: String, stage: &Stage) -> Self {
        Self {
            logical_id: logical_id.to_owned(),
            name,
            stage_name: stage.name.clone(),
            has_logs: Feature::AccessLogs.is_in(stage),
            authorizer: None,
            routes: Vec::new(),
            endpoints: Vec::new(),
            binary: Vec::new(),
            errors: errors::default_errors(),
            origin: "*".to_owned(),
            throttle: Throttle { rate: 50, burst: 100 },
            log_fields: settings::LOG_FIELDS,
            log_retention: LOG_RETENTION,
            execution_logs: false,
            domain: None,
            path_names: BTreeMap::new(),
        }
    }

    /// Requires an ID token of this user pool, except for `OPTIONS` and for open routes.
    #[must_use]
    pub fn authorizer(mut self, logical_id: &str, user_pool_arn: Text) -> Self {
        self.authorizer = Some((logical_id.to_owned(), user_pool_arn));
        self
    }

    /// Adds all routes of a function.
    #[must_use]
    #[track_caller]
    pub fn routes<R: Routes>(self, function: &FunctionHandle) -> Self {
        self.routes_with(function, |_: R| RouteSettings::default())
    }

    /// Adds all routes of a function, each with the settings that `settings` returns for it.
    ///
    /// A route that API Gateway would refuse is an error when the system is rendered, see [`RouteProblem`].
    #[must_use]
    #[track_caller]
    pub fn routes_with<R: Routes>(mut self, function: &FunctionHandle, settings: impl Fn(R) -> RouteSettings) -> Self {
        for route in R::ALL {
            let Route { method, path } = route.route();
            self.endpoints.push(Endpoint::new(path, method.as_str(), function, settings(*route)));
            self.routes.push(route.route());
        }
        self
    }

    /// Adds the method `ANY`, without authorizer, on these paths. It receives all requests that match no declared
    /// route, so the function responds to unknown paths, unknown methods and preflights.
    #[must_use]
    #[track_caller]
    pub fn catch_all(mut self, paths: impl IntoIterator<Item = &'static str>, function: &FunctionHandle) -> Self {
        for path in paths {
            let open = RouteSettings { open: true, ..RouteSettings::default() };
            self.endpoints.push(Endpoint::new(path, ANY, function, open));
        }
        self
    }

    /// Passes bodies of this media type to functions as binary data, in base64.
    #[must_use]
    pub fn binary(mut self, media_type: &str) -> Self {
        self.binary.push(media_type.to_owned());
        self
    }

    /// Replaces the gateway's own error responses.
    #[must_use]
    pub fn errors(mut self, errors: impl IntoIterator<Item = GatewayError>) -> Self {
        self.errors = errors.into_iter().collect();
        self
    }

    /// Sets the origins whose browsers may read the gateway's own errors. Several origins allow every origin, because the
    /// gateway's responses have fixed headers.
    #[must_use]
    pub fn origins(self, origins: &[String]) -> Self {
        match origins {
            [one] => self.origin(one),
            _ => self.origin("*"),
        }
    }

    /// Sets the only origin whose browsers may read the gateway's own errors.
    #[must_use]
    pub fn origin(mut self, origin: &str) -> Self {
        origin.clone_into(&mut self.origin);
        self
    }

    /// Sets the throttle of routes without one of their own: requests per second, and the size of a burst.
    #[must_use]
    pub fn throttle(mut self, rate: u32, burst: u32) -> Self {
        self.throttle = Throttle { rate, burst };
        self
    }

    /// Sets the fields of the access log.
    #[must_use]
    pub fn log_fields(mut self, fields: &'static [LogField]) -> Self {
        self.log_fields = fields;
        self
    }

    /// Sets the retention of the access log, in days. CloudWatch Logs accepts certain values only (CloudWatch Logs API
    /// reference, `PutRetentionPolicy`).
    #[must_use]
    pub fn log_retention(mut self, days: u32) -> Self {
        self.log_retention = i64::from(days);
        self
    }

    /// Logs how the gateway processes each request, without bodies.
    #[must_use]
    pub fn execution_logs(mut self) -> Self {
        self.execution_logs = true;
        self
    }

    /// Disables the gateway's own endpoint, so that the API is served under this domain only.
    #[must_use]
    pub fn only_by_domain(mut self, domain: &str) -> Self {
        self.domain = Some(domain.to_owned());
        self
    }

    /// Names a path in the logical IDs of its resources. By default the name consists of the path's words: `NotesId` for
    /// `/notes/{id}`, and also for `/notes/id`, so an API with both needs another name for one of them.
    #[must_use]
    #[track_caller]
    pub fn path_name(mut self, path: &'static str, name: &str) -> Self {
        self.path_names.insert(path, (name.to_owned(), Location::caller()));
        self
    }

    /// The logical ID of a path's resource.
    fn path_id(&self, path: &str) -> String {
        format!("{}{}Resource", self.logical_id, self.name_of(path))
    }

    /// The logical ID of a path's method.
    fn method_id(&self, path: &str, verb: &str) -> String {
        format!("{}{}{}", self.logical_id, self.name_of(path), camel(&verb.to_lowercase()))
    }

    fn name_of(&self, path: &str) -> String {
        self.path_names.get(path).map_or_else(|| camel(path), |(name, _)| name.clone())
    }

    fn stage_id(&self) -> String {
        stage_id(&self.logical_id)
    }

    fn log_group(&self) -> String {
        format!("/aws/apigateway/{}", self.name)
    }

    fn properties(&self) -> Properties {
        Properties {
            name: set(&self.name),
            endpoint_configuration: Some(rest_api::EndpointConfiguration {
                types: list(["REGIONAL"]),
                ..rest_api::EndpointConfiguration::default()
            }),
            binary_media_types: (!self.binary.is_empty()).then(|| self.binary.iter().map(Text::from).collect()),
            disable_execute_api_endpoint: self.domain.is_some().then(|| true.into()),
            ..Properties::default()
        }
    }

    fn permissions(&self, stack: &mut Stack, api: &Reference) {
        let functions: BTreeMap<_, _> = self
            .endpoints
            .iter()
            .map(|endpoint| (endpoint.function.logical_id().to_owned(), &endpoint.function))
            .collect();
        for (logical_id, function) in functions {
            let arn = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*";
            let source = Expression::sub(arn, [("Api", api.id())]).into();
            let logical_id = format!("{}{logical_id}Permission", self.logical_id);
            function.permit(stack, &logical_id, "apigateway.amazonaws.com", source, false);
        }
    }
}

/// The logical ID of the stage of an API.
fn stage_id(api: &str) -> String {
    format!("{api}StageResource")
}

impl Part for RestApi {
    type Handle = ApiHandle;

    fn add_to(self, stack: &mut Stack) -> ApiHandle {
        let id = self.logical_id.as_str();
        let api = stack.resource(id, Resource::of(self.properties()));
        let url = "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${Stage}";
        let url = Expression::sub(url, [("Api", api.id()), ("Stage", Text::from(&self.stage_name))]);
        let mut handle = ApiHandle {
            id: api.id(),
            stage_name: Text::from(&self.stage_name),
            name: self.name.clone(),
            url: url.clone().into(),
        };
        if let Err(refused) = routes::check(&self) {
            stack.refused_routes.push(*refused);
            return handle;
        }
        let endpoints = methods::add(stack, &self, &api);
        for error in &self.errors {
            error.add_to(stack, id, &api, &self.origin);
        }
        self.permissions(stack, &api);
        let deployment = deployment::add(stack, id, &api);
        handle.stage_name = settings::stage(stack, &self, &api, &deployment);
        let methods = endpoints.iter().map(|endpoint| RenderedMethod {
            method: Method::ALL.into_iter().find(|method| method.as_str() == endpoint.verb),
            path: endpoint.path.to_owned(),
            function: endpoint.function.name.clone(),
            is_open: endpoint.open || self.authorizer.is_none(),
            stack: stack.name.clone(),
        });
        let methods = methods.collect();
        let (id_output, url_output) = (format!("{id}Id"), format!("{id}Url"));
        stack.output(&id_output, api.id());
        let served = self.domain.as_ref().map(|domain| Text::from(format!("https://{domain}")));
        stack.output(&url_output, served.unwrap_or_else(|| url.into()));
        stack.apis.push(RenderedApi {
            logical_id: id.to_owned(),
            kind: ApiKind::Rest,
            stage_name: self.stage_name.clone(),
            answers_preflights: false,
            routes: self.routes.iter().copied().map(Into::into).collect(),
            methods,
            id_output,
            url_output,
        });
        handle
    }
}

#[cfg(test)]
mod tests;
