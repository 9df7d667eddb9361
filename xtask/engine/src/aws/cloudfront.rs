//! CloudFront: invalidation of cached paths.

use std::{fmt::Write, time::UNIX_EPOCH};

use aws_call::{Call, services::CLOUD_FRONT};

use super::{AwsError, Clients, Resource, error::failed};
use crate::surroundings;

/// The API's version, the first part of every path (CloudFront API reference, "Actions").
const VERSION: &str = "2020-05-31";

impl Clients {
    /// Makes a distribution fetch these paths from its origin again.
    pub(crate) async fn invalidate(&self, distribution: &str, paths: &[String]) -> Result<(), AwsError> {
        // Equal in all attempts of one call, so that a lost response makes no second invalidation; different in other calls.
        let now = surroundings::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let path = format!("/{VERSION}/distribution/{distribution}/invalidation");
        let call = Call::xml(CLOUD_FRONT, "CreateInvalidation", path, batch(paths, &now.to_string()));
        let sent = self.send(None, call).await;
        sent.map(drop).map_err(failed("cloudfront:CreateInvalidation", Resource::named("distribution", distribution)))
    }
}

/// The request's body (CloudFront API reference, `CreateInvalidation`).
fn batch(paths: &[String], reference: &str) -> String {
    let mut items = String::new();
    for path in paths {
        let path = path.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        // Writing to a string cannot fail.
        let _ = write!(items, "<Path>{path}</Path>");
    }
    let quantity = paths.len();
    format!(
        "<InvalidationBatch xmlns=\"http://cloudfront.amazonaws.com/doc/{VERSION}/\"><Paths><Quantity>{quantity}</Quantity>\
         <Items>{items}</Items></Paths><CallerReference>{reference}</CallerReference></InvalidationBatch>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_batch_has_the_documented_form_and_escapes_paths() {
        let paths = ["/index.html".to_owned(), "/a&b<c>".to_owned()];
        let expected = "<InvalidationBatch xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\"><Paths><Quantity>2</Quantity>\
                        <Items><Path>/index.html</Path><Path>/a&amp;b&lt;c&gt;</Path></Items></Paths>\
                        <CallerReference>7</CallerReference></InvalidationBatch>";
        assert_eq!(batch(&paths, "7"), expected);
    }
}
