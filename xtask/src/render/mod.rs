//! Rendering: from a stage to validated templates.

pub mod validate;
