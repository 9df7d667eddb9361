//! The parts that all services share: rows of the tables, identifiers, the caller, responses and events.

pub mod audit;
pub mod category;
pub mod cursor;
pub mod envelope;
pub mod events;
pub mod identity;
pub mod ids;
pub mod rows;
pub mod store;
pub mod time;
