//! The state of the handlers. Clients are created on first use: most requests need one, some none.

use std::sync::{Arc, OnceLock};

use aws_call::{Call, services::SYSTEMS_MANAGER};
use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::{SharedHttpClient, http_client_fn};
use common::limits::{CounterTable, Counters, Subjects};
use jiff::Timestamp;
use portfolio_contract::TIME_TO_LIVE;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::{
    metrics::Metrics, pool::Pool, salt::SaltError, settings::Settings, store::Table, time::Clock, token::Verifier,
};

/// Settings, clients and clock of the handlers.
#[derive(Debug)]
pub struct App {
    /// The settings from the environment.
    pub(crate) settings: Settings,
    pub(crate) verifier: Verifier,
    pub(crate) metrics: Metrics,
    clock: Clock,
    aws: SdkConfig,
    table: OnceLock<Table>,
    pool: OnceLock<Pool>,
    counters: OnceLock<Counters>,
    salt: OnceCell<String>,
}

pub(crate) type Shared = axum::extract::State<Arc<App>>;

impl App {
    /// Creates the state without any call to AWS.
    #[must_use]
    pub fn new(settings: Settings, aws: SdkConfig) -> Self {
        let metrics = Metrics::to_stdout(&settings.stage);
        Self::with(settings, aws, metrics, Timestamp::now)
    }

    /// Creates the state with these metrics and this clock.
    pub(crate) fn with(settings: Settings, aws: SdkConfig, metrics: Metrics, clock: Clock) -> Self {
        let http = aws.http_client().unwrap_or_else(no_http);
        let verifier = Verifier::new(&settings.issuer, &settings.client, &settings.keys_url, http);
        Self {
            settings,
            verifier,
            metrics,
            clock,
            aws,
            table: OnceLock::new(),
            pool: OnceLock::new(),
            counters: OnceLock::new(),
            salt: OnceCell::new(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(crate) fn table(&self) -> &Table {
        self.table.get_or_init(|| {
            let mut config = aws_sdk_dynamodb::config::Builder::from(&self.aws);
            // Without it, the client has the endpoint of the environment.
            if let Some(endpoint) = &self.settings.dynamodb_endpoint {
                config.set_endpoint_url(Some(endpoint.clone()));
            }
            Table::new(aws_sdk_dynamodb::Client::from_conf(config.build()), &self.settings.table)
        })
    }

    pub(crate) fn pool(&self) -> &Pool {
        self.pool.get_or_init(|| {
            let mut config = self.aws.to_builder();
            if let Some(endpoint) = &self.settings.cognito_endpoint {
                config.set_endpoint_url(Some(endpoint.clone()));
            }
            Pool::new(config.build(), &self.settings.pool, &self.settings.client)
        })
    }

    /// Returns the counters of sign-in routes, which are items of the table.
    pub(crate) fn counters(&self) -> &Counters {
        self.counters.get_or_init(|| {
            let mut aws = self.aws.clone().into_builder();
            if let Some(endpoint) = &self.settings.dynamodb_endpoint {
                aws.set_endpoint_url(Some(endpoint.clone()));
            }
            let name = self.settings.table.clone();
            let table = CounterTable { name, partition: "PK", sort: Some("SK"), expires: TIME_TO_LIVE };
            Counters::new(table, aws.build(), self.settings.sign_in_per_minute)
        })
    }

    /// Returns the pseudonyms of addresses and accounts in counters: the table stores neither.
    pub(crate) async fn subjects(&self) -> Result<Subjects, SaltError> {
        Ok(Subjects::new(self.salt().await?.as_bytes()))
    }

    /// Returns the salt of visitors' anonymous IDs, which is read once.
    pub(crate) async fn salt(&self) -> Result<&str, SaltError> {
        if let Some(salt) = &self.settings.salt {
            return Ok(salt);
        }
        let read = async || {
            let input = json!({ "Name": self.settings.salt_parameter, "WithDecryption": true });
            let call = Call::json(SYSTEMS_MANAGER, "GetParameter", &input);
            let answer: Value = call.receive(&self.aws).await.map_err(|error| SaltError::Read(Box::new(error)))?;
            let salt = answer["Parameter"]["Value"].as_str().filter(|salt| !salt.is_empty());
            salt.map(str::to_owned).ok_or(SaltError::Empty)
        };
        self.salt.get_or_try_init(read).await.map(String::as_str)
    }
}

/// An HTTP client that always fails, for a configuration without one, which `common::start` never creates.
fn no_http() -> SharedHttpClient {
    use aws_smithy_runtime_api::client::{
        http::{HttpConnectorFuture, SharedHttpConnector},
        orchestrator::HttpRequest,
        result::ConnectorError,
    };
    #[derive(Debug)]
    struct Never;
    impl aws_smithy_runtime_api::client::http::HttpConnector for Never {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            HttpConnectorFuture::ready(Err(ConnectorError::user("there is no HTTP client".into())))
        }
    }
    http_client_fn(|_, _| SharedHttpConnector::new(Never))
}
