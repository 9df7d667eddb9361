//! The routes of an API, and which method serves a request.

use std::{cmp::Ordering, collections::BTreeMap};

use contract::{Method, Route};
use serde::{Deserialize, Serialize};

/// A route that an API serves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenderedRoute {
    /// The HTTP method.
    pub method: Method,
    /// The path, for example `/notes/{id}`.
    pub path: String,
}

impl From<Route> for RenderedRoute {
    fn from(route: Route) -> Self {
        Self { method: route.method, path: route.path.to_owned() }
    }
}

/// The kind of an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ApiKind {
    /// A REST API: clients see its changes with a new deployment, below the name of its stage.
    Rest,
    /// An HTTP API with the stage `$default`: changes are deployed at once, and served at the root.
    Http,
}

impl ApiKind {
    /// Returns the type of the API's resource.
    #[must_use]
    pub const fn resource_type(self) -> &'static str {
        match self {
            Self::Rest => "AWS::ApiGateway::RestApi",
            Self::Http => "AWS::ApiGatewayV2::Api",
        }
    }
}

/// An API in a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenderedApi {
    /// The logical ID of the API's resource.
    pub logical_id: String,
    /// The kind.
    pub kind: ApiKind,
    /// The name of the API's only stage.
    pub stage_name: String,
    /// Whether the gateway itself answers preflights of every path.
    pub answers_preflights: bool,
    /// The routes that the API must serve, without `OPTIONS`.
    pub routes: Vec<RenderedRoute>,
    /// Every method of the API, `OPTIONS` and `ANY` included, also those that other stacks add.
    pub methods: Vec<RenderedMethod>,
    /// The output with the API's ID.
    pub id_output: String,
    /// The output with the URL of the deployed stage.
    pub url_output: String,
}

/// A method on one path of an API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenderedMethod {
    /// The HTTP method; `None` is `ANY`, which receives every method that the path does not declare.
    pub method: Option<Method>,
    /// The path, for example `/notes/{id}`.
    pub path: String,
    /// The name in Lambda of the function that responds.
    pub function: String,
    /// Whether requests reach the function without a token.
    pub is_open: bool,
    /// The stack that adds the method, by [`RenderedStack::stack`](super::RenderedStack::stack): the API's own or another one.
    pub stack: String,
}

impl RenderedMethod {
    fn receives(&self, method: Method) -> bool {
        self.method.is_none_or(|own| own == method)
    }

    /// Returns the method and the path, for example `GET /notes/{id}`.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{} {}", self.method.map_or("ANY", Method::as_str), self.path)
    }
}

/// The method that serves a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served<'a> {
    /// The method.
    pub method: &'a RenderedMethod,
    /// The values of the path's variables.
    pub variables: BTreeMap<String, String>,
}

impl RenderedApi {
    /// Returns the method that serves a request, as API Gateway selects it. `path` is the path below the API's URL; a query
    /// is ignored.
    ///
    /// A literal segment takes precedence over a variable, and a variable over a greedy one. Where the path that a REST API selects does
    /// not have the method, the request falls through to the longest greedy path that has it (observed in AWS by the authors of
    /// MiniStack, `_match_greedy_fallback` in its `apigateway_v1.py`). An HTTP API selects among the routes that have the method, greedy
    /// ones last (API Gateway developer guide, "Create routes for HTTP APIs in API Gateway").
    #[must_use]
    pub fn serving(&self, method: Method, path: &str) -> Option<Served<'_>> {
        let path = path.split('?').next().unwrap_or_default();
        let segments = segments(path);
        if self.kind == ApiKind::Http {
            return self.matching_route(method, &segments);
        }
        let node = self.nodes().filter(|node| matches(node, &segments).is_some()).min_by(|a, b| precedence(a, b))?;
        self.on(&node, method, &segments).or_else(|| {
            let greedy = self.methods.iter().map(|method| self::segments(&method.path));
            let mut greedy: Vec<_> = greedy.filter(|node| node.last().is_some_and(|last| is_greedy(last))).collect();
            greedy.sort_by_key(|node| std::cmp::Reverse(node.len()));
            greedy.iter().find_map(|node| self.on(node, method, &segments))
        })
    }

    /// The route of an HTTP API for a request.
    fn matching_route(&self, method: Method, requested: &[&str]) -> Option<Served<'_>> {
        let is_greedy_route = |path: &[&str]| path.last().is_some_and(|last| is_greedy(last));
        let all = self.methods.iter().filter(|own| own.receives(method)).map(|own| (own, segments(&own.path)));
        let served = all.filter_map(|(own, path)| Some((own, matches(&path, requested)?, path)));
        let best = served.min_by(|(one, _, a), (other, _, b)| {
            let by_greed = is_greedy_route(a).cmp(&is_greedy_route(b));
            by_greed.then_with(|| precedence(a, b)).then(one.method.is_none().cmp(&other.method.is_none()))
        });
        best.map(|(method, variables, _)| Served { method, variables })
    }

    /// The paths of all resources: those of methods, and their parents.
    fn nodes(&self) -> impl Iterator<Item = Vec<&str>> {
        self.methods
            .iter()
            .map(|method| segments(&method.path))
            .flat_map(|path| (0..=path.len()).map(move |length| path[..length].to_vec()))
    }

    /// Returns the method that a resource has for a request: the declared one before `ANY`.
    fn on(&self, node: &[&str], method: Method, requested: &[&str]) -> Option<Served<'_>> {
        let variables = matches(node, requested)?;
        let own = self.methods.iter().filter(|own| own.receives(method) && segments(&own.path) == node);
        let method = own.min_by_key(|own| own.method.is_none())?;
        Some(Served { method, variables })
    }
}

/// Returns the segments of a path; the root has none.
fn segments(path: &str) -> Vec<&str> {
    path.split('/').filter(|segment| !segment.is_empty()).collect()
}

/// Returns the name of a segment's variable; `None` for a literal segment.
pub(crate) fn variable(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}').map(|name| name.strip_suffix('+').unwrap_or(name))
}

/// Returns whether a segment is a variable that matches the rest of a path.
pub(crate) fn is_greedy(segment: &str) -> bool {
    segment.starts_with('{') && segment.ends_with("+}")
}

/// Returns the values of the variables if the template matches the requested path.
fn matches(template: &[&str], requested: &[&str]) -> Option<BTreeMap<String, String>> {
    let mut variables = BTreeMap::new();
    for (index, segment) in template.iter().enumerate() {
        let value = requested.get(index)?;
        match variable(segment) {
            Some(name) if is_greedy(segment) => {
                variables.insert(name.to_owned(), requested[index..].join("/"));
                return Some(variables);
            }
            Some(name) => drop(variables.insert(name.to_owned(), (*value).to_owned())),
            None if segment == value => {}
            None => return None,
        }
    }
    (template.len() == requested.len()).then_some(variables)
}

/// Compares two templates that match one path: the one that API Gateway selects is less.
fn precedence(one: &[&str], other: &[&str]) -> Ordering {
    let rank = |segment: &&str| match variable(segment) {
        None => 0,
        Some(_) if is_greedy(segment) => 2,
        Some(_) => 1,
    };
    one.iter().map(rank).cmp(other.iter().map(rank))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(methods: &[(&str, &str)]) -> RenderedApi {
        let method = |(method, path): &(&str, &str)| RenderedMethod {
            method: match *method {
                "GET" => Some(Method::Get),
                "POST" => Some(Method::Post),
                _ => None,
            },
            path: (*path).to_owned(),
            function: "f".to_owned(),
            is_open: true,
            stack: "api".to_owned(),
        };
        RenderedApi {
            logical_id: "Api".to_owned(),
            kind: ApiKind::Rest,
            stage_name: "dev".to_owned(),
            answers_preflights: false,
            routes: Vec::new(),
            methods: methods.iter().map(method).collect(),
            id_output: "ApiId".to_owned(),
            url_output: "ApiUrl".to_owned(),
        }
    }

    fn served(api: &RenderedApi, method: Method, path: &str) -> Option<(String, Vec<(String, String)>)> {
        let served = api.serving(method, path)?;
        Some((served.method.title(), served.variables.into_iter().collect()))
    }

    fn title(api: &RenderedApi, method: Method, path: &str) -> Option<String> {
        served(api, method, path).map(|(title, _)| title)
    }

    #[test]
    fn a_literal_segment_comes_before_a_variable_and_a_greedy_one_is_last() {
        let methods = [
            ("GET", "/{proxy+}"),
            ("GET", "/notes/{id}"),
            ("GET", "/notes/new"),
            ("GET", "/"),
            ("GET", "/notes/{id}/texts/{number}"),
        ];
        let api = api(&methods);
        for (path, expected) in [
            ("/", "GET /"),
            ("/notes/new", "GET /notes/new"),
            ("/notes/1", "GET /notes/{id}"),
            ("/notes/1?full=true", "GET /notes/{id}"),
            ("/notes/new/texts/2", "GET /notes/{id}/texts/{number}"),
            ("/notes/1/images", "GET /{proxy+}"),
            // The parent of routes has no method of its own.
            ("/notes", "GET /{proxy+}"),
        ] {
            assert_eq!(title(&api, Method::Get, path).as_deref(), Some(expected), "{path}");
        }
        let variables = |path| served(&api, Method::Get, path).expect("served").1;
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(variables("/notes/1/texts/2"), [pair("id", "1"), pair("number", "2")]);
        assert_eq!(variables("/a/b/c"), [pair("proxy", "a/b/c")]);
    }

    #[test]
    fn a_request_without_a_route_is_not_served() {
        let api = api(&[("GET", "/{id}"), ("POST", "/links")]);
        assert_eq!(title(&api, Method::Get, "/no-such-link").as_deref(), Some("GET /{id}"));
        assert_eq!(title(&api, Method::Get, "/"), None);
        assert_eq!(title(&api, Method::Get, "/a/b"), None);
        // The literal resource is selected, although only the variable one has the method.
        assert_eq!(title(&api, Method::Get, "/links"), None);
        assert_eq!(title(&api, Method::Post, "/links").as_deref(), Some("POST /links"));
    }

    #[test]
    fn an_http_api_selects_among_the_routes_that_have_the_method() {
        let methods = [("GET", "/{id}"), ("POST", "/links"), ("GET", "/links/{all+}"), ("GET", "/{kind}/new")];
        let api = RenderedApi { kind: ApiKind::Http, ..api(&methods) };
        // A REST API would select the path `/links`, which has no such method.
        assert_eq!(title(&api, Method::Get, "/links").as_deref(), Some("GET /{id}"));
        assert_eq!(title(&api, Method::Post, "/links?x=1").as_deref(), Some("POST /links"));
        // A complete match comes before a greedy one, whose first segment is literal.
        assert_eq!(title(&api, Method::Get, "/links/new").as_deref(), Some("GET /{kind}/new"));
        assert_eq!(title(&api, Method::Get, "/links/a/b").as_deref(), Some("GET /links/{all+}"));
        assert_eq!(title(&api, Method::Put, "/links"), None);
    }

    #[test]
    fn a_declared_method_comes_before_any_and_other_methods_fall_through_to_a_greedy_path() {
        let api = api(&[("ANY", "/notes"), ("GET", "/notes"), ("POST", "/texts"), ("ANY", "/{proxy+}")]);
        assert_eq!(title(&api, Method::Get, "/notes").as_deref(), Some("GET /notes"));
        assert_eq!(title(&api, Method::Put, "/notes").as_deref(), Some("ANY /notes"));
        assert_eq!(title(&api, Method::Get, "/texts").as_deref(), Some("ANY /{proxy+}"));
    }
}
