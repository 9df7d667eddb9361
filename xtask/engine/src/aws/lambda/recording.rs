//! A version of a function for a while: with other environment variables, behind the alias that callers use.

use std::collections::BTreeMap;

use super::{
    super::{AwsError, error::failed},
    Lambda,
};

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
        let request = self.client.get_function_configuration().function_name(function).qualifier(qualifier);
        let output = request.send().await.map_err(|error| failed("lambda:GetFunctionConfiguration", error))?;
        let variables = output.environment().and_then(|environment| environment.variables()).into_iter().flatten();
        Ok(variables.map(|(name, value)| (name.clone(), value.clone())).collect())
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
        request.send().await.map_err(|error| failed("lambda:UpdateFunctionConfiguration", error))?;
        Ok(())
    }
}
