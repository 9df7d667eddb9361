//! How a failure ends a command: the chain of causes, a hint, an exit code.

use std::error::Error;

use miette::Diagnostic;

/// The exit codes. The README documents them, and scripts rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The command succeeded.
    Success,
    /// The command failed, or a `--check` found a difference.
    Failure,
    /// The command line was wrong. clap exits with the same code.
    Usage,
    /// `plan --exit-code`: there are changes.
    Changes,
    /// `plan --exit-code`: the plan is refused.
    Refused,
    /// Interrupted by Ctrl-C.
    Interrupted,
}

impl Exit {
    /// The exit code of a command that failed.
    pub(crate) fn of(error: &miette::Report) -> Self {
        if error.is::<Interrupted>() { Self::Interrupted } else { Self::Failure }
    }

    /// The number that the process exits with.
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
#[error("interrupted{}", .continuing.as_deref().map(|work| format!("; {work}")).unwrap_or_default())]
#[diagnostic(help("run the same command again: it resumes where this one stopped"))]
pub(crate) struct Interrupted {
    /// The work that AWS continues.
    pub(crate) continuing: Option<String>,
}

/// Returns the messages of an error and of its causes, outermost first. A message that repeats the one before is left out.
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

/// Returns an error and its causes on one line, for warnings.
pub(crate) fn one_line(error: &(dyn Error + 'static)) -> String {
    chain(error).join(": ")
}

/// Returns the help of the outermost error that has one.
pub(crate) fn hint(report: &miette::Report) -> Option<String> {
    let mut next: Option<&dyn Diagnostic> = Some(report.as_ref());
    while let Some(diagnostic) = next {
        if let Some(help) = diagnostic.help() {
            return Some(help.to_string());
        }
        next = diagnostic.diagnostic_source();
    }
    None
}

#[cfg(test)]
mod tests {
    use miette::WrapErr;

    use super::*;

    #[test]
    fn every_ending_has_its_exit_code() {
        let interrupted = || miette::Report::from(Interrupted { continuing: None });
        assert_eq!(Exit::of(&interrupted()).code(), 130);
        assert_eq!(
            Exit::of(&Err::<(), _>(interrupted()).wrap_err("while waiting").expect_err("it failed")).code(),
            130
        );
        assert_eq!(Exit::of(&miette::miette!("no")).code(), 1);
        let codes = [Exit::Success, Exit::Failure, Exit::Usage, Exit::Changes, Exit::Refused].map(Exit::code);
        assert_eq!(codes, [0, 1, 2, 2, 3]);
    }

    #[test]
    fn an_interruption_names_the_work_that_continues() {
        let error = Interrupted { continuing: Some("CloudFormation continues to deploy a".to_owned()) };
        assert_eq!(error.to_string(), "interrupted; CloudFormation continues to deploy a");
    }
}
