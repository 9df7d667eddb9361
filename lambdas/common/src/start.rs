//! A function's start: logging, its environment, its AWS configuration. What fails here fails before the first
//! event, so a version that cannot start never answers a probe.

use std::process::ExitCode;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::{
    Builder as HttpClient,
    tls::{self, rustls_provider::CryptoMode},
};
use contract::{Function, FunctionName};
use lambda_runtime::Error;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::telemetry;

/// What a function has once it is started.
#[derive(Debug)]
pub struct Started<E> {
    /// The environment its contract promises.
    pub environment: E,
    /// Region, credentials, endpoint and TLS for every AWS client.
    pub aws: SdkConfig,
}

/// Why a function could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A variable is missing.
    #[error("failed to read the environment of {function}")]
    Environment {
        /// The function.
        function: FunctionName,
        /// Which variable, and why.
        #[source]
        source: serde_json::Error,
    },
    /// The asynchronous runtime could not be built.
    #[error("failed to build the asynchronous runtime")]
    Runtime(#[source] std::io::Error),
}

/// A function's `main`: starts it and hands over to `serve`, which runs until the instance ends.
///
/// One thread, because an instance handles one event at a time.
pub fn start<F>(serve: impl AsyncFnOnce(Started<F>) -> Result<(), Error>) -> ExitCode
where
    F: Function + DeserializeOwned,
{
    telemetry::initialize(F::NAME.system);
    match run::<F>(serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let chain = telemetry::chain(error.as_ref());
            tracing::error!(function = %F::NAME, error = chain, "failed");
            ExitCode::FAILURE
        }
    }
}

fn run<F>(serve: impl AsyncFnOnce(Started<F>) -> Result<(), Error>) -> Result<(), Error>
where
    F: Function + DeserializeOwned,
{
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let environment = environment::<F>(variables)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Runtime)?;
    runtime.block_on(async { serve(Started { environment, aws: aws().await }).await })
}

/// The contract's environment, read from `variables`. Others are ignored: Lambda sets many of its own.
fn environment<F>(variables: impl Iterator<Item = (String, String)>) -> Result<F, StartError>
where
    F: Function + DeserializeOwned,
{
    let variables: Map<String, Value> = variables.map(|(name, value)| (name, Value::String(value))).collect();
    serde_json::from_value(Value::Object(variables))
        .map_err(|source| StartError::Environment { function: F::NAME, source })
}

async fn aws() -> SdkConfig {
    let http = HttpClient::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build_https();
    aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http).load().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notes::List;

    fn variables(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn the_environment_is_the_contracts() {
        let all = [
            ("NOTES_BUCKET", "notes"),
            ("ALLOWED_ORIGINS", "https://www.example.com"),
            ("PUBLIC_S3_ENDPOINT", "http://127.0.0.1:4566"),
            ("AWS_LAMBDA_FUNCTION_NAME", "something Lambda sets"),
        ];
        let expected = List {
            notes_bucket: "notes".to_owned(),
            allowed_origins: "https://www.example.com".to_owned(),
            public_s3_endpoint: Some("http://127.0.0.1:4566".to_owned()),
        };
        assert_eq!(environment::<List>(variables(&all)).expect("complete"), expected);
        let without_optional = environment::<List>(variables(&all[..2])).expect("complete");
        assert_eq!(without_optional.public_s3_endpoint, None);
    }

    #[test]
    fn a_missing_variable_is_named() {
        let error = environment::<List>(variables(&[("ALLOWED_ORIGINS", "")])).expect_err("incomplete");
        assert_eq!(
            telemetry::chain(&error),
            "failed to read the environment of notes-list: missing field `NOTES_BUCKET`"
        );
    }
}
