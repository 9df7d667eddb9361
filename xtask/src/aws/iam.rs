//! IAM: may the caller do what a deploy needs? Asked before anything is touched.

use aws_sdk_iam::{Client, types::PolicyEvaluationDecisionType};

use super::{AwsError, Clients, error::failed};

impl Clients {
    /// Those of `actions` that the caller's policies do not allow, by policy simulation.
    ///
    /// Simulation sees identity policies and permission boundaries, not what an organization forbids; an empty
    /// answer is no promise.
    ///
    /// # Errors
    ///
    /// When the caller may not simulate, which is common, or the call fails.
    pub async fn denied(&self, caller_arn: &str, actions: &[&str]) -> Result<Vec<String>, AwsError> {
        let client = Client::new(self.config());
        let request = client
            .simulate_principal_policy()
            .policy_source_arn(caller_arn)
            .set_action_names(Some(actions.iter().map(|action| (*action).to_owned()).collect()));
        let simulated = request.send().await.map_err(|error| failed("iam:SimulatePrincipalPolicy", error))?;
        Ok(simulated
            .evaluation_results()
            .iter()
            .filter(|result| *result.eval_decision() != PolicyEvaluationDecisionType::Allowed)
            .map(|result| result.eval_action_name().to_owned())
            .collect())
    }
}
