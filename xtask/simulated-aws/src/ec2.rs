//! EC2: the subnets and security groups of networks that are no part of a stack.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    account::Account,
    wire::{Call, Element, Form, Handled, Refusal, Reply},
};

/// The networks of a region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks {
    /// The zone of each subnet, by its ID.
    pub zones: BTreeMap<String, String>,
    /// The IDs of the security groups.
    pub security_groups: BTreeSet<String>,
}

/// Carries out a call (EC2 API reference, `DescribeSubnets` and `DescribeSecurityGroups`). A filter with an ID that does not exist matches
/// nothing.
pub(crate) fn handle(account: &Account, call: &Call) -> Handled {
    let empty = Networks::default();
    let networks = account.networks.get(&call.region).unwrap_or(&empty);
    let form = call.form();
    match call.operation.as_str() {
        "DescribeSubnets" => {
            let found = networks.zones.iter().filter(|(id, _)| is_wanted(&form, "subnet-id", id));
            let items = found.map(|(id, zone)| {
                let item = Element::new("item").with(Element::text("subnetId", id));
                item.with(Element::text("availabilityZone", zone))
            });
            Ok(reply("DescribeSubnetsResponse", Element::new("subnetSet").with_all(items)))
        }
        "DescribeSecurityGroups" => {
            let found = networks.security_groups.iter().filter(|id| is_wanted(&form, "group-id", id));
            let items = found.map(|id| Element::new("item").with(Element::text("groupId", id)));
            Ok(reply("DescribeSecurityGroupsResponse", Element::new("securityGroupInfo").with_all(items)))
        }
        _ => Err(Refusal::unknown(call)),
    }
}

/// Filters are `Filter.1.Name` and `Filter.1.Value.1`, `.2`, … All of them must match.
fn is_wanted(form: &Form, name: &str, id: &str) -> bool {
    let filters = (1..).map_while(|number| Some((number, form.get(&format!("Filter.{number}.Name"))?)));
    filters.filter(|(_, filter)| *filter == name).all(|(filter, _)| {
        let values = (1..).map_while(|number| form.get(&format!("Filter.{filter}.Value.{number}")));
        values.into_iter().any(|value| value == id)
    })
}

fn reply(name: &str, set: Element) -> Reply {
    Reply::xml(200, &Element::new(name).with(Element::text("requestId", "simulated")).with(set))
}

#[cfg(test)]
mod tests {
    use aws_call::{Call, services::NETWORKS};

    use crate::{Aws, Settings, testing::config};

    #[tokio::test(start_paused = true)]
    async fn existing_subnets_and_groups_are_found_by_their_ids() {
        let aws = Aws::new(Settings::default());
        aws.change(|account| {
            let networks = account.networks.entry("eu-west-1".to_owned()).or_default();
            networks.zones = [("subnet-a", "eu-west-1a"), ("subnet-b", "eu-west-1b")]
                .map(|(id, zone)| (id.to_owned(), zone.to_owned()))
                .into();
            networks.security_groups = ["sg-a".to_owned()].into();
        });
        let describe = async |operation, filter: &'static str, ids: [&'static str; 2]| {
            let parameters = [("Filter.1.Name", filter), ("Filter.1.Value.1", ids[0]), ("Filter.1.Value.2", ids[1])];
            let call = Call::query(NETWORKS, "2016-11-15", operation, &parameters);
            String::from_utf8(call.send(&config(&aws)).await.expect("a list")).expect("UTF-8")
        };
        let subnets = describe("DescribeSubnets", "subnet-id", ["subnet-a", "subnet-x"]).await;
        assert!(subnets.contains("<subnetId>subnet-a</subnetId><availabilityZone>eu-west-1a<"), "{subnets}");
        assert!(!subnets.contains("subnet-b") && !subnets.contains("subnet-x"), "{subnets}");
        let groups = describe("DescribeSecurityGroups", "group-id", ["sg-a", "sg-x"]).await;
        assert!(groups.contains("<groupId>sg-a</groupId>") && !groups.contains("sg-x"), "{groups}");
    }
}
