//! A WebSocket API: routes to functions, an authorizer for new connections, and one stage that deploys itself.
//!
//! API Gateway keeps the connections, for two hours at most and ten minutes without a message, in frames of at most 32 KB (API
//! Gateway developer guide, "Quotas for configuring and running a WebSocket API"). Functions send to a connection by its ID.

use std::collections::BTreeMap;

use super::{
    api::Throttle,
    function::{FunctionHandle, LOG_RETENTION},
    policy::Statement,
};
use crate::{
    emulator::{self, Feature},
    rendered::{RenderedSocketRoute, RenderedWebSocket},
    requirements::Requirement,
    resources::{
        api_gateway_v2::{Api, Authorizer, Integration, Route, Stage as Properties, stage},
        logs::LogGroup,
    },
    stage::Stage,
    template::{Expression, Part, Reference, Resource, Stack, Text, json::camel, list, set},
};

/// The route of a new connection.
pub(crate) const CONNECT: &str = "$connect";
/// The route of a connection that was closed.
const DISCONNECT: &str = "$disconnect";
/// The route of messages without a route of their own.
const DEFAULT: &str = "$default";
/// Where a message names its route: `{"action": "<key>"}`.
const SELECTION: &str = "$request.body.action";

/// The fields of the access log: neither query nor headers, because both may contain tokens (API Gateway developer guide,
/// "WebSocket API mapping template reference": `$context` variables).
const LOG_FIELDS: [(&str, &str); 8] = [
    ("requestId", "requestId"),
    ("time", "requestTime"),
    ("event", "eventType"),
    ("route", "routeKey"),
    ("connection", "connectionId"),
    ("status", "status"),
    ("sourceIp", "identity.sourceIp"),
    ("error", "error.responseType"),
];

/// An `AWS::ApiGatewayV2::Api` for WebSockets with everything that serves it: integrations and routes, permissions, the authorizer
/// of `$connect`, a stage that deploys each change by itself, and an access log.
///
/// Every route is integrated with the alias `live` of a function. The responses of functions are not sent to clients, except that
/// of `$connect`, whose status accepts or refuses the connection. The stack gets the outputs `<logical ID>Id` and
/// `<logical ID>Url`.
#[derive(Debug, Clone)]
pub struct WebSocketApi {
    logical_id: String,
    name: String,
    stage_name: String,
    has_logs: bool,
    is_emulated: bool,
    routes: BTreeMap<String, FunctionHandle>,
    authorizer: Option<(String, FunctionHandle, Vec<String>)>,
    open: Option<String>,
    throttle: Throttle,
    log_retention: i64,
}

/// The values by which other parts refer to a WebSocket API.
#[derive(Debug, Clone)]
pub struct WebSocketHandle {
    /// The API's ID.
    pub id: Text,
    /// The URL to which clients connect: `wss://…/<stage>`.
    pub url: Text,
    /// Where functions send to connections: `https://…/<stage>`. On the emulator it is a path below the endpoint of all services.
    pub management_endpoint: Text,
    stage_name: String,
}

impl WebSocketApi {
    /// Creates an API called `name` with one API stage, which has the stage's name.
    ///
    /// It is throttled at 50 connections and messages per second with a burst of 100, and its access log is kept for 30 days.
    #[must_use]
    pub fn new(logical_id: &str, name: String, stage: &Stage) -> Self {
        Self {
            logical_id: logical_id.to_owned(),
            name,
            stage_name: stage.name.clone(),
            has_logs: Feature::AccessLogs.is_in(stage),
            is_emulated: !Feature::ApiHosts.is_in(stage),
            routes: BTreeMap::new(),
            authorizer: None,
            open: None,
            throttle: Throttle { rate: 50, burst: 100 },
            log_retention: LOG_RETENTION,
        }
    }

    /// Asks a function about new connections, after the authorizer: status 200 accepts one.
    #[must_use]
    pub fn connect(self, function: &FunctionHandle) -> Self {
        self.add(CONNECT, function)
    }

    /// Notifies a function of closed connections. API Gateway makes one attempt, which may fail (API Gateway developer guide, "The
    /// `$disconnect` route").
    #[must_use]
    pub fn disconnect(self, function: &FunctionHandle) -> Self {
        self.add(DISCONNECT, function)
    }

    /// Sends messages without a route of their own to a function.
    #[must_use]
    pub fn message(self, function: &FunctionHandle) -> Self {
        self.add(DEFAULT, function)
    }

    /// Sends messages whose field `action` is `key` to a function.
    #[must_use]
    pub fn route(self, key: &str, function: &FunctionHandle) -> Self {
        self.add(key, function)
    }

    /// Lets a function decide about new connections. Without all identity sources, for example `route.request.querystring.token`, API
    /// Gateway refuses a connection by itself. Messages need no authorizer: AWS allows one on `$connect` only (API Gateway
    /// developer guide, "Control access to WebSocket APIs with AWS Lambda REQUEST authorizers").
    #[must_use]
    pub fn authorizer(mut self, logical_id: &str, function: &FunctionHandle, identity_sources: &[&str]) -> Self {
        let sources = identity_sources.iter().map(|source| (*source).to_owned()).collect();
        self.authorizer = Some((logical_id.to_owned(), function.clone(), sources));
        self
    }

    /// Lets every client connect, for this reason. Otherwise an API without authorizer is refused when the system is rendered.
    #[must_use]
    pub fn open(mut self, reason: &str) -> Self {
        self.open = Some(reason.to_owned());
        self
    }

    /// Sets the throttle of each route: connections or messages per second, and the size of a burst.
    #[must_use]
    pub fn throttle(mut self, rate: u32, burst: u32) -> Self {
        self.throttle = Throttle { rate, burst };
        self
    }

    /// Sets the retention of the access log, in days. CloudWatch Logs accepts certain values only (CloudWatch Logs API
    /// reference, `PutRetentionPolicy`).
    #[must_use]
    pub fn log_retention(mut self, days: u32) -> Self {
        self.log_retention = i64::from(days);
        self
    }

    /// Returns the API's values before it is added, for functions that serve its routes and send to its connections.
    #[must_use]
    pub fn handle(&self, stack: &Stack) -> WebSocketHandle {
        let id = stack.reference(&self.logical_id).id();
        let text = |text: &str| {
            let variables = [("Api", id.clone()), ("Stage", Text::from(&self.stage_name))];
            Text::from(Expression::sub(text, variables))
        };
        let host = "${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${Stage}";
        let management = if self.is_emulated {
            format!("{}${{Api}}/${{Stage}}", emulator::API_PATH)
        } else {
            format!("https://{host}")
        };
        WebSocketHandle {
            url: text(&format!("wss://{host}")),
            management_endpoint: text(&management),
            id,
            stage_name: self.stage_name.clone(),
        }
    }

    fn add(mut self, key: &str, function: &FunctionHandle) -> Self {
        self.routes.insert(key.to_owned(), function.clone());
        self
    }

    /// The functions that API Gateway invokes, by logical ID.
    fn functions(&self) -> BTreeMap<String, FunctionHandle> {
        let authorizer = self.authorizer.iter().map(|(_, function, _)| function);
        let all = self.routes.values().chain(authorizer);
        all.map(|function| (function.logical_id().to_owned(), function.clone())).collect()
    }

    fn add_permissions(&self, stack: &mut Stack, api: &Reference) {
        for (logical_id, function) in self.functions() {
            let arn = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*";
            let source = Expression::sub(arn, [("Api", api.id())]).into();
            let logical_id = format!("{}{logical_id}Permission", self.logical_id);
            function.permit(stack, &logical_id, "apigateway.amazonaws.com", source, false);
        }
    }

    fn add_authorizer(&self, stack: &mut Stack, api: &Reference) -> Option<Reference> {
        let (logical_id, function, sources) = self.authorizer.as_ref()?;
        let authorizer = Authorizer {
            api_id: set(api.id()),
            name: set(logical_id),
            authorizer_type: set("REQUEST"),
            authorizer_uri: set(invocation(function)),
            identity_source: list(sources),
            ..Authorizer::default()
        };
        Some(stack.resource(logical_id, Resource::of(authorizer)))
    }

    /// Adds integrations and routes; returns the logical IDs of the routes.
    fn add_routes(&self, stack: &mut Stack, api: &Reference) -> Vec<String> {
        let authorizer = self.add_authorizer(stack, api);
        let mut integrations: BTreeMap<String, Reference> = BTreeMap::new();
        let mut routes = Vec::new();
        for (key, function) in &self.routes {
            let integration = integrations.entry(function.logical_id().to_owned()).or_insert_with(|| {
                let integration = Integration {
                    api_id: set(api.id()),
                    integration_type: set("AWS_PROXY"),
                    integration_uri: set(invocation(function)),
                    ..Integration::default()
                };
                let logical_id = format!("{}{}Integration", self.logical_id, function.logical_id());
                stack.resource(&logical_id, Resource::of(integration))
            });
            let authorizer = authorizer.as_ref().filter(|_| key == CONNECT);
            let route = Route {
                api_id: set(api.id()),
                route_key: set(key),
                authorization_type: set(if authorizer.is_some() { "CUSTOM" } else { "NONE" }),
                authorizer_id: authorizer.map(Reference::id),
                target: set(Expression::sub("integrations/${Integration}", [("Integration", integration.id())])),
                ..Route::default()
            };
            let logical_id = format!("{}{}Route", self.logical_id, camel(key));
            stack.resource(&logical_id, Resource::of(route));
            routes.push(logical_id);
        }
        routes
    }

    /// Adds the stage, after all routes: no client reaches an API without them.
    fn add_stage(&self, stack: &mut Stack, api: &Reference, routes: &[String]) {
        let settings = stage::RouteSettings {
            // Bodies and queries contain tokens, so execution logs must not show them.
            data_trace_enabled: self.has_logs.then(|| false.into()),
            detailed_metrics_enabled: set(true),
            throttling_burst_limit: set(i64::from(self.throttle.burst)),
            throttling_rate_limit: set(f64::from(self.throttle.rate)),
            ..stage::RouteSettings::default()
        };
        let properties = Properties {
            api_id: set(api.id()),
            stage_name: set(&self.stage_name),
            auto_deploy: set(true),
            access_log_settings: self.access_log(stack),
            default_route_settings: Some(settings),
            ..Properties::default()
        };
        let stage = routes.iter().fold(Resource::of(properties), |stage, route| stage.depends_on(route));
        stack.resource(&format!("{}StageResource", self.logical_id), stage);
    }

    fn access_log(&self, stack: &mut Stack) -> Option<stage::AccessLogSettings> {
        if !self.has_logs {
            return None;
        }
        let group = LogGroup {
            log_group_name: set(format!("/aws/apigateway/{}", self.name)),
            retention_in_days: set(self.log_retention),
            ..LogGroup::default()
        };
        let group = stack.resource(&format!("{}AccessLogs", self.logical_id), Resource::of(group));
        let fields = LOG_FIELDS.iter().map(|(name, variable)| format!(r#""{name}":"$context.{variable}""#));
        // One line of JSON for each connection and message.
        let format = format!("{{{}}}", fields.collect::<Vec<_>>().join(","));
        Some(stage::AccessLogSettings { destination_arn: set(group.attribute("Arn")), format: set(format) })
    }
}

/// The URI by which API Gateway invokes a function's alias.
fn invocation(function: &FunctionHandle) -> Expression {
    let uri = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Alias}/invocations";
    Expression::sub(uri, [("Alias", function.alias.clone())])
}

impl Part for WebSocketApi {
    type Handle = WebSocketHandle;

    fn add_to(self, stack: &mut Stack) -> WebSocketHandle {
        let id = self.logical_id.as_str();
        let properties = Api {
            name: set(&self.name),
            protocol_type: set("WEBSOCKET"),
            route_selection_expression: set(SELECTION),
            ..Api::default()
        };
        let api = stack.resource(id, Resource::of(properties));
        if let Some(reason) = &self.open {
            stack.except(id, Requirement::WebSocketAuthorizer, reason);
        }
        let routes = self.add_routes(stack, &api);
        self.add_permissions(stack, &api);
        self.add_stage(stack, &api, &routes);
        let handle = self.handle(stack);
        let (id_output, url_output) = (format!("{id}Id"), format!("{id}Url"));
        stack.output(&id_output, api.id());
        stack.output(&url_output, handle.url.clone());
        let of_route = |(key, function): (&String, &FunctionHandle)| RenderedSocketRoute {
            key: key.clone(),
            function: function.name.clone(),
        };
        stack.web_sockets.push(RenderedWebSocket {
            logical_id: id.to_owned(),
            stage_name: self.stage_name.clone(),
            routes: self.routes.iter().map(of_route).collect(),
            authorizer: self.authorizer.as_ref().map(|(_, function, _)| function.name.clone()),
            id_output,
            url_output,
        });
        handle
    }
}

impl WebSocketHandle {
    /// Allows sending to, reading and closing the connections of this API's stage (API Gateway developer guide, "Control access to
    /// WebSocket APIs with IAM authorization").
    #[must_use]
    pub fn manage(&self) -> Vec<Statement> {
        let arn = |method: &str| {
            let arn = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/${Stage}";
            let variables = [("Api", self.id.clone()), ("Stage", Text::from(&self.stage_name))];
            Text::from(Expression::sub(&format!("{arn}/{method}/@connections/*"), variables))
        };
        vec![Statement::allow(["execute-api:ManageConnections"], ["DELETE", "GET", "POST"].map(arn))]
    }
}

#[cfg(test)]
mod tests;
