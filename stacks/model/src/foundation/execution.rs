//! The permissions of CloudFormation's execution role: the actions that create, change and delete the resources of a
//! stage's templates.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    limits::{self, CREATES, CREATING, Tags},
    networks,
    scope::{Scopes, scopes},
};
use crate::{
    parts::policy::Statement,
    rendered::RenderedStack,
    statements::list,
    template::{Expression, RenderError, Text},
};

/// The actions of each type's handlers, from AWS's schemas; written by `cargo xtask schema`.
const TABLE: &str = include_str!("permissions.tsv");

/// Actions of handlers that the schemas do not name.
const MISSING_IN_SCHEMAS: &[(&str, &[&str])] = &[(
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

/// Actions for features that no part offers: imports, replicas, mail through a service-linked role, roles without a
/// boundary, distributions of several tenants or in a VPC. Without them, the role can neither read nor write the data in
/// tables and buckets.
const OMITTED: &[&str] = &[
    "cloudfront:CreateConnectionGroup",
    "cloudfront:GetConnectionGroup",
    "cloudfront:GetVpcOrigin",
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

/// Actions that give a role permissions, or say who may assume it. They are allowed only on roles with the boundary (Service
/// Authorization Reference: the actions with the condition key `iam:PermissionsBoundary`).
const NEEDS_BOUNDARY: [&str; 7] = [
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateRole",
    "iam:UpdateRoleDescription",
];

/// Passes a role to a service. It is allowed only for the services that the templates' roles trust (IAM user guide,
/// "Granting a user permissions to pass a role to an AWS service").
const PASS_ROLE: &str = "iam:PassRole";

/// Actions on event source mappings. Their IDs are not known in advance, so they are limited by the function (Service
/// Authorization Reference: the actions with the condition key `lambda:FunctionArn`).
const ON_MAPPINGS: [&str; 4] = [
    "lambda:CreateEventSourceMapping",
    "lambda:DeleteEventSourceMapping",
    "lambda:GetEventSourceMapping",
    "lambda:UpdateEventSourceMapping",
];

/// Requests a certificate. It is limited by the domains (ACM user guide, "Use condition keys with ACM": `acm:DomainNames`), because
/// the type's schema does not say whether its handler sends tags with the request.
const REQUEST_CERTIFICATE: &str = "acm:RequestCertificate";

/// Ends a key, and with it everything that the key encrypted. A key cannot refuse its deletion as a table can, so no deploy of a protected
/// stage may request it.
const SCHEDULE_KEY_DELETION: &str = "kms:ScheduleKeyDeletion";

/// Sets the roles of an identity pool.
const SET_POOL_ROLES: &str = "cognito-identity:SetIdentityPoolRoles";

/// Actions without resource-level permissions, which IAM can allow only on all resources (Service Authorization
/// Reference: actions without resource types).
const WITHOUT_RESOURCES: &[&str] = &[
    "acm:ListCertificates",
    "cloudfront:CreateFunction",
    "cloudfront:CreateOriginAccessControl",
    "cloudfront:ListDistributions",
    "cognito-identity:ListIdentityPools",
    "cognito-idp:ListUserPools",
    "dynamodb:ListTables",
    "events:ListRules",
    "iam:ListPolicies",
    "iam:ListRoles",
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

/// Reads the zips of functions and layers.
const READ_CODE: [&str; 2] = ["s3:GetObject", "s3:GetObjectVersion"];

/// The maximum length of one statement's actions, in characters, so that every statement fits into a policy.
const MAX_ACTIONS_LENGTH: usize = 3_000;

/// What the execution role's permissions are for.
pub(super) struct Grants<'a> {
    /// The stage's name.
    pub(super) stage: &'a str,
    /// The stacks, rendered and deployed.
    pub(super) stacks: &'a [&'a RenderedStack],
    /// The ARN of the roles' boundary.
    pub(super) boundary: &'a Text,
    /// The ARN of the bucket with the functions' code.
    pub(super) artifacts: &'a str,
    /// Whether AWS refuses to delete the stage's stateful resources.
    pub(super) is_protected: bool,
}

/// Returns the execution role's statements.
///
/// # Errors
///
/// When AWS's schemas do not name the actions of a resource type.
pub(super) fn statements(grants: &Grants<'_>) -> Result<Vec<Statement>, RenderError> {
    let stacks = grants.stacks;
    let scopes = scopes(stacks.iter().copied());
    let mut needed = actions(stacks)?;
    if grants.is_protected {
        needed.remove(SCHEDULE_KEY_DELETION);
    }
    let actions = Actions::sort(needed, &scopes);
    let tags = Tags::new(grants.stage, stacks);
    let mut statements = Vec::new();
    for (service, actions) in &actions.scoped {
        let arns = scopes.get(service).cloned().unwrap_or_default();
        statements.extend(limits::statements(service, actions, &arns, &tags));
    }
    statements.extend(on_roles(&actions, grants, &arns_of(&scopes, "iam")));
    let functions = scopes.get("lambda").into_iter().flatten().filter(|arn| arn.contains(":function:"));
    let functions: Vec<_> = functions.map(|arn| sub(arn)).collect();
    if !actions.on_mappings.is_empty() && !functions.is_empty() {
        let of_functions = json!({ "ArnLike": { "lambda:FunctionArn": functions } });
        statements.push(Statement::allow(actions.on_mappings.iter().copied(), [Text::from("*")]).when(of_functions));
    }
    statements.extend(networks::statements(&actions.on_networks, stacks, &tags));
    statements.extend(anywhere(&actions, stacks, &tags));
    if has_domain(stacks) {
        statements.push(service_linked_role());
    }
    if actions.reads_code {
        statements.push(Statement::allow(READ_CODE, [sub(&format!("{}/*", grants.artifacts))]));
    }
    Ok(statements)
}

/// Returns the statements for changing roles, and for passing them to services.
fn on_roles(actions: &Actions, grants: &Grants<'_>, roles: &[Text]) -> Vec<Statement> {
    let mut statements = Vec::new();
    if !actions.needs_boundary.is_empty() {
        let has_boundary = json!({ "StringEquals": { "iam:PermissionsBoundary": grants.boundary } });
        let changes = Statement::allow(actions.needs_boundary.iter().copied(), roles.iter().cloned());
        statements.push(changes.when(has_boundary));
    }
    let services = trusted_services(grants.stacks);
    if actions.passes_roles && !services.is_empty() {
        let to_services = json!({ "StringEquals": { "iam:PassedToService": services } });
        statements.push(Statement::allow([PASS_ROLE], roles.iter().cloned()).when(to_services));
    }
    statements
}

/// Returns the statements for actions on all resources.
fn anywhere(actions: &Actions, stacks: &[&RenderedStack], tags: &Tags<'_>) -> Vec<Statement> {
    let on_all = |actions: &[&'static str]| Statement::allow(actions.iter().copied(), [Text::from("*")]);
    let mut statements = Vec::new();
    if !actions.creating.is_empty() {
        statements.push(on_all(&actions.creating).when(tags.of_request("StringEquals")).because(CREATES));
    }
    if actions.requests_certificates {
        let statement = on_all(&[REQUEST_CERTIFICATE]);
        statements.push(match domains(stacks) {
            Some(domains) => {
                statement.when(json!({ "ForAllValues:StringEquals": { "acm:DomainNames": domains } })).because(
                    "A certificate that does not exist has no ARN; it can only be requested for the stage's domains.",
                )
            }
            None => {
                statement.because("A certificate that does not exist has no ARN, and a template computes its domain.")
            }
        });
    }
    if actions.sets_pool_roles {
        let reason =
            "The action has no resource type and no condition key; the roles that it sets are limited by iam:PassRole.";
        statements.push(on_all(&[SET_POOL_ROLES]).because(reason));
    }
    let reason = "The action has no resource type: it lists, or it concerns the account.";
    let others = split(&actions.anywhere, &[Text::from("*")]);
    statements.extend(others.into_iter().map(|statement| statement.because(reason)));
    statements
}

/// Returns the domains of all certificates in these stacks; `None` if a template computes one.
fn domains(stacks: &[&RenderedStack]) -> Option<BTreeSet<String>> {
    let resources = stacks.iter().filter_map(|stack| stack.template["Resources"].as_object()).flatten();
    let certificates = resources.filter(|(_, resource)| resource["Type"] == "AWS::CertificateManager::Certificate");
    let properties = certificates.map(|(_, certificate)| &certificate["Properties"]);
    let names = properties.flat_map(|of| [&of["DomainName"], &of["SubjectAlternativeNames"]]).flat_map(list);
    names.map(|name| name.as_str().map(str::to_owned)).collect()
}

/// The handlers' actions, sorted by how they are limited.
#[derive(Default)]
struct Actions {
    /// Actions on the stage's resources, by service.
    scoped: BTreeMap<String, BTreeSet<&'static str>>,
    /// Actions on all resources.
    anywhere: BTreeSet<&'static str>,
    creating: Vec<&'static str>,
    needs_boundary: Vec<&'static str>,
    on_mappings: Vec<&'static str>,
    /// Actions on EC2.
    on_networks: BTreeSet<&'static str>,
    reads_code: bool,
    passes_roles: bool,
    requests_certificates: bool,
    sets_pool_roles: bool,
}

impl Actions {
    fn sort(actions: BTreeSet<&'static str>, scopes: &Scopes) -> Self {
        let mut sorted = Self::default();
        for action in actions {
            let Some((service, _)) = action.split_once(':') else { continue };
            match action {
                _ if READ_CODE.contains(&action) => sorted.reads_code = true,
                PASS_ROLE => sorted.passes_roles = true,
                REQUEST_CERTIFICATE if scopes.contains_key(service) => sorted.requests_certificates = true,
                SET_POOL_ROLES if scopes.contains_key(service) => sorted.sets_pool_roles = true,
                _ if NEEDS_BOUNDARY.contains(&action) => sorted.needs_boundary.push(action),
                _ if ON_MAPPINGS.contains(&action) => sorted.on_mappings.push(action),
                // Handlers call services without resources in the stage only for features that the templates do not use.
                _ if service == "ec2" => {
                    sorted.on_networks.insert(action);
                }
                _ if OMITTED.contains(&action) || !scopes.contains_key(service) => {}
                _ if CREATING.contains(&action) => sorted.creating.push(action),
                _ if WITHOUT_RESOURCES.contains(&action) => {
                    sorted.anywhere.insert(action);
                }
                _ => {
                    sorted.scoped.entry(service.to_owned()).or_default().insert(action);
                }
            }
        }
        sorted
    }
}

/// Returns the services that roles of these stacks trust, federated identity providers included.
fn trusted_services(stacks: &[&RenderedStack]) -> BTreeSet<String> {
    let resources = stacks.iter().filter_map(|stack| stack.template["Resources"].as_object()).flatten();
    let roles = resources.filter(|(_, resource)| resource["Type"] == "AWS::IAM::Role");
    let trust = roles.filter_map(|(_, role)| role["Properties"]["AssumeRolePolicyDocument"]["Statement"].as_array());
    let principals = trust.flatten().map(|statement| &statement["Principal"]);
    let services = principals.flat_map(|principal| [&principal["Service"], &principal["Federated"]]);
    services.flat_map(list).filter_map(|service| service.as_str().map(str::to_owned)).collect()
}

fn has_domain(stacks: &[&RenderedStack]) -> bool {
    let types = ["AWS::ApiGateway::DomainName", "AWS::ApiGatewayV2::DomainName"];
    let mut resources = stacks.iter().filter_map(|stack| stack.template["Resources"].as_object()).flatten();
    resources.any(|(_, resource)| resource["Type"].as_str().is_some_and(|name| types.contains(&name)))
}

/// API Gateway creates its service-linked role with the account's first custom domain, with the permissions of the
/// caller (API Gateway developer guide, "Using service-linked roles for API Gateway"). AWS's schemas do not name the
/// action.
fn service_linked_role() -> Statement {
    let role = "role/aws-service-role/ops.apigateway.amazonaws.com/AWSServiceRoleForAPIGateway";
    let for_api_gateway = json!({ "StringEquals": { "iam:AWSServiceName": "ops.apigateway.amazonaws.com" } });
    let role = sub(&format!("arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:{role}"));
    Statement::allow(["iam:CreateServiceLinkedRole"], [role]).when(for_api_gateway)
}

/// Returns the actions of the handlers of all resource types in these stacks.
fn actions(stacks: &[&RenderedStack]) -> Result<BTreeSet<&'static str>, RenderError> {
    let table: BTreeMap<_, _> = TABLE.lines().filter_map(|line| line.split_once('\t')).collect();
    let mut actions = BTreeSet::new();
    for resource_type in stacks.iter().flat_map(|stack| types(&stack.template)) {
        let in_schemas = table.get(resource_type.as_str());
        let missing = MISSING_IN_SCHEMAS.iter().find(|(name, _)| *name == resource_type);
        if in_schemas.is_none() && missing.is_none() {
            let message = format!(
                "AWS's schemas do not name the actions of {resource_type}, which the execution role needs; add them to \
                 MISSING_IN_SCHEMAS in stacks/model/src/foundation/execution.rs"
            );
            return Err(RenderError::Settings { system: super::SYSTEM.to_owned(), message });
        }
        // Handlers of other types use keys only where a template names one for them, and no part does.
        let uses_keys = resource_type.starts_with("AWS::KMS::");
        let in_schemas = in_schemas.into_iter().flat_map(|actions| actions.split(','));
        actions.extend(in_schemas.filter(|action| uses_keys || !action.starts_with("kms:")));
        actions.extend(missing.into_iter().flat_map(|(_, actions)| actions.iter().copied()));
    }
    Ok(actions)
}

/// Returns the types of a template's resources, each once.
fn types(template: &Value) -> BTreeSet<String> {
    let resources = template["Resources"].as_object().into_iter().flatten();
    resources.filter_map(|(_, resource)| resource["Type"].as_str().map(str::to_owned)).collect()
}

fn arns_of(scopes: &Scopes, service: &str) -> Vec<Text> {
    scopes.get(service).into_iter().flatten().map(|arn| sub(arn)).collect()
}

/// Returns statements whose actions do not exceed [`MAX_ACTIONS_LENGTH`].
pub(super) fn split(actions: &BTreeSet<&str>, resources: &[Text]) -> Vec<Statement> {
    let mut pieces: Vec<Vec<&str>> = Vec::new();
    let mut length = MAX_ACTIONS_LENGTH;
    for action in actions {
        length += action.len();
        if length > MAX_ACTIONS_LENGTH {
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
