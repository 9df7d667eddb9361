//! The HTTP base of all functions of the API: routers with log lines, callers, bodies, queries, and error responses.

pub mod body;
pub mod caller;
pub mod error;
pub mod input;
pub mod router;
pub mod schema;
mod unique;

pub use body::Json;
pub use caller::{Access, Admin, SignedIn};
pub use error::{ApiError, Code, Fault};
pub use input::{Query, UserId};
