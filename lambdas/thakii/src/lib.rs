//! Thakii's three functions. The binaries in `src/bin` only start them.
//!
//! Signed-in users upload lecture videos, and an external worker turns each one into subtitles and a PDF. This crate
//! contains the API, the state of the tasks and the maintenance; it processes no video.
//!
//! Modules depend on each other in one direction: `routes` → `api` → `http` → `app` → `notify`, `registry`, `auth` →
//! `tables`, `files`, `queue` → `aws`, `ids`, `time`. The other functions, `status` and `maintenance`,
//! start at `notify`.

mod api;
pub mod app;
mod auth;
mod aws;
mod body;
mod directory;
mod error;
mod files;
pub mod gateway;
mod http;
mod ids;
pub mod maintenance;
mod metrics;
mod names;
mod notify;
pub mod queue;
mod registry;
mod rotation;
pub mod routes;
pub mod status;
mod tables;
mod time;

#[cfg(any(test, feature = "fixtures"))]
pub mod fixtures;
#[cfg(test)]
mod testing;
