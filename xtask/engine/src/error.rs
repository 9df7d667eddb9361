//! How a failure ends a command: the chain of causes, a hint, an exit code.

use std::error::Error;

use miette::Diagnostic;

/// Exit codes. Documented in the README; scripts rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The command did what was asked.
    Success,
    /// The command failed, or a `--check` found a difference.
    Failure,
    /// The command line was wrong. Also what clap exits with.
    Usage,
    /// `plan --exit-code`: something would change.
    Changes,
    /// `plan --exit-code`: the plan is refused.
    Refused,
    /// Interrupted by Ctrl-C.
    Interrupted,
}

impl Exit {
    /// The number the process exits with.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            // As Terraform's `-detailed-exitcode`, which scripts know.
            Self::Usage | Self::Changes => 2,
            Self::Refused => 3,
            Self::Interrupted => 130,
        }
    }
}

/// The user pressed Ctrl-C.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("interrupted{}", .running.as_deref().map(|running| format!("; {running}")).unwrap_or_default())]
#[diagnostic(help("run the same command again: it goes on where this one stopped"))]
pub struct Interrupted {
    /// What goes on in AWS without us, if anything.
    pub running: Option<String>,
}

/// The messages of an error and of everything that caused it, outermost first, without repetition.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut messages: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let message = error.to_string();
        if messages.last() != Some(&message) {
            messages.push(message);
        }
        next = error.source();
    }
    messages
}

/// What to do now: the help of the outermost error that has one.
#[must_use]
pub fn hint(report: &miette::Report) -> Option<String> {
    let mut next: Option<&dyn Diagnostic> = Some(report.as_ref());
    while let Some(diagnostic) = next {
        if let Some(help) = diagnostic.help() {
            return Some(help.to_string());
        }
        next = diagnostic.diagnostic_source();
    }
    None
}
