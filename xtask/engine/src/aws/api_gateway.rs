//! API Gateway: the routes that a stage serves.
//!
//! An API that changes without a new deployment still serves its old routes, although its stack is up to date.

use std::collections::BTreeSet;

use super::{AwsError, Clients, Resource, error::failed};

impl Clients {
    /// Lists the routes in the deployment of an API's stage, as `METHOD /path`, without `OPTIONS`.
    pub(crate) async fn deployed_routes(&self, api: &str, stage: &str) -> Result<BTreeSet<String>, AwsError> {
        let client = client!(aws_sdk_apigateway, self, None);
        let resource = || Resource::named(&format!("stage {stage} of API"), api);
        let request = client.get_stage().rest_api_id(api).stage_name(stage);
        let found = request.send().await.map_err(failed("apigateway:GetStage", resource()))?;
        let request = client.get_deployment().rest_api_id(api).deployment_id(found.deployment_id().unwrap_or_default());
        let deployment =
            request.embed("apisummary").send().await.map_err(failed("apigateway:GetDeployment", resource()))?;
        let summary = deployment.api_summary().into_iter().flatten();
        Ok(summary
            .flat_map(|(path, methods)| methods.keys().map(move |method| format!("{method} {path}")))
            .filter(|route| !route.starts_with("OPTIONS "))
            .collect())
    }
}
