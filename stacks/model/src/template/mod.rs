//! The CloudFormation model: values, intrinsics, resources, outputs, and how stacks become templates.

pub mod json;
pub mod render;
pub mod resource;
pub mod stack;
pub mod value;
pub mod yaml;

pub use render::{RenderError, System};
pub use resource::{RemovalPolicy, Resource};
pub use stack::{Part, Reference, Stack};
pub use value::{Expression, Text, Value, list, set};
