//! The salt of visitors' anonymous ids.

/// An error while reading the salt.
#[derive(Debug, thiserror::Error)]
pub enum SaltError {
    /// Parameter Store refused the call or was unreachable.
    #[error("failed to read the salt of visitors' ids")]
    Read(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The parameter has no value.
    #[error("the salt of visitors' ids is empty")]
    Empty,
}
