//! SNS: telling people.

use super::{AwsError, Clients, error::failed};

impl Clients {
    /// Sends a message to all that have subscribed to a topic in a region; `None` is the stage's. The subject is for e-mails: less
    /// than a hundred characters of ASCII, in one line (SNS API reference, `Publish`).
    ///
    /// # Errors
    ///
    /// When the call fails.
    pub async fn publish(
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
