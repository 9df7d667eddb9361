//! IAM: the caller's permissions and the account's OIDC providers, read before a deploy changes anything.

use std::collections::BTreeSet;

use aws_sdk_iam::types::PolicyEvaluationDecisionType;

use super::{AwsError, Clients, Resource, error::failed};

impl Clients {
    /// Lists the issuers that the account has an OIDC provider for, without `https://`.
    pub(crate) async fn oidc_issuers(&self) -> Result<BTreeSet<String>, AwsError> {
        let request = client!(aws_sdk_iam, self, None).list_open_id_connect_providers();
        let listed =
            request.send().await.map_err(failed("iam:ListOpenIDConnectProviders", Resource::all("OIDC providers")))?;
        // An ARN ends in the issuer: `…:oidc-provider/token.actions.githubusercontent.com`.
        let arns = listed.open_id_connect_provider_list().iter().filter_map(|provider| provider.arn());
        Ok(arns.filter_map(|arn| Some(arn.split_once(":oidc-provider/")?.1.to_owned())).collect())
    }

    /// Simulates the policies of `identity`; returns the denied `actions`, as `action on resource`.
    ///
    /// A simulation knows identity policies and permissions boundaries. It knows neither an organization's policies nor the values of
    /// condition keys, so its result is only good for a warning. Often the caller may not simulate, which is an error.
    pub(crate) async fn denied(
        &self,
        identity: &str,
        actions: &[&str],
        resources: &[String],
    ) -> Result<Vec<String>, AwsError> {
        let client = client!(aws_sdk_iam, self, None);
        let request = client
            .simulate_principal_policy()
            .policy_source_arn(identity)
            .set_action_names(Some(actions.iter().map(|action| (*action).to_owned()).collect()))
            .set_resource_arns(Some(resources.to_vec()));
        let results = request.into_paginator().items().send().try_collect().await;
        Ok(results
            .map_err(failed("iam:SimulatePrincipalPolicy", Resource::named("identity", identity)))?
            .iter()
            .filter(|result| *result.eval_decision() != PolicyEvaluationDecisionType::Allowed)
            .map(|result| {
                let resource = result.eval_resource_name().unwrap_or("*");
                format!("{} on {resource}", result.eval_action_name())
            })
            .collect())
    }
}
