//! A model of the AWS that the engine uses, in process, behind the SDK's HTTP client.
//!
//! The model runs in virtual time (tokio's paused clock), and one seed decides every latency, fault and metric: the same seed repeats a
//! history exactly. `xtask/docs/aws.md` lists each modelled behaviour with its source and its test.
//!
//! Start with [`Aws`], then read [`account::Account`] for the state, [`connector`] for the path of a call, and [`wire`] for its protocols.
//! Each service is a module whose handlers are synchronous functions of the account.

pub mod account;
pub mod api_gateway;
mod aws;
pub mod bags;
pub mod chance;
pub mod cloudformation;
pub mod cloudfront;
pub mod cloudwatch;
pub mod cognito;
pub mod connector;
pub mod ec2;
pub mod faults;
mod iam;
pub mod lambda;
pub mod logs;
pub mod resources;
pub mod s3;
pub mod secrets_manager;
mod services;
pub mod shared;
pub mod sns;
pub mod stateful;
pub mod sts;
#[cfg(test)]
mod testing;
pub mod time;
pub mod wire;

pub use aws::{Aws, Observer, Rate, Rates, Recorded, Settings, Step};
pub use services::handle;
