//! Jobs: list, create, run.

pub(super) mod create;
pub(super) mod list;
pub(super) mod run;
