//! SNS: notifications, and the account's limit of SMS.

use aws_call::{Call, services::NOTIFICATIONS};

use super::{AwsError, Clients, Resource, error::failed};

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
        let sent = self.send(region, call).await;
        sent.map(drop).map_err(failed("sns:Publish", Resource::named("topic", topic)))
    }

    /// Returns the most USD that the account spends on SMS in a region and a month; `None` if no limit is set. `None` as
    /// region is the stage's.
    ///
    /// Without a limit, SNS sends up to the account's quota (SNS API reference, `SetSMSAttributes`).
    pub(crate) async fn sms_spend_limit(&self, region: Option<&str>) -> Result<Option<String>, AwsError> {
        let parameters = [("attributes.member.1", SPEND_LIMIT)];
        let call = Call::query(NOTIFICATIONS, VERSION, "GetSMSAttributes", &parameters);
        let body = self
            .send(region, call)
            .await
            .map_err(failed("sns:GetSMSAttributes", Resource::named("attribute", SPEND_LIMIT)))?;
        // The response has an entry with key and value for the one attribute, or none.
        Ok(aws_call::element(&String::from_utf8_lossy(&body), "value").filter(|limit| !limit.is_empty()))
    }
}

/// The attribute with the limit.
const SPEND_LIMIT: &str = "MonthlySpendLimit";

#[cfg(test)]
mod tests {
    use crate::aws::scripted::{Endpoint, Received};

    async fn limit(entries: &'static str) -> Option<String> {
        let endpoint = Endpoint::serve(move |request: &Received| {
            assert!(request.is("GetSMSAttributes") && request.body.contains("MonthlySpendLimit"), "{request:?}");
            let body = format!(
                "<GetSMSAttributesResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><GetSMSAttributesResult>\
                 <attributes>{entries}</attributes></GetSMSAttributesResult></GetSMSAttributesResponse>"
            );
            (200, body)
        });
        endpoint.await.clients().await.sms_spend_limit(None).await.expect("attributes")
    }

    #[tokio::test]
    async fn the_limit_of_sms_is_read() {
        let entry = "<entry><key>MonthlySpendLimit</key><value>20</value></entry>";
        assert_eq!(limit(entry).await.as_deref(), Some("20"));
        assert_eq!(limit("").await, None);
    }
}
