//! ListBackup's functions. The binaries in `src/bin` only start them.
//!
//! Customers back up files from their sources into versioned storage, and browse, search and download them. `api`, `auth` and
//! `analytics` serve the HTTP API; `processors` carry out runs; `insights` and `live` react to events.
//!
//! Modules depend on each other in one direction: the services → `requests`, `runs`, `tokens` → `connectors` → `shared`.

pub mod analytics;
pub mod api;
pub mod auth;
pub mod connectors;
pub mod insights;
pub mod live;
mod mail;
#[cfg(test)]
mod memory;
pub mod processors;
mod requests;
pub mod runs;
pub mod shared;
pub mod tokens;
