//! EC2: the subnets and security groups of networks that functions are attached to.

use std::collections::{BTreeMap, BTreeSet};

use aws_call::{Call, services::NETWORKS};

use super::{AwsError, Clients, Resource, error::failed};

/// The API's version (EC2 API reference).
const VERSION: &str = "2016-11-15";

/// What exists in the account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Existing {
    /// The zone of each subnet, by its ID.
    pub(crate) zones: BTreeMap<String, String>,
    /// The IDs of security groups.
    pub(crate) security_groups: BTreeSet<String>,
}

impl Clients {
    /// Returns which of these subnets and security groups exist in a region; `None` is the stage's.
    ///
    /// # Errors
    ///
    /// When a call fails.
    pub(crate) async fn existing_network(
        &self,
        region: Option<&str>,
        (subnets, security_groups): (&BTreeSet<&str>, &BTreeSet<&str>),
    ) -> Result<Existing, AwsError> {
        let subnets = self.describe(region, ("DescribeSubnets", "subnet-id"), subnets).await?;
        let zones = subnets.split("<subnetId>").skip(1);
        let zones = zones.filter_map(|subnet| {
            let zone = subnet.split_once("<availabilityZone>").and_then(|(_, rest)| text(rest)).unwrap_or_default();
            Some((text(subnet)?.to_owned(), zone.to_owned()))
        });
        let groups = self.describe(region, ("DescribeSecurityGroups", "group-id"), security_groups).await?;
        let groups = groups.split("<groupId>").skip(1).filter_map(text);
        Ok(Existing { zones: zones.collect(), security_groups: groups.map(str::to_owned).collect() })
    }

    /// Lists with a filter: a call that names an ID which does not exist would fail.
    async fn describe(
        &self,
        region: Option<&str>,
        (operation, filter): (&'static str, &str),
        ids: &BTreeSet<&str>,
    ) -> Result<String, AwsError> {
        let names: Vec<_> = (1..=ids.len()).map(|number| format!("Filter.1.Value.{number}")).collect();
        let values = names.iter().map(String::as_str).zip(ids.iter().copied());
        let parameters: Vec<_> = std::iter::once(("Filter.1.Name", filter)).chain(values).collect();
        let call = Call::query(NETWORKS, VERSION, operation, &parameters);
        let body = self.send(region, call).await;
        let (name, kind) = match operation {
            "DescribeSubnets" => ("ec2:DescribeSubnets", "subnets"),
            _ => ("ec2:DescribeSecurityGroups", "security groups"),
        };
        let body = body.map_err(failed(name, Resource::several(kind, ids.iter().copied())))?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}

/// Returns the text up to the end of its element.
fn text(rest: &str) -> Option<&str> {
    rest.split_once('<').map(|(text, _)| text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::scripted::{Endpoint, Received};

    #[tokio::test]
    async fn subnets_with_their_zones_and_security_groups_are_read() {
        let endpoint = Endpoint::serve(|request: &Received| {
            let body = if request.is("DescribeSubnets") {
                assert!(request.body.contains("Filter.1.Name=subnet-id&Filter.1.Value.1=subnet-a"), "{request:?}");
                "<DescribeSubnetsResponse><subnetSet><item><subnetId>subnet-a</subnetId><vpcId>vpc-1</vpcId>\
                 <availabilityZone>eu-central-1a</availabilityZone></item></subnetSet></DescribeSubnetsResponse>"
            } else {
                "<DescribeSecurityGroupsResponse><securityGroupInfo><item><ownerId>1</ownerId><groupId>sg-a</groupId>\
                 </item></securityGroupInfo></DescribeSecurityGroupsResponse>"
            };
            (200, body.to_owned())
        });
        let (subnets, groups) = (BTreeSet::from(["subnet-a", "subnet-b"]), BTreeSet::from(["sg-a"]));
        let clients = endpoint.await.clients().await;
        let existing = clients.existing_network(None, (&subnets, &groups)).await.expect("a network");
        assert_eq!(existing.zones, [("subnet-a".to_owned(), "eu-central-1a".to_owned())].into());
        assert_eq!(existing.security_groups, BTreeSet::from(["sg-a".to_owned()]));
    }
}
