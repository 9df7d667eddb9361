//! The ways from a network without internet access to S3 and DynamoDB.

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Value, json};

use super::{
    policy::{self, Statement},
    vpc::{ids, is_id},
};
use crate::{
    resources::ec2::VPCEndpoint,
    template::{Expression, Part, Resource, Stack, list, set},
};

/// The services with gateway endpoints, by the prefix of their actions (Amazon VPC user guide, "Gateway endpoints").
const SERVICES: [(&str, &str); 2] = [("dynamodb", "DynamoDb"), ("s3", "S3")];

/// The VPC of a network and the route tables of its subnets, as a stage file names them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VpcRoutes {
    /// The VPC's ID: `vpc-…`.
    #[serde(deserialize_with = "vpc_id")]
    pub vpc_id: String,
    /// The IDs of the route tables of the functions' subnets: `rtb-…`.
    #[serde(deserialize_with = "route_tables")]
    pub route_tables: Vec<String>,
}

/// A gateway `AWS::EC2::VPCEndpoint` for each of S3 and DynamoDB that the given statements name, with a policy of these
/// statements, for callers of the stage's account.
///
/// A route table has one endpoint for a service, and everything in its subnets uses it: the policy must also allow what other
/// users of these subnets need. CloudFormation fails if a route table has an endpoint already; then leave the part out, and except
/// the functions from [`Requirement::Network`](crate::requirements::Requirement::Network).
#[derive(Debug, Clone)]
pub struct GatewayEndpoints {
    prefix: String,
    routes: VpcRoutes,
    statements: Vec<Statement>,
}

impl GatewayEndpoints {
    /// Creates endpoints whose logical IDs begin with `prefix`: `<prefix>S3` and `<prefix>DynamoDb`.
    #[must_use]
    pub fn new(prefix: &str, routes: &VpcRoutes) -> Self {
        Self { prefix: prefix.to_owned(), routes: routes.clone(), statements: Vec::new() }
    }

    /// Lets these statements pass, usually those that functions in the network have. Actions of other services are ignored.
    #[must_use]
    pub fn allow(mut self, statements: impl IntoIterator<Item = Statement>) -> Self {
        self.statements.extend(statements);
        self
    }

    /// The policy of a service's endpoint; `None` if no statement names the service.
    fn policy(&self, service: &str) -> Option<Value> {
        let own = json!({ "StringEquals": { "aws:PrincipalAccount": { "Ref": "AWS::AccountId" } } });
        let statements =
            self.statements.iter().filter_map(|statement| statement.of_service(service)).map(|statement| {
                let mut json = statement.to_json();
                json["Principal"] = json!("*");
                let condition = json["Condition"].as_object().cloned().unwrap_or_default();
                json["Condition"] = merged(own.clone(), condition);
                json
            });
        let statements: Vec<_> = statements.collect();
        (!statements.is_empty()).then(|| policy::resource_policy(statements))
    }
}

/// Adds the operators of a condition to another one.
fn merged(mut condition: Value, other: serde_json::Map<String, Value>) -> Value {
    for (operator, keys) in other {
        for (key, value) in keys.as_object().into_iter().flatten() {
            condition[&operator][key] = value.clone();
        }
    }
    condition
}

impl Part for GatewayEndpoints {
    type Handle = ();

    fn add_to(self, stack: &mut Stack) {
        for (service, suffix) in SERVICES {
            let Some(policy) = self.policy(service) else { continue };
            let name = Expression::sub(&format!("com.amazonaws.${{AWS::Region}}.{service}"), []);
            let endpoint = VPCEndpoint {
                service_name: set(name),
                vpc_endpoint_type: set("Gateway"),
                vpc_id: set(&self.routes.vpc_id),
                route_table_ids: list(&self.routes.route_tables),
                policy_document: Some(policy),
                ..VPCEndpoint::default()
            };
            stack.resource(&format!("{}{suffix}", self.prefix), Resource::of(endpoint));
        }
    }
}

fn vpc_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let id = String::deserialize(deserializer)?;
    if is_id(&id, "vpc-") {
        return Ok(id);
    }
    Err(D::Error::custom(format_args!("`{id}` is not an ID; write `vpc-` and 8 or 17 hexadecimal digits")))
}

fn route_tables<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    ids(deserializer, "rtb-", 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Text;

    fn endpoints(statements: Vec<Statement>) -> Stack {
        let routes = json!({ "vpc_id": "vpc-0a1b2c3d", "route_tables": ["rtb-0a1b2c3d"] });
        let routes = serde_json::from_value(routes).expect("valid settings");
        let mut stack = Stack::new("core", "Core.");
        stack.add(GatewayEndpoints::new("Endpoint", &routes).allow(statements));
        stack
    }

    #[test]
    fn an_endpoint_passes_only_what_the_statements_of_its_service_allow() {
        let tls = json!({ "Bool": { "aws:SecureTransport": "true" } });
        let stack = endpoints(vec![
            Statement::allow(["s3:GetObject", "sqs:SendMessage"], [Text::from("arn:aws:s3:::data/*")]).when(tls),
            Statement::allow(["dynamodb:GetItem"], [Text::from("arn:aws:dynamodb:::table/a")]),
        ]);
        assert_eq!(stack.resources.keys().collect::<Vec<_>>(), ["EndpointDynamoDb", "EndpointS3"]);
        let s3 = stack.resources["EndpointS3"].to_json()["Properties"].clone();
        assert_eq!((&s3["VpcEndpointType"], &s3["RouteTableIds"]), (&json!("Gateway"), &json!(["rtb-0a1b2c3d"])));
        let statement = &s3["PolicyDocument"]["Statement"];
        assert_eq!(statement.as_array().map(Vec::len), Some(1));
        assert_eq!((&statement[0]["Action"], &statement[0]["Principal"]), (&json!(["s3:GetObject"]), &json!("*")));
        assert_eq!(statement[0]["Resource"], json!(["arn:aws:s3:::data/*"]));
        let account = &statement[0]["Condition"]["StringEquals"]["aws:PrincipalAccount"];
        assert_eq!(account, &json!({ "Ref": "AWS::AccountId" }));
        assert_eq!(statement[0]["Condition"]["Bool"]["aws:SecureTransport"], "true");
    }

    #[test]
    fn a_service_without_statements_has_no_endpoint() {
        let stack = endpoints(vec![Statement::allow(["dynamodb:GetItem"], [Text::from("arn:t")])]);
        assert_eq!(stack.resources.keys().collect::<Vec<_>>(), ["EndpointDynamoDb"]);
    }

    #[test]
    fn routes_are_named_by_ids() {
        for (settings, expected) in [
            (json!({ "vpc_id": "vpc-x", "route_tables": ["rtb-0a1b2c3d"] }), "`vpc-x` is not an ID"),
            (json!({ "vpc_id": "vpc-0a1b2c3d", "route_tables": ["0a1b2c3d"] }), "write `rtb-`"),
            (json!({ "vpc_id": "vpc-0a1b2c3d", "route_tables": [] }), "list 1 to 16"),
        ] {
            let error = serde_json::from_value::<VpcRoutes>(settings).expect_err("invalid settings").to_string();
            assert!(error.contains(expected), "{expected}: {error}");
        }
    }
}
