//! The rows of the tables. Attributes are named as the fields, in camel case; IDs are `<kind>:<uuid>`; times are texts of
//! [`time`](super::time), unless said otherwise.

pub mod account;
pub mod activity;
pub mod aggregate;
pub mod api_key;
pub mod file;
pub mod job;
pub mod oauth_state;
pub mod report;
pub mod run;
pub mod source;
pub mod user;

pub use self::{
    account::Account, activity::Activity, aggregate::Aggregate, api_key::ApiKey, file::FileRow, job::Job,
    oauth_state::OauthState, report::Report, run::Run, source::Source, user::User,
};
