//! A resource before and after a change.

use serde_json::Value;

/// A resource before and after a change.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sides<'a> {
    /// The stack's name in CloudFormation.
    pub(crate) stack: &'a str,
    pub(crate) old: Option<&'a Value>,
    pub(crate) new: Option<&'a Value>,
    /// Is it a policy that is deleted while the resource that it protects remains?
    pub(crate) loses_protection: bool,
}
