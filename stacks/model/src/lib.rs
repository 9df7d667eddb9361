//! CloudFormation as typed Rust, for any project: the template model, parts, stages and foundation.
//!
//! A [`project::Project`] renders a [`stage::Stage`] into [`rendered::RenderedSystem`]s, and [`foundation::complete`]
//! adds the resources that deploying itself needs. A system is a [`template::System`] of [`template::Stack`]s, to which
//! [`parts`] add resources with typed properties from [`resources`].
//!
//! The crate uses no AWS SDK, does no I/O and names no system.

pub mod emulator;
#[cfg(any(test, feature = "example"))]
pub mod example;
pub mod foundation;
#[cfg(any(test, feature = "example"))]
pub mod growth;
pub mod parts;
pub mod project;
pub mod rendered;
pub mod requirements;
pub mod resources;
pub mod stage;
pub mod statements;
pub mod template;
pub mod values;
