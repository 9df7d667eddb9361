//! Functions in a network: without internet access, they reach S3 and DynamoDB through gateway endpoints only.

use super::{Requirement, Subject, Violation};

/// The services with gateway endpoints: the type whose presence shows that a system uses one, its name, and the end of the endpoint's
/// service name (Amazon VPC user guide, "Gateway endpoints").
const SERVICES: [(&str, &str, &str); 2] =
    [("AWS::DynamoDB::Table", "DynamoDB", ".dynamodb"), ("AWS::S3::Bucket", "S3", ".s3")];

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    let is_attached =
        subject.resource_type() == "AWS::Lambda::Function" && subject.property("VpcConfig.SubnetIds").is_array();
    if !is_attached {
        return;
    }
    let scope = subject.target().scope;
    let is_missing = |(kind, _, service): &&(&str, &str, &str)| {
        let is_used = scope.of_kind(kind).next().is_some();
        let mut endpoints = scope.of_kind("AWS::EC2::VPCEndpoint");
        let is_of_service = |name: &serde_json::Value| super::form(name).is_some_and(|name| name.ends_with(service));
        is_used && !endpoints.any(|endpoint| is_of_service(&endpoint.resource["Properties"]["ServiceName"]))
    };
    let missing: Vec<_> = SERVICES.iter().filter(is_missing).map(|(_, name, _)| *name).collect();
    if missing.is_empty() {
        return;
    }
    let message = format!(
        "the function is in a VPC, where it reaches {} only through a gateway endpoint or a NAT gateway; set `vpc_id` and \
         `route_tables` and add `GatewayEndpoints`, or accept with the reason that the subnets have a NAT gateway",
        missing.join(" and ")
    );
    subject.violates(Requirement::Network, "VpcConfig", message, found);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{found_in, of};
    use crate::template::Stack;

    fn found(services: &[&str], change: impl FnOnce(&mut Stack)) -> Vec<String> {
        let mut stack = Stack::new("core", "Core.");
        let network = json!({ "SubnetIds": ["subnet-0a1b2c3d"], "SecurityGroupIds": ["sg-0a1b2c3d"] });
        stack.resource("F", of("AWS::Lambda::Function", json!({ "Timeout": 3, "VpcConfig": network })));
        stack.resource("Table", of("AWS::DynamoDB::Table", json!({})));
        stack.resource("Bucket", of("AWS::S3::Bucket", json!({})));
        for service in services {
            let name = json!({ "Fn::Sub": format!("com.amazonaws.${{AWS::Region}}.{service}") });
            stack.resource(&format!("E{service}"), of("AWS::EC2::VPCEndpoint", json!({ "ServiceName": name })));
        }
        change(&mut stack);
        found_in("dev", stack).into_iter().filter(|found| found.starts_with("network")).collect()
    }

    #[test]
    fn a_function_in_a_network_needs_a_way_to_tables_and_buckets() {
        let all = found(&[], |_| {});
        assert_eq!(all.len(), 1, "{all:?}");
        assert!(all[0].contains("it reaches DynamoDB and S3 only through a gateway endpoint"), "{all:?}");
        assert!(all[0].contains("`route_tables`"), "the message names the setting: {all:?}");
        let without_s3 = found(&["dynamodb"], |_| {});
        assert!(without_s3.len() == 1 && without_s3[0].contains("it reaches S3 only"), "{without_s3:?}");
        assert_eq!(found(&["dynamodb", "s3"], |_| {}), [""; 0]);
    }

    #[test]
    fn a_nat_gateway_is_a_reason() {
        let excepted =
            found(&[], |stack| stack.except("F", super::Requirement::Network, "The subnets have a NAT gateway."));
        assert_eq!(excepted, [""; 0]);
    }
}
