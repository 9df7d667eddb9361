//! Parts: a few resources that belong together, with the settings that are right for them.

pub mod api;
pub mod bucket;
pub mod cdn;
pub mod function;
pub mod identity_pool;
pub mod layer;
pub mod policy;
pub mod user_pool;
