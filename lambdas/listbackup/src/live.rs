//! Live updates: the progress of runs, sent to connected clients of the same account.
//!
//! A client connects with its access token in the URL's query. The connection lasts as long as a token may, at most an hour: then the
//! client connects again with a new one.

mod connect;
mod connections;
mod disconnect;
mod push;
#[cfg(test)]
mod tests;

pub use self::{connect::connect, disconnect::disconnect, push::push};
