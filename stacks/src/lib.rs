//! CloudFormation as typed Rust: the template model, parts, systems and stages.
//!
//! A library without AWS SDK and without I/O: a stage goes in, [`rendered::RenderedSystem`]s come out.

pub mod emulator;
pub mod parts;
pub mod rendered;
pub mod resources;
pub mod stage;
pub mod systems;
pub mod template;
