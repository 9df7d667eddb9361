//! No value of a secret is in a request, except in those that write it.

use simulated_aws::{account::Account, wire::Call};

use super::view;

/// The secret access key of every process, which signs requests and is never sent.
pub const SECRET_KEY: &str = "wJalrXUtnFEMISimulatedK7MDENGbPxRfiCYNEVERSENT";

/// Returns what is wrong with a request.
pub(super) fn check(account: &Account, call: &Call) -> Option<String> {
    let writes = call.service == "secretsmanager";
    let body = String::from_utf8_lossy(&call.body);
    let is_sent = |secret: &str| {
        !secret.is_empty()
            && (body.contains(secret)
                || call.path.contains(secret)
                || call.query.iter().any(|(_, value)| value.contains(secret))
                || call.headers.values().any(|value| value.contains(secret)))
    };
    if is_sent(SECRET_KEY) {
        return Some(format!("{} contains the secret access key", call.name()));
    }
    let secret = view::secrets(account).into_iter().find(|(_, value)| !writes && is_sent(value));
    secret.map(|(name, _)| format!("{} contains the value of secret {name}", call.name()))
}
