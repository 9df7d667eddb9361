//! STS: who calls.

use crate::{
    account::Account,
    wire::{Call, Element, Handled, Refusal, Reply},
};

/// The name of the role that every process has assumed.
pub const ROLE: &str = "deployer";

/// Carries out a call.
pub(crate) fn handle(account: &Account, call: &Call) -> Handled {
    match call.operation.as_str() {
        // STS API reference, `GetCallerIdentity`.
        "GetCallerIdentity" => Ok(Reply::query(
            "GetCallerIdentity",
            [
                Element::text("UserId", "AROASIMULATED:session"),
                Element::text("Account", &account.id),
                Element::text("Arn", format!("arn:aws:sts::{}:assumed-role/{ROLE}/session", account.id)),
            ],
        )),
        _ => Err(Refusal::unknown(call)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_sdk_sts::{Client, error::ProvideErrorMetadata};

    use crate::{
        Aws, Settings,
        faults::{Attempt, Fault},
        testing::{config, patient},
    };

    #[tokio::test(start_paused = true)]
    async fn the_caller_is_a_role_of_the_account() {
        let aws = Aws::new(Settings::default());
        let found = Client::new(&config(&aws)).get_caller_identity().send().await.expect("an identity");
        assert_eq!(found.account(), Some("123456789012"));
        assert_eq!(found.arn(), Some("arn:aws:sts::123456789012:assumed-role/deployer/session"));
        let elapsed = aws.now().elapsed();
        assert!(elapsed >= Duration::from_millis(20) && elapsed < Duration::from_millis(100), "{elapsed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn lost_and_throttled_calls_are_repeated_by_the_sdk() {
        let aws = Aws::new(Settings::default());
        let faults =
            [Some(Fault::Reset), Some(Fault::Throttled), Some(Fault::LostResponse), Some(Fault::ServerError), None];
        aws.set_faults(move |attempt: &Attempt<'_>, _: &mut _| {
            usize::try_from(attempt.number).ok().and_then(|number| faults.get(number).copied().flatten())
        });
        Client::new(&patient(&aws)).get_caller_identity().send().await.expect("an identity");
        let statuses: Vec<_> = aws.take_record().iter().map(|call| call.status).collect();
        assert_eq!(statuses, [None, Some(400), Some(200), Some(500), Some(200)]);
    }

    #[tokio::test(start_paused = true)]
    async fn expired_credentials_are_refused_with_their_code() {
        let aws = Aws::new(Settings::default());
        aws.set_faults(|_: &Attempt<'_>, _: &mut _| Some(Fault::ExpiredCredentials));
        let error = Client::new(&config(&aws)).get_caller_identity().send().await.expect_err("refused");
        assert_eq!(error.into_service_error().code(), Some("ExpiredToken"));
    }

    #[tokio::test(start_paused = true)]
    async fn more_calls_than_the_rate_are_throttled() {
        let rates = |_: &str, operation: &str| Some(crate::aws::Rate { name: operation.to_owned(), per_second: 2.0 });
        let aws = Aws::new(Settings { rates: Some(std::sync::Arc::new(rates)), ..Settings::default() });
        let client = Client::new(&config(&aws));
        let calls = (0..3).map(|_| client.get_caller_identity().send());
        let answers = futures_util::future::join_all(calls).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 2);
        tokio::time::sleep(Duration::from_secs(1)).await;
        client.get_caller_identity().send().await.expect("the bucket is full again");
    }
}
