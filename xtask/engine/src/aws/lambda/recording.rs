//! A version of a function for a while: with other environment variables, behind the alias that callers use.
//!
//! A recording that was killed leaves traces, which both the next recording and the next release must recognize.

use std::collections::BTreeMap;

use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;

use super::{
    super::{AwsError, Resource, error::failed},
    Lambda,
};

/// The description of a recording's version.
pub(crate) const RECORDING: &str = "records calls for check-rights";
/// The variable of a recording's version that names the version which the alias pointed to before. `$LATEST` has it for a moment.
pub(crate) const RECORDED_VERSION: &str = "XTASK_RECORDED_VERSION";

impl Lambda {
    /// Reads the environment variables of a version or of the version that an alias points to.
    ///
    /// # Errors
    ///
    /// When there is no such function, version or alias, or the call fails. The values may be secret.
    pub(crate) async fn environment(
        &self,
        function: &str,
        qualifier: &str,
    ) -> Result<BTreeMap<String, String>, AwsError> {
        Ok(variables(&self.configuration(function, qualifier).await?))
    }

    /// Returns the version that the alias pointed to before a recording published this version; `None` if no recording published it.
    ///
    /// The variable alone proves nothing: a deploy may have published `$LATEST` while it had the variables of a killed recording.
    ///
    /// # Errors
    ///
    /// See [`Self::environment`].
    pub(crate) async fn before_recording(&self, function: &str, version: &str) -> Result<Option<String>, AwsError> {
        let found = self.configuration(function, version).await?;
        let is_recording = found.description() == Some(RECORDING);
        Ok(variables(&found).remove(RECORDED_VERSION).filter(|_| is_recording))
    }

    /// Returns the environment variables that `$LATEST` had before a recording was killed; `None` if no recording has changed them.
    ///
    /// # Errors
    ///
    /// See [`Self::environment`].
    pub(crate) async fn variables_before_recording(
        &self,
        function: &str,
    ) -> Result<Option<BTreeMap<String, String>>, AwsError> {
        match self.environment(function, "$LATEST").await?.get(RECORDED_VERSION) {
            Some(before) => self.environment(function, before).await.map(Some),
            None => Ok(None),
        }
    }

    /// Replaces the environment variables of `$LATEST`.
    pub(crate) async fn set_environment(
        &self,
        function: &str,
        variables: &BTreeMap<String, String>,
    ) -> Result<(), AwsError> {
        let variables = variables.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let environment = aws_sdk_lambda::types::Environment::builder().set_variables(Some(variables)).build();
        let request = self.client.update_function_configuration().function_name(function).environment(environment);
        let update = async || {
            request
                .clone()
                .send()
                .await
                .map_err(failed("lambda:UpdateFunctionConfiguration", Resource::function(function)))
        };
        self.when_settled(function, update).await.map(drop)
    }

    async fn configuration(&self, function: &str, qualifier: &str) -> Result<GetFunctionConfigurationOutput, AwsError> {
        let request = self.client.get_function_configuration().function_name(function).qualifier(qualifier);
        request.send().await.map_err(failed("lambda:GetFunctionConfiguration", Resource::version(function, qualifier)))
    }
}

fn variables(found: &GetFunctionConfigurationOutput) -> BTreeMap<String, String> {
    let variables = found.environment().and_then(|environment| environment.variables()).into_iter().flatten();
    variables.map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::scripted::{Endpoint, Received};

    /// Lambda with a version 7 that was deployed, a version 8 with this description, and the variables of a killed recording.
    async fn killed(description: &'static str) -> Endpoint {
        Endpoint::serve(move |request: &Received| {
            let body = if request.target.contains("Qualifier=7") {
                r#"{"Version":"7","Environment":{"Variables":{"TABLE":"notes"}}}"#.to_owned()
            } else {
                let variables = format!(r#"{{"{RECORDED_VERSION}":"7","AWS_ENDPOINT_URL_S3":"http://127.0.0.1:9"}}"#);
                format!(r#"{{"Description":"{description}","Environment":{{"Variables":{variables}}}}}"#)
            };
            (200, body)
        })
        .await
    }

    #[tokio::test]
    async fn only_its_description_makes_a_version_one_of_a_recording() {
        let lambda = killed(RECORDING).await.clients().await.lambda();
        assert_eq!(lambda.before_recording("f", "8").await.expect("read").as_deref(), Some("7"));
        assert_eq!(lambda.before_recording("f", "7").await.expect("read"), None);
        let deployed = killed("xtask 0.1.0").await.clients().await.lambda();
        assert_eq!(deployed.before_recording("f", "8").await.expect("read"), None);
    }

    #[tokio::test]
    async fn the_variables_before_a_killed_recording_are_those_of_the_version_before() {
        let lambda = killed("").await.clients().await.lambda();
        let before = lambda.variables_before_recording("f").await.expect("read");
        assert_eq!(before, Some([("TABLE".to_owned(), "notes".to_owned())].into()));
    }
}
