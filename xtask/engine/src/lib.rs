//! The deploy orchestrator.
//!
//! One module per step; each takes and returns plain data, so that each can be read and tested alone:
//! [`sources`] → [`build`] → [`artifacts`], [`render`], [`plan`], [`deploy`], [`release`], [`prune`]. A command in `commands`
//! wires them. Only [`aws`] names the AWS SDK, and only [`ui`] prints.
//! A simulation replaces the outside world: see [`surroundings`]. What a command did is a typed value in `report`.

mod actionlint;
pub mod application;
pub mod artifacts;
pub mod aws;
pub mod build;
mod checks;
mod cli;
mod commands;
pub mod context;
pub mod deploy;
pub mod doctor;
pub mod error;
mod github;
pub mod http;
pub mod interruption;
mod junit;
#[cfg(test)]
mod layers;
pub mod ledger;
mod linters;
pub mod live;
pub mod local;
pub mod lock;
pub mod network;
mod notice;
mod pages;
mod parallel;
pub mod plan_file;
mod planning;
pub mod poll;
pub mod process;
pub mod prune;
mod python;
mod record;
pub mod release;
pub mod render;
mod report;
pub mod rights;
mod run;
mod secrets;
pub mod session;
pub mod site;
pub mod sources;
pub mod stage;
pub mod store;
mod summary;
pub mod surroundings;
pub mod table;
mod template_hash;
pub mod ui;
pub mod workspace;

pub use application::Application;
pub use cli::command;
pub use run::{Ended, main, main_with, run_in};
