//! The six tables, one repository each. Only they know keys, indexes and conditions; no table is scanned.

pub(crate) mod admins;
pub(crate) mod attributes;
pub(crate) mod change;
pub(crate) mod database;
pub(crate) mod notifications;
pub(crate) mod query;
pub(crate) mod servers;
pub(crate) mod tasks;
pub(crate) mod transaction;
pub(crate) mod uploads;
pub(crate) mod users;

pub(crate) use database::Database;
