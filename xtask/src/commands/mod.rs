//! One file per verb: its arguments, and the steps it is made of. No logic lives here.

pub mod build;
pub mod ci;
pub mod deploy;
pub mod destroy;
pub mod graph;
pub mod local;
pub mod plan;
pub mod prune;
pub mod render;
pub mod schema;
mod session;
pub mod status;
