//! A regional REST API: resources, methods, authorizer, one deployment and one stage.

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

/// A regional REST API whose every route goes to a function's alias.
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

/// What others need of an API.
#[derive(Debug, Clone)]
pub struct ApiHandle {
    /// Its id.
    pub id: Text,
    /// The name of its stage.
    pub stage_name: Text,
    /// Its name: what its metrics are of.
    pub name: String,
}

impl RestApi {
    /// An API called `name`, whose stage is called like the stage.
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
            errors: errors::plain(),
            origin: "*".to_owned(),
            throttle: Throttle { rate: 50, burst: 100 },
            log_fields: settings::LOG_FIELDS,
            log_retention: LOG_RETENTION,
            execution_logs: false,
            only_by_domain: false,
        }
    }

    /// Asks every method but `OPTIONS` and those that are open for an ID token of this user pool.
    #[must_use]
    pub fn authorizer(mut self, logical_id: &str, user_pool_arn: Text) -> Self {
        self.authorizer = Some((logical_id.to_owned(), user_pool_arn));
        self
    }

    /// Sends all of a function's routes to it.
    #[must_use]
    pub fn routes<R: Routes>(self, function: &FunctionHandle) -> Self {
        self.routes_with(function, |_: R| RouteSettings::default())
    }

    /// Sends all of a function's routes to it, each as `how` says.
    #[must_use]
    pub fn routes_with<R: Routes>(mut self, function: &FunctionHandle, how: impl Fn(R) -> RouteSettings) -> Self {
        for route in R::ALL {
            let Route { method, path } = route.route();
            self.endpoints.push(Endpoint::new(path, method.as_str(), function, how(*route)));
            self.routes.push(route.route());
        }
        self
    }

    /// Sends every verb on these paths to a function too, without a token: what no route declares falls through to
    /// them, so 404, 405 and every preflight are the function's.
    #[must_use]
    pub fn everything(mut self, paths: impl IntoIterator<Item = &'static str>, function: &FunctionHandle) -> Self {
        for path in paths {
            let open = RouteSettings { open: true, ..RouteSettings::default() };
            self.endpoints.push(Endpoint::new(path, ANY, function, open));
        }
        self
    }

    /// Bodies of this type reach the function as they are, in base64.
    #[must_use]
    pub fn binary(mut self, media_type: &str) -> Self {
        self.binary.push(media_type.to_owned());
        self
    }

    /// What the gateway answers itself.
    #[must_use]
    pub fn errors(mut self, errors: impl IntoIterator<Item = GatewayError>) -> Self {
        self.errors = errors.into_iter().collect();
        self
    }

    /// The origins whose browsers may read the gateway's own errors: any, if there are several, since the gateway
    /// cannot choose.
    #[must_use]
    pub fn origins(self, origins: &[String]) -> Self {
        match origins {
            [one] => self.origin(one),
            _ => self.origin("*"),
        }
    }

    /// The one origin whose browsers may read the gateway's own errors.
    #[must_use]
    pub fn origin(mut self, origin: &str) -> Self {
        origin.clone_into(&mut self.origin);
        self
    }

    /// Requests per second, steady and in a burst.
    #[must_use]
    pub fn throttle(mut self, rate: u32, burst: u32) -> Self {
        self.throttle = Throttle { rate, burst };
        self
    }

    /// What a line of the access log tells.
    #[must_use]
    pub fn log_fields(mut self, fields: &'static [LogField]) -> Self {
        self.log_fields = fields;
        self
    }

    /// How long the access log is kept, in days.
    #[must_use]
    pub fn log_retention(mut self, days: u32) -> Self {
        self.log_retention = i64::from(days);
        self
    }

    /// Logs what the gateway does with each request, without bodies.
    #[must_use]
    pub fn execution_logs(mut self) -> Self {
        self.execution_logs = true;
        self
    }

    /// Answers under a domain of its own only, not under the gateway's.
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
        // Both of the API's own settings take effect only with a deployment.
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
