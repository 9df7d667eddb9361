//! Thakii: what its three functions share and do. The binaries in `src/bin` only start them.
//!
//! Signed-in users upload lecture videos, a worker elsewhere turns each into subtitles and a PDF. Here are the API, the
//! tasks' book-keeping and the upkeep; no video is looked into.

pub mod api;
pub mod app;
pub mod auth;
pub mod aws;
pub mod body;
pub mod directory;
pub mod error;
pub mod files;
pub mod gateway;
pub mod http;
pub mod ids;
pub mod maintenance;
pub mod metrics;
pub mod names;
pub mod notify;
pub mod outbound;
pub mod queue;
pub mod registry;
pub mod routes;
pub mod status;
pub mod tables;
pub mod time;

#[cfg(any(test, feature = "fixtures"))]
pub mod fixtures;
#[cfg(test)]
mod testing;
