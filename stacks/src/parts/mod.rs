//! Parts: a few resources that belong together, with the settings that are right for them.

pub mod api;
pub mod bucket;
pub mod function;
pub mod policy;
