//! The verbs that only this repository has: `demo`, which uses its systems, and `schema`, which generates the resource types of
//! `stacks/model`. They are a crate of their own, which knows no stack: changing a stack does not compile them again.

pub mod demo;
pub mod schema;
