//! Stack `pipeline`: what GitHub's workflows deploy with. No key is stored anywhere; a workflow shows who it is.

use serde_json::{Value, json};

use super::{SYSTEM, boundary, calls, execution};
use crate::{
    emulator::Feature,
    parts::policy::{self, Statement},
    rendered::{ParameterSource, RenderedStack, RenderedSystem},
    resources::iam::{ManagedPolicy, Role},
    stage::{Pipeline, Stage},
    template::{Expression, Reference, RemovalPolicy, RenderError, Resource, Stack, Text, list, set},
};

/// Who signs the tokens that workflows show.
pub const ISSUER: &str = "token.actions.githubusercontent.com";
/// The stack's name within foundation.
pub const STACK: &str = "pipeline";
/// The output that holds the ARN of the role CloudFormation works with.
pub const EXECUTION_ROLE_OUTPUT: &str = "ExecutionRoleArn";

/// The most characters of a managed policy, white space not counted (IAM user guide, "IAM and AWS STS quotas").
const POLICY_LIMIT: usize = 6_144;
/// The most managed policies of a role, unless the account's quota was raised (the same page).
const POLICIES_LIMIT: usize = 10;

/// How long a job may work with the deploy role, in seconds: a deploy with canaries takes longer than the hour that is usual. The
/// workflow asks for as long as its job may take (IAM user guide, "Update a role's maximum session duration": 1 to 12 hours).
pub const DEPLOY_SESSION: u32 = 7_200;

/// A role of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PipelineRole {
    /// Carries out plans.
    Deploy,
    /// Looks at the stage.
    Plan,
    /// CloudFormation's.
    Execution,
}

impl PipelineRole {
    /// Its name in IAM.
    #[must_use]
    pub fn name(self, stage: &str) -> String {
        let kind = match self {
            Self::Deploy => "deploy",
            Self::Plan => "plan",
            Self::Execution => "execution",
        };
        format!("{SYSTEM}-{kind}-{stage}")
    }

    fn arn(self, stage: &Stage) -> Text {
        let arn = format!("arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/{}", self.name(&stage.name));
        Expression::sub(&arn, []).into()
    }
}

impl Pipeline {
    /// Refuses what cannot be a repository, an environment or a branch: a `*` here would be trusted as it stands.
    ///
    /// # Errors
    ///
    /// The setting that is wrong.
    fn check(&self) -> Result<(), RenderError> {
        let word = |text: &str| {
            !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
        };
        let repository = self.repository.split_once('/').is_some_and(|(owner, name)| word(owner) && word(name));
        let wrong = |setting: &str, value: &str, expected: &str| RenderError::Settings {
            system: SYSTEM.to_owned(),
            message: format!("`pipeline.{setting}` is `{value}`, but must be {expected}"),
        };
        if !repository {
            return Err(wrong("repository", &self.repository, "a repository, like owner/name"));
        }
        if !word(&self.environment) {
            return Err(wrong("environment", &self.environment, "letters, digits, hyphens, dots and underscores"));
        }
        if !self.branch.split('/').all(word) {
            return Err(wrong("branch", &self.branch, "a branch, like main"));
        }
        Ok(())
    }

    /// A workflow's subject: `what` after the repository, in the classic form and in the one with numbers, which
    /// repositories made, renamed or moved since July 2026 have.
    fn subjects(&self, what: &str) -> [String; 2] {
        let (owner, name) = self.repository.split_once('/').unwrap_or_default();
        let numbered = format!("{owner}@{}/{name}@{}", self.owner_id, self.repository_id);
        [&self.repository, &numbered].map(|repository| format!("repo:{repository}:{what}"))
    }

    /// Trust in runs of this repository whose subject is exactly this.
    fn trust(&self, what: &str) -> Value {
        let provider = format!("arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:oidc-provider/{ISSUER}");
        let claim = |name: &str| format!("{ISSUER}:{name}");
        let condition = json!({ "StringEquals": {
            claim("aud"): "sts.amazonaws.com",
            claim("repository_id"): self.repository_id.to_string(),
            claim("sub"): self.subjects(what),
        }});
        let principal = json!({ "Federated": Text::from(Expression::sub(&provider, [])) });
        policy::trust(principal, "sts:AssumeRoleWithWebIdentity", Some(condition))
    }
}

/// The stack, for a stage with these other systems, of which `earlier` are stacks as they are deployed: what runs must be able
/// to go on until it is changed, and to be changed. `artifacts` is the artifact bucket's ARN, as text for `Fn::Sub`.
///
/// # Errors
///
/// When a setting cannot be, or the systems need more than a role can hold.
pub(super) fn stack(
    stage: &Stage,
    pipeline: &Pipeline,
    systems: &[RenderedSystem],
    earlier: &[RenderedStack],
    artifacts: &str,
) -> Result<Stack, RenderError> {
    pipeline.check()?;
    let mut stack = Stack::new(STACK, "What GitHub's workflows deploy with: who is trusted, and with what.");
    provider(&mut stack, stage);
    let environment = pipeline.trust(&format!("environment:{}", pipeline.environment));
    let branch = pipeline.trust(&format!("ref:refs/heads/{}", pipeline.branch));
    let execution_role = PipelineRole::Execution.arn(stage);
    let deploy = calls::deploy(stage, systems, &execution_role, artifacts);
    let deploy = Role { max_session_duration: set(i64::from(DEPLOY_SESSION)), ..policy::role(&environment, &deploy) };
    add(&mut stack, "DeployRole", PipelineRole::Deploy, stage, deploy);
    let plan = calls::plan(stage, systems, artifacts);
    add(&mut stack, "PlanRole", PipelineRole::Plan, stage, policy::role(&branch, &plan));

    let stacks: Vec<_> = systems.iter().flat_map(|system| &system.stacks).chain(earlier).collect();
    limit(&mut stack, stage, &boundary::statements(&stacks)?)?;
    let policies = policies(&mut stack, stage, &execution::statements(&stacks, &boundary::arn(stage), artifacts)?)?;
    let execution = Role {
        assume_role_policy_document: Some(policy::service_trust("cloudformation.amazonaws.com")),
        managed_policy_arns: list(policies.iter().map(Reference::id)),
        ..Role::default()
    };
    add(&mut stack, "ExecutionRole", PipelineRole::Execution, stage, execution);
    Ok(stack)
}

/// The boundary of all roles of the systems, which is one policy.
fn limit(stack: &mut Stack, stage: &Stage, statements: &[Statement]) -> Result<(), RenderError> {
    let document = policy::document(statements);
    if length(&document) > POLICY_LIMIT {
        let message = format!(
            "what the roles of stage {} need takes {} characters, and their permissions boundary has at most {POLICY_LIMIT}; name \
             resources `<system>-…-<stage>`, so that one pattern tells them",
            stage.name,
            length(&document)
        );
        return Err(RenderError::Settings { system: SYSTEM.to_owned(), message });
    }
    if !statements.is_empty() {
        let policy = ManagedPolicy {
            managed_policy_name: set(boundary::name(stage)),
            policy_document: Some(document),
            ..ManagedPolicy::default()
        };
        stack.resource("RoleBoundary", Resource::of(policy));
    }
    Ok(())
}

fn add(stack: &mut Stack, logical_id: &str, name: PipelineRole, stage: &Stage, role: Role) {
    let role = Role { role_name: set(name.name(&stage.name)), ..role };
    let role = stack.resource(logical_id, Resource::of(role));
    stack.output(&format!("{logical_id}Arn"), role.attribute("Arn"));
}

/// The account's trust in GitHub's tokens. An account has at most one of each issuer, so where there is one it is used; the
/// one that is made here stays when the stack goes, for others may use it by then.
fn provider(stack: &mut Stack, stage: &Stage) {
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

/// As few managed policies as hold all statements.
fn policies(stack: &mut Stack, stage: &Stage, statements: &[Statement]) -> Result<Vec<Reference>, RenderError> {
    let mut packed: Vec<Vec<Statement>> = Vec::new();
    for statement in statements {
        let fits = packed.iter().position(|statements| {
            let together: Vec<_> = statements.iter().chain([statement]).cloned().collect();
            length(&policy::document(&together)) <= POLICY_LIMIT
        });
        match fits {
            Some(index) => packed[index].push(statement.clone()),
            None => packed.push(vec![statement.clone()]),
        }
    }
    let too_long = packed.iter().any(|statements| length(&policy::document(statements)) > POLICY_LIMIT);
    if too_long || packed.len() > POLICIES_LIMIT {
        let message = format!(
            "what CloudFormation needs for stage {} takes {} policies, and a role has at most {POLICIES_LIMIT} of {POLICY_LIMIT} \
             characters; name resources `<system>-…-<stage>`, so that one pattern tells them",
            stage.name,
            packed.len()
        );
        return Err(RenderError::Settings { system: SYSTEM.to_owned(), message });
    }
    let name = PipelineRole::Execution.name(&stage.name);
    let add = |(number, statements): (usize, &Vec<Statement>)| {
        let policy = ManagedPolicy {
            managed_policy_name: set(format!("{name}-{number}")),
            policy_document: Some(policy::document(statements)),
            ..ManagedPolicy::default()
        };
        stack.resource(&format!("ExecutionPolicy{number}"), Resource::of(policy))
    };
    Ok((1..).zip(&packed).map(add).collect())
}

/// How long a document is, with the expressions that CloudFormation makes shorter.
fn length(document: &Value) -> usize {
    document.to_string().len()
}
