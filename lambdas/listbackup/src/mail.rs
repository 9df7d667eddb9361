//! Mails, sent by Simple Email Service. A mail that cannot be sent fails no request.

use std::time::Duration;

use aws_call::{Call, CallError, services::EMAIL};
use aws_config::SdkConfig;
use common::telemetry;

/// The version of the service's query API (Amazon SES API v1 reference, "SendEmail").
const VERSION: &str = "2010-12-01";

/// The most time for a mail: a client waits for the response meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);

/// A mail of plain text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mail<'a> {
    pub(crate) to: &'a str,
    pub(crate) subject: &'a str,
    pub(crate) text: &'a str,
}

/// Sends mails from one address.
#[derive(Debug, Clone)]
pub(crate) struct Mailer {
    aws: SdkConfig,
    /// `None` sends no mails.
    from: Option<String>,
}

impl Mailer {
    pub(crate) fn new(aws: SdkConfig, from: Option<String>) -> Self {
        Self { aws, from: from.filter(|from| !from.is_empty()) }
    }

    /// Whether the stage has a sender.
    pub(crate) const fn is_enabled(&self) -> bool {
        self.from.is_some()
    }

    /// Sends a mail if the stage has a sender. A failure is logged, without the receiver.
    pub(crate) async fn send(&self, mail: Mail<'_>) {
        let Some(from) = &self.from else { return };
        let error = match tokio::time::timeout(PATIENCE, self.call(from, mail)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => telemetry::chain(&error),
            Err(_) => format!("the service did not answer within {PATIENCE:?}"),
        };
        tracing::warn!(error, subject = mail.subject, "failed to send a mail");
    }

    async fn call(&self, from: &str, mail: Mail<'_>) -> Result<(), CallError> {
        let parameters = [
            ("Source", from),
            ("Destination.ToAddresses.member.1", mail.to),
            ("Message.Subject.Data", mail.subject),
            ("Message.Subject.Charset", "UTF-8"),
            ("Message.Body.Text.Data", mail.text),
            ("Message.Body.Text.Charset", "UTF-8"),
        ];
        Call::query(EMAIL, VERSION, "SendEmail", &parameters).send(&self.aws).await.map(drop)
    }
}
