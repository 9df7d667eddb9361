//! Permissions on EC2: the network interfaces of functions in a VPC, and gateway endpoints.
//!
//! Networks belong to the account and not to a system. So deploys may look at them, and change only endpoints with the tags of their
//! stage, in the VPC and the route tables that the templates name.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    execution::{split, sub},
    limits::Tags,
    scope::scopes,
};
use crate::{
    parts::{policy::Statement, vpc::INTERFACES},
    rendered::RenderedStack,
    statements::list,
    template::Text,
};

/// Attaches a function to a VPC, beside the actions in AWS's schemas (Lambda developer guide, "Giving Lambda functions access to
/// resources in an Amazon VPC").
const ATTACHING: &str = "ec2:GetSecurityGroupsForVpc";
/// Actions on endpoints that exist.
const CHANGING: [&str; 4] = ["ec2:CreateTags", "ec2:DeleteTags", "ec2:DeleteVpcEndpoints", "ec2:ModifyVpcEndpoint"];

const LISTS: &str =
    "The action has no resource type, or it reads a network whose VPC no template names; it changes nothing.";
const NEW: &str = "An endpoint that does not exist has no ARN; it can only be created with the tags of this stage.";

/// Returns whether a statement of a role is the one on network interfaces that attached functions have.
pub(super) fn is_of_interfaces(statement: &Value) -> bool {
    statement["Action"] == json!(INTERFACES)
}

/// Returns the boundary's statement on network interfaces: for the roles of stacks with attached functions, and not for the code of
/// a function. `None` without such functions.
pub(super) fn on_interfaces(stacks: &[&RenderedStack]) -> Option<Statement> {
    let attached = stacks.iter().copied().filter(|stack| has_attached_function(stack));
    let roles = scopes(attached).remove("iam")?;
    let roles: Vec<_> = roles.iter().filter(|arn| arn.contains(":role/")).map(|arn| sub(arn)).collect();
    let by_lambda = json!({
        "ArnLike": { "aws:PrincipalArn": roles },
        "Null": { "lambda:SourceFunctionArn": "true" },
    });
    Some(Statement::allow(INTERFACES, [Text::from("*")]).when(by_lambda))
}

/// Returns the execution role's statements for the handlers' actions on EC2.
pub(super) fn statements(
    actions: &BTreeSet<&'static str>,
    stacks: &[&RenderedStack],
    tags: &Tags<'_>,
) -> Vec<Statement> {
    let is_attaching = stacks.iter().any(|stack| has_attached_function(stack));
    let endpoints: Vec<_> = stacks.iter().flat_map(|stack| of_type(stack, "AWS::EC2::VPCEndpoint")).collect();
    if !is_attaching && endpoints.is_empty() {
        return Vec::new();
    }
    let mut reads: BTreeSet<_> = actions.iter().copied().filter(|action| action.starts_with("ec2:Describe")).collect();
    if is_attaching {
        reads.insert(ATTACHING);
    }
    let mut statements: Vec<_> =
        split(&reads, &[Text::from("*")]).into_iter().map(|statement| statement.because(LISTS)).collect();
    if !endpoints.is_empty() {
        statements.extend(on_endpoints(&endpoints, tags));
    }
    statements
}

fn on_endpoints(endpoints: &[&Value], tags: &Tags<'_>) -> Vec<Statement> {
    let own = [sub(&arn("vpc-endpoint/*"))];
    let ids = |property: &str, kind: &str| -> BTreeSet<String> {
        let values = endpoints.iter().flat_map(|endpoint| list(&endpoint["Properties"][property]));
        values.filter_map(Value::as_str).map(|id| arn(&format!("{kind}/{id}"))).collect()
    };
    let tables: Vec<_> = ids("RouteTableIds", "route-table").iter().map(|arn| sub(arn)).collect();
    let networks = ids("VpcId", "vpc").iter().map(|arn| sub(arn)).collect::<Vec<_>>();
    let mut tagging = tags.of_request("StringEquals");
    tagging["StringEquals"]["ec2:CreateAction"] = json!("CreateVpcEndpoint");
    let mut statements = vec![
        Statement::allow(["ec2:CreateVpcEndpoint"], own.clone()).when(tags.of_request("StringEquals")).because(NEW),
        Statement::allow(["ec2:CreateTags"], own.clone()).when(tagging).because(NEW),
        Statement::allow(CHANGING, own).when(tags.of_resource("StringEquals")),
    ];
    if !networks.is_empty() {
        statements.push(Statement::allow(["ec2:CreateVpcEndpoint"], networks));
    }
    if !tables.is_empty() {
        statements.push(Statement::allow(["ec2:CreateVpcEndpoint", "ec2:ModifyVpcEndpoint"], tables));
    }
    statements
}

fn arn(tail: &str) -> String {
    format!("arn:${{AWS::Partition}}:ec2:${{AWS::Region}}:${{AWS::AccountId}}:{tail}")
}

/// Returns whether a stack has a function in a VPC.
pub(super) fn has_attached_function(stack: &RenderedStack) -> bool {
    of_type(stack, "AWS::Lambda::Function").any(|function| function["Properties"]["VpcConfig"].is_object())
}

fn of_type<'a>(stack: &'a RenderedStack, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    let resources = stack.template["Resources"].as_object().into_iter().flatten();
    resources.map(|(_, resource)| resource).filter(move |resource| resource["Type"] == kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        example::NotesApi,
        foundation::boundary,
        parts::{function::Function, gateway_endpoints::GatewayEndpoints, policy::document},
        stage::Stage,
        template::{Stack, System},
    };

    /// A stack with an attached function and endpoints, and one without.
    fn stacks(stage: &Stage) -> Vec<RenderedStack> {
        let mut attached = Stack::new("work", "Work.");
        let environment = NotesApi::<Text> { table_name: "notes".into(), word: "hello".into() };
        let vpc = json!({ "subnets": ["subnet-0a1b2c3d"], "security_groups": ["sg-0a1b2c3d"] });
        let vpc = serde_json::from_value(vpc).expect("valid settings");
        attached.add(Function::new(stage, environment).vpc(&vpc));
        let routes = json!({ "vpc_id": "vpc-0a1b2c3d", "route_tables": ["rtb-0a1b2c3d", "rtb-1a1b2c3d"] });
        let routes = serde_json::from_value(routes).expect("valid settings");
        let read = Statement::allow(["s3:GetObject"], [Text::from("arn:aws:s3:::notes/*")]);
        attached.add(GatewayEndpoints::new("Endpoint", &routes).allow([read]));
        let mut plain = Stack::new("api", "Api.");
        let environment = crate::example::FeedsFetch { stage: Text::from("dev") };
        plain.add(Function::new(stage, environment));
        System::new("notes", [attached, plain]).render(stage).expect("rendered").stacks
    }

    fn json_of(statements: &[Statement]) -> Vec<Value> {
        document(statements)["Statement"].as_array().expect("statements").clone()
    }

    #[test]
    fn the_boundary_lets_lambda_manage_interfaces_with_roles_of_attached_functions_only() {
        let stage = Stage::example("dev");
        let rendered = stacks(&stage);
        let all: Vec<_> = rendered.iter().collect();
        let statements = json_of(&boundary::statements(&all, &stage).expect("statements"));
        let on_ec2: Vec<_> = statements.iter().filter(|own| own.to_string().contains("\"ec2:")).collect();
        assert_eq!(on_ec2.len(), 1, "{on_ec2:?}");
        let condition = &on_ec2[0]["Condition"];
        assert_eq!(condition["Null"]["lambda:SourceFunctionArn"], "true");
        let roles = condition["ArnLike"]["aws:PrincipalArn"].to_string();
        assert!(roles.contains("role/notes-work-dev-*") && !roles.contains("notes-api"), "{roles}");
        let plain: Vec<_> = rendered.iter().filter(|stack| stack.stack == "api").collect();
        let statements = json_of(&boundary::statements(&plain, &stage).expect("statements"));
        assert!(!statements.iter().any(|own| own.to_string().contains("\"ec2:")), "{statements:?}");
    }

    #[test]
    fn deploys_change_endpoints_of_their_stage_in_the_named_network_only() {
        let stage = Stage::example("dev");
        let rendered = stacks(&stage);
        let all: Vec<_> = rendered.iter().collect();
        let tags = Tags::new(&stage.name, &all);
        let actions = BTreeSet::from(["ec2:CreateVpcEndpoint", "ec2:DescribeSubnets", "ec2:DescribeVpcEndpoints"]);
        let statements = json_of(&super::statements(&actions, &all, &tags));
        let reads = &statements[0];
        let expected = ["ec2:DescribeSubnets", "ec2:DescribeVpcEndpoints", ATTACHING];
        assert_eq!(reads["Action"], json!(expected));
        for own in statements.iter().skip(1) {
            let text = own["Resource"].to_string();
            let is_limited =
                own["Condition"].is_object() || text.contains("rtb-0a1b2c3d") || text.contains("vpc-0a1b2c3d");
            assert!(is_limited && own["Resource"] != json!(["*"]), "{own}");
        }
        let plain: Vec<_> = rendered.iter().filter(|stack| stack.stack == "api").collect();
        assert!(super::statements(&actions, &plain, &tags).is_empty(), "without a network, no permission on EC2");
    }
}
