//! An HTTP API: routes, integrations, one authorizer, CORS, and the stage `$default`, which deploys every change by itself.
//!
//! `routes` adds the routes of a function, also from other stacks of the system ([`HttpRoutes`]); `checks` finds the ones that API
//! Gateway would refuse, over all stacks.

mod authorizer;
mod checks;
mod cors;
mod routes;
mod stage;

use std::{collections::BTreeMap, panic::Location};

use contract::Routes;
use serde_json::json;

use self::{
    authorizer::{Authorizer, AuthorizerKind},
    routes::{Endpoint, PathNames},
};
pub(crate) use self::{checks::merge, routes::AddedRoutes};
pub use self::{
    cors::Cors,
    routes::{HttpRouteSettings, HttpRoutes},
};
use super::{
    api::{LogField, Throttle},
    function::{FunctionHandle, LOG_RETENTION},
};
use crate::{
    emulator::{API_PATH, Feature},
    rendered::{ApiKind, RenderedApi},
    resources::api_gateway_v2::Api as Properties,
    stage::Stage,
    template::{Expression, Part, Reference, Resource, Stack, Text, set},
};

/// The name of the API's only stage, which is served at the root of the API's URL.
pub const DEFAULT_STAGE: &str = "$default";

/// An `AWS::ApiGatewayV2::Api` of protocol HTTP with everything that serves it: a route for each route of the contracts, an
/// integration for each function, permissions, authorizer, stage and access log.
///
/// Every route is integrated with the alias `live` of a function, with payload format 2.0. It requires the API's authorizer, unless it
/// is declared open. The stack gets the outputs `<logical ID>Id` with the API's ID and `<logical ID>Url` with the URL at which clients
/// reach it, which checks and commands read.
#[derive(Debug, Clone)]
pub struct HttpApi {
    logical_id: String,
    name: String,
    /// Whether the stage supports access logs.
    has_logs: bool,
    /// Whether the stage reads CORS as CloudFormation spells it.
    has_cors_names: bool,
    /// Whether the stage serves APIs under hosts of their own.
    has_hosts: bool,
    cors: Option<Cors>,
    authorizer: Option<Authorizer>,
    endpoints: Vec<Endpoint>,
    throttle: Throttle,
    log_fields: &'static [LogField],
    log_retention: i64,
    domain: Option<String>,
    path_names: PathNames,
}

/// The values by which other parts refer to an HTTP API.
#[derive(Debug, Clone)]
pub struct HttpApiHandle {
    /// The API's ID.
    pub id: Text,
    /// The name of the API's stage.
    pub stage_name: Text,
    /// The API's name.
    pub name: String,
    /// The URL of the API at the gateway's own endpoint.
    pub url: Text,
    /// The endpoint that API Gateway reports: the same URL, as an attribute of the API.
    pub endpoint: Text,
    /// The URL at which functions of the stage reach the API: on an emulator, a path of its endpoint.
    pub url_for_functions: Text,
    /// The ID of the authorizer; `None` if the API has none.
    pub authorizer: Option<Text>,
    kind: Option<AuthorizerKind>,
    stack: String,
    logical_id: String,
}

impl HttpApi {
    /// Creates an API called `name` with the stage `$default`.
    ///
    /// It is throttled at 50 requests per second with a burst of 100, and its access log is kept for 30 days.
    #[must_use]
    pub fn new(logical_id: &str, name: String, stage: &Stage) -> Self {
        Self {
            logical_id: logical_id.to_owned(),
            name,
            has_logs: Feature::AccessLogs.is_in(stage),
            has_cors_names: Feature::CorsNames.is_in(stage),
            has_hosts: Feature::ApiHosts.is_in(stage),
            cors: None,
            authorizer: None,
            endpoints: Vec::new(),
            throttle: Throttle { rate: 50, burst: 100 },
            log_fields: stage::LOG_FIELDS,
            log_retention: LOG_RETENTION,
            domain: None,
            path_names: BTreeMap::new(),
        }
    }

    /// Lets the gateway answer preflights and add the CORS headers of all responses. It then ignores CORS headers of functions (API
    /// Gateway developer guide, "Configure CORS for HTTP APIs").
    #[must_use]
    pub fn cors(mut self, cors: Cors) -> Self {
        self.cors = Some(cors);
        self
    }

    /// Requires a JWT of this issuer for one of these audiences in the header `Authorization`; see
    /// [`issuer_of`] for user pools.
    #[must_use]
    pub fn jwt_authorizer(mut self, logical_id: &str, issuer: Text, audience: Vec<Text>) -> Self {
        self.authorizer = Some(Authorizer::jwt(logical_id, issuer, audience));
        self
    }

    /// Asks a function about each request: `common::authorizer` serves its events, with payload format 2.0 and simple responses. The
    /// gateway reuses a decision for `ttl_seconds`, 3600 at most, where the identity sources are equal; 0 asks each time. A reused
    /// decision counts for all routes, unless `$context.routeKey` is an identity source. A request without the header `Authorization`
    /// is answered with status 401, a denied one with 403.
    #[must_use]
    pub fn function_authorizer(mut self, logical_id: &str, function: &FunctionHandle, ttl_seconds: u32) -> Self {
        self.authorizer = Some(Authorizer::function(logical_id, function, ttl_seconds));
        self
    }

    /// Replaces the identity sources of the authorizer that was set before: `$request.header.Authorization`.
    #[must_use]
    pub fn identity_sources(mut self, sources: Vec<&str>) -> Self {
        if let Some(authorizer) = &mut self.authorizer {
            authorizer.identity_sources = sources.into_iter().map(str::to_owned).collect();
        }
        self
    }

    /// Adds all routes of a function.
    #[must_use]
    #[track_caller]
    pub fn routes<R: Routes>(self, function: &FunctionHandle) -> Self {
        self.routes_with(function, |_: R| HttpRouteSettings::default())
    }

    /// Adds all routes of a function, each with the settings that `settings` returns for it.
    ///
    /// A route that API Gateway would refuse, and one that is neither open nor has an authorizer, is an error when the system is
    /// rendered, see [`RouteProblem`](super::api::RouteProblem).
    #[must_use]
    #[track_caller]
    pub fn routes_with<R: Routes>(
        mut self,
        function: &FunctionHandle,
        settings: impl Fn(R) -> HttpRouteSettings,
    ) -> Self {
        self.endpoints.extend(Endpoint::all(function, settings));
        self
    }

    /// Sets the throttle of routes without one of their own: requests per second, and the size of a burst.
    #[must_use]
    pub fn throttle(mut self, rate: u32, burst: u32) -> Self {
        self.throttle = Throttle { rate, burst };
        self
    }

    /// Sets the fields of the access log (API Gateway developer guide, "Customize HTTP API access logs").
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

    /// Disables the gateway's own endpoint, so that the API is served under this domain only.
    #[must_use]
    pub fn only_by_domain(mut self, domain: &str) -> Self {
        self.domain = Some(domain.to_owned());
        self
    }

    /// Names a path in the logical IDs of its routes. By default the name consists of the path's words: `NotesId` for
    /// `/notes/{id}`, and also for `/notes/id`, so an API with both needs another name for one of them.
    #[must_use]
    #[track_caller]
    pub fn path_name(mut self, path: &'static str, name: &str) -> Self {
        self.path_names.insert(path, (name.to_owned(), Location::caller()));
        self
    }

    fn resource(&self) -> Resource {
        let properties = Properties {
            name: set(&self.name),
            protocol_type: set("HTTP"),
            disable_execute_api_endpoint: self.domain.is_some().then(|| true.into()),
            ..Properties::default()
        };
        match &self.cors {
            None => Resource::of(properties),
            Some(cors) if self.has_cors_names => {
                Resource::of(Properties { cors_configuration: Some(cors.properties()), ..properties })
            }
            Some(cors) => cors.add_for_emulator(Resource::of(properties)),
        }
    }

    /// Returns the API's description, without the routes, which [`merge`] adds.
    fn rendered(&self, id_output: String, url_output: String) -> RenderedApi {
        RenderedApi {
            logical_id: self.logical_id.clone(),
            kind: ApiKind::Http,
            stage_name: DEFAULT_STAGE.to_owned(),
            answers_preflights: self.cors.is_some(),
            routes: Vec::new(),
            methods: Vec::new(),
            id_output,
            url_output,
        }
    }
}

/// Returns the URL of an API on the emulator, on this machine. Its endpoint, `http://<ID>.execute-api.<host>:<port>`, has the port; the
/// host is known only to some resolvers.
fn emulated_url(api: &Reference) -> Text {
    let endpoint = json!({ "Fn::Split": [":", api.attribute("ApiEndpoint")] });
    let port: Text = Expression::raw(json!({ "Fn::Select": ["2", endpoint] })).into();
    let url = format!("http://127.0.0.1:${{Port}}{API_PATH}${{Api}}/{DEFAULT_STAGE}");
    Expression::sub(&url, [("Port", port), ("Api", api.id())]).into()
}

/// Returns the issuer of a user pool's tokens (Amazon Cognito developer guide, "Understanding user pool JSON web tokens").
#[must_use]
pub fn issuer_of(pool: &Reference) -> Text {
    Expression::sub("https://cognito-idp.${AWS::Region}.${AWS::URLSuffix}/${Pool}", [("Pool", pool.id())]).into()
}

impl Part for HttpApi {
    type Handle = HttpApiHandle;

    fn add_to(self, stack: &mut Stack) -> HttpApiHandle {
        let id = self.logical_id.as_str();
        let api = stack.resource(id, self.resource());
        let authorizer = self.authorizer.as_ref().map(|authorizer| authorizer.add(stack, id, &api));
        let url = Expression::sub("https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}", [("Api", api.id())]);
        let mut handle = HttpApiHandle {
            id: api.id(),
            stage_name: Text::from(DEFAULT_STAGE),
            name: self.name.clone(),
            url: url.clone().into(),
            endpoint: api.attribute("ApiEndpoint"),
            url_for_functions: if self.has_hosts { url.clone().into() } else { emulated_url(&api) },
            authorizer: authorizer.as_ref().map(Reference::id),
            kind: self.authorizer.as_ref().map(Authorizer::kind),
            stack: stack.name.clone(),
            logical_id: id.to_owned(),
        };
        let routes = routes::add(stack, &handle, &self.endpoints, &self.path_names);
        handle.stage_name = stage::add(stack, &self, &api, &routes);
        let (id_output, url_output) = (format!("{id}Id"), format!("{id}Url"));
        stack.output(&id_output, api.id());
        let served = self.domain.as_ref().map(|domain| Text::from(format!("https://{domain}")));
        stack.output(&url_output, served.unwrap_or_else(|| url.into()));
        stack.apis.push(self.rendered(id_output, url_output));
        handle
    }
}

#[cfg(test)]
mod tests;
