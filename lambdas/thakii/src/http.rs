//! The middleware of the API: authorization, error responses, CORS, metrics and the log line of each request.

pub(crate) mod access;
mod caller;
pub(crate) mod middleware;

pub(crate) use caller::Caller;
pub(crate) use middleware::Degraded;

#[cfg(test)]
mod tests;
