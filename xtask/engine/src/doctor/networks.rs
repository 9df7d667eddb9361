//! The networks of functions: whether subnets and security groups exist, and whether a zone may fail. No I/O.
//!
//! A network belongs to the account, so it is a warning and no problem that a repair could end.

use std::collections::{BTreeMap, BTreeSet};

use model::rendered::RenderedSystem;
use serde_json::Value;

/// The network that functions of a stack are attached to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Network<'a> {
    /// The stacks with such functions.
    pub(crate) stacks: BTreeSet<&'a str>,
    pub(crate) subnets: BTreeSet<&'a str>,
    pub(crate) security_groups: BTreeSet<&'a str>,
}

/// What exists in the account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Existing {
    /// The zone of each subnet, by its ID.
    pub(crate) zones: BTreeMap<String, String>,
    /// The IDs of security groups.
    pub(crate) security_groups: BTreeSet<String>,
}

/// Returns the networks of these systems' functions, by region; `None` is the stage's.
pub(crate) fn networks(systems: &[RenderedSystem]) -> BTreeMap<Option<&str>, Network<'_>> {
    let mut networks: BTreeMap<Option<&str>, Network<'_>> = BTreeMap::new();
    for stack in systems.iter().flat_map(|system| &system.stacks) {
        let resources = stack.template["Resources"].as_object().into_iter().flatten();
        let functions = resources.filter(|(_, resource)| resource["Type"] == "AWS::Lambda::Function");
        for (_, function) in functions {
            let config = &function["Properties"]["VpcConfig"];
            let ids = |property: &str| config[property].as_array().into_iter().flatten().filter_map(Value::as_str);
            if config.is_object() {
                let network = networks.entry(stack.region.as_deref()).or_default();
                network.stacks.insert(&stack.name);
                network.subnets.extend(ids("SubnetIds"));
                network.security_groups.extend(ids("SecurityGroupIds"));
            }
        }
    }
    networks
}

/// Returns the warnings about a network, compared with what exists.
pub(crate) fn warnings(network: &Network<'_>, existing: &Existing) -> Vec<String> {
    let stacks = network.stacks.iter().copied().collect::<Vec<_>>().join(", ");
    let missing = |ids: &BTreeSet<&str>, exists: &dyn Fn(&str) -> bool| -> Vec<String> {
        ids.iter().filter(|id| !exists(id)).map(|id| (*id).to_owned()).collect()
    };
    let subnets = missing(&network.subnets, &|id| existing.zones.contains_key(id));
    let groups = missing(&network.security_groups, &|id| existing.security_groups.contains(id));
    let mut warnings = Vec::new();
    for (noun, missing) in [("subnets", &subnets), ("security groups", &groups)] {
        if !missing.is_empty() {
            warnings.push(format!(
                "{stacks}: the account has no {noun} {}, so functions cannot be attached to them; correct `{}` in the stage file",
                missing.join(", "),
                noun.replace(' ', "_")
            ));
        }
    }
    let zones: BTreeSet<_> = network.subnets.iter().filter_map(|id| existing.zones.get(*id)).collect();
    if subnets.is_empty() && zones.len() == 1 {
        let zone = zones.into_iter().next().map_or("", String::as_str);
        warnings.push(format!(
            "{stacks}: all subnets are in zone {zone}, so functions stop when it fails; add a subnet of another zone"
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use model::{example::Example, project::Project as _, stage::Stage};
    use serde_json::json;

    use super::*;

    fn systems() -> Vec<RenderedSystem> {
        let text = "account: '111122223333'\nregion: eu-central-1\nsystems: { notes: {}, feeds: {} }\n";
        let stage = Stage::parse("dev", text, "example.yaml").expect("a stage");
        let mut systems = Example.render(&stage).expect("rendered");
        let network = json!({ "SubnetIds": ["subnet-a", "subnet-b"], "SecurityGroupIds": ["sg-a"] });
        systems[0].stacks[0].template["Resources"]["Attached"] =
            json!({ "Type": "AWS::Lambda::Function", "Properties": { "VpcConfig": network } });
        systems
    }

    fn existing(zones: &[(&str, &str)], groups: &[&str]) -> Existing {
        let owned = |text: &&str| (*text).to_owned();
        Existing {
            zones: zones.iter().map(|(id, zone)| (owned(id), owned(zone))).collect(),
            security_groups: groups.iter().map(owned).collect(),
        }
    }

    #[test]
    fn a_network_that_does_not_exist_or_has_one_zone_is_a_warning() {
        let systems = systems();
        let networks = networks(&systems);
        let network = &networks[&None];
        assert_eq!(networks.len(), 1);
        let both = [("subnet-a", "eu-central-1a"), ("subnet-b", "eu-central-1b")];
        assert_eq!(warnings(network, &existing(&both, &["sg-a"])), Vec::<String>::new());
        let one_zone = [("subnet-a", "eu-central-1a"), ("subnet-b", "eu-central-1a")];
        let found = warnings(network, &existing(&one_zone, &["sg-a"]));
        assert!(found.len() == 1 && found[0].contains("all subnets are in zone eu-central-1a"), "{found:?}");
        let found = warnings(network, &existing(&both[..1], &[]));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("no subnets subnet-b") && found[0].ends_with("correct `subnets` in the stage file"));
        assert!(found[1].contains("no security groups sg-a") && found[1].contains("`security_groups`"), "{found:?}");
    }
}
