//! The authorizer of an HTTP API: a JWT's issuer, or a function.

use crate::{
    parts::function::FunctionHandle,
    resources::api_gateway_v2::{Authorizer as Properties, authorizer::JWTConfiguration},
    template::{Expression, Reference, Resource, Stack, Text, list, set},
};

/// Where clients put their token.
const IDENTITY_SOURCE: &str = "$request.header.Authorization";

/// The kind of an authorizer, as routes name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthorizerKind {
    /// API Gateway verifies a JWT.
    Jwt,
    /// A function decides.
    Function,
}

impl AuthorizerKind {
    /// Returns the authorization type of a route.
    pub(super) const fn of_route(self) -> &'static str {
        match self {
            Self::Jwt => "JWT",
            Self::Function => "CUSTOM",
        }
    }
}

/// An authorizer before it is added.
#[derive(Debug, Clone)]
pub(super) struct Authorizer {
    logical_id: String,
    pub(super) identity_sources: Vec<String>,
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    Jwt { issuer: Text, audience: Vec<Text> },
    Function { function: Box<FunctionHandle>, ttl_seconds: u32 },
}

impl Authorizer {
    pub(super) fn jwt(logical_id: &str, issuer: Text, audience: Vec<Text>) -> Self {
        Self::new(logical_id, Source::Jwt { issuer, audience })
    }

    pub(super) fn function(logical_id: &str, function: &FunctionHandle, ttl_seconds: u32) -> Self {
        Self::new(logical_id, Source::Function { function: Box::new(function.clone()), ttl_seconds })
    }

    fn new(logical_id: &str, source: Source) -> Self {
        Self { logical_id: logical_id.to_owned(), identity_sources: vec![IDENTITY_SOURCE.to_owned()], source }
    }

    pub(super) const fn kind(&self) -> AuthorizerKind {
        match self.source {
            Source::Jwt { .. } => AuthorizerKind::Jwt,
            Source::Function { .. } => AuthorizerKind::Function,
        }
    }

    /// Adds the authorizer of the API with this logical ID. That of a function gets the permission to invoke it.
    pub(super) fn add(&self, stack: &mut Stack, logical_id: &str, api: &Reference) -> Reference {
        let common = Properties {
            api_id: set(api.id()),
            name: set(&self.logical_id),
            identity_source: list(&self.identity_sources),
            ..Properties::default()
        };
        let properties = match &self.source {
            Source::Jwt { issuer, audience } => Properties {
                authorizer_type: set("JWT"),
                jwt_configuration: Some(JWTConfiguration {
                    audience: Some(audience.clone()),
                    issuer: Some(issuer.clone()),
                }),
                ..common
            },
            Source::Function { function, ttl_seconds } => Properties {
                authorizer_type: set("REQUEST"),
                authorizer_uri: set(uri(function)),
                authorizer_payload_format_version: set("2.0"),
                enable_simple_responses: set(true),
                authorizer_result_ttl_in_seconds: set(i64::from(*ttl_seconds)),
                ..common
            },
        };
        let authorizer = stack.resource(&self.logical_id, Resource::of(properties));
        if let Source::Function { function, .. } = &self.source {
            permit(stack, function, logical_id, api, &authorizer);
        }
        authorizer
    }
}

/// API Gateway API reference, `CreateAuthorizer`: the form of `authorizerUri`.
fn uri(function: &FunctionHandle) -> Expression {
    let uri = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Alias}/invocations";
    Expression::sub(uri, [("Alias", function.alias.clone())])
}

fn permit(stack: &mut Stack, function: &FunctionHandle, id: &str, api: &Reference, authorizer: &Reference) {
    let arn = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/authorizers/${Authorizer}";
    let source = Expression::sub(arn, [("Api", api.id()), ("Authorizer", authorizer.id())]);
    let permission = format!("{id}{}AuthorizerPermission", function.logical_id());
    function.permit(stack, &permission, "apigateway.amazonaws.com", source.into(), false);
}
