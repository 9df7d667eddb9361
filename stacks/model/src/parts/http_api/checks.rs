//! Checks the routes of HTTP APIs over all stacks of a system, and adds them to the description of their API. API Gateway would refuse
//! a route only during a deploy, after other resources have changed.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use super::{
    AddedRoutes, AuthorizerKind,
    routes::{Endpoint, PathNames},
};
use crate::{
    parts::api::{RefusedRoute, RouteProblem, segments},
    rendered::variable,
    template::{RenderError, Stack},
};

/// The routes of an API (API Gateway developer guide, "Quotas for configuring and running an HTTP API in API Gateway").
const MAXIMUM_ROUTES: usize = 300;
/// The scopes of a route, on the same page.
const MAXIMUM_SCOPES: usize = 10;

/// Adds the routes of all stacks to the APIs that they belong to.
///
/// # Errors
///
/// The first route that API Gateway would refuse, or that has no authorization although it is not declared open.
pub(crate) fn merge(system: &str, stacks: &mut [Stack]) -> Result<(), RenderError> {
    let mut known: BTreeMap<(String, String), Known> = BTreeMap::new();
    let mut added: Vec<(String, AddedRoutes)> = stacks
        .iter()
        .flat_map(|stack| stack.http_routes.iter().map(|added| (stack.name.clone(), added.clone())))
        .collect();
    // The API's own routes come first, so that a duplicate is an error of the other stack.
    added.sort_by_key(|(stack, added)| *stack != added.owner);
    for (stack, added) in added {
        let known = known.entry((added.owner.clone(), added.api.clone())).or_default();
        check(&stack, &added, known).map_err(|refused| RenderError::Route {
            system: system.to_owned(),
            stack: stack.clone(),
            refused,
        })?;
        let mut apis = stacks.iter_mut().filter(|own| own.name == added.owner).flat_map(|own| &mut own.apis);
        let Some(api) = apis.find(|api| api.logical_id == added.api) else {
            return Err(RenderError::UnknownStack {
                system: system.to_owned(),
                from: stack,
                to: added.owner,
                logical_id: added.api,
            });
        };
        for (_, endpoint) in &added.endpoints {
            let (route, method) = endpoint.rendered(&stack);
            api.routes.push(route);
            api.methods.push(method);
        }
    }
    Ok(())
}

/// The routes of one API that have passed the checks.
#[derive(Default)]
struct Known {
    /// The route and its place, by the method and the shape of the path.
    shapes: BTreeMap<String, (String, String)>,
    /// The route with each logical ID, by stack.
    logical_ids: BTreeMap<(String, String), String>,
}

fn check(stack: &str, added: &AddedRoutes, known: &mut Known) -> Result<(), Box<RefusedRoute>> {
    for (logical_id, endpoint) in &added.endpoints {
        let is_own_stack = stack == added.owner;
        let refused = |problem| {
            let (api, route, place) = (added.api.clone(), endpoint.key(), endpoint.place.to_string());
            Box::new(RefusedRoute { api, route, place, problem })
        };
        settings(endpoint, added.authorizer, is_own_stack, &added.owner).map_err(refused)?;
        known.add((stack, logical_id), endpoint).map_err(refused)?;
    }
    unknown_path(added)
}

/// Checks the settings of one route.
fn settings(
    endpoint: &Endpoint,
    authorizer: Option<AuthorizerKind>,
    is_own_stack: bool,
    owner: &str,
) -> Result<(), RouteProblem> {
    let settings = &endpoint.settings;
    if authorizer.is_none() && !settings.open {
        return Err(RouteProblem::NoAuthorizer);
    }
    let may_have_scopes = !settings.open && authorizer == Some(AuthorizerKind::Jwt);
    if !settings.scopes.is_empty() && !may_have_scopes {
        return Err(RouteProblem::Scopes);
    }
    if settings.scopes.len() > MAXIMUM_SCOPES {
        return Err(RouteProblem::TooMany { what: "scopes of a route", maximum: MAXIMUM_SCOPES });
    }
    if settings.throttle.is_some() && !is_own_stack {
        return Err(RouteProblem::ForeignThrottle { owner: owner.to_owned() });
    }
    Ok(())
}

impl Known {
    fn add(&mut self, (stack, logical_id): (&str, &str), endpoint: &Endpoint) -> Result<(), RouteProblem> {
        let (key, place) = (endpoint.key(), endpoint.place.to_string());
        match self.shapes.entry(shape(endpoint)?) {
            Entry::Vacant(entry) => drop(entry.insert((key.clone(), place))),
            Entry::Occupied(entry) => {
                let (route, place) = entry.get().clone();
                return Err(if route == key {
                    RouteProblem::Duplicate { place }
                } else {
                    RouteProblem::SameRequests { route, place }
                });
            }
        }
        match self.logical_ids.entry((stack.to_owned(), logical_id.to_owned())) {
            Entry::Vacant(entry) => drop(entry.insert(key)),
            Entry::Occupied(entry) => {
                let (logical_id, other) = (logical_id.to_owned(), format!("route `{}`", entry.get()));
                return Err(RouteProblem::SameLogicalId { logical_id, other });
            }
        }
        if self.shapes.len() > MAXIMUM_ROUTES {
            return Err(RouteProblem::TooMany { what: "routes of an API", maximum: MAXIMUM_ROUTES });
        }
        Ok(())
    }
}

/// Returns the method and the path without the names of variables: two routes with one shape match the same requests.
fn shape(endpoint: &Endpoint) -> Result<String, RouteProblem> {
    let mut shape = endpoint.route.method.as_str().to_owned();
    for segment in segments(endpoint.route.path)? {
        shape.push('/');
        shape.push_str(match variable(segment) {
            Some(_) if segment.ends_with("+}") => "{+}",
            Some(_) => "{}",
            None => segment,
        });
    }
    Ok(shape)
}

/// Returns the first name of a path that no route has.
fn unknown_path(added: &AddedRoutes) -> Result<(), Box<RefusedRoute>> {
    let paths: BTreeSet<_> = added.endpoints.iter().map(|(_, endpoint)| endpoint.route.path).collect();
    let names: &PathNames = &added.path_names;
    match names.iter().find(|(path, _)| !paths.contains(*path)) {
        None => Ok(()),
        Some((path, (_, place))) => Err(Box::new(RefusedRoute {
            api: added.api.clone(),
            route: (*path).to_owned(),
            place: place.to_string(),
            problem: RouteProblem::UnknownPath { paths: paths.into_iter().map(str::to_owned).collect() },
        })),
    }
}
