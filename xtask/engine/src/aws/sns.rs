//! SNS: notifications.

use aws_call::{Call, services::NOTIFICATIONS};

use super::{AwsError, Clients, error::failed};

/// The API's version (SNS API reference).
const VERSION: &str = "2010-03-31";

impl Clients {
    /// Publishes a message to a topic in a region; `None` is the stage's.
    ///
    /// The subject, for e-mails, is one line of less than a hundred ASCII characters (SNS API reference, `Publish`).
    pub(crate) async fn publish(
        &self,
        region: Option<&str>,
        topic: &str,
        subject: &str,
        message: &str,
    ) -> Result<(), AwsError> {
        let parameters = [("TopicArn", topic), ("Subject", subject), ("Message", message)];
        let call = Call::query(NOTIFICATIONS, VERSION, "Publish", &parameters);
        let sent = call.send(&self.config_in(region)).await;
        sent.map(drop).map_err(|error| failed("sns:Publish", error))
    }
}
