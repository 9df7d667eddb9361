//! IAM: the simulation of policies, and the OIDC providers. Roles and policies are property bags: every call is allowed.

use crate::{
    account::Account,
    bags::GLOBAL,
    wire::{Call, Element, Form, Handled, Refusal, Reply},
};

/// The most results of a page (IAM API reference, `SimulatePrincipalPolicy`, `MaxItems`).
const PAGE: usize = 100;
const OIDC_PROVIDER: &str = "AWS::IAM::OIDCProvider";

/// Carries out a call.
pub(crate) fn handle(account: &Account, call: &Call) -> Handled {
    match call.operation.as_str() {
        "SimulatePrincipalPolicy" => Ok(simulate(account, &call.form())),
        "ListOpenIDConnectProviders" => {
            let providers = account.bags.keys().filter(|(region, kind, _)| region == GLOBAL && kind == OIDC_PROVIDER);
            let providers = providers.map(|(.., arn)| vec![Element::text("Arn", arn)]);
            let list = Element::list("OpenIDConnectProviderList", providers);
            Ok(Reply::query("ListOpenIDConnectProviders", [list]))
        }
        _ => Err(Refusal::unknown(call)),
    }
}

/// IAM API reference, `SimulatePrincipalPolicy`: a result for each action on each resource. Actions of [`Account::denied_actions`] are denied
/// because no policy allows them. The marker of the next page is the number of the results before it.
fn simulate(account: &Account, form: &Form) -> Reply {
    let (actions, resources) = (form.texts("ActionNames"), form.texts("ResourceArns"));
    let resources = if resources.is_empty() { vec!["*".to_owned()] } else { resources };
    let results = actions.iter().flat_map(|action| resources.iter().map(move |resource| (action, resource)));
    let from = form.get("Marker").and_then(|marker| marker.parse().ok()).unwrap_or(0);
    let most = form.get("MaxItems").and_then(|most| most.parse().ok()).unwrap_or(PAGE);
    let mut results = results.skip(from).peekable();
    let page = results.by_ref().take(most).map(|(action, resource)| {
        let is_denied = account.denied_actions.contains(action);
        vec![
            Element::text("EvalActionName", action),
            Element::text("EvalResourceName", resource),
            Element::text("EvalDecision", if is_denied { "implicitDeny" } else { "allowed" }),
        ]
    });
    let page = Element::list("EvaluationResults", page);
    let is_truncated = results.peek().is_some();
    let marker = is_truncated.then(|| Element::text("Marker", from + most));
    let truncated = Element::text("IsTruncated", is_truncated);
    Reply::query("SimulatePrincipalPolicy", [page, truncated].into_iter().chain(marker))
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::{Client, types::PolicyEvaluationDecisionType};
    use serde_json::json;

    use super::*;
    use crate::{
        Aws, Settings,
        resources::{Wanted, provider},
        testing::config,
    };

    #[tokio::test(start_paused = true)]
    async fn only_the_denied_actions_are_denied_on_all_pages() {
        let aws = Aws::new(Settings::default());
        aws.change(|account| account.denied_actions.insert("s3:PutObject".to_owned()));
        let resources: Vec<_> = (0..70).map(|number| format!("arn:aws:s3:::bucket-{number}")).collect();
        let request = Client::new(&config(&aws)).simulate_principal_policy();
        let request = request.policy_source_arn("arn:aws:iam::123456789012:role/deployer");
        let request = request.action_names("s3:GetObject").action_names("s3:PutObject");
        let request = request.set_resource_arns(Some(resources)).into_paginator().items().send();
        let results = request.try_collect().await.expect("results");
        let denied = results.iter().filter(|result| {
            *result.eval_decision() != PolicyEvaluationDecisionType::Allowed
                && result.eval_action_name() == "s3:PutObject"
        });
        assert_eq!((results.len(), denied.count()), (140, 70));
        assert_eq!(aws.take_record().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn providers_of_templates_are_listed_by_their_issuers() {
        let aws = Aws::new(Settings::default());
        let client = Client::new(&config(&aws));
        let listed = client.list_open_id_connect_providers().send().await.expect("a list");
        assert!(listed.open_id_connect_provider_list().is_empty());
        let properties = json!({ "Url": "https://token.actions.githubusercontent.com" });
        let (region, stack, logical_id) = ("eu-west-1", "foundation-dev", "Provider");
        let wanted = Wanted { region, stack, logical_id, resource_type: OIDC_PROVIDER, properties: &properties };
        aws.change(|account| (provider(OIDC_PROVIDER).create)(account, wanted)).expect("created");
        let listed = client.list_open_id_connect_providers().send().await.expect("a list");
        let arns: Vec<_> = listed.open_id_connect_provider_list().iter().filter_map(|found| found.arn()).collect();
        assert_eq!(arns, ["arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"]);
    }
}
