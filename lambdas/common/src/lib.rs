//! Shared parts of all functions: start-up, probes, API Gateway's HTTP and WebSockets, CORS, tokens, limits, guarded outbound
//! calls, errors, log lines, metrics, queues and event buses.
//!
//! It knows contracts in general and must not name a system.

pub mod authorizer;
pub mod body;
pub mod bus;
pub mod caller;
pub mod cors;
pub mod error;
pub mod events;
pub mod http;
pub mod limits;
pub mod metrics;
#[cfg(test)]
mod notes;
pub mod numbers;
pub mod outbound;
mod path;
mod payload;
pub mod probe;
pub mod queue;
#[cfg(test)]
mod script;
pub mod start;
mod start_failure;
pub mod telemetry;
pub mod token;
pub mod web_socket;

pub use caller::{Authorized, Caller, SourceAddress};
pub use error::ApiError;
pub use lambda_runtime::Error;
pub use start::{Functions, StartError, Started, functions, start};
