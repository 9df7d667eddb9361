//! What a plan is not carried out for.

use miette::Diagnostic;
use model::{foundation, stage::Stage};
use plan::{Action, Plan, PlannedStack, preview::Preview};
use thiserror::Error;

use super::DeployArgs;

#[derive(Debug, Error, Diagnostic)]
pub(super) enum Refused {
    #[error("stage {0} is protected, and nobody is at a terminal to confirm the plan; nothing was touched")]
    #[diagnostic(help("look at the plan with --dry-run, then run the command with --yes"))]
    NobodyToAsk(String),
    #[error("the plan was not confirmed; nothing was touched")]
    No,
    #[error("the plan changes what deploying to {stage} itself may do ({}); nothing was touched", stacks.join(", "))]
    #[diagnostic(help(
        "let somebody whose credentials may make roles run `cargo xtask bootstrap --stage {stage}` first"
    ))]
    Foundation { stage: String, stacks: Vec<String> },
    #[error("the plan is refused for {}; nothing was touched", reasons.join("; "))]
    #[diagnostic(help("{help}"))]
    Findings { reasons: Vec<String>, help: String },
}

impl Refused {
    pub(super) fn check(preview: &Preview) -> Result<(), Self> {
        let refused: Vec<_> = preview.refused().collect();
        if refused.is_empty() {
            return Ok(());
        }
        let ways: Vec<_> = refused.iter().filter_map(|finding| finding.allow_option()).collect();
        let help = match ways.as_slice() {
            [] => "change the definition: no option lets this pass".to_owned(),
            ways => format!("if this is meant, say so: {}", ways.join(" ")),
        };
        Err(Self::Findings { reasons: refused.iter().map(|finding| finding.brief()).collect(), help })
    }

    /// Whoever may deploy must not be able to widen that, so where workflows deploy, foundation is people's.
    pub(super) fn check_foundation(plan: &Plan, args: &DeployArgs, stage: &Stage) -> Result<(), Self> {
        let changes = |stack: &&PlannedStack| stack.system == foundation::SYSTEM && stack.action != Action::None;
        let stacks: Vec<_> = plan.stacks.iter().filter(changes).map(|stack| stack.name.clone()).collect();
        if stacks.is_empty() || args.bootstrap || stage.pipeline.is_none() {
            return Ok(());
        }
        Err(Self::Foundation { stage: stage.name.clone(), stacks })
    }
}
