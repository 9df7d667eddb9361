//! The six functions, called as the gateway calls them, with tables in memory and a scripted user pool.

mod mfa;
mod register;
mod sessions;
mod sign_in;
mod world;
