//! What the handlers share. Clients are made when a request first needs them: most need one, some none.

use std::sync::{Arc, OnceLock};

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::{SharedHttpClient, http_client_fn};
use jiff::Timestamp;
use tokio::sync::OnceCell;

use crate::{
    metrics::Metrics, pool::Pool, salt::SaltError, settings::Settings, store::Table, time::Clock, token::Verifier,
};

/// Everything a handler may need.
#[derive(Debug)]
pub struct App {
    /// What the environment says.
    pub settings: Settings,
    /// Checks tokens.
    pub(crate) verifier: Verifier,
    /// Counts sign-ins.
    pub metrics: Metrics,
    clock: Clock,
    aws: SdkConfig,
    table: OnceLock<Table>,
    pool: OnceLock<Pool>,
    salt: OnceCell<String>,
}

/// As handlers get it.
pub type Shared = axum::extract::State<Arc<App>>;

impl App {
    /// Nothing is asked of AWS yet.
    #[must_use]
    pub fn new(settings: Settings, aws: SdkConfig) -> Self {
        let metrics = Metrics::to_stdout(&settings.stage);
        Self::with(settings, aws, metrics, Timestamp::now)
    }

    /// The same with a clock of one's own, and counts that go elsewhere.
    #[must_use]
    pub fn with(settings: Settings, aws: SdkConfig, metrics: Metrics, clock: Clock) -> Self {
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
            salt: OnceCell::new(),
        }
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> &Table {
        self.table.get_or_init(|| {
            let mut config = aws_sdk_dynamodb::config::Builder::from(&self.aws);
            config.set_endpoint_url(self.settings.dynamodb_endpoint.clone().or(self.endpoint()));
            Table::new(aws_sdk_dynamodb::Client::from_conf(config.build()), &self.settings.table)
        })
    }

    /// The user pool.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        self.pool.get_or_init(|| {
            let mut config = aws_sdk_cognitoidentityprovider::config::Builder::from(&self.aws);
            config.set_endpoint_url(self.settings.cognito_endpoint.clone().or(self.endpoint()));
            let client = aws_sdk_cognitoidentityprovider::Client::from_conf(config.build());
            Pool::new(client, &self.settings.pool, &self.settings.client)
        })
    }

    /// The salt of visitors' anonymous ids, read once.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub async fn salt(&self) -> Result<&str, SaltError> {
        if let Some(salt) = &self.settings.salt {
            return Ok(salt);
        }
        let read = async || {
            let parameters = aws_sdk_ssm::Client::new(&self.aws);
            let request = parameters.get_parameter().name(&self.settings.salt_parameter).with_decryption(true);
            let answer = request.send().await.map_err(|error| SaltError::Read(Box::new(error)))?;
            answer
                .parameter
                .and_then(|parameter| parameter.value)
                .filter(|salt| !salt.is_empty())
                .ok_or(SaltError::Empty)
        };
        self.salt.get_or_try_init(read).await.map(String::as_str)
    }

    fn endpoint(&self) -> Option<String> {
        self.aws.endpoint_url().map(str::to_owned)
    }
}

/// A configuration without HTTP, which `common::start` never makes, can fetch nothing.
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
