//! The resources and methods of an API: a resource for each path, a method for each route.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::Location,
};

use serde_json::json;

use super::{RestApi, Throttle};
use crate::{
    parts::function::FunctionHandle,
    resources::api_gateway::{Authorizer, Method, Model as Properties, RequestValidator, Resource as PathPart, method},
    template::{Expression, Reference, Resource, Stack, Text, json::camel, list, set},
};

/// The settings of a route.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteSettings {
    /// Whether the route needs no token, even if the API has an authorizer.
    pub open: bool,
    /// The model that the gateway validates bodies against before it invokes the function.
    pub body: Option<Model>,
    /// The route's own throttle; `None` applies the API's.
    pub throttle: Option<Throttle>,
}

/// A model of a body: a JSON object with certain fields, of any type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// The name, unique in the API.
    pub name: String,
    /// The required fields.
    pub required: Vec<String>,
}

/// One method on one path.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    pub(super) path: &'static str,
    pub(super) verb: &'static str,
    pub(super) function: FunctionHandle,
    pub(super) open: bool,
    pub(super) body: Option<Model>,
    pub(super) throttle: Option<Throttle>,
    /// Where the route is added to the API.
    pub(super) place: &'static Location<'static>,
}

impl Endpoint {
    /// Creates an endpoint that is added by the caller.
    #[track_caller]
    pub(super) fn new(
        path: &'static str,
        verb: &'static str,
        function: &FunctionHandle,
        settings: RouteSettings,
    ) -> Self {
        let RouteSettings { open, body, throttle } = settings;
        Self { path, verb, function: function.clone(), open, body, throttle, place: Location::caller() }
    }

    /// Returns the method and the path.
    pub(super) fn route(&self) -> String {
        format!("{} {}", self.verb, self.path)
    }
}

/// The method that matches all methods without a declaration of their own.
pub(super) const ANY: &str = "ANY";
/// The method of preflights.
const OPTIONS: &str = "OPTIONS";

/// Adds authorizer, resources, models and methods; returns the endpoints of the methods.
pub(super) fn add(stack: &mut Stack, part: &RestApi, api: &Reference) -> Vec<Endpoint> {
    let authorizer = authorizer(stack, part, api);
    let resources = resources(stack, part, api);
    let models = models(stack, part, api);
    let validator = (!models.is_empty()).then(|| validator(stack, part, api));
    let endpoints: Vec<_> = part.endpoints.iter().cloned().chain(preflights(part)).collect();
    for endpoint in &endpoints {
        let authorizer = authorizer.as_ref().filter(|_| !endpoint.open);
        let model = endpoint.body.as_ref().and_then(|model| models.get(&model.name));
        let method = Method {
            rest_api_id: set(api.id()),
            resource_id: resources.get(endpoint.path).cloned(),
            http_method: set(endpoint.verb),
            authorization_type: set(if authorizer.is_some() { "COGNITO_USER_POOLS" } else { "NONE" }),
            authorizer_id: authorizer.map(Reference::id),
            request_models: model.map(|model| [("application/json".to_owned(), model.id())].into()),
            request_validator_id: model.and(validator.as_ref()).map(Reference::id),
            integration: Some(proxy(&endpoint.function)),
            ..Method::default()
        };
        stack.resource(&part.method_id(endpoint.path, endpoint.verb), Resource::of(method));
    }
    endpoints
}

/// Returns an `OPTIONS` method without authorizer for each path: a preflight carries no token, and only a function can
/// choose among several origins. A method `ANY` receives preflights too, so an API with one needs no others; and a path may
/// declare the method itself.
fn preflights(part: &RestApi) -> Vec<Endpoint> {
    if part.endpoints.iter().any(|endpoint| endpoint.verb == ANY) {
        return Vec::new();
    }
    let declared: BTreeSet<_> = part.endpoints.iter().filter(|own| own.verb == OPTIONS).map(|own| own.path).collect();
    let mut preflights = BTreeMap::new();
    for endpoint in part.endpoints.iter().filter(|own| !declared.contains(own.path)) {
        let open = RouteSettings { open: true, ..RouteSettings::default() };
        preflights
            .entry(endpoint.path)
            .or_insert_with(|| Endpoint::new(endpoint.path, OPTIONS, &endpoint.function, open));
    }
    preflights.into_values().collect()
}

fn authorizer(stack: &mut Stack, part: &RestApi, api: &Reference) -> Option<Reference> {
    let (logical_id, user_pool_arn) = part.authorizer.as_ref()?;
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

/// Adds each model once; returns them by name.
fn models(stack: &mut Stack, part: &RestApi, api: &Reference) -> BTreeMap<String, Reference> {
    let models: BTreeMap<_, _> =
        part.endpoints.iter().filter_map(|endpoint| endpoint.body.as_ref()).map(|model| (&model.name, model)).collect();
    let mut references = BTreeMap::new();
    for (name, model) in models {
        let properties = Properties {
            rest_api_id: set(api.id()),
            name: set(name),
            content_type: set("application/json"),
            schema: Some(json!({
                "$schema": "http://json-schema.org/draft-04/schema#",
                "title": name,
                "type": "object",
                "required": model.required,
            })),
            ..Properties::default()
        };
        let logical_id = format!("{}{}Model", part.logical_id, camel(name));
        references.insert(name.clone(), stack.resource(&logical_id, Resource::of(properties)));
    }
    references
}

fn validator(stack: &mut Stack, part: &RestApi, api: &Reference) -> Reference {
    let properties = RequestValidator {
        rest_api_id: set(api.id()),
        name: set("body-and-parameters"),
        validate_request_body: set(true),
        validate_request_parameters: set(true),
    };
    stack.resource(&format!("{}BodyValidator", part.logical_id), Resource::of(properties))
}

/// The proxy integration with a function's alias, which passes on the whole request and response.
fn proxy(function: &FunctionHandle) -> method::Integration {
    let uri = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Alias}/invocations";
    method::Integration {
        r#type: set("AWS_PROXY"),
        integration_http_method: set("POST"),
        uri: set(Expression::sub(uri, [("Alias", function.alias.clone())])),
        ..method::Integration::default()
    }
}

/// Adds a resource for each path and its parents; returns their IDs by path. The root exists with the API.
fn resources(stack: &mut Stack, part: &RestApi, api: &Reference) -> BTreeMap<String, Text> {
    let mut paths = BTreeSet::new();
    for endpoint in &part.endpoints {
        let steps: Vec<_> = endpoint.path.split('/').skip(1).filter(|step| !step.is_empty()).collect();
        for length in 1..=steps.len() {
            paths.insert(format!("/{}", steps[..length].join("/")));
        }
    }
    let mut ids = BTreeMap::from([("/".to_owned(), api.attribute("RootResourceId"))]);
    // Sorted, so that a parent comes before its children.
    for path in paths {
        let (parent, step) = path.rsplit_once('/').unwrap_or_default();
        let parent = ids.get(if parent.is_empty() { "/" } else { parent }).cloned();
        let resource = PathPart { rest_api_id: set(api.id()), parent_id: parent, path_part: set(step) };
        let reference = stack.resource(&part.path_id(&path), Resource::of(resource));
        ids.insert(path, reference.id());
    }
    ids
}
