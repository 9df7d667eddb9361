//! What CloudFormation may do for a stage: the calls that making, changing and deleting the resources of its templates takes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::scope::{Scopes, scopes};
use crate::{
    parts::policy::{Statement, as_list},
    rendered::RenderedStack,
    template::{Expression, RenderError, Text},
};

/// AWS's own words on what each type's handlers call; written by `cargo xtask schema`.
const TABLE: &str = include_str!("permissions.tsv");

/// Calls that the handlers make and do not name.
const UNNAMED: &[(&str, &[&str])] = &[(
    // API Gateway developer guide, "Configure logging for HTTP APIs".
    "AWS::ApiGatewayV2::Stage",
    &[
        "logs:CreateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:DescribeLogGroups",
        "logs:DescribeResourcePolicies",
        "logs:GetLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
        "logs:UpdateLogDelivery",
    ],
)];

/// Calls that only features take which no part here offers: imports, replicas, mail through a service-linked role, roles without
/// a boundary. Without them the role cannot read or write what a table or bucket holds.
const LEFT_OUT: &[&str] = &[
    "dynamodb:BatchWriteItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:UpdateItem",
    "iam:CreateServiceLinkedRole",
    "iam:DeleteRolePermissionsBoundary",
    "s3:DeleteObject",
    "s3:PutObjectAcl",
];

/// Calls that make a role able to do something. They count only for roles that have the boundary, or get it by the call (Service
/// Authorization Reference: what `iam:PermissionsBoundary` is a condition key of).
const BOUNDED: [&str; 4] =
    ["iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"];

/// Giving a role to a service: only to those that the templates' roles trust (IAM user guide, "Granting a user permissions to pass a
/// role to an AWS service").
const PASS_ROLE: &str = "iam:PassRole";

/// Calls on event source mappings, whose ids Lambda makes up: they are told by the function (Service Authorization Reference:
/// `lambda:FunctionArn` is a condition key of these).
const OF_MAPPINGS: [&str; 3] =
    ["lambda:CreateEventSourceMapping", "lambda:DeleteEventSourceMapping", "lambda:UpdateEventSourceMapping"];

/// Calls that IAM can only allow on everything (Service Authorization Reference: no resource types).
const ON_ANYTHING: &[&str] = &[
    "acm:ListCertificates",
    "acm:RequestCertificate",
    "cloudfront:ListDistributions",
    "cognito-identity:CreateIdentityPool",
    "cognito-identity:ListIdentityPools",
    "cognito-identity:SetIdentityPoolRoles",
    "cognito-idp:CreateUserPool",
    "cognito-idp:ListUserPools",
    "dynamodb:ListTables",
    "events:ListRules",
    "iam:ListPolicies",
    "iam:ListRoles",
    "kms:CreateKey",
    "kms:ListAliases",
    "kms:ListKeys",
    "lambda:ListEventSourceMappings",
    "lambda:ListFunctions",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DeleteResourcePolicy",
    "logs:DescribeIndexPolicies",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "resource-groups:CreateGroup",
    "route53:ListHostedZones",
    "s3:ListAllMyBuckets",
    "secretsmanager:GetRandomPassword",
    "secretsmanager:ListSecrets",
    "sns:GetSubscriptionAttributes",
    "sns:ListSubscriptions",
    "sns:ListTopics",
    "sns:SetSubscriptionAttributes",
    "sns:Unsubscribe",
    "sqs:ListQueues",
    "ssm:DescribeParameters",
    "wafv2:listWebACLs",
];

/// Reading the zips of functions and layers.
const READ_CODE: [&str; 2] = ["s3:GetObject", "s3:GetObjectVersion"];

/// The longest that one statement's actions may be together, so that every statement fits into a policy.
const LONGEST: usize = 3_000;

/// What CloudFormation may do for these stacks, with their code in `artifacts`, a bucket's ARN. `boundary` is that of the roles it
/// makes.
///
/// # Errors
///
/// When AWS says of a type in a template not what its handlers call.
pub(super) fn statements(
    stacks: &[&RenderedStack],
    boundary: &Text,
    artifacts: &str,
) -> Result<Vec<Statement>, RenderError> {
    let scopes = scopes(stacks.iter().copied());
    let mut scoped: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut anywhere = BTreeSet::new();
    let (mut bounded, mut of_mappings, mut reads_code, mut passes) = (Vec::new(), Vec::new(), false, false);
    for action in actions(stacks)? {
        let Some((owner, _)) = action.split_once(':') else { continue };
        if READ_CODE.contains(&action) {
            reads_code = true;
        } else if action == PASS_ROLE {
            passes = true;
        } else if BOUNDED.contains(&action) {
            bounded.push(action);
        } else if OF_MAPPINGS.contains(&action) {
            of_mappings.push(action);
        } else if LEFT_OUT.contains(&action) || !scopes.contains_key(owner) {
            // A service that the stage has nothing of is called only for what its templates do not use.
        } else if ON_ANYTHING.contains(&action) {
            anywhere.insert(action);
        } else {
            scoped.entry(owner.to_owned()).or_default().insert(action);
        }
    }
    let mut statements = Vec::new();
    for (owner, actions) in &scoped {
        statements.extend(in_pieces(actions, &limits(&scopes, owner)));
    }
    if !bounded.is_empty() {
        let has_boundary = serde_json::json!({ "StringEquals": { "iam:PermissionsBoundary": boundary } });
        statements.push(Statement::allow(bounded, limits(&scopes, "iam")).when(has_boundary));
    }
    let services = trusted(stacks);
    if passes && !services.is_empty() {
        let to = serde_json::json!({ "StringEquals": { "iam:PassedToService": services } });
        statements.push(Statement::allow([PASS_ROLE], limits(&scopes, "iam")).when(to));
    }
    let functions = scopes.get("lambda").into_iter().flatten().filter(|arn| arn.contains(":function:"));
    let functions: Vec<_> = functions.map(|arn| sub(arn)).collect();
    if !of_mappings.is_empty() && !functions.is_empty() {
        let of = serde_json::json!({ "ArnLike": { "lambda:FunctionArn": functions } });
        statements.push(Statement::allow(of_mappings, [Text::from("*")]).when(of));
    }
    statements.extend(in_pieces(&anywhere, &[Text::from("*")]));
    if has_domain(stacks) {
        statements.push(service_linked_role());
    }
    if reads_code {
        statements.push(Statement::allow(READ_CODE, [sub(&format!("{artifacts}/*"))]));
    }
    Ok(statements)
}

/// The services that roles of these stacks trust, and those that give roles to users.
fn trusted(stacks: &[&RenderedStack]) -> BTreeSet<String> {
    let resources = stacks.iter().filter_map(|stack| stack.template["Resources"].as_object()).flatten();
    let roles = resources.filter(|(_, resource)| resource["Type"] == "AWS::IAM::Role");
    let trust = roles.filter_map(|(_, role)| role["Properties"]["AssumeRolePolicyDocument"]["Statement"].as_array());
    let principals = trust.flatten().map(|statement| &statement["Principal"]);
    let services = principals.flat_map(|principal| [&principal["Service"], &principal["Federated"]]);
    services.flat_map(as_list).filter_map(|service| service.as_str().map(str::to_owned)).collect()
}

fn has_domain(stacks: &[&RenderedStack]) -> bool {
    let types = ["AWS::ApiGateway::DomainName", "AWS::ApiGatewayV2::DomainName"];
    let mut resources = stacks.iter().filter_map(|stack| stack.template["Resources"].as_object()).flatten();
    resources.any(|(_, resource)| resource["Type"].as_str().is_some_and(|kind| types.contains(&kind)))
}

/// API Gateway makes its own role with the account's first custom domain, with the rights of whoever makes that (API Gateway
/// developer guide, "Using service-linked roles for API Gateway"); AWS's schemas do not list the call.
fn service_linked_role() -> Statement {
    let role = "role/aws-service-role/ops.apigateway.amazonaws.com/AWSServiceRoleForAPIGateway";
    let only = serde_json::json!({ "StringEquals": { "iam:AWSServiceName": "ops.apigateway.amazonaws.com" } });
    let role = sub(&format!("arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:{role}"));
    Statement::allow(["iam:CreateServiceLinkedRole"], [role]).when(only)
}

/// Everything that the handlers of these stacks' types call.
fn actions(stacks: &[&RenderedStack]) -> Result<BTreeSet<&'static str>, RenderError> {
    let table: BTreeMap<_, _> = TABLE.lines().filter_map(|line| line.split_once('\t')).collect();
    let mut actions = BTreeSet::new();
    for kind in stacks.iter().flat_map(|stack| types(&stack.template)) {
        let named = table.get(kind.as_str());
        let unnamed = UNNAMED.iter().find(|(name, _)| *name == kind);
        if named.is_none() && unnamed.is_none() {
            let message = format!(
                "AWS's schemas do not say what {kind} needs, so no execution role can be made for it; name it in UNNAMED"
            );
            return Err(RenderError::Settings { system: super::SYSTEM.to_owned(), message });
        }
        actions.extend(named.into_iter().flat_map(|actions| actions.split(',')));
        actions.extend(unnamed.into_iter().flat_map(|(_, actions)| actions.iter().copied()));
    }
    Ok(actions)
}

/// The types of a template's resources, each once.
pub(super) fn types(template: &Value) -> BTreeSet<String> {
    let resources = template["Resources"].as_object().into_iter().flatten();
    resources.filter_map(|(_, resource)| resource["Type"].as_str().map(str::to_owned)).collect()
}

fn limits(scopes: &Scopes, owner: &str) -> Vec<Text> {
    scopes.get(owner).into_iter().flatten().map(|arn| sub(arn)).collect()
}

fn in_pieces(actions: &BTreeSet<&str>, resources: &[Text]) -> Vec<Statement> {
    let mut pieces: Vec<Vec<&str>> = Vec::new();
    let mut length = LONGEST;
    for action in actions {
        length += action.len();
        if length > LONGEST {
            pieces.push(Vec::new());
            length = action.len();
        }
        pieces.last_mut().into_iter().for_each(|piece| piece.push(action));
    }
    let allow = |piece: Vec<&str>| Statement::allow(piece, resources.iter().cloned());
    if resources.is_empty() { Vec::new() } else { pieces.into_iter().map(allow).collect() }
}

pub(super) fn sub(text: &str) -> Text {
    if text.contains("${") { Expression::sub(text, []).into() } else { Text::from(text) }
}
