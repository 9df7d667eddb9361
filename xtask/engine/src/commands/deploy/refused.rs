//! The reasons why a plan is not applied.

use miette::Diagnostic;
use model::{foundation, stage::Stage};
use plan::{Action, Plan, PlannedStack, preview::Preview};
use thiserror::Error;

use super::DeployArgs;

#[derive(Debug, Error, Diagnostic)]
pub(super) enum Refused {
    #[error("stage {stage} is protected, and there is no terminal to confirm the plan; nothing was touched")]
    #[diagnostic(help(
        "review the plan with `cargo xtask deploy --stage {stage} --dry-run`, then run the command again with --yes"
    ))]
    NoTerminal { stage: String },
    #[error("the plan was not confirmed; nothing was touched")]
    #[diagnostic(help("run the command again and confirm the plan"))]
    NotConfirmed,
    #[error("the plan changes the permissions of deploys to {stage} ({}); nothing was touched", stacks.join(", "))]
    #[diagnostic(help(
        "run `cargo xtask bootstrap --stage {stage}` first, with credentials that may create IAM roles"
    ))]
    Foundation { stage: String, stacks: Vec<String> },
    #[error("the plan is refused: {}; nothing was touched", reasons.join("; "))]
    #[diagnostic(help("{help}"))]
    Findings { reasons: Vec<String>, help: String },
}

impl Refused {
    /// Refuses a plan with findings that were not accepted.
    pub(super) fn check(preview: &Preview) -> Result<(), Self> {
        let refused: Vec<_> = preview.refused().collect();
        if refused.is_empty() {
            return Ok(());
        }
        let options: Vec<_> = refused.iter().filter_map(|finding| finding.allow_option()).collect();
        let help = match options.as_slice() {
            [] => "change the definition: no option accepts these findings".to_owned(),
            options => format!("add these options to accept the findings: {}", options.join(" ")),
        };
        Err(Self::Findings { reasons: refused.iter().map(|finding| finding.brief()).collect(), help })
    }

    /// Refuses a change of foundation in a stage that workflows deploy: a role that deploys must not widen its own permissions.
    pub(super) fn check_foundation(plan: &Plan, args: &DeployArgs, stage: &Stage) -> Result<(), Self> {
        let changes = |stack: &&PlannedStack| stack.system == foundation::SYSTEM && stack.action != Action::None;
        let stacks: Vec<_> = plan.stacks.iter().filter(changes).map(|stack| stack.name.clone()).collect();
        if stacks.is_empty() || args.bootstrap || stage.pipeline.is_none() {
            return Ok(());
        }
        Err(Self::Foundation { stage: stage.name.clone(), stacks })
    }
}
