//! Validates rendered templates offline, against AWS's own resource schemas and rules.
//!
//! The schemas and rules are those of AWS's `cloudformation-validate`, and the requirements of [`model::requirements`]. This
//! module decides which findings refuse a template ([`REFUSED`]), and names their places. A stack accepts a finding with
//! [`model::template::Stack::except`]. The module calls no service and changes no template.

mod actions;

use std::{collections::BTreeMap, fmt, sync::OnceLock};

use camino::Utf8PathBuf;
use cel_engine::CelEngine;
use diagnostics::Diagnostic as ValidatorDiagnostic;
use miette::Diagnostic;
use model::{
    rendered::{RenderedStack, RenderedSystem},
    requirements::{self, Violation},
    stage::Stage,
    template,
};
use rules::Severity as Level;
use schema_validator::SchemaValidator;
use sha2::{Digest, Sha256};
use thiserror::Error;
use validation_engine::{EngineConfig, ValidateConfig, validate_bytes_with_path};

/// A rule whose findings refuse a template, although they are warnings of the validator.
#[derive(Debug)]
pub struct Refused {
    /// The rule, for example `W3030`.
    pub rule: &'static str,
    /// The consequence of deploying such a template.
    pub reason: &'static str,
}

/// The warnings that are errors.
pub const REFUSED: &[Refused] = &[
    Refused { rule: "W3030", reason: "a value that the service's list lacks is a typo; the service refuses it" },
    Refused { rule: "W2533", reason: "Lambda refuses a zip without handler or runtime" },
];

/// The validator's version, which its reports state.
const VERSION: &str = "1.14.0";

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The template can be deployed.
    Warning,
    /// The template must not be deployed.
    Error,
}

/// A problem of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The severity.
    pub severity: Severity,
    /// The rule, for example `F3002`.
    pub rule: String,
    /// The stack's name in CloudFormation.
    pub stack: String,
    /// The resource, parameter or output; `None` for the template as a whole.
    pub logical_id: Option<String>,
    /// The place in it, for example `Properties.BucketName`.
    pub property: Option<String>,
    /// The validator's message.
    pub message: String,
}

/// Templates were refused, or could not be validated.
#[derive(Debug, Error, Diagnostic)]
pub enum ValidateError {
    /// Templates have findings that CloudFormation or a service would refuse.
    #[error("{}", listed(.findings))]
    #[diagnostic(help(
        "correct the stack's definition; if a finding must stay, accept it there with a reason: \
         `stack.except(LOGICAL_ID, RULE, REASON)`"
    ))]
    Refused {
        /// The findings, all of them errors.
        findings: Vec<Finding>,
    },
    /// The validator failed.
    #[error("failed to validate the template of {stack}: {reason}")]
    Validator {
        /// The stack's name in CloudFormation.
        stack: String,
        /// The validator's message.
        reason: String,
    },
}

/// The validator. Its schemas and rules are loaded once, when the first template needs them.
#[derive(Default)]
pub struct Validator {
    engine: OnceLock<Result<Engine, String>>,
    passed: Option<Utf8PathBuf>,
    is_trusting: bool,
}

struct Engine {
    schemas: SchemaValidator,
    rules: CelEngine,
}

impl fmt::Debug for Validator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Validator").field("passed", &self.passed).finish_non_exhaustive()
    }
}

impl Validator {
    /// A validator that validates every template.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A validator that records in a folder which templates passed, and skips those.
    ///
    /// Loading schemas and rules takes longer than all other steps of a deploy without changes.
    #[must_use]
    pub fn remembering(directory: Utf8PathBuf) -> Self {
        Self { passed: Some(directory), ..Self::default() }
    }

    /// A validator that accepts every template: a simulation has validated them before.
    pub(crate) fn trusting() -> Self {
        Self { is_trusting: true, ..Self::default() }
    }

    /// Lists the findings of a stack's template, including warnings, without accepted findings.
    ///
    /// # Errors
    ///
    /// When the validator itself fails.
    pub(crate) fn validate(&self, stack: &RenderedStack) -> Result<Vec<Finding>, ValidateError> {
        let failed = |reason: String| ValidateError::Validator { stack: stack.name.clone(), reason };
        let engine = self.engine.get_or_init(Engine::start).as_ref().map_err(|reason| failed(reason.clone()))?;
        let config = ValidateConfig { severity_level: Level::Warn, ..ValidateConfig::default() };
        let template = stack.template.to_string();
        let report =
            validate_bytes_with_path(&engine.rules, &engine.schemas, template.as_bytes(), config, stack.name.clone())
                .map_err(|error| failed(error.to_string()))?;
        // A validator that gave up has no findings, which must not pass for a valid template.
        if let Some(limit) = report.metadata.budget_exhaustions.iter().flatten().find(|found| found.analysis_incomplete)
        {
            return Err(failed(format!("it reached one of its own limits ({})", limit.description)));
        }
        let unknown_actions = actions::unknown(stack).map_err(failed)?;
        Ok(report
            .diagnostics
            .into_iter()
            .filter_map(|diagnostic| finding(stack, diagnostic))
            .chain(unknown_actions)
            .filter(|finding| !is_excepted(stack, finding))
            .collect())
    }

    /// Fails if a system breaks a requirement, or CloudFormation or a service would refuse a template.
    ///
    /// # Errors
    ///
    /// When there are such findings, or the validator itself fails.
    pub fn check_systems(&self, stage: &Stage, systems: &[RenderedSystem]) -> Result<(), ValidateError> {
        if self.is_trusting {
            return Ok(());
        }
        let mut findings = broken_requirements(stage, systems);
        findings.extend(self.errors(systems.iter().flat_map(|system| &system.stacks))?);
        refuse(findings)
    }

    /// Fails if CloudFormation or a service would refuse a template.
    ///
    /// # Errors
    ///
    /// When there are such findings, or the validator itself fails.
    pub fn check<'a>(&self, stacks: impl IntoIterator<Item = &'a RenderedStack>) -> Result<(), ValidateError> {
        if self.is_trusting { Ok(()) } else { refuse(self.errors(stacks)?) }
    }

    /// The findings that refuse a template.
    fn errors<'a>(&self, stacks: impl IntoIterator<Item = &'a RenderedStack>) -> Result<Vec<Finding>, ValidateError> {
        let mut findings = Vec::new();
        for stack in stacks {
            let mark = self.passed.as_ref().map(|directory| directory.join(fingerprint(stack)));
            if mark.as_ref().is_some_and(|mark| mark.exists()) {
                continue;
            }
            let before = findings.len();
            findings.extend(self.validate(stack)?.into_iter().filter(|finding| finding.severity == Severity::Error));
            if let (Some(mark), true) = (mark, findings.len() == before) {
                remember(&mark);
            }
        }
        Ok(findings)
    }
}

/// Fails if a system breaks a requirement. Unlike [`Validator::check_systems`], this starts no validator.
///
/// # Errors
///
/// When a resource breaks a requirement without an exception.
pub(crate) fn require(stage: &Stage, systems: &[RenderedSystem]) -> Result<(), ValidateError> {
    refuse(broken_requirements(stage, systems))
}

fn broken_requirements(stage: &Stage, systems: &[RenderedSystem]) -> Vec<Finding> {
    requirements::violations(stage, systems).into_iter().map(Finding::from).collect()
}

fn refuse(findings: Vec<Finding>) -> Result<(), ValidateError> {
    if findings.is_empty() { Ok(()) } else { Err(ValidateError::Refused { findings }) }
}

impl From<Violation> for Finding {
    fn from(violation: Violation) -> Self {
        Self {
            severity: Severity::Error,
            rule: violation.requirement.id().to_owned(),
            stack: violation.stack,
            logical_id: Some(violation.logical_id),
            property: violation.property,
            message: violation.message,
        }
    }
}

impl Engine {
    fn start() -> Result<Self, String> {
        let schemas = SchemaValidator::default();
        let rules = CelEngine::new_with_schema_validator(EngineConfig::default(), &schemas)
            .map_err(|error| format!("{error:#}"))?;
        Ok(Self { schemas, rules })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.stack)?;
        for part in [&self.logical_id, &self.property].into_iter().flatten() {
            write!(formatter, " › {part}")?;
        }
        write!(formatter, ": {} [{}]", self.message, self.rule)
    }
}

/// Converts a diagnostic; `None` for advice.
fn finding(stack: &RenderedStack, diagnostic: ValidatorDiagnostic) -> Option<Finding> {
    let is_refused = REFUSED.iter().any(|refused| refused.rule == diagnostic.rule_id);
    let severity = match diagnostic.severity {
        Level::Fatal | Level::Error => Severity::Error,
        Level::Warn if is_refused => Severity::Error,
        Level::Warn => Severity::Warning,
        Level::Info | Level::Debug => return None,
    };
    Some(Finding {
        severity,
        rule: diagnostic.rule_id,
        stack: stack.name.clone(),
        logical_id: diagnostic.entity.map(|entity| entity.logical_id),
        property: diagnostic.property_path,
        message: diagnostic.message,
    })
}

/// Has the resource of a finding an exception from its rule?
fn is_excepted(stack: &RenderedStack, finding: &Finding) -> bool {
    let resource = finding.logical_id.as_ref().and_then(|id| stack.template["Resources"].get(id));
    resource.is_some_and(|resource| template::is_excepted(resource, &finding.rule))
}

fn listed(findings: &[Finding]) -> String {
    let mut by_stack: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in findings {
        *by_stack.entry(&finding.stack).or_default() += 1;
    }
    let (count, stacks) = (findings.len(), by_stack.into_keys().collect::<Vec<_>>().join(", "));
    let mistakes = if count == 1 { "mistake" } else { "mistakes" };
    let lines: String = findings.iter().map(|finding| format!("\n  {finding}")).collect();
    format!("found {count} {mistakes} in the templates of {stacks}{lines}")
}

/// A hash of everything that decides whether a template passes: the template with its exceptions, the validator's version and
/// the rules here.
fn fingerprint(stack: &RenderedStack) -> String {
    let decided_by = (VERSION, REFUSED, actions::RULE);
    hex::encode(Sha256::digest(format!("{decided_by:?}{}", stack.template)))
}

/// Records that a template passed. A failure only costs time.
fn remember(mark: &camino::Utf8Path) {
    let noted = mark.parent().map_or(Ok(()), fs_err::create_dir_all).and_then(|()| fs_err::write(mark, ""));
    if let Err(error) = noted {
        tracing::debug!("failed to remember a valid template: {error}");
    }
}

#[cfg(test)]
mod tests;
