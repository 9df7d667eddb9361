//! Secrets: envelope encryption of a bot's credentials, fingerprints of tokens, passwords, and access tokens.
//!
//! Plaintexts of keys and credentials are in [`Zeroizing`](zeroize::Zeroizing) memory. What `ring`, the SDK's HTTP client and the JSON
//! parser copy for the duration of a call is out of reach.

pub mod access;
pub mod envelope;
pub mod fields;
pub mod fingerprint;
pub mod keys;
pub mod memo;
pub mod password;
pub mod secrets;
