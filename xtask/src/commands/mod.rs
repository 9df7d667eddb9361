//! One file per verb: its arguments, and the steps it is made of. No logic lives here.

pub mod artifacts;
pub mod bootstrap;
pub mod build;
pub mod check_live;
pub mod ci;
pub mod deploy;
pub mod destroy;
pub mod docs;
pub mod doctor;
pub mod graph;
mod guarded;
pub mod local;
pub mod lock;
pub mod notify;
pub mod plan;
pub mod pr_comment;
pub mod prune;
pub mod release;
pub mod render;
pub mod rollback;
pub mod schema;
mod session;
mod sites;
pub mod status;
pub mod summary;
pub mod toolchain;
