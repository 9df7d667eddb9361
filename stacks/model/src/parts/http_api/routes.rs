//! The routes of an HTTP API with their integrations and permissions, from the API's own stack or from another one.

use std::{collections::BTreeMap, panic::Location};

use contract::{Route as ContractRoute, Routes};

use super::{AuthorizerKind, HttpApiHandle};
use crate::{
    parts::{api::Throttle, function::FunctionHandle},
    rendered::{RenderedMethod, RenderedRoute},
    resources::api_gateway_v2::{Integration, Route},
    template::{Expression, Part, Reference, Resource, Stack, Text, json::camel, list, set},
};

/// The settings of a route of an HTTP API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HttpRouteSettings {
    /// Whether the route needs no authorization. Every other route requires the API's authorizer.
    pub open: bool,
    /// The scopes of which a JWT must have one.
    pub scopes: Vec<String>,
    /// The route's own throttle; `None` applies the API's. It is a setting of the API's stage, so the route must be in the stack of
    /// the API.
    pub throttle: Option<Throttle>,
}

/// Names of paths in logical IDs, and where they are given.
pub(super) type PathNames = BTreeMap<&'static str, (String, &'static Location<'static>)>;

/// One route.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(super) route: ContractRoute,
    pub(super) function: FunctionHandle,
    pub(super) settings: HttpRouteSettings,
    /// Where the route is added.
    pub(super) place: &'static Location<'static>,
}

impl Endpoint {
    /// Returns all routes of a function, which are added by the caller.
    #[track_caller]
    pub(super) fn all<R: Routes>(function: &FunctionHandle, settings: impl Fn(R) -> HttpRouteSettings) -> Vec<Self> {
        // A closure would be the caller.
        let place = Location::caller();
        let endpoint = |route: &R| {
            let (route, settings) = (route.route(), settings(*route));
            Self { route, function: function.clone(), settings, place }
        };
        R::ALL.iter().map(endpoint).collect()
    }

    /// Returns the route key: the method and the path.
    pub(super) fn key(&self) -> String {
        format!("{} {}", self.route.method.as_str(), self.route.path)
    }

    pub(super) fn rendered(&self, stack: &str) -> (RenderedRoute, RenderedMethod) {
        let method = RenderedMethod {
            method: Some(self.route.method),
            path: self.route.path.to_owned(),
            function: self.function.name.clone(),
            is_open: self.settings.open,
            stack: stack.to_owned(),
        };
        (self.route.into(), method)
    }
}

/// The routes that a stack adds to an HTTP API of its system.
#[derive(Debug, Clone)]
pub(crate) struct AddedRoutes {
    /// The stack of the API.
    pub(super) owner: String,
    /// The API's logical ID.
    pub(super) api: String,
    pub(super) authorizer: Option<AuthorizerKind>,
    /// The routes, each with the logical ID of its resource.
    pub(super) endpoints: Vec<(String, Endpoint)>,
    /// The paths with a name in logical IDs.
    pub(super) path_names: PathNames,
}

/// Routes that a stack adds to the HTTP API of another stack of its system: routes, integrations and permissions. The API's own stack
/// needs none of them, so it is deployed first.
///
/// A stack adds all its routes of one API together.
#[derive(Debug, Clone)]
pub struct HttpRoutes {
    api: HttpApiHandle,
    endpoints: Vec<Endpoint>,
    path_names: PathNames,
}

impl HttpRoutes {
    /// Creates an empty list of routes of `api`.
    #[must_use]
    pub fn new(api: &HttpApiHandle) -> Self {
        Self { api: api.clone(), endpoints: Vec::new(), path_names: BTreeMap::new() }
    }

    /// Adds all routes of a function; see [`HttpApi::routes`](super::HttpApi::routes).
    #[must_use]
    #[track_caller]
    pub fn routes<R: Routes>(self, function: &FunctionHandle) -> Self {
        self.routes_with(function, |_: R| HttpRouteSettings::default())
    }

    /// Adds all routes of a function with settings; see [`HttpApi::routes_with`](super::HttpApi::routes_with).
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

    /// Names a path in the logical IDs of its routes; see [`HttpApi::path_name`](super::HttpApi::path_name).
    #[must_use]
    #[track_caller]
    pub fn path_name(mut self, path: &'static str, name: &str) -> Self {
        self.path_names.insert(path, (name.to_owned(), Location::caller()));
        self
    }
}

impl Part for HttpRoutes {
    type Handle = ();

    fn add_to(self, stack: &mut Stack) {
        add(stack, &self.api, &self.endpoints, &self.path_names);
    }
}

/// Adds routes, an integration for each of their functions, and the permissions. Returns the routes with a throttle of their own: the
/// logical ID, the route key and the throttle.
pub(super) fn add(
    stack: &mut Stack,
    api: &HttpApiHandle,
    endpoints: &[Endpoint],
    path_names: &PathNames,
) -> Vec<(String, String, Throttle)> {
    let mut integrations: Vec<(&Reference, Reference)> = Vec::new();
    let (mut added, mut throttled) = (Vec::new(), Vec::new());
    for endpoint in endpoints {
        let function = &endpoint.function;
        let known = integrations.iter().find(|(known, _)| *known == &function.function);
        let target = match known.map(|(_, integration)| integration.clone()) {
            Some(integration) => integration,
            None => {
                permit(stack, api, function);
                let integration = integration(stack, api, function);
                integrations.push((&function.function, integration.clone()));
                integration
            }
        };
        let id = route_id(api, endpoint, path_names);
        // The duplicates of a route are reported with both places later.
        if !added.iter().any(|(known, _)| *known == id) {
            stack.resource(&id, Resource::of(route(api, endpoint, &target)));
        }
        throttled.extend(endpoint.settings.throttle.map(|throttle| (id.clone(), endpoint.key(), throttle)));
        added.push((id, endpoint.clone()));
    }
    stack.http_routes.push(AddedRoutes {
        owner: api.stack.clone(),
        api: api.logical_id.clone(),
        authorizer: api.kind,
        endpoints: added,
        path_names: path_names.clone(),
    });
    throttled
}

fn route_id(api: &HttpApiHandle, endpoint: &Endpoint, path_names: &PathNames) -> String {
    let path = endpoint.route.path;
    let name = path_names.get(path).map_or_else(|| camel(path), |(name, _)| name.clone());
    format!("{}{name}{}", api.logical_id, camel(&endpoint.route.method.as_str().to_lowercase()))
}

fn route(api: &HttpApiHandle, endpoint: &Endpoint, integration: &Reference) -> Route {
    let settings = &endpoint.settings;
    let authorizer = api.authorizer.as_ref().zip(api.kind).filter(|_| !settings.open);
    Route {
        api_id: set(&api.id),
        route_key: set(endpoint.key()),
        target: set(Expression::sub("integrations/${Integration}", [("Integration", integration.id())])),
        authorization_type: set(authorizer.map_or("NONE", |(_, kind)| kind.of_route())),
        authorizer_id: authorizer.map(|(id, _)| id.clone()),
        authorization_scopes: (!settings.scopes.is_empty()).then(|| list(&settings.scopes)).flatten(),
        ..Route::default()
    }
}

/// The proxy integration with a function's alias, which passes on the whole request and response.
fn integration(stack: &mut Stack, api: &HttpApiHandle, function: &FunctionHandle) -> Reference {
    let properties = Integration {
        api_id: set(&api.id),
        integration_type: set("AWS_PROXY"),
        integration_uri: Some(function.alias.clone()),
        payload_format_version: set("2.0"),
        ..Integration::default()
    };
    stack.resource(&format!("{}{}Integration", api.logical_id, function.logical_id()), Resource::of(properties))
}

fn permit(stack: &mut Stack, api: &HttpApiHandle, function: &FunctionHandle) {
    // The stage, the method and the path follow.
    let arn = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*/*";
    let source: Text = Expression::sub(arn, [("Api", api.id.clone())]).into();
    let logical_id = format!("{}{}Permission", api.logical_id, function.logical_id());
    function.permit(stack, &logical_id, "apigateway.amazonaws.com", source, false);
}
