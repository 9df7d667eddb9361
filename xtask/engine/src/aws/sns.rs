//! SNS: notifications.

use super::{AwsError, Clients, error::failed};

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
        let client = aws_sdk_sns::Client::new(&self.config_in(region));
        let request = client.publish().topic_arn(topic).subject(subject).message(message);
        request.send().await.map_err(|error| failed("sns:Publish", error))?;
        Ok(())
    }
}
