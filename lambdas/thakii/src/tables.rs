//! The six tables, a repository each. Only they know keys, indexes and conditions; nothing here scans.

pub mod admins;
pub mod attributes;
pub mod change;
pub mod database;
pub mod notifications;
pub mod query;
pub mod servers;
pub mod tasks;
pub mod transaction;
pub mod uploads;
pub mod users;

pub use database::Database;
