//! The CloudFormation model: values, intrinsics, resources, outputs, and how a stack becomes a template.

pub mod value;
