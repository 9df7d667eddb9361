//! Checks the routes of an API before its resources are added: API Gateway would refuse them only during a deploy, after other
//! resources have changed.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    panic::Location,
};

use thiserror::Error;

use super::{RestApi, methods::Endpoint};
use crate::rendered::{is_greedy, variable};

/// A route that is refused, and its place in the source.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("route `{route}` of API {api}, added at {place}, is refused: {problem}")]
pub struct RefusedRoute {
    /// The logical ID of the API.
    pub api: String,
    /// The method and the path.
    pub route: String,
    /// Where the route is added to the API: file, line and column.
    pub place: String,
    /// The reason.
    pub problem: RouteProblem,
}

/// What is wrong with a route.
///
/// The rules for segments are those of API Gateway's `CreateResource`, which answers "Resource's path part only allow
/// a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the beginning and the end", "A sibling ({id}) of this
/// resource already has a variable path part -- only one is allowed", and "Another resource with the same parent already has
/// this name".
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RouteProblem {
    /// The path is relative.
    #[error("its path does not start with `/`")]
    Relative,
    /// The path has two slashes in a row, or ends with one.
    #[error("its path has an empty segment")]
    EmptySegment,
    /// A brace is missing, or a variable is only a part of its segment.
    #[error("segment `{segment}` is neither text without braces nor one variable, `{{name}}` or `{{name+}}`")]
    Braces {
        /// The segment.
        segment: String,
    },
    /// A segment has other characters.
    #[error("segment `{segment}` has characters other than letters, digits, `.`, `_`, `-` and `:`")]
    Characters {
        /// The segment.
        segment: String,
    },
    /// A greedy variable, which matches the rest of the path, is followed by a segment.
    #[error("segment `{segment}` matches the rest of the path, so it must be the last one")]
    GreedyNotLast {
        /// The segment.
        segment: String,
    },
    /// API Gateway allows one variable below a path.
    #[error(
        "API Gateway allows one variable below `{parent}`, but route `{route}`, added at {place}, already has `{other}` there; use \
         one name for both"
    )]
    SecondVariable {
        /// The path above the variables.
        parent: String,
        /// The route's variable.
        segment: String,
        /// The other route, by method and path.
        route: String,
        /// Its variable.
        other: String,
        /// Where the other route is added.
        place: String,
    },
    /// The API has the route already.
    #[error("it was already added at {place}")]
    Duplicate {
        /// Where it is added for the first time.
        place: String,
    },
    /// Its resource, or its method, has the logical ID of another one.
    #[error("its logical ID would be `{logical_id}`, which {other} already has; choose another one with `path_name`")]
    SameLogicalId {
        /// The logical ID.
        logical_id: String,
        /// The other owner of the logical ID.
        other: String,
    },
    /// A path is named that the API does not have.
    #[error("the API has no such path; its paths are {}", .paths.join(", "))]
    UnknownPath {
        /// The API's paths.
        paths: Vec<String>,
    },
    /// Another route differs from it only in the names of variables.
    #[error("it matches the same requests as route `{route}`, added at {place}; remove one of them")]
    SameRequests {
        /// The other route.
        route: String,
        /// Where the other route is added.
        place: String,
    },
    /// The route is not open, and its API has no authorizer.
    #[error("it has no authorization; add an authorizer to the API, or declare the route `open`")]
    NoAuthorizer,
    /// The route has scopes, but no JWT that could contain them.
    #[error("it requires scopes, which only routes with a JWT authorizer can; remove them")]
    Scopes,
    /// The throttle of a route is a setting of the API's stage, which is deployed before the route exists.
    #[error("its throttle is a setting of the API's stage; add the route in stack `{owner}`, or remove the throttle")]
    ForeignThrottle {
        /// The stack of the API.
        owner: String,
    },
    /// A quota of API Gateway is exceeded.
    #[error("API Gateway allows {maximum} {what}; divide them")]
    TooMany {
        /// What is counted.
        what: &'static str,
        /// The quota.
        maximum: usize,
    },
    /// A model's name has other characters than letters and digits (API Gateway API reference, `CreateModel`).
    #[error("the name of its model, `{name}`, has characters other than letters and digits")]
    ModelName {
        /// The name.
        name: String,
    },
    /// Two models have one name and different fields.
    #[error(
        "its model `{name}` has other fields than the model `{name}` of route `{route}`, added at {place}; rename one of them"
    )]
    OtherModel {
        /// The name.
        name: String,
        /// The other route, by method and path.
        route: String,
        /// Where the other route is added.
        place: String,
    },
}

/// Returns the first route that is refused.
pub(super) fn check(part: &RestApi) -> Result<(), Box<RefusedRoute>> {
    let mut known = Known::new(part);
    for endpoint in &part.endpoints {
        known.add(endpoint).map_err(|problem| {
            Box::new(RefusedRoute {
                api: part.logical_id.clone(),
                route: endpoint.route(),
                place: endpoint.place.to_string(),
                problem,
            })
        })?;
    }
    // The root has no resource of its own.
    let mut paths: Vec<_> = known.logical_ids.values().filter_map(|owner| owner.path().map(str::to_owned)).collect();
    paths.sort();
    match part.path_names.iter().find(|(path, _)| **path != "/" && !paths.iter().any(|known| known == *path)) {
        None => Ok(()),
        Some((path, (_, place))) => Err(Box::new(RefusedRoute {
            api: part.logical_id.clone(),
            route: (*path).to_owned(),
            place: place.to_string(),
            problem: RouteProblem::UnknownPath { paths },
        })),
    }
}

/// The routes that have passed the checks.
struct Known<'a> {
    part: &'a RestApi,
    routes: BTreeMap<(&'a str, &'a str), &'a Location<'a>>,
    /// The variable below a path, with the first route that has it.
    variables: BTreeMap<String, (&'a str, &'a Endpoint)>,
    /// The owner of each logical ID.
    logical_ids: BTreeMap<String, Owner>,
    models: BTreeMap<&'a str, (&'a [String], &'a Endpoint)>,
}

/// The owner of a logical ID.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Owner {
    Stage,
    Path(String),
    Method(String),
}

impl Owner {
    fn path(&self) -> Option<&str> {
        match self {
            Self::Path(path) => Some(path),
            Self::Stage | Self::Method(_) => None,
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stage => formatter.write_str("the API's stage"),
            Self::Path(path) => write!(formatter, "path `{path}`"),
            Self::Method(route) => write!(formatter, "route `{route}`"),
        }
    }
}

impl<'a> Known<'a> {
    fn new(part: &'a RestApi) -> Self {
        let (routes, variables, models) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { part, routes, variables, models, logical_ids: [(part.stage_id(), Owner::Stage)].into() }
    }

    fn add(&mut self, endpoint: &'a Endpoint) -> Result<(), RouteProblem> {
        let segments = segments(endpoint.path)?;
        if let Some(place) = self.routes.insert((endpoint.verb, endpoint.path), endpoint.place) {
            return Err(RouteProblem::Duplicate { place: place.to_string() });
        }
        let mut parent = String::new();
        for segment in segments {
            self.add_variable(&parent, segment, endpoint)?;
            parent = format!("{parent}/{segment}");
            self.own(self.part.path_id(&parent), Owner::Path(parent.clone()))?;
        }
        self.own(self.part.method_id(endpoint.path, endpoint.verb), Owner::Method(endpoint.route()))?;
        self.add_model(endpoint)
    }

    fn add_variable(&mut self, parent: &str, segment: &'a str, endpoint: &'a Endpoint) -> Result<(), RouteProblem> {
        if variable(segment).is_none() {
            return Ok(());
        }
        let (other, known) = *self.variables.entry(parent.to_owned()).or_insert((segment, endpoint));
        if other == segment {
            return Ok(());
        }
        Err(RouteProblem::SecondVariable {
            parent: if parent.is_empty() { "/".to_owned() } else { parent.to_owned() },
            segment: segment.to_owned(),
            route: known.route(),
            other: other.to_owned(),
            place: known.place.to_string(),
        })
    }

    fn own(&mut self, logical_id: String, owner: Owner) -> Result<(), RouteProblem> {
        match self.logical_ids.entry(logical_id) {
            Entry::Vacant(entry) => drop(entry.insert(owner)),
            Entry::Occupied(entry) if *entry.get() == owner => {}
            Entry::Occupied(entry) => {
                let (logical_id, other) = (entry.key().clone(), entry.get().to_string());
                return Err(RouteProblem::SameLogicalId { logical_id, other });
            }
        }
        Ok(())
    }

    fn add_model(&mut self, endpoint: &'a Endpoint) -> Result<(), RouteProblem> {
        let Some(model) = &endpoint.body else { return Ok(()) };
        let name = model.name.clone();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(RouteProblem::ModelName { name });
        }
        let (fields, other) = *self.models.entry(&model.name).or_insert((&model.required[..], endpoint));
        if fields == model.required.as_slice() {
            return Ok(());
        }
        Err(RouteProblem::OtherModel { name, route: other.route(), place: other.place.to_string() })
    }
}

/// Returns the segments of a path; the root has none.
pub(crate) fn segments(path: &str) -> Result<Vec<&str>, RouteProblem> {
    let below = path.strip_prefix('/').ok_or(RouteProblem::Relative)?;
    if below.is_empty() {
        return Ok(Vec::new());
    }
    let segments: Vec<_> = below.split('/').collect();
    let last = segments.len() - 1;
    for (index, segment) in segments.iter().copied().enumerate() {
        check_segment(segment)?;
        if is_greedy(segment) && index != last {
            return Err(RouteProblem::GreedyNotLast { segment: segment.to_owned() });
        }
    }
    Ok(segments)
}

fn check_segment(segment: &str) -> Result<(), RouteProblem> {
    if segment.is_empty() {
        return Err(RouteProblem::EmptySegment);
    }
    let text = variable(segment).unwrap_or(segment);
    if text.is_empty() || text.contains(['{', '}']) {
        return Err(RouteProblem::Braces { segment: segment.to_owned() });
    }
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte);
    if text.bytes().all(is_allowed) {
        return Ok(());
    }
    Err(RouteProblem::Characters { segment: segment.to_owned() })
}
