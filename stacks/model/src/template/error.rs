//! Errors in the definition of a system.

use thiserror::Error;

use crate::{parts::api::RefusedRoute, stage::StageError};

/// A system's definition or its settings are wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RenderError {
    /// A reference to a stack that the system does not have.
    #[error("stack `{from}` refers to `{logical_id}` of stack `{to}`, which does not exist in system `{system}`")]
    UnknownStack {
        /// The system.
        system: String,
        /// The stack with the reference.
        from: String,
        /// The missing stack.
        to: String,
        /// The logical ID that is referred to.
        logical_id: String,
    },
    /// Stacks that take outputs from each other.
    #[error("the stacks {} of system `{system}` take outputs from each other, so no deploy order exists", .stacks.join(", "))]
    Cycle {
        /// The system.
        system: String,
        /// The stacks of the cycle.
        stacks: Vec<String>,
    },
    /// Two resources with one logical ID in a stack.
    #[error(
        "stack `{stack}` of system `{system}` has two resources `{logical_id}`: one is added at {first}, the other at {second}; rename \
         one of them"
    )]
    Duplicate {
        /// The system.
        system: String,
        /// The stack.
        stack: String,
        /// The logical ID.
        logical_id: String,
        /// Where the first one is added: file, line and column.
        first: Box<str>,
        /// Where the second one is added.
        second: Box<str>,
    },
    /// A property that is set by a path which does not exist.
    #[error(
        "stack `{stack}` of system `{system}` sets `{path}` of `{logical_id}`, but there is no such resource or list item"
    )]
    UnknownPath {
        /// The system.
        system: String,
        /// The stack.
        stack: String,
        /// The resource.
        logical_id: String,
        /// The property's path.
        path: String,
    },
    /// A route that API Gateway would refuse, or that has no logical ID of its own.
    #[error("stack `{stack}` of system `{system}`: {refused}")]
    Route {
        /// The system.
        system: String,
        /// The stack.
        stack: String,
        /// The route, and what is wrong with it.
        refused: Box<RefusedRoute>,
    },
    /// A resource that belongs to the deployment of another stack's API.
    #[error(
        "stack `{stack}` of system `{system}` adds `{logical_id}` to API `{api}` of stack `{owner}`, which is deployed before it, so \
         clients would not see the change; add `{logical_id}` to stack `{owner}`"
    )]
    OutsideDeployment {
        /// The system.
        system: String,
        /// The stack with the resource.
        stack: String,
        /// The resource.
        logical_id: String,
        /// The API's stack.
        owner: Box<str>,
        /// The API.
        api: Box<str>,
    },
    /// A name that stands for nothing.
    #[error("system `{system}`: {by} names {what} `{name}`, which does not exist; {}", existing(.known))]
    UnknownName {
        /// The system.
        system: String,
        /// The declaration that has the name.
        by: Box<str>,
        /// The kind of thing that the name should stand for.
        what: Box<str>,
        /// The name.
        name: String,
        /// The names of this kind that exist.
        known: Vec<String>,
    },
    /// A route that a check requires to be absent.
    #[error(
        "system `{system}`: {by} requires that API {api} does not serve the request, but `{route}` does; remove the check or the \
         route"
    )]
    ServedRoute {
        /// The system.
        system: String,
        /// The check.
        by: Box<str>,
        /// The API.
        api: Box<str>,
        /// The route, for example `GET /notes/{id}`.
        route: String,
    },
    /// An output with the ID of another kind of resource.
    #[error(
        "system `{system}`: {by} requires a {noun}, but output `{output}` of stack `{stack}` is the ID of an {actual}"
    )]
    WrongOutput {
        /// The system.
        system: String,
        /// The declaration that names the output.
        by: Box<str>,
        /// The required kind of resource.
        noun: Box<str>,
        /// The stack.
        stack: String,
        /// The output.
        output: String,
        /// The type of the resource whose ID it is.
        actual: Box<str>,
    },
    /// Two systems with one name.
    #[error("two systems are named `{system}`")]
    DuplicateSystem {
        /// The name.
        system: String,
    },
    /// A system with the name of foundation.
    #[error("a system is named `{system}`, which is the name of the system that the engine adds; rename it")]
    ReservedSystem {
        /// The name.
        system: String,
    },
    /// A system whose name extends another's.
    #[error(
        "system `{system}` is named as system `{other}` with a suffix, so stacks and artifacts of both could have the same names; \
         rename one of them"
    )]
    ExtendedSystem {
        /// The system with the longer name.
        system: String,
        /// The system with the shorter name.
        other: String,
    },
    /// The settings of a system cannot be read.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// A setting is not allowed.
    #[error("{system}: {message}")]
    Settings {
        /// The system.
        system: String,
        /// The setting, and what is wrong with it.
        message: String,
    },
}

/// Lists the names that exist.
fn existing(known: &[String]) -> String {
    if known.is_empty() { "none exists".to_owned() } else { format!("choose one of: {}", known.join(", ")) }
}
