//! Parts: resources that belong together, with safe settings.
//!
//! A part is a builder that is added to a stack with [`Stack::add`](crate::template::Stack::add), which returns a
//! handle for references and grants.

pub mod alarm;
pub mod api;
pub mod api_domain;
pub mod bucket;
pub mod cdn;
pub mod certificate;
pub mod dashboard;
pub mod email_pool;
pub mod event_bus;
pub mod event_source;
pub mod function;
pub mod gateway_endpoints;
pub mod http_api;
pub mod identity_pool;
pub mod key;
pub mod layer;
pub mod metric;
pub mod parameter;
pub mod policy;
pub mod queue;
pub mod schedule;
pub mod secret;
pub mod site;
pub mod table;
pub mod topic;
pub mod user_pool;
pub mod vpc;
pub mod web_acl;
pub mod web_socket_api;
