//! EC2: the subnets and security groups of networks that functions are attached to.

use std::collections::BTreeSet;

use aws_call::{Call, element, services::NETWORKS};

use super::{AwsError, Clients, error::failed};
use crate::doctor::networks::{Existing, Network};

/// The API's version (EC2 API reference).
const VERSION: &str = "2016-11-15";

impl Clients {
    /// Returns which subnets and security groups of a network exist in a region; `None` is the stage's.
    ///
    /// # Errors
    ///
    /// When a call fails.
    pub(crate) async fn existing_network(
        &self,
        region: Option<&str>,
        network: &Network<'_>,
    ) -> Result<Existing, AwsError> {
        let mut existing = Existing::default();
        let subnets = self.describe(region, ("DescribeSubnets", "subnet-id"), &network.subnets).await?;
        for subnet in items(&subnets, "subnetId") {
            let zone = element(subnet.1, "availabilityZone").unwrap_or_default();
            existing.zones.insert(subnet.0.to_owned(), zone);
        }
        let groups = self.describe(region, ("DescribeSecurityGroups", "group-id"), &network.security_groups).await?;
        existing.security_groups = items(&groups, "groupId").into_iter().map(|(id, _)| id.to_owned()).collect();
        Ok(existing)
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
        let body = call.send(&self.config_in(region)).await;
        let name = if operation == "DescribeSubnets" { "ec2:DescribeSubnets" } else { "ec2:DescribeSecurityGroups" };
        Ok(String::from_utf8_lossy(&body.map_err(|error| failed(name, error))?).into_owned())
    }
}

/// Returns the items of a list: each ID, and the text from it to the next one.
fn items<'a>(text: &'a str, id: &str) -> Vec<(&'a str, &'a str)> {
    let start = format!("<{id}>");
    let pieces = text.split(&start).skip(1);
    pieces.filter_map(|piece| Some((piece.split_once('<')?.0, piece.split_once('>')?.1))).collect()
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
        let network = Network {
            stacks: BTreeSet::from(["notes-api-dev"]),
            subnets: BTreeSet::from(["subnet-a", "subnet-b"]),
            security_groups: BTreeSet::from(["sg-a"]),
        };
        let existing = endpoint.await.clients().await.existing_network(None, &network).await.expect("a network");
        assert_eq!(existing.zones, [("subnet-a".to_owned(), "eu-central-1a".to_owned())].into());
        assert_eq!(existing.security_groups, BTreeSet::from(["sg-a".to_owned()]));
    }
}
