//! SNS: published messages, and the account's limit of SMS.

use crate::{
    account::Account,
    wire::{Call, Element, Handled, Refusal, Reply},
};

const TOPIC: &str = "AWS::SNS::Topic";
/// The attribute with the limit of SMS.
const SPEND_LIMIT: &str = "MonthlySpendLimit";

/// A published message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The ARN of the topic.
    pub topic: String,
    /// The subject.
    pub subject: String,
    /// The text.
    pub text: String,
}

/// Carries out a call.
pub(crate) fn handle(account: &mut Account, call: &Call) -> Handled {
    let form = call.form();
    match call.operation.as_str() {
        // SNS API reference, `Publish`.
        "Publish" => {
            let text = |name: &str| form.get(name).unwrap_or_default().to_owned();
            let message = Message { topic: text("TopicArn"), subject: text("Subject"), text: text("Message") };
            let key = (call.region.clone(), TOPIC.to_owned(), message.topic.clone());
            if !account.bags.contains_key(&key) {
                return Err(Refusal::new(404, "NotFound", "Topic does not exist"));
            }
            // "Must be ASCII text […]; must not include line breaks or control characters; and must be less than 100 characters long."
            let is_valid =
                message.subject.len() < 100 && message.subject.chars().all(|it| it.is_ascii() && !it.is_control());
            if !is_valid {
                return Err(Refusal::bad_request("InvalidParameter", "Invalid parameter: Subject"));
            }
            account.published.push(message);
            Ok(Reply::query("Publish", [Element::text("MessageId", account.chance.uuid())]))
        }
        // SNS API reference, `GetSMSAttributes`: without a limit, the attribute is left out.
        "GetSMSAttributes" => {
            let limit = account.sms_limits.get(&call.region).map(|limit| {
                Element::new("entry").with(Element::text("key", SPEND_LIMIT)).with(Element::text("value", limit))
            });
            Ok(Reply::query("GetSMSAttributes", [Element::new("attributes").with_all(limit)]))
        }
        _ => Err(Refusal::unknown(call)),
    }
}

#[cfg(test)]
mod tests {
    use aws_call::{Call, CallError, services::NOTIFICATIONS};
    use aws_smithy_types::error::metadata::ProvideErrorMetadata;
    use serde_json::json;

    use super::*;
    use crate::{
        Aws, Settings,
        resources::{Wanted, provider},
        testing::config,
    };

    async fn call(aws: &Aws, operation: &'static str, parameters: &[(&str, &str)]) -> Result<String, CallError> {
        let sent = Call::query(NOTIFICATIONS, "2010-03-31", operation, parameters).send(&config(aws)).await?;
        Ok(String::from_utf8(sent).expect("UTF-8"))
    }

    #[tokio::test(start_paused = true)]
    async fn messages_to_existing_topics_are_kept() {
        let aws = Aws::new(Settings::default());
        let properties = json!({ "TopicName": "alarms" });
        let (region, stack, logical_id) = ("eu-west-1", "notes-dev", "Topic");
        let wanted = Wanted { region, stack, logical_id, resource_type: TOPIC, properties: &properties };
        let topic = aws.change(|account| (provider(TOPIC).create)(account, wanted)).expect("created").physical_id;
        let publish = async |topic: &str, subject: &str| {
            call(&aws, "Publish", &[("TopicArn", topic), ("Subject", subject), ("Message", "failed")]).await
        };
        publish(&topic, "deploy").await.expect("published");
        let missing = publish("arn:aws:sns:eu-west-1:123456789012:other", "deploy").await.expect_err("no topic");
        assert_eq!(missing.code(), Some("NotFound"));
        let invalid = publish(&topic, "two\nlines").await.expect_err("invalid");
        assert_eq!(invalid.code(), Some("InvalidParameter"));
        let subjects =
            aws.read(|account| account.published.iter().map(|sent| sent.subject.clone()).collect::<Vec<_>>());
        assert_eq!(subjects, ["deploy"]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_of_sms_is_that_of_the_region() {
        let aws = Aws::new(Settings::default());
        let limit =
            async || call(&aws, "GetSMSAttributes", &[("attributes.member.1", SPEND_LIMIT)]).await.expect("a list");
        assert_eq!(aws_call::element(&limit().await, "value"), None);
        aws.change(|account| account.sms_limits.insert("eu-west-1".to_owned(), "20".to_owned()));
        assert_eq!(aws_call::element(&limit().await, "value").as_deref(), Some("20"));
    }
}
