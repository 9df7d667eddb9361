//! The network that functions are attached to: existing subnets and security groups of the stage's account.
//!
//! Networks outlive systems and usually belong to another team, so stage files name them and templates do not create them.

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::json;

use super::policy::Statement;
use crate::{
    resources::lambda::function::VpcConfig,
    template::{Expression, Text, list},
};

/// The actions on network interfaces that Lambda performs with a function's role (AWS managed policy reference,
/// `AWSLambdaVPCAccessExecutionRole`).
pub(crate) const INTERFACES: [&str; 6] = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
];
/// The actions that a function's own code must not perform with them (Lambda developer guide, "Giving Lambda functions access to
/// resources in an Amazon VPC").
const DENIED: [&str; 7] = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DetachNetworkInterface",
    "ec2:UnassignPrivateIpAddresses",
];

/// Subnets and security groups of a VPC, as a stage file names them.
///
/// Lambda accepts up to 16 subnets and 5 security groups (Lambda API reference, `VpcConfig`). Subnets in two zones keep functions
/// running when a zone fails; `doctor` checks them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vpc {
    /// The subnets' IDs: `subnet-…`.
    #[serde(deserialize_with = "subnets")]
    pub subnets: Vec<String>,
    /// The security groups' IDs: `sg-…`.
    #[serde(deserialize_with = "security_groups")]
    pub security_groups: Vec<String>,
}

impl Vpc {
    pub(super) fn config(&self) -> VpcConfig {
        VpcConfig {
            subnet_ids: list(&self.subnets),
            security_group_ids: list(&self.security_groups),
            ..VpcConfig::default()
        }
    }
}

/// Returns the statements by which Lambda manages the network interfaces of the function called `name`, and its code does not.
pub(super) fn interfaces(name: &str) -> [Statement; 2] {
    let function = format!("arn:${{AWS::Partition}}:lambda:${{AWS::Region}}:${{AWS::AccountId}}:function:{name}");
    let by_code = json!({ "ArnEquals": { "lambda:SourceFunctionArn": Text::from(Expression::sub(&function, [])) } });
    let reason = "Lambda creates the interfaces, so their IDs are not known; the next statement denies the function's code these actions.";
    [
        Statement::allow(INTERFACES, [Text::from("*")]).because(reason),
        Statement::deny(DENIED, [Text::from("*")]).when(by_code),
    ]
}

fn subnets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    ids(deserializer, "subnet-", 16)
}

fn security_groups<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    ids(deserializer, "sg-", 5)
}

/// Reads one to `most` different IDs that begin with `prefix`.
pub(super) fn ids<'de, D: Deserializer<'de>>(
    deserializer: D,
    prefix: &str,
    most: usize,
) -> Result<Vec<String>, D::Error> {
    let ids = Vec::<String>::deserialize(deserializer)?;
    for (at, id) in ids.iter().enumerate() {
        if !is_id(id, prefix) {
            return Err(D::Error::custom(format_args!(
                "`{id}` is not an ID; write `{prefix}` and 8 or 17 hexadecimal digits"
            )));
        }
        if ids[..at].contains(id) {
            return Err(D::Error::custom(format_args!("`{id}` is listed twice; remove one")));
        }
    }
    if ids.is_empty() || ids.len() > most {
        return Err(D::Error::custom(format_args!(
            "{} IDs are listed; list 1 to {most} of the form `{prefix}…`",
            ids.len()
        )));
    }
    Ok(ids)
}

/// Returns whether a text is an ID of EC2: a prefix, then 8 or 17 hexadecimal digits (EC2 user guide, "Resource IDs").
pub(super) fn is_id(id: &str, prefix: &str) -> bool {
    let is_hex = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'));
    id.strip_prefix(prefix).is_some_and(|digits| matches!(digits.len(), 8 | 17) && is_hex(digits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        example::NotesApi,
        parts::function::Function,
        stage::Stage,
        template::{Stack, System},
    };

    const SUBNET: &str = "subnet-0123456789abcdef0";
    const GROUP: &str = "sg-0a1b2c3d";

    fn read(subnets: &[&str], groups: &[&str]) -> Result<Vpc, String> {
        let settings = json!({ "subnets": subnets, "security_groups": groups });
        serde_json::from_value(settings).map_err(|error| error.to_string())
    }

    #[test]
    fn a_network_is_named_by_ids() {
        let vpc = read(&[SUBNET, "subnet-0a1b2c3d"], &[GROUP]).expect("valid IDs");
        assert_eq!((vpc.subnets.len(), vpc.security_groups.as_slice()), (2, &[GROUP.to_owned()][..]));
        for (subnets, groups, expected) in [
            (vec!["sg-0a1b2c3d"], vec![GROUP], "`sg-0a1b2c3d` is not an ID; write `subnet-`"),
            (vec!["subnet-0A1B2C3D"], vec![GROUP], "is not an ID"),
            (vec!["subnet-0a1b"], vec![GROUP], "is not an ID"),
            (vec![SUBNET, SUBNET], vec![GROUP], "is listed twice"),
            (vec![], vec![GROUP], "0 IDs are listed; list 1 to 16"),
            (vec![SUBNET], vec![], "list 1 to 5 of the form `sg-…`"),
        ] {
            let error = read(&subnets, &groups).expect_err("an invalid network");
            assert!(error.contains(expected), "{expected}: {error}");
        }
    }

    #[test]
    fn the_role_of_an_attached_function_manages_interfaces_and_its_code_does_not() {
        let mut stack = Stack::new("api", "An API.");
        let environment = NotesApi::<Text> { table_name: "notes".into(), word: "hello".into() };
        let vpc = read(&[SUBNET], &[GROUP]).expect("valid IDs");
        stack.add(Function::new(&Stage::example("dev"), environment).vpc(&vpc));
        let system = System::new("notes", [stack]).render(&Stage::example("dev")).expect("rendered");
        let resources = &system.stacks[0].template["Resources"];
        let config = json!({ "SubnetIds": [SUBNET], "SecurityGroupIds": [GROUP] });
        assert_eq!(resources["ApiFunction"]["Properties"]["VpcConfig"], config);
        let policy = &resources["ApiFunctionRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"];
        let of = |effect: &str| {
            let statements = policy.as_array().expect("statements").iter();
            let mut found = statements.filter(|own| own["Effect"] == effect && own["Action"][0] == INTERFACES[0]);
            found.next().cloned().expect("a statement on network interfaces")
        };
        assert_eq!(of("Allow")["Action"], json!(INTERFACES));
        let denied = of("Deny");
        assert!(denied["Action"].as_array().expect("actions").contains(&json!("ec2:DetachNetworkInterface")));
        let source = &denied["Condition"]["ArnEquals"]["lambda:SourceFunctionArn"]["Fn::Sub"];
        assert!(source.as_str().is_some_and(|arn| arn.ends_with(":function:notes-api-dev")), "{source}");
    }

    #[test]
    fn a_function_without_a_network_has_no_permission_on_interfaces() {
        let mut stack = Stack::new("api", "An API.");
        let environment = NotesApi::<Text> { table_name: "notes".into(), word: "hello".into() };
        stack.add(Function::new(&Stage::example("dev"), environment));
        let text = stack.resources["ApiFunctionRole"].to_json().to_string();
        assert!(!text.contains("ec2:"), "{text}");
        assert!(stack.resources["ApiFunction"].to_json()["Properties"]["VpcConfig"].is_null());
    }
}
