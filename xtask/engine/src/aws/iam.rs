//! IAM: may the caller do what a deploy needs, and whose tokens does the account trust? Asked before anything is touched.

use std::collections::BTreeSet;

use aws_sdk_iam::{Client, types::PolicyEvaluationDecisionType};

use super::{AwsError, Clients, error::failed};

impl Clients {
    /// The issuers, `https://` left out, that the account has an OIDC provider for.
    ///
    /// # Errors
    ///
    /// When the caller may not ask, or the call fails.
    pub async fn oidc_issuers(&self) -> Result<BTreeSet<String>, AwsError> {
        let request = Client::new(self.config()).list_open_id_connect_providers();
        let listed = request.send().await.map_err(|error| failed("iam:ListOpenIDConnectProviders", error))?;
        // An ARN ends in the issuer: `…:oidc-provider/token.actions.githubusercontent.com`.
        let arns = listed.open_id_connect_provider_list().iter().filter_map(|provider| provider.arn());
        Ok(arns.filter_map(|arn| Some(arn.split_once(":oidc-provider/")?.1.to_owned())).collect())
    }

    /// Those of `actions` that the policies of `identity` do not allow on each of `resources`, by policy simulation, as
    /// `action on resource`.
    ///
    /// Simulation sees identity policies and permission boundaries, neither what an organization forbids nor the
    /// values of condition keys: an empty answer is no promise, and another one is a warning.
    ///
    /// # Errors
    ///
    /// When the caller may not simulate, which is common, or the call fails.
    pub async fn denied(
        &self,
        identity: &str,
        actions: &[&str],
        resources: &[String],
    ) -> Result<Vec<String>, AwsError> {
        let client = Client::new(self.config());
        let request = client
            .simulate_principal_policy()
            .policy_source_arn(identity)
            .set_action_names(Some(actions.iter().map(|action| (*action).to_owned()).collect()))
            .set_resource_arns(Some(resources.to_vec()));
        let results = request.into_paginator().items().send().try_collect().await;
        Ok(results
            .map_err(|error| failed("iam:SimulatePrincipalPolicy", error))?
            .iter()
            .filter(|result| *result.eval_decision() != PolicyEvaluationDecisionType::Allowed)
            .map(|result| {
                let resource = result.eval_resource_name().unwrap_or("*");
                format!("{} on {resource}", result.eval_action_name())
            })
            .collect())
    }
}
