//! A regional REST API: resources, methods, authorizer, gateway responses, one deployment and one stage.

mod errors;
mod methods;
mod settings;

use std::collections::BTreeMap;

use contract::{Route, Routes};

use self::methods::{ANY, Endpoint};
pub use self::{
    errors::GatewayError,
    methods::{Model, RouteSettings},
    settings::{LogField, Throttle},
};
use super::function::{FunctionHandle, LOG_RETENTION};
use crate::{
    emulator::Feature,
    rendered::RenderedApi,
    resources::api_gateway::{RestApi as Properties, rest_api},
    stage::Stage,
    template::{Expression, Part, Reference, Resource, Stack, Text, list, set},
};

/// An `AWS::ApiGateway::RestApi` with everything that serves it: a resource for each path, a method for each route, an
/// `OPTIONS` method for each path, permissions, deployment, stage and access log.
///
/// Every route is integrated with the alias `live` of a function.
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
    only_by_domain: bool,
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
            only_by_domain: false,
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
    pub fn routes<R: Routes>(self, function: &FunctionHandle) -> Self {
        self.routes_with(function, |_: R| RouteSettings::default())
    }

    /// Adds all routes of a function, each with the settings that `settings` returns for it.
    #[must_use]
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

    /// Disables the gateway's own endpoint, so that the API is served under its own domain only.
    #[must_use]
    pub fn only_by_domain(mut self) -> Self {
        self.only_by_domain = true;
        self
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
            disable_execute_api_endpoint: self.only_by_domain.then(|| true.into()),
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

impl Part for RestApi {
    type Handle = ApiHandle;

    fn add_to(self, stack: &mut Stack) -> ApiHandle {
        let id = self.logical_id.as_str();
        let api = stack.resource(id, Resource::of(self.properties()));
        let mut deployed = methods::add(stack, &self, &api);
        deployed.extend(self.errors.iter().map(|error| error.add_to(stack, id, &api, &self.origin)));
        // These two settings of the API take effect only with a new deployment.
        if !self.binary.is_empty() || self.only_by_domain {
            deployed.push(api.clone());
        }
        self.permissions(stack, &api);
        let deployment = settings::deployment(stack, id, &api, &deployed);
        let stage_name = settings::stage(stack, &self, &api, &deployment);
        let open = self.endpoints.iter().filter(|endpoint| endpoint.verb == "GET");
        let open = open.filter(|endpoint| endpoint.open || self.authorizer.is_none());
        stack.apis.push(RenderedApi {
            logical_id: id.to_owned(),
            stage_name: self.stage_name.clone(),
            routes: self.routes.iter().copied().map(Into::into).collect(),
            open: open.map(|endpoint| (endpoint.path.to_owned(), endpoint.function.name.clone())).collect(),
            id_output: format!("{id}Id"),
            url_output: format!("{id}Url"),
        });
        ApiHandle { id: api.id(), stage_name, name: self.name }
    }
}

#[cfg(test)]
mod tests;
