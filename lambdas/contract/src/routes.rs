//! The routes of an API.

use serde::{Deserialize, Serialize};

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
    /// Every method.
    pub const ALL: [Self; 7] = [Self::Delete, Self::Get, Self::Head, Self::Options, Self::Patch, Self::Post, Self::Put];

    /// Returns the method as HTTP and API Gateway spell it.
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
    /// The path, in API Gateway's spelling: `/media/{filename}`. Segments are text or one variable; all variables below one path have
    /// the same name. The last one may match the rest of the path: `/files/{path+}`.
    pub path: &'static str,
}

/// All routes of one function, as an enum: the stack renders [`Routes::ALL`], the function's router matches on it
/// exhaustively.
pub trait Routes: Copy + 'static {
    /// Every route, once.
    const ALL: &'static [Self];
    /// Returns the method and path of this route.
    fn route(self) -> Route;
}
