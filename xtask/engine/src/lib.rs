//! The deploy orchestrator.
//!
//! One module per step, each with plain data as input and output, so that it can be read and tested alone:
//! [`sources`] → [`build`] → [`artifacts`], [`render`], [`plan`], [`deploy`], [`release`], [`prune`]. A command in
//! [`commands`] combines the steps. Only [`aws`] names the AWS SDK, only [`ui`] prints. A test holds the order of the modules' layers.

pub mod actionlint;
pub mod application;
pub mod artifacts;
pub mod aws;
pub mod build;
pub mod cli;
pub mod commands;
pub mod context;
pub mod deploy;
pub mod doctor;
pub mod error;
pub mod github;
pub mod http;
pub mod junit;
#[cfg(test)]
mod layers;
pub mod ledger;
pub mod live;
pub mod local;
pub mod lock;
pub mod notice;
pub mod pages;
pub mod plan_file;
pub mod poll;
pub mod prune;
pub mod python;
pub mod record;
pub mod release;
pub mod render;
mod run;
pub mod session;
pub mod site;
pub mod sources;
pub mod stage;
pub mod store;
pub mod summary;
pub mod table;
pub mod ui;
pub mod workspace;

pub use application::Application;
pub use run::main;
