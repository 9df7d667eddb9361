//! CloudFormation as typed Rust, for any project: the template model, parts, stages and foundation.
//!
//! A library without AWS SDK and without I/O. A [`stage::Stage`] goes into a [`project::Project`], and
//! [`rendered::RenderedSystem`]s come out; [`foundation::complete`] adds what deploying itself needs. Names no system.

pub mod emulator;
#[cfg(any(test, feature = "example"))]
pub mod example;
pub mod foundation;
pub mod parts;
pub mod project;
pub mod rendered;
pub mod resources;
pub mod stage;
pub mod statements;
pub mod template;
pub mod values;
