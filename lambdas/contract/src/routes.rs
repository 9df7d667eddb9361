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
    /// The path in API Gateway's spelling: `/media/{filename}`. A segment is text or one variable; all variables in the same place
    /// below one path have the same name. The last segment may be a greedy variable, `{name+}`, which takes the rest of the path: one
    /// segment or more.
    pub path: &'static str,
}

/// All routes of one function, as an enum: the stack renders [`Routes::ALL`], the function's router matches on it
/// exhaustively.
///
/// Declare it with [`routes!`](macro@crate::routes), which keeps [`Routes::ALL`] complete.
pub trait Routes: Copy + 'static {
    /// Every route, once.
    const ALL: &'static [Self];
    /// Returns the method and path of this route.
    fn route(self) -> Route;
}

/// Declares the routes of a function as an enum that implements [`Routes`]: each with its method, as [`Method`] names it, and its path.
///
/// A route that an enum of your own omits from [`Routes::ALL`] is in no API; here it cannot be omitted.
///
/// ```
/// contract::routes! {
///     /// The routes of the function `api`.
///     pub enum ApiRoute {
///         /// Lists the notes.
///         List => Get "/notes",
///         /// Stores a note.
///         Put => Put "/notes/{id}",
///     }
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! routes {
    (
        $(#[$attribute:meta])*
        $visibility:vis enum $name:ident {
            $($(#[$of_route:meta])* $route:ident => $method:ident $path:literal),+ $(,)?
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $visibility enum $name {
            $($(#[$of_route])* $route),+
        }

        impl $crate::Routes for $name {
            const ALL: &'static [Self] = &[$(Self::$route),+];

            fn route(self) -> $crate::Route {
                match self {
                    $(Self::$route => $crate::Route { method: $crate::Method::$method, path: $path }),+
                }
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    routes! {
        /// Routes of a test.
        enum NotesRoute {
            /// Lists the notes.
            List => Get "/notes",
            /// Deletes a note.
            Delete => Delete "/notes/{id}",
        }
    }

    #[test]
    fn every_declared_route_is_in_the_list() {
        let routes: Vec<_> = NotesRoute::ALL.iter().map(|route| route.route()).collect();
        let expected = [(Method::Get, "/notes"), (Method::Delete, "/notes/{id}")];
        assert_eq!(routes, expected.map(|(method, path)| Route { method, path }));
        assert_eq!(NotesRoute::ALL, [NotesRoute::List, NotesRoute::Delete]);
    }
}
