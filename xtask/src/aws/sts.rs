//! STS: whose account is this?

use super::{AwsError, Clients, error::failed};

impl Clients {
    /// The account of the caller.
    ///
    /// # Errors
    ///
    /// When there are no credentials, or they have expired.
    pub async fn account(&self) -> Result<String, AwsError> {
        let client = aws_sdk_sts::Client::new(self.config());
        let identity =
            client.get_caller_identity().send().await.map_err(|error| failed("sts:GetCallerIdentity", error))?;
        Ok(identity.account().unwrap_or_default().to_owned())
    }
}
