//! End to end: the real binary against a MiniStack of the test's own, as a user and as a client of what it deploys.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed assertion is how a test speaks")]

mod acceptance;
mod artifacts;
mod bootstrapping;
mod building;
mod checking;
mod client;
mod cloud;
mod credentials;
mod deploying;
mod destroying;
mod doctoring;
mod events;
mod faults;
mod gate;
mod github;
mod help;
mod images;
mod leftovers;
mod limits;
mod linting;
mod locking;
mod offline;
mod ordering;
mod outputs;
mod pipeline;
mod planning;
mod portfolio;
mod protecting;
mod proxy;
mod pull_requests;
mod refusals;
mod releasing;
mod requests;
mod rights;
mod selecting;
mod site_releases;
mod stuck;
mod telling;
mod thakii;
mod tunnel;
mod unhealthy;
mod videos;
mod workflow_files;
mod workflows;
