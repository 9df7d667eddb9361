//! A model of the AWS that the engine uses, in process, behind the SDK's HTTP client.
//!
//! The model runs in virtual time (tokio's paused clock), and one seed decides every latency, fault and metric: the same seed repeats a
//! history exactly. `xtask/docs/aws.md` lists each modelled behaviour with its source and its test.
//!
//! Start with [`Aws`], then read [`account::Account`] for the state, [`connector`] for the path of a call, and [`wire`] for its protocols.
//! Each service is a module whose handlers are synchronous functions of the account.

pub mod account;
mod aws;
pub mod chance;
pub mod cloudformation;
pub mod connector;
pub mod faults;
pub mod resources;
mod s3;
mod services;
pub mod sts;
#[cfg(test)]
mod testing;
pub mod time;
pub mod wire;

pub use aws::{Aws, Observer, Rate, Rates, Recorded, Settings, Step};
