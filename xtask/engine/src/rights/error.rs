//! Errors of recording and judging calls.

use miette::Diagnostic;
use thiserror::Error;

use crate::aws::AwsError;

/// Calls could not be recorded or judged.
#[derive(Debug, Error, Diagnostic)]
pub enum RightsError {
    /// The functions run on AWS.
    #[error("failed to record calls: the functions run on AWS; nothing was changed")]
    #[diagnostic(help("run `cargo xtask check-rights --stage local`"))]
    NoEmulator,
    /// There is no function to record.
    #[error("failed to record calls: function {function} is not deployed")]
    #[diagnostic(help("run `cargo xtask deploy --stage local` first"))]
    NotDeployed {
        /// The function's name in Lambda.
        function: String,
    },
    /// The proxy could not start.
    #[error("failed to start a proxy on 127.0.0.1; no function was changed")]
    Proxy {
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A call about a function failed.
    #[error("failed to change function {function} for the recording")]
    #[diagnostic(help("run the same command again: it puts the functions back"))]
    Function {
        /// The function's name in Lambda.
        function: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A role could not be read.
    #[error("failed to read the role of {function} in stack {stack}: {reason}")]
    #[diagnostic(help("define the role in the same stack, and refer to it with `Fn::GetAtt`"))]
    Role {
        /// The function's logical ID.
        function: String,
        /// The stack's name.
        stack: String,
        /// The reason.
        reason: String,
    },
}

/// Names the function that a call was about.
pub(super) fn on<E: std::error::Error + Send + Sync + 'static>(function: &str) -> impl FnOnce(E) -> RightsError {
    move |source| {
        let source: Box<dyn std::error::Error + Send + Sync> = Box::new(source);
        let source = match source.downcast::<AwsError>() {
            Ok(error) => Box::new(error.below(function)),
            Err(other) => other,
        };
        RightsError::Function { function: function.to_owned(), source }
    }
}
