//! The function's settings, from its environment.

use std::fmt;

use portfolio_contract::Api;

/// Names, addresses and the accepted issuer.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// The table.
    pub(crate) table: String,
    /// The user pool.
    pub(crate) pool: String,
    /// The client of the user pool.
    pub(crate) client: String,
    /// The accepted issuer of tokens.
    pub(crate) issuer: String,
    /// The address of the user pool's public keys.
    pub(crate) keys_url: String,
    /// The stage.
    pub(crate) stage: String,
    /// Comma-separated origins that get CORS headers.
    pub(crate) origins: String,
    /// The most requests to sign-in routes in a minute, of each address.
    pub(crate) sign_in_per_minute: u32,
    /// The name of the parameter with the salt.
    pub(crate) salt_parameter: String,
    /// The salt itself, for stages without SecureString parameters.
    pub(crate) salt: Option<String>,
    /// The address of DynamoDB, if it is not the SDK's default.
    pub(crate) dynamodb_endpoint: Option<String>,
    /// The address of Cognito, if it is not the SDK's default.
    pub(crate) cognito_endpoint: Option<String>,
}

impl Settings {
    /// Reads the environment. `endpoint` is the address of an emulator of all services.
    ///
    /// # Errors
    /// When a variable is invalid.
    pub fn new(environment: Api, endpoint: Option<&str>) -> Result<Self, SettingsError> {
        let per_minute = environment.sign_in_per_minute.parse().ok().filter(|number: &u32| *number > 0);
        let sign_in_per_minute = per_minute.ok_or(SettingsError::Number("SIGN_IN_PER_MINUTE"))?;
        let pool = environment.cognito_user_pool_id;
        // Amazon Cognito Developer Guide, "Verifying JSON web tokens".
        let issuer = environment
            .cognito_issuer
            .unwrap_or_else(|| format!("https://cognito-idp.{}.amazonaws.com/{pool}", environment.cognito_region));
        // An emulator issues tokens with AWS's issuer, but serves their keys itself.
        let cognito = environment.cognito_endpoint.as_deref().or(endpoint);
        let below = cognito.map_or_else(|| issuer.clone(), |url| format!("{}/{pool}", url.trim_end_matches('/')));
        Ok(Self {
            table: environment.dynamodb_table_name,
            client: environment.cognito_client_id,
            keys_url: environment.jwks_url.unwrap_or_else(|| format!("{below}/.well-known/jwks.json")),
            stage: environment.environment,
            origins: environment.cors_origins,
            salt_parameter: environment.visitor_salt_param,
            salt: environment.visitor_salt.filter(|salt| !salt.is_empty()),
            dynamodb_endpoint: environment.dynamodb_endpoint,
            cognito_endpoint: environment.cognito_endpoint,
            sign_in_per_minute,
            issuer,
            pool,
        })
    }
}

/// An invalid environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A variable is not a positive number.
    #[error("{0} must be a positive number")]
    Number(&'static str),
}

impl fmt::Debug for Settings {
    /// Without the salt.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Settings")
            .field("table", &self.table)
            .field("pool", &self.pool)
            .field("issuer", &self.issuer)
            .field("keys_url", &self.keys_url)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::environment;

    fn read(environment: Api, endpoint: Option<&str>) -> Settings {
        Settings::new(environment, endpoint).expect("valid")
    }

    #[test]
    fn on_aws_the_pool_determines_issuer_and_keys() {
        let settings = read(environment(), None);
        assert_eq!(settings.issuer, "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_test");
        assert_eq!(settings.keys_url, format!("{}/.well-known/jwks.json", settings.issuer));
        assert_eq!(settings.dynamodb_endpoint, None);
    }

    #[test]
    fn an_emulator_serves_the_keys_of_awss_issuer() {
        let settings = read(environment(), Some("http://127.0.0.1:4566/"));
        assert_eq!(settings.issuer, "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_test");
        assert_eq!(settings.keys_url, "http://127.0.0.1:4566/eu-central-1_test/.well-known/jwks.json");
    }

    #[test]
    fn explicit_settings_take_precedence() {
        let environment = Api {
            cognito_issuer: Some("http://issuer.test/pool".to_owned()),
            cognito_endpoint: Some("http://cognito.test".to_owned()),
            jwks_url: Some("http://keys.test/jwks.json".to_owned()),
            ..environment()
        };
        let settings = read(environment.clone(), Some("http://127.0.0.1:4566"));
        assert_eq!(settings.issuer, "http://issuer.test/pool");
        assert_eq!(settings.keys_url, "http://keys.test/jwks.json");
        let settings = read(Api { jwks_url: None, ..environment }, Some("http://127.0.0.1:4566"));
        assert_eq!(settings.keys_url, "http://cognito.test/eu-central-1_test/.well-known/jwks.json");
    }

    #[test]
    fn the_salt_is_not_printed() {
        let environment = Api { visitor_salt: Some("secret-salt".to_owned()), ..environment() };
        assert!(!format!("{:?}", read(environment, None)).contains("secret-salt"));
    }

    #[test]
    fn the_limit_of_sign_in_routes_is_a_positive_number() {
        for wrong in ["", "0", "-1", "many"] {
            let environment = Api { sign_in_per_minute: wrong.to_owned(), ..environment() };
            let error = Settings::new(environment, None).expect_err("invalid").to_string();
            assert_eq!(error, "SIGN_IN_PER_MINUTE must be a positive number", "{wrong}");
        }
    }
}
