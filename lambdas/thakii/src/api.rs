//! Handlers of the API, one file per subject. A handler runs only after its caller has been authorized.

pub(crate) mod admin_videos;
pub(crate) mod admins;
pub(crate) mod assemble;
pub(crate) mod chunks;
mod form;
pub(crate) mod health;
pub(crate) mod notifications;
mod page;
mod pieces;
pub(crate) mod servers;
mod shared;
pub(crate) mod sign_in;
pub(crate) mod statistics;
pub(crate) mod test_notification;
pub(crate) mod upload;
pub(crate) mod videos;
pub(crate) mod worker;

#[cfg(test)]
mod tests;
