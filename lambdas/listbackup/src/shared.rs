//! The parts that all services share: rows of the tables, identifiers, the caller, responses and events.

pub mod category;
pub mod envelope;
pub mod events;
pub mod identity;
pub mod ids;
pub mod rows;
pub mod time;
