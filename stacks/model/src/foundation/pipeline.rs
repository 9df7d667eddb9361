//! Stack `pipeline`: the roles of GitHub's workflows. Workflows identify themselves with tokens, so no key is stored.

use serde_json::{Value, json};

use super::{
    SYSTEM, boundary, calls,
    capacity::{self, INLINE_FULL, POLICIES_LIMIT, POLICY_LIMIT},
    execution,
};
use crate::{
    emulator::Feature,
    parts::policy::{self, Statement},
    rendered::{ParameterSource, RenderedStack, RenderedSystem},
    requirements::Requirement,
    resources::iam::{ManagedPolicy, Role},
    stage::{Pipeline, Stage},
    template::{Expression, Reference, RemovalPolicy, RenderError, Resource, Stack, Text, list, set},
};

/// The issuer of workflows' tokens.
pub const ISSUER: &str = "token.actions.githubusercontent.com";
/// The stack's name within foundation.
pub const STACK: &str = "pipeline";
/// The output with the ARN of CloudFormation's execution role.
pub const EXECUTION_ROLE_OUTPUT: &str = "ExecutionRoleArn";

/// The workflow that deploys: its jobs without an environment take the plan role.
pub const DEPLOY_WORKFLOW: &str = "deploy.yml";
/// The workflow that rolls back.
pub const ROLLBACK_WORKFLOW: &str = "rollback.yml";

/// The maximum length of a role's trust policy in characters, unless the account's quota was raised (IAM user guide, "IAM and AWS STS
/// quotas").
const TRUST_LIMIT: usize = 2_048;
/// The maximum session duration of the deploy role, in seconds. A deploy with canaries takes longer than the default of
/// one hour, and a workflow requests as much as its job's timeout (IAM user guide, "Update a role's maximum session
/// duration": 1 to 12 hours).
pub const DEPLOY_SESSION: u32 = 7_200;

/// A role of stack `pipeline`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PipelineRole {
    /// The role of jobs that deploy.
    Deploy,
    /// The role of jobs that read the stage for a plan.
    Plan,
    /// CloudFormation's own role.
    Execution,
}

impl PipelineRole {
    /// Returns the role's name in IAM.
    #[must_use]
    pub fn name(self, stage: &str) -> String {
        let purpose = match self {
            Self::Deploy => "deploy",
            Self::Plan => "plan",
            Self::Execution => "execution",
        };
        format!("{SYSTEM}-{purpose}-{stage}")
    }

    /// Returns the beginning of the logical IDs of the role and its policies.
    const fn title(self) -> &'static str {
        match self {
            Self::Deploy => "Deploy",
            Self::Plan => "Plan",
            Self::Execution => "Execution",
        }
    }

    fn arn(self, stage: &Stage) -> Text {
        let arn = format!("arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/{}", self.name(&stage.name));
        Expression::sub(&arn, []).into()
    }
}

impl Pipeline {
    /// Checks the form of repository, environment and branch. A `*` would become part of the trust policy.
    fn check(&self) -> Result<(), RenderError> {
        let is_word = |text: &str| {
            !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
        };
        let is_repository =
            self.repository.split_once('/').is_some_and(|(owner, name)| is_word(owner) && is_word(name));
        let invalid = |setting: &str, value: &str, expected: &str| RenderError::Settings {
            system: SYSTEM.to_owned(),
            message: format!("`pipeline.{setting}` is `{value}`, but must be {expected}"),
        };
        if !is_repository {
            return Err(invalid("repository", &self.repository, "a repository, like owner/name"));
        }
        if !is_word(&self.environment) {
            return Err(invalid("environment", &self.environment, "letters, digits, hyphens, dots and underscores"));
        }
        if !self.branch.split('/').all(is_word) {
            return Err(invalid("branch", &self.branch, "a branch, like main"));
        }
        Ok(())
    }

    /// Returns a workflow's subject in both forms: with names only, and with IDs, which the tokens of repositories have
    /// that were created, renamed or transferred since July 2026. `context` is the part after the repository.
    fn subjects(&self, context: &str) -> [String; 2] {
        let (owner, name) = self.repository.split_once('/').unwrap_or_default();
        let with_ids = format!("{owner}@{}/{name}@{}", self.owner_id, self.repository_id);
        [&self.repository, &with_ids].map(|repository| format!("repo:{repository}:{context}"))
    }

    /// Returns the branch as a git reference.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("refs/heads/{}", self.branch)
    }

    /// Returns the claim `job_workflow_ref` of jobs that these workflows of the stage's branch define.
    fn workflows(&self, files: &[&str]) -> Vec<String> {
        let claim = |file: &&str| format!("{}/.github/workflows/{file}@{}", self.repository, self.reference());
        files.iter().map(claim).collect()
    }

    /// Returns the trust policy for jobs of these workflows with exactly this subject, on the stage's branch.
    ///
    /// STS compares claims of GitHub's tokens besides `aud` and `sub` since January 2026, among them `job_workflow_ref`, `ref` and
    /// `repository_id` (IAM user guide, "IAM and AWS STS condition context keys", "Available keys for AWS OIDC federation").
    ///
    /// # Errors
    ///
    /// When the names of repository, branch and environment are too long for a trust policy.
    fn trust(&self, context: &str, workflows: &[&str]) -> Result<Value, RenderError> {
        let provider = format!("arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:oidc-provider/{ISSUER}");
        let claim = |name: &str| format!("{ISSUER}:{name}");
        let condition = json!({ "StringEquals": {
            claim("aud"): "sts.amazonaws.com",
            claim("job_workflow_ref"): self.workflows(workflows),
            claim("ref"): self.reference(),
            claim("repository_id"): self.repository_id.to_string(),
            claim("sub"): self.subjects(context),
        }});
        let principal = json!({ "Federated": Text::from(Expression::sub(&provider, [])) });
        let trust = policy::trust(principal, "sts:AssumeRoleWithWebIdentity", Some(condition));
        let length = trust.to_string().len();
        if length <= TRUST_LIMIT {
            return Ok(trust);
        }
        let message = format!(
            "the trust policy of a role has {length} characters, but IAM allows {TRUST_LIMIT}; shorten `pipeline.environment` or \
             `pipeline.branch`"
        );
        Err(RenderError::Settings { system: SYSTEM.to_owned(), message })
    }
}

/// Builds the stack for a stage with these systems. `deployed` are stacks as they are deployed: their functions must
/// keep their permissions until the stacks are changed, and the stacks must be changeable. `artifacts` is the artifact
/// bucket's ARN, as text for `Fn::Sub`.
///
/// # Errors
///
/// When a setting is not allowed, or the systems need more than a role can hold.
pub(super) fn stack(
    stage: &Stage,
    pipeline: &Pipeline,
    systems: &[RenderedSystem],
    deployed: &[RenderedStack],
    artifacts: &str,
) -> Result<Stack, RenderError> {
    pipeline.check()?;
    let mut stack = Stack::new(STACK, "What GitHub's workflows deploy with: who is trusted, and with what.");
    add_provider(&mut stack, stage);
    let in_environment = format!("environment:{}", pipeline.environment);
    let environment = pipeline.trust(&in_environment, &[DEPLOY_WORKFLOW, ROLLBACK_WORKFLOW])?;
    let branch = pipeline.trust(&format!("ref:{}", pipeline.reference()), &[DEPLOY_WORKFLOW])?;
    let execution_role = PipelineRole::Execution.arn(stage);
    let deploy = calls::deploy(stage, systems, &execution_role, artifacts);
    let trusting = |trust| Role { assume_role_policy_document: Some(trust), ..Role::default() };
    let role = Role { max_session_duration: set(i64::from(DEPLOY_SESSION)), ..trusting(environment) };
    add_own_role(&mut stack, PipelineRole::Deploy, stage, role, &deploy)?;
    let plan = calls::plan(stage, systems, artifacts);
    add_own_role(&mut stack, PipelineRole::Plan, stage, trusting(branch), &plan)?;

    let stacks: Vec<_> = systems.iter().flat_map(|system| &system.stacks).chain(deployed).collect();
    add_boundary(&mut stack, stage, &boundary::statements(&stacks, stage)?)?;
    let boundary = boundary::arn(stage);
    let is_protected = stage.protected;
    let grants =
        execution::Grants { stage: &stage.name, stacks: &stacks, boundary: &boundary, artifacts, is_protected };
    let policies = add_policies(&mut stack, stage, PipelineRole::Execution, &execution::statements(&grants)?)?;
    let execution = Role {
        assume_role_policy_document: Some(policy::service_trust("cloudformation.amazonaws.com")),
        managed_policy_arns: list(policies.iter().map(Reference::id)),
        ..Role::default()
    };
    add_role(&mut stack, PipelineRole::Execution, stage, execution);
    Ok(stack)
}

/// Adds the permissions boundary of the systems' roles. It must fit into one policy.
fn add_boundary(stack: &mut Stack, stage: &Stage, statements: &[Statement]) -> Result<(), RenderError> {
    let document = policy::document(statements);
    let length = capacity::length(&document, &stage.region);
    if length > POLICY_LIMIT {
        let message = format!(
            "the permissions of all roles of stage {} take {length} characters, but a permissions boundary has at most {POLICY_LIMIT}; name \
             resources `<system>-…-<stage>`, so that one pattern matches them",
            stage.name
        );
        return Err(RenderError::Settings { system: SYSTEM.to_owned(), message });
    }
    if !statements.is_empty() {
        let policy = ManagedPolicy {
            managed_policy_name: set(boundary::name(stage)),
            policy_document: Some(document),
            ..ManagedPolicy::default()
        };
        let reason = "A boundary grants nothing: it limits roles, whose own policies name the resources.";
        let scans =
            policy.policy_document.as_ref().is_some_and(|document| document.to_string().contains("dynamodb:Scan"));
        let mut boundary = Resource::of(policy).except(Requirement::WildcardResource, reason);
        if scans {
            boundary = boundary.except(Requirement::TableScan, reason);
        }
        stack.resource("RoleBoundary", boundary);
    }
    Ok(())
}

fn add_role(stack: &mut Stack, name: PipelineRole, stage: &Stage, role: Role) {
    let logical_id = format!("{}Role", name.title());
    let role = Role { role_name: set(name.name(&stage.name)), ..role };
    let role = stack.resource(&logical_id, Resource::of(role));
    stack.output(&format!("{logical_id}Arn"), role.attribute("Arn"));
}

/// Adds the account's OIDC provider for GitHub's tokens. An account has at most one for each issuer, so an existing one
/// is used. The provider is retained when the stack is deleted, because other stages may use it.
fn add_provider(stack: &mut Stack, stage: &Stage) {
    if !Feature::OidcProvider.is_in(stage) {
        return;
    }
    let definition = json!({
        "Type": "String",
        "AllowedValues": ["true", "false"],
        "Description": "Does the account trust GitHub's tokens already?",
    });
    let source = ParameterSource::OidcProviderExists { issuer: ISSUER.to_owned() };
    let exists = stack.parameter("GithubOidcProviderExists", definition, source);
    stack.condition("MakeGithubOidcProvider", json!({ "Fn::Equals": [exists, "false"] }));
    let properties = json!({ "Url": format!("https://{ISSUER}"), "ClientIdList": ["sts.amazonaws.com"] });
    let provider = Resource::new("AWS::IAM::OIDCProvider", properties)
        .condition("MakeGithubOidcProvider")
        .removal(RemovalPolicy::Retain);
    stack.resource("GithubOidcProvider", provider);
}

/// Adds a role with these statements: inline, or as managed policies where they would nearly fill the inline policies.
pub(super) fn add_own_role(
    stack: &mut Stack,
    name: PipelineRole,
    stage: &Stage,
    role: Role,
    statements: &[Statement],
) -> Result<(), RenderError> {
    let document = policy::document(statements);
    let role = if capacity::length(&document, &stage.region) <= INLINE_FULL {
        Role { policies: policy::role(&Value::Null, statements).policies, ..role }
    } else {
        let policies = add_policies(stack, stage, name, statements)?;
        Role { managed_policy_arns: list(policies.iter().map(Reference::id)), ..role }
    };
    add_role(stack, name, stage, role);
    Ok(())
}

/// Adds as few managed policies of a role as contain all statements.
fn add_policies(
    stack: &mut Stack,
    stage: &Stage,
    role: PipelineRole,
    statements: &[Statement],
) -> Result<Vec<Reference>, RenderError> {
    let packed = capacity::pack(statements, &stage.region);
    let is_too_long =
        |statements: &Vec<Statement>| capacity::length(&policy::document(statements), &stage.region) > POLICY_LIMIT;
    let name = role.name(&stage.name);
    if packed.iter().any(is_too_long) || packed.len() > POLICIES_LIMIT {
        let message = format!(
            "the permissions of role {name} take {} policies, but a role has at most {POLICIES_LIMIT} of {POLICY_LIMIT} characters; name \
             resources `<system>-…-<stage>`, so that one pattern matches them",
            packed.len()
        );
        return Err(RenderError::Settings { system: SYSTEM.to_owned(), message });
    }
    let add_policy = |(number, statements): (usize, &Vec<Statement>)| {
        let policy = ManagedPolicy {
            managed_policy_name: set(format!("{name}-{number}")),
            policy_document: Some(policy::document(statements)),
            ..ManagedPolicy::default()
        };
        stack.resource(&format!("{}Policy{number}", role.title()), Resource::of(policy))
    };
    Ok((1..).zip(&packed).map(add_policy).collect())
}
