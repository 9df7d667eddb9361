//! CloudFront: invalidation of cached paths.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_cloudfront::{
    Client,
    types::{InvalidationBatch, Paths},
};

use super::{
    AwsError, Clients,
    error::{ErrorKind, failed},
};

impl Clients {
    /// Makes a distribution fetch these paths from its origin again.
    pub(crate) async fn invalidate(&self, distribution: &str, paths: &[String]) -> Result<(), AwsError> {
        let incomplete = |error: aws_sdk_cloudfront::error::BuildError| AwsError {
            operation: "cloudfront:CreateInvalidation",
            kind: ErrorKind::Other,
            code: None,
            message: error.to_string(),
        };
        let quantity = i32::try_from(paths.len()).unwrap_or(i32::MAX);
        let paths = Paths::builder().quantity(quantity).set_items(Some(paths.to_vec())).build().map_err(incomplete)?;
        // Equal in all attempts of one call, so that a lost response makes no second invalidation; different in other calls.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let batch =
            InvalidationBatch::builder().paths(paths).caller_reference(now.to_string()).build().map_err(incomplete)?;
        let request = Client::new(self.config()).create_invalidation().distribution_id(distribution);
        let request = request.invalidation_batch(batch).send().await;
        request.map_err(|error| failed("cloudfront:CreateInvalidation", error))?;
        Ok(())
    }
}
