//! Random histories of a simulated stage: the real engine deploys random projects to a simulated AWS, with faults, and an observer that is
//! not the engine checks invariants after every step.
//!
//! One seed decides everything. Read [`history`] for what happens, [`world`] for where, [`observer`] for the invariants, [`settle`] for the
//! end of each history, and [`run`] for the way from a seed to an outcome. [`shrink`] shortens a history that violates an invariant.
//! [`mutations`] breaks the engine deliberately, to show that the invariants notice it.

mod alone;
pub mod builds;
pub mod by_hand;
pub mod commands;
pub mod faults;
pub mod history;
pub mod log;
pub mod measure;
pub mod mutations;
pub mod observer;
pub mod process;
pub mod project;
pub mod report;
mod resource_faults;
pub mod run;
pub mod settle;
pub mod shape;
pub mod shrink;
pub mod workspace;
pub mod world;
