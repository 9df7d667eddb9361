//! One file per verb: its arguments, and the steps it is made of. No logic lives here.

pub mod build;
pub mod ci;
pub mod deploy;
pub mod destroy;
pub mod doctor;
pub mod graph;
mod guarded;
pub mod local;
pub mod lock;
pub mod plan;
pub mod prune;
pub mod release;
pub mod render;
pub mod rollback;
pub mod schema;
mod session;
pub mod status;
