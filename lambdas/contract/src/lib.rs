//! The contract between a stack and a function: name, environment, routes, probe.
//!
//! Stacks and functions both compile against it, so a variable that one side renames or a route that no function
//! serves is a compile error. A system declares its functions in a crate of its own:
//!
//! ```
//! use contract::{Function, FunctionName};
//! use serde::{Deserialize, Serialize};
//!
//! /// Lists notes.
//! #[derive(Debug, Clone, Serialize, Deserialize)]
//! #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
//! pub struct List<V = String> {
//!     /// The bucket that holds the notes.
//!     pub notes_bucket: V,
//!     /// The S3 endpoint, unless it is AWS.
//!     #[serde(skip_serializing_if = "Option::is_none")]
//!     pub s3_endpoint: Option<V>,
//! }
//!
//! impl<V> Function for List<V> {
//!     const NAME: FunctionName = FunctionName::new("notes", "list", "ListFunction");
//! }
//! ```
//!
//! This crate must stay light: serde and nothing else.

mod name;
pub mod probe;
mod routes;

pub use name::FunctionName;
pub use routes::{Method, Route, Routes};

/// A function, declared as the struct of its environment variables.
///
/// The struct is generic over its values: a stack fills it with template values, the function reads it as strings from
/// its process environment. An `Option` is a variable that may be unset.
pub trait Function {
    /// The name in the workspace, in the template and in AWS.
    const NAME: FunctionName;
}
