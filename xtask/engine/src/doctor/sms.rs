//! The cost of SMS: which systems send them, and what the account may spend. No I/O.
//!
//! A user pool that verifies phone numbers sends an SMS to every number that signs up, also to a premium number whose owner
//! earns from it. Only the account's limit bounds the cost. It is shared by all systems and stages of the account, so no
//! stack changes it.

use std::collections::BTreeMap;

use model::{emulator::Feature, rendered::RenderedSystem, stage::Stage};

/// Returns the stacks whose user pools send SMS, by region; `None` is the stage's. On an emulator, no SMS is sent.
pub(crate) fn senders<'a>(systems: &'a [RenderedSystem], stage: &Stage) -> BTreeMap<Option<&'a str>, Vec<&'a str>> {
    let mut senders: BTreeMap<Option<&str>, Vec<&str>> = BTreeMap::new();
    if !Feature::SmsAttributes.is_in(stage) {
        return senders;
    }
    for stack in systems.iter().flat_map(|system| &system.stacks) {
        let mut resources = stack.template["Resources"].as_object().into_iter().flatten();
        let sends = resources.any(|(_, resource)| {
            resource["Type"] == "AWS::Cognito::UserPool" && resource["Properties"]["SmsConfiguration"].is_object()
        });
        if sends {
            senders.entry(stack.region.as_deref()).or_default().push(&stack.name);
        }
    }
    senders
}

/// Returns the warning about the stacks of one region, with the region's limit.
pub(crate) fn warning(stacks: &[&str], region: &str, limit: Option<&str>) -> String {
    let stacks = stacks.join(", ");
    match limit {
        Some(limit) => format!(
            "{stacks}: user pools send SMS to people who sign up, which may cost up to USD {limit} a month, the limit for all SMS of \
             the account in {region}"
        ),
        None => format!(
            "{stacks}: user pools send SMS to people who sign up, and the account has no spend limit in {region}, so only its quota \
             applies; set a limit with `aws sns set-sms-attributes --region {region} --attributes MonthlySpendLimit=…`"
        ),
    }
}

#[cfg(test)]
mod tests {
    use model::{example::Example, project::Project};
    use serde_json::json;

    use super::*;

    fn stage(name: &str) -> Stage {
        let text = "account: '111122223333'\nregion: eu-central-1\nsystems: { notes: {}, feeds: {} }\n";
        Stage::parse(name, text, "example.yaml").expect("a stage")
    }

    /// The example's systems, of which the first has this user pool.
    fn rendered(stage: &Stage, pool: &serde_json::Value) -> Vec<RenderedSystem> {
        let mut systems = Example.render(stage).expect("rendered");
        systems[0].stacks[0].template["Resources"]["Users"] = json!({
            "Type": "AWS::Cognito::UserPool",
            "Properties": pool,
        });
        systems
    }

    #[test]
    fn stacks_whose_pools_send_sms_are_found_by_their_templates() {
        let sms = json!({ "SmsConfiguration": { "SnsCallerArn": { "Fn::GetAtt": ["Role", "Arn"] } } });
        let dev = stage("dev");
        let mut systems = rendered(&dev, &sms);
        let name = systems[0].stacks[0].name.clone();
        assert_eq!(senders(&systems, &dev), BTreeMap::from([(None, vec![name.as_str()])]));
        systems[0].stacks[0].region = Some("us-east-1".to_owned());
        assert_eq!(senders(&systems, &dev), BTreeMap::from([(Some("us-east-1"), vec![name.as_str()])]));
        assert!(senders(&rendered(&dev, &json!({ "UserPoolName": "mail" })), &dev).is_empty());
        let local = stage("local");
        assert!(senders(&rendered(&local, &sms), &local).is_empty(), "the emulator sends none");
    }

    #[test]
    fn a_warning_names_the_limit_or_how_to_set_one() {
        let set = warning(&["a", "b"], "eu-central-1", Some("20"));
        assert!(set.starts_with("a, b: ") && set.contains("up to USD 20 a month"), "{set}");
        let unset = warning(&["a"], "eu-central-1", None);
        assert!(unset.contains("has no spend limit") && unset.contains("set-sms-attributes"), "{unset}");
    }
}
