//! The encryption context of data keys: the pairs that KMS requires, see the KMS developer guide, "Encryption context".

/// The name of the pair with the application.
pub const APP: &str = "app";
/// The value of [`APP`].
pub const APP_VALUE: &str = crate::SYSTEM;
/// The name of the pair with the stage.
pub const STAGE: &str = "stage";
/// The name of the pair with the user, whose value is the user's ID in decimal digits.
pub const USER_ID: &str = "user_id";
