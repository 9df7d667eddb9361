//! The verbs that only this repository has: `demo`, which uses its systems, and `schema`, which generates the resource types of
//! `stacks/model`. They are a crate of their own, which knows no stack: changing a stack does not compile them again.

mod demo;
mod schema;

pub use demo::{Demo, Verb as DemoVerb};
pub use schema::Verb as SchemaVerb;
