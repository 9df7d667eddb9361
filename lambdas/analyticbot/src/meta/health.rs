//! The parts of the system: three tables and a key. Results are kept for some seconds, so that callers of the public route cannot exhaust
//! the limits of the services.

use std::time::{Duration, Instant};

use analyticbot_contract::Meta;
use aws_call::{
    Call,
    services::{DYNAMODB, KEYS},
};
use aws_config::SdkConfig;
use common::telemetry;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::openapi;
use crate::wire::{Checks, Health, HealthStatus};

/// The age of a result that is used again.
const FRESH: Duration = Duration::from_secs(5);
/// The longest time that one part may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Parts {
    aws: SdkConfig,
    environment: Meta,
    last: Mutex<Option<(Instant, Checks)>>,
}

impl Parts {
    pub(super) fn new(environment: Meta, aws: &SdkConfig) -> Self {
        Self { aws: aws.clone(), environment, last: Mutex::new(None) }
    }

    pub(super) async fn health(&self) -> Health {
        let checks = self.checks().await;
        let Checks { users, bots, kms } = checks;
        Health {
            status: all([users, bots, kms]),
            version: openapi::VERSION.to_owned(),
            stage: self.environment.stage.clone(),
            checks,
        }
    }

    async fn checks(&self) -> Checks {
        let mut last = self.last.lock().await;
        if let Some((_, checks)) = last.filter(|(checked, _)| checked.elapsed() < FRESH) {
            return checks;
        }
        let Meta { users_table, user_bot_credentials_table, admin_bot_actions_table, .. } = &self.environment;
        let (users, bots, actions, kms) = tokio::join!(
            self.table(users_table),
            self.table(user_bot_credentials_table),
            self.table(admin_bot_actions_table),
            self.key(),
        );
        let checks = Checks { users, bots: all([bots, actions]), kms };
        *last = Some((Instant::now(), checks));
        checks
    }

    async fn table(&self, name: &str) -> HealthStatus {
        let call = Call::json(DYNAMODB, "DescribeTable", &json!({ "TableName": name }));
        // A table whose settings are changed is `UPDATING` and available (DynamoDB API reference, `TableDescription`).
        self.check(name, call, |answer| matches!(answer["Table"]["TableStatus"].as_str(), Some("ACTIVE" | "UPDATING")))
            .await
    }

    async fn key(&self) -> HealthStatus {
        let call = Call::json(KEYS, "DescribeKey", &json!({ "KeyId": self.environment.kms_key_id }));
        self.check("the key", call, |answer| answer["KeyMetadata"]["KeyState"] == "Enabled").await
    }

    async fn check(&self, part: &str, call: Call, is_available: fn(&Value) -> bool) -> HealthStatus {
        let error = match tokio::time::timeout(PATIENCE, call.receive::<Value>(&self.aws)).await {
            Ok(Ok(answer)) if is_available(&answer) => return HealthStatus::Healthy,
            Ok(Ok(_)) => "it is not in service".to_owned(),
            Ok(Err(error)) => telemetry::chain(&error),
            Err(_) => format!("it did not answer within {PATIENCE:?}"),
        };
        tracing::error!(part, error, "a part of the system is not available");
        HealthStatus::Degraded
    }
}

fn all<const N: usize>(parts: [HealthStatus; N]) -> HealthStatus {
    match parts.iter().all(|part| *part == HealthStatus::Healthy) {
        true => HealthStatus::Healthy,
        false => HealthStatus::Degraded,
    }
}
