//! What a stack promises a function: its name, its environment, its routes.
//!
//! Stacks and functions both compile against this crate, so a variable that one side renames or a route
//! that nobody serves is a compile error, not an incident. It must stay light: serde and nothing else.

pub mod probe;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Where a function is found: in the workspace, in its template and in AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionName {
    /// The system that owns the function, for example `notes`.
    pub system: &'static str,
    /// The function's name within its system, for example `list`.
    pub function: &'static str,
    /// The `[[bin]]` that is built into the function's `bootstrap`: `<system>-<function>`.
    pub binary: &'static str,
    /// The logical ID of the `AWS::Lambda::Function` in its template.
    pub logical_id: &'static str,
}

/// A function's contract.
///
/// `Environment<V>` is generic over its values: a stack fills it with template values, the function reads
/// it as strings from its process environment.
pub trait Function {
    /// Where the function is found.
    const NAME: FunctionName;
    /// The environment variables the function is started with.
    type Environment<V>;
}

/// An environment as a function reads it.
pub trait Environment: Serialize + DeserializeOwned {}
impl<T: Serialize + DeserializeOwned> Environment for T {}

/// An HTTP method of a [`Route`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names are HTTP's own")]
pub enum Method {
    Delete,
    Get,
    Head,
    Options,
    Patch,
    Post,
    Put,
}

impl Method {
    /// The method as HTTP and API Gateway spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "DELETE",
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Patch => "PATCH",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

/// One method on one path of an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route {
    /// The HTTP method.
    pub method: Method,
    /// The path in API Gateway's and axum's common spelling: `/media/{filename}`.
    pub path: &'static str,
}

/// All routes of one function, as an enum: the stack renders [`Routes::ALL`], the function's router matches
/// on it exhaustively.
pub trait Routes: Copy + 'static {
    /// Every route, each once.
    const ALL: &'static [Self];
    /// This route's method and path.
    fn route(self) -> Route;
}
