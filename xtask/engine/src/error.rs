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
    /// A signal interrupted the run.
    Interrupted(Signal),
}

/// A signal that interrupts a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: a runner or a service manager ends the run.
    Terminate,
    /// SIGHUP: the terminal has gone.
    HangUp,
}

impl Exit {
    /// The exit code of a command that failed.
    pub(crate) fn of(error: &miette::Report) -> Self {
        match error.downcast_ref::<Interrupted>() {
            Some(interrupted) => Self::Interrupted(interrupted.signal),
            None if error.is::<WrongUsage>() => Self::Usage,
            None => Self::Failure,
        }
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
            // As shells report a process that a signal ended: 128 and the signal's number.
            Self::Interrupted(Signal::HangUp) => 129,
            Self::Interrupted(Signal::Interrupt) => 130,
            Self::Interrupted(Signal::Terminate) => 143,
        }
    }
}

/// A command line that clap accepts, and the command does not.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error(transparent)]
#[diagnostic(transparent)]
pub(crate) struct WrongUsage(pub(crate) Box<dyn Diagnostic + Send + Sync>);

/// A signal interrupted the run.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("interrupted{}{}", by(*.signal), .continuing.as_deref().map(|work| format!("; {work}")).unwrap_or_default())]
#[diagnostic(help("run the same command again: it resumes where this one stopped"))]
pub(crate) struct Interrupted {
    /// The signal.
    pub(crate) signal: Signal,
    /// The work that AWS continues.
    pub(crate) continuing: Option<String>,
}

/// Names a signal that no key sent.
fn by(signal: Signal) -> &'static str {
    match signal {
        Signal::Interrupt => "",
        Signal::Terminate => " by SIGTERM",
        Signal::HangUp => " by SIGHUP",
    }
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
        let interrupted = |signal| miette::Report::from(Interrupted { signal, continuing: None });
        for (signal, code) in [(Signal::HangUp, 129), (Signal::Interrupt, 130), (Signal::Terminate, 143)] {
            assert_eq!(Exit::of(&interrupted(signal)).code(), code);
            let wrapped = Err::<(), _>(interrupted(signal)).wrap_err("while waiting").expect_err("it failed");
            assert_eq!(Exit::of(&wrapped).code(), code);
        }
        assert_eq!(Exit::of(&miette::miette!("no")).code(), 1);
        let codes = [Exit::Success, Exit::Failure, Exit::Usage, Exit::Changes, Exit::Refused].map(Exit::code);
        assert_eq!(codes, [0, 1, 2, 2, 3]);
    }

    #[test]
    fn an_interruption_names_the_work_that_continues() {
        let work = || Some("CloudFormation continues to deploy a".to_owned());
        let error = Interrupted { signal: Signal::Interrupt, continuing: work() };
        assert_eq!(error.to_string(), "interrupted; CloudFormation continues to deploy a");
        let error = Interrupted { signal: Signal::Terminate, continuing: work() };
        assert_eq!(error.to_string(), "interrupted by SIGTERM; CloudFormation continues to deploy a");
    }
}
