//! The API service: sources, jobs, runs, files, activity, API keys, OAuth requests and health. Every function serves the routes of its
//! contract; `authorizer.rs` decides about all requests but public ones.
//!
//! A handler checks the caller's right and the account of every object before it uses the object. Read `call.rs` first, then
//! `sources.rs`.

mod activity;
mod authorizer;
pub(crate) mod call;
mod download;
mod fields;
mod files;
mod health;
mod jobs;
mod keys;
mod listing;
mod oauth;
mod runs;
mod search;
mod sources;
#[cfg(test)]
mod tests;

use common::{Error, Functions, Started, http};
use listbackup_contract::api as contract;

/// The functions of the binary `listbackup-api`.
pub fn functions() -> Functions {
    reading(writing(common::functions()))
        .function::<contract::Authorizer>(authorizer::serve)
        .function(async |Started { environment, aws }: Started<contract::ManageApiKeys>| {
            serve::<contract::ManageApiKeys>(keys::router(environment, &aws)).await
        })
        .function(async |Started { environment, aws }: Started<contract::OauthInitiate>| {
            serve::<contract::OauthInitiate>(oauth::initiate_router(environment, &aws)).await
        })
        .function(async |Started { environment, aws }: Started<contract::OauthCallback>| {
            serve::<contract::OauthCallback>(oauth::callback_router(environment, &aws)).await
        })
        .function(async |Started { environment, aws }: Started<contract::Health>| {
            serve::<contract::Health>(health::router(environment, &aws)).await
        })
}

fn reading(functions: Functions) -> Functions {
    functions
        .function(async |Started { environment, aws }: Started<contract::GetSources>| {
            serve::<contract::GetSources>(sources::list::router(environment, &aws)).await
        })
        .function(async |Started { environment, aws }: Started<contract::GetJobs>| {
            serve::<contract::GetJobs>(jobs::list::router(environment, &aws)).await
        })
        .function(async |Started { environment, aws }: Started<contract::GetRun>| {
            serve::<contract::GetRun>(runs::router(environment, &aws)).await
        })
        .function(async |Started { environment, aws }: Started<contract::ListFiles>| {
            serve::<contract::ListFiles>(files::router(environment, &aws)).await
        })
        .function(async |Started { environment, aws }: Started<contract::SearchFiles>| {
            serve::<contract::SearchFiles>(search::router(environment, &aws)).await
        })
        .function(async |Started { environment, aws }: Started<contract::GetActivity>| {
            serve::<contract::GetActivity>(activity::router(environment, &aws)).await
        })
        .function(async |Started { environment, aws }: Started<contract::DownloadFile>| {
            serve::<contract::DownloadFile>(download::router(environment, &aws)).await
        })
}

fn writing(functions: Functions) -> Functions {
    functions
        .function(async |Started { environment, aws }: Started<contract::CreateSource>| {
            serve::<contract::CreateSource>(sources::create::router(environment, &aws)).await
        })
        .function(async |Started { environment, aws }: Started<contract::UpdateSource>| {
            serve::<contract::UpdateSource>(sources::update::router(environment, &aws)).await
        })
        .function(async |Started { environment, aws }: Started<contract::DeleteSource>| {
            serve::<contract::DeleteSource>(sources::delete::router(environment, &aws)).await
        })
        .function(async |Started { environment, aws }: Started<contract::CreateJob>| {
            serve::<contract::CreateJob>(jobs::create::router(environment, &aws)).await
        })
        .function(async |Started { environment, aws }: Started<contract::RunJob>| {
            serve::<contract::RunJob>(jobs::run::router(environment, &aws)).await
        })
}

async fn serve<F: ::contract::Function>(router: axum::Router) -> Result<(), Error> {
    http::serve::<F>(router).await
}
