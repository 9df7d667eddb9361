//! The CloudFormation model: values, intrinsic functions, resources and outputs, and how stacks become templates.

mod error;
mod exception;
pub mod json;
mod render;
mod resource;
mod stack;
mod system;
pub mod value;
mod yaml;

pub use error::RenderError;
pub use exception::{Exception, Rule, is_excepted};
pub(crate) use exception::{WILDCARD_RESOURCE, reasons};
pub use resource::{RemovalPolicy, Resource};
pub use stack::{Part, Reference, Stack};
pub use system::System;
pub use value::{Expression, Text, Value, list, set};
