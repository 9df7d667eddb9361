//! Deployments: the routes of an API at the moment of the deployment.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Api, Kind};
use crate::time::Moment;

/// A deployment: "a point-in-time snapshot of your API" (API Gateway developer guide, "Deploy REST APIs in API Gateway").
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Deployment {
    /// When it was made.
    pub created: Moment,
    /// The routes, by path and method.
    pub routes: Vec<Route>,
    /// The properties of the gateway's own responses, by their type.
    pub responses: BTreeMap<String, Value>,
}

/// A route.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Route {
    /// The method, or `ANY`.
    pub method: String,
    /// The path with its variables, for example `/notes/{id}`; `$default` for all others.
    pub path: String,
    /// The type of the authorization: `NONE`, `COGNITO_USER_POOLS`, `CUSTOM`, `JWT`, `AWS_IAM`.
    pub authorization: String,
    /// The properties of the authorizer.
    pub authorizer: Value,
    /// What answers.
    pub integration: Integration,
}

/// What answers the requests of a route.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Integration {
    /// A function, by its ARN.
    Function(String),
    /// A response of the template: the status and the headers.
    Mock(u16, BTreeMap<String, String>),
    /// Any other service.
    #[default]
    Other,
}

impl Deployment {
    /// Makes a deployment of an API as it is now.
    pub(super) fn of(api: &Api, now: Moment) -> Self {
        let all = |kind: &'static str| {
            api.parts.iter().filter(move |((found, _), _)| found == kind).map(|(_, properties)| properties)
        };
        let mut routes: Vec<_> = match api.kind {
            Kind::Rest => all("AWS::ApiGateway::Method").filter_map(|method| rest(api, method)).collect(),
            _ => all("AWS::ApiGatewayV2::Route").filter_map(|route| http(api, route)).collect(),
        };
        routes.sort_by(|one, other| (&one.path, &one.method).cmp(&(&other.path, &other.method)));
        let responses = all("AWS::ApiGateway::GatewayResponse");
        let responses = responses.filter_map(|found| Some((found["ResponseType"].as_str()?.to_owned(), found.clone())));
        Self { created: now, routes, responses: responses.collect() }
    }

    /// Finds the route of a request: the most specific path, then its method (API Gateway developer guide, "Set up proxy integrations with a
    /// proxy resource" and "Create routes for HTTP APIs in API Gateway"). Returns it with the values of its variables.
    pub(super) fn find(&self, method: &str, path: &str) -> Option<(&Route, BTreeMap<String, String>)> {
        let is_of = |route: &Route| route.method == method || route.method == "ANY";
        let matching = self.routes.iter().filter(|route| is_of(route));
        let matching = matching.filter_map(|route| Some((rank(&route.path), route, variables(&route.path, path)?)));
        matching
            .min_by_key(|(rank, route, _)| (rank.clone(), route.method == "ANY"))
            .map(|(_, route, variables)| (route, variables))
    }
}

/// The order of paths: texts before variables before greedy variables, step by step.
fn rank(path: &str) -> Vec<u8> {
    let steps = path.split('/').skip(1);
    let rank = steps.map(|step| if step.ends_with("+}") { 2 } else { u8::from(step.starts_with('{')) });
    if path == "$default" { vec![3] } else { rank.collect() }
}

/// The values of a path's variables, still encoded; `None` if the path does not match.
fn variables(pattern: &str, path: &str) -> Option<BTreeMap<String, String>> {
    let mut variables = BTreeMap::new();
    if pattern == "$default" {
        return Some(variables);
    }
    let mut rest = path.trim_end_matches('/').split('/').skip(1);
    for step in pattern.trim_end_matches('/').split('/').skip(1) {
        let name = step.strip_prefix('{').and_then(|step| step.strip_suffix('}'));
        match name {
            Some(name) if name.ends_with('+') => {
                let value: Vec<_> = rest.by_ref().collect();
                if value.is_empty() {
                    return None;
                }
                variables.insert(name.trim_end_matches('+').to_owned(), value.join("/"));
            }
            Some(name) => {
                variables.insert(name.to_owned(), rest.next().filter(|value| !value.is_empty())?.to_owned());
            }
            None if rest.next()? == step => {}
            None => return None,
        }
    }
    rest.next().is_none().then_some(variables)
}

fn rest(api: &Api, method: &Value) -> Option<Route> {
    let text = |name: &str| method[name].as_str().unwrap_or_default().to_owned();
    let integration = &method["Integration"];
    Some(Route {
        method: text("HttpMethod"),
        path: path(api, method["ResourceId"].as_str()?)?,
        authorization: text("AuthorizationType"),
        authorizer: authorizer(api, "AWS::ApiGateway::Authorizer", method),
        integration: match integration["Type"].as_str() {
            Some("AWS_PROXY") => Integration::Function(function(integration["Uri"].as_str()?)),
            Some("MOCK") => mock(&integration["IntegrationResponses"][0]),
            _ => Integration::Other,
        },
    })
}

/// The path of a resource, through its parents.
fn path(api: &Api, resource: &str) -> Option<String> {
    let mut path = String::new();
    let mut key = ("AWS::ApiGateway::Resource".to_owned(), resource.to_owned());
    while key.1 != api.root {
        let properties = api.parts.get(&key)?;
        path = format!("/{}{path}", properties["PathPart"].as_str()?);
        key.1 = properties["ParentId"].as_str()?.to_owned();
    }
    Some(if path.is_empty() { "/".to_owned() } else { path })
}

/// Parameters of the response are texts in single quotes (API Gateway developer guide, "Data mapping for REST APIs": static values).
fn mock(response: &Value) -> Integration {
    let status = response["StatusCode"].as_str().and_then(|status| status.parse().ok()).unwrap_or(200);
    let headers = response["ResponseParameters"].as_object().into_iter().flatten();
    let headers = headers.filter_map(|(name, value)| {
        let name = name.strip_prefix("method.response.header.")?.to_lowercase();
        Some((name, value.as_str()?.trim_matches('\'').to_owned()))
    });
    Integration::Mock(status, headers.collect())
}

fn http(api: &Api, route: &Value) -> Option<Route> {
    let text = |name: &str| route[name].as_str().unwrap_or_default().to_owned();
    let key = text("RouteKey");
    let (method, path) = key.split_once(' ').unwrap_or(("ANY", &key));
    let target = text("Target");
    let id = target.strip_prefix("integrations/").unwrap_or(&target).to_owned();
    let integration = api.parts.get(&("AWS::ApiGatewayV2::Integration".to_owned(), id));
    let uri = integration.filter(|found| found["IntegrationType"] == "AWS_PROXY");
    let uri = uri.and_then(|found| found["IntegrationUri"].as_str());
    let authorization = route["AuthorizationType"].as_str().unwrap_or("NONE").to_owned();
    Some(Route {
        method: method.to_owned(),
        path: path.to_owned(),
        authorization,
        authorizer: authorizer(api, "AWS::ApiGatewayV2::Authorizer", route),
        integration: uri.map_or(Integration::Other, |uri| Integration::Function(function(uri))),
    })
}

fn authorizer(api: &Api, kind: &str, route: &Value) -> Value {
    let id = route["AuthorizerId"].as_str().unwrap_or_default();
    api.parts.get(&(kind.to_owned(), id.to_owned())).cloned().unwrap_or_default()
}

/// The ARN of the function in the URI of an integration: `arn:aws:apigateway:<region>:lambda:path/2015-03-31/functions/<ARN>/invocations`. An
/// HTTP API also accepts the ARN itself.
pub(super) fn function(uri: &str) -> String {
    let arn = uri.split_once("/functions/").map_or(uri, |(_, rest)| rest);
    arn.strip_suffix("/invocations").unwrap_or(arn).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_path_answers() {
        let route =
            |method: &str, path: &str| Route { method: method.to_owned(), path: path.to_owned(), ..Route::default() };
        let routes = [
            route("GET", "/notes/{id}"),
            route("GET", "/notes/recent"),
            route("ANY", "/notes/{rest+}"),
            route("DELETE", "/notes/{id}"),
            route("GET", "/"),
        ];
        let deployment = Deployment { routes: routes.to_vec(), ..Deployment::default() };
        let find = |method, path| {
            let (route, variables) = deployment.find(method, path)?;
            Some(format!("{} {} {variables:?}", route.method, route.path))
        };
        assert_eq!(find("GET", "/notes/a%20b").as_deref(), Some(r#"GET /notes/{id} {"id": "a%20b"}"#));
        assert_eq!(find("GET", "/notes/recent/").as_deref(), Some("GET /notes/recent {}"));
        assert_eq!(find("PUT", "/notes/a/b").as_deref(), Some(r#"ANY /notes/{rest+} {"rest": "a/b"}"#));
        assert_eq!(find("GET", "/").as_deref(), Some("GET / {}"));
        assert_eq!((find("GET", "/notes"), find("POST", "/")), (None, None));
    }

    #[test]
    fn the_function_of_a_uri_is_found() {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:f:live";
        let uri = format!("arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{arn}/invocations");
        assert_eq!((function(&uri).as_str(), function(arn).as_str()), (arn, arn));
    }
}
