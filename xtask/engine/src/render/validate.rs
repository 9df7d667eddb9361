//! Validates rendered templates offline, against AWS's own resource schemas and rules.
//!
//! The schemas and rules are those of the crate `cloudformation-validate`. This module decides which findings refuse a template
//! ([`REFUSED`], [`ALLOWED`]), and names their places. It calls no service and changes no template.

use std::{collections::BTreeMap, fmt, sync::OnceLock};

use camino::Utf8PathBuf;
use cloudformation_validate::{
    CelEngine, Diagnostic as ValidatorDiagnostic, EngineConfig, SchemaValidator, Severity as Level, ValidateConfig,
    validate_bytes_with_path,
};
use miette::Diagnostic;
use model::rendered::RenderedStack;
use sha2::{Digest, Sha256};
use thiserror::Error;

/// A finding that is accepted.
#[derive(Debug)]
pub struct Allowed {
    /// The rule, for example `F3002`.
    pub rule: &'static str,
    /// The stack, as `<system>-<stack>` without the stage; `*` is every stack.
    pub stack: &'static str,
    /// The logical ID; `*` is everything in the stack.
    pub logical_id: &'static str,
    /// The reason why the template is right nevertheless.
    pub reason: &'static str,
}

/// The findings that are accepted although their rule refuses templates.
pub const ALLOWED: &[Allowed] = &[];

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
        "correct the stack's definition; if a finding is wrong, add an exception with a reason to ALLOWED in the engine's \
         src/render/validate.rs"
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
        Ok(report
            .diagnostics
            .into_iter()
            .filter_map(|diagnostic| finding(stack, diagnostic))
            .filter(|finding| !is_allowed(ALLOWED, stack, finding))
            .collect())
    }

    /// Fails if CloudFormation or a service would refuse a template.
    ///
    /// # Errors
    ///
    /// When there are such findings, or the validator itself fails.
    pub fn check<'a>(&self, stacks: impl IntoIterator<Item = &'a RenderedStack>) -> Result<(), ValidateError> {
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
        if findings.is_empty() { Ok(()) } else { Err(ValidateError::Refused { findings }) }
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

fn is_allowed(allowed: &[Allowed], stack: &RenderedStack, finding: &Finding) -> bool {
    let name = format!("{}-{}", stack.system, stack.stack);
    allowed.iter().any(|allowed| {
        allowed.rule == finding.rule
            && (allowed.stack == "*" || allowed.stack == name)
            && (allowed.logical_id == "*" || finding.logical_id.as_deref() == Some(allowed.logical_id))
    })
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

/// A hash of everything that decides whether a template passes: the template, its stack, the validator's version and the lists here.
fn fingerprint(stack: &RenderedStack) -> String {
    let decided_by = (cloudformation_validate::version(), REFUSED, ALLOWED, &stack.system, &stack.stack);
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
mod tests {
    use std::sync::LazyLock;

    use serde_json::{Value, json};

    use super::*;

    /// Starting takes most of a second.
    static VALIDATOR: LazyLock<Validator> = LazyLock::new(Validator::new);

    fn stack(template: Value) -> RenderedStack {
        RenderedStack {
            system: "photos".to_owned(),
            stack: "api".to_owned(),
            name: "photos-api-dev".to_owned(),
            region: None,
            template,
            parameters: BTreeMap::new(),
            depends_on: std::collections::BTreeSet::new(),
            functions: Vec::new(),
            layers: Vec::new(),
            apis: Vec::new(),
        }
    }

    fn function(properties: Value) -> Value {
        let mut all = json!({
            "Role": "arn:aws:iam::123456789012:role/upload",
            "Code": { "S3Bucket": "artifacts", "S3Key": { "Ref": "UploadCode" } },
            "Runtime": "provided.al2023",
            "Handler": "bootstrap",
        });
        for (name, value) in properties.as_object().into_iter().flatten() {
            all[name] = value.clone();
        }
        json!({
            "Parameters": { "UploadCode": { "Type": "String" } },
            "Resources": { "Upload": { "Type": "AWS::Lambda::Function", "Properties": all } },
        })
    }

    fn errors(template: Value) -> Vec<Finding> {
        match VALIDATOR.check([&stack(template)]) {
            Ok(()) => Vec::new(),
            Err(ValidateError::Refused { findings }) => findings,
            Err(error) => panic!("the validator failed: {error}"),
        }
    }

    #[test]
    fn a_sound_template_passes() {
        assert_eq!(errors(function(json!({}))), []);
    }

    #[test]
    fn a_typo_in_a_nested_property_is_an_error_with_its_path() {
        let found = errors(function(json!({ "Environment": { "Variable": {} } })));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].logical_id.as_deref(), Some("Upload"));
        assert_eq!(found[0].property.as_deref(), Some("Properties.Environment.Variable"));
        let message = ValidateError::Refused { findings: found }.to_string();
        assert!(message.contains("photos-api-dev › Upload › Properties.Environment.Variable: Additional"), "{message}");
    }

    #[test]
    fn each_kind_of_mistake_is_found() {
        for (mistake, template, rule) in [
            ("an unlisted value", function(json!({ "Runtime": "provided.al2024" })), "W3030"),
            ("a wrong type", function(json!({ "Timeout": "long" })), "F3012"),
            ("a value out of range", function(json!({ "MemorySize": 10 })), "F3034"),
            ("a required property missing", function(json!({ "Code": null })), "F3003"),
            ("a reference to nothing", function(json!({ "Role": { "Ref": "Nothing" } })), "F1020"),
            ("an attribute of nothing", function(json!({ "Role": { "Fn::GetAtt": ["Role", "Arn"] } })), "F1020"),
            ("a substitution of nothing", function(json!({ "Role": { "Fn::Sub": "${Role.Arn}" } })), "F1018"),
            ("an unknown type", json!({ "Resources": { "A": { "Type": "AWS::Lambda::Alia" } } }), "F3006"),
            (
                "a dependency on nothing",
                json!({ "Resources": { "A": { "Type": "AWS::S3::Bucket", "DependsOn": "B" } } }),
                "E3005",
            ),
            (
                "an unknown attribute",
                json!({
                    "Resources": { "A": { "Type": "AWS::S3::Bucket" } },
                    "Outputs": { "B": { "Value": { "Fn::GetAtt": ["A", "Arrn"] } } },
                }),
                "F6101",
            ),
            ("no resources", json!({ "Resources": "none" }), "F0001"),
        ] {
            let found = errors(template);
            assert!(found.iter().any(|finding| finding.rule == rule), "{mistake}: {found:?}");
        }
    }

    #[test]
    fn advice_is_ignored_and_warnings_are_only_reported() {
        let bucket = json!({ "Resources": { "A": { "Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain" } } });
        let found = VALIDATOR.validate(&stack(bucket.clone())).expect("the validator works");
        assert!(found.iter().any(|finding| finding.rule == "W3011"), "{found:?}");
        assert!(found.iter().all(|finding| finding.severity == Severity::Warning), "{found:?}");
        assert_eq!(errors(bucket), []);
    }

    #[test]
    fn a_finding_is_only_accepted_in_its_place() {
        let stack = stack(json!({}));
        let finding = Finding {
            severity: Severity::Error,
            rule: "F3002".to_owned(),
            stack: stack.name.clone(),
            logical_id: Some("Upload".to_owned()),
            property: None,
            message: String::new(),
        };
        let is_accepted = |rule, stack_name, logical_id| {
            is_allowed(&[Allowed { rule, stack: stack_name, logical_id, reason: "a test" }], &stack, &finding)
        };
        assert!(is_accepted("F3002", "photos-api", "Upload"));
        assert!(is_accepted("F3002", "*", "*"));
        assert!(!is_accepted("F3003", "*", "*"));
        assert!(!is_accepted("F3002", "photos-cognito", "Upload"));
        assert!(!is_accepted("F3002", "photos-api", "Download"));
    }

    #[test]
    fn every_exception_has_a_reason() {
        assert!(ALLOWED.iter().all(|allowed| allowed.reason.split(' ').count() > 3));
        assert!(REFUSED.iter().all(|refused| refused.reason.split(' ').count() > 3));
    }

    #[test]
    fn only_valid_templates_are_recorded() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let directory = Utf8PathBuf::from_path_buf(folder.path().join("validated")).expect("UTF-8");
        let (good, bad) = (stack(function(json!({}))), stack(function(json!({ "Timeout": "long" }))));
        Validator::remembering(directory.clone()).check([&bad, &good]).expect_err("one of them is bad");
        assert!(directory.join(fingerprint(&good)).exists());
        assert!(!directory.join(fingerprint(&bad)).exists());

        let again = Validator::remembering(directory);
        again.check([&good]).expect("it is remembered");
        assert!(again.engine.get().is_none(), "an unchanged template must not start the validator");
        again.check([&bad]).expect_err("still bad");
    }
}
