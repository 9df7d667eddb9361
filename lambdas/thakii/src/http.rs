//! The API's shell: who may call which route, in which order that is checked, what a failure looks like, and what is
//! written down about each request.

pub(crate) mod access;
mod caller;
pub(crate) mod cors;
pub(crate) mod shell;

pub use caller::Caller;
pub use cors::Origins;
pub(crate) use shell::Degraded;

#[cfg(test)]
mod tests;
