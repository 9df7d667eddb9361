//! The functions of the optional stack live, in the binary `listbackup-live`.

use crate::{
    events::{FILE_INDEXED, JOB_COMPLETED, JOB_FAILED, JOB_STARTED, Kind},
    function,
};

function! {
    /// Accepts connections of signed-in users.
    Connect is "connect" in "live" {
        /// The stage's name: the audience of tokens.
        stage: V,
        /// The name of [`CONNECTIONS`](crate::tables::CONNECTIONS).
        connections_table: V,
        /// The name of [`USERS`](crate::tables::USERS).
        users_table: V,
        /// The secret that signs access tokens.
        access_secret_arn: V,
    }
}

function! {
    /// Forgets connections that were closed.
    Disconnect is "disconnect" in "live" {
        /// The name of [`CONNECTIONS`](crate::tables::CONNECTIONS).
        connections_table: V,
    }
}

function! {
    /// Sends the progress of runs to the connections of their account.
    Push is "push" in "live" {
        /// The name of [`CONNECTIONS`](crate::tables::CONNECTIONS).
        connections_table: V,
        /// The name of [`RUNS`](crate::tables::RUNS).
        runs_table: V,
        /// The endpoint that sends to connections.
        connections_endpoint: V,
    }
}

/// The parameter of the URL with the access token: browsers cannot send headers with a WebSocket.
pub const TOKEN: &str = "token";
/// The fields of the authorizer's context.
pub const ACCOUNT: &str = "accountId";
/// The user, beside [`ACCOUNT`].
pub const USER: &str = "userId";
/// The most connections of an account at one time.
pub const CONNECTIONS_OF_ACCOUNT: u64 = 20;
/// The events whose progress is sent.
pub const PUSHED: [Kind; 4] = [FILE_INDEXED, JOB_STARTED, JOB_COMPLETED, JOB_FAILED];
