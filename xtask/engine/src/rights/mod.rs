//! Compares the calls that functions make on the local cloud with the roles that another stage renders for them.
//!
//! An emulator allows every call, AWS only those that a role allows. A [`Recorder`] records the calls through a proxy per function,
//! [`calls`] names the requests that IAM judges, [`roles()`] reads the other stage's roles for the resources here, and [`judge`]
//! compares. [`coverage()`] lists the routes and functions that were not exercised. Resource policies are not considered: a call that only they allow is reported as refused.

pub mod calls;
mod coverage;
mod error;
mod judgement;
mod proxy;
mod recorder;
mod roles;

pub use self::{
    calls::Place,
    coverage::{Coverage, Scheduled, Uncalled, Untriggered, coverage, scheduled},
    error::RightsError,
    judgement::{Judgement, Refused, Unknown, Unused, judge},
    recorder::{Recorded, Recorder},
    roles::{Deployed, Rendered, Role, roles},
};
