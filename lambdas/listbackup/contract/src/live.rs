//! The functions of the optional stack live, in the binary `listbackup-live`.

use crate::function;

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
