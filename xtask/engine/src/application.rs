//! A project's own command-line tool: its systems, and its additions to the engine.

use std::{collections::BTreeMap, fmt, sync::Arc};

use clap::ArgMatches;
use futures_util::future::LocalBoxFuture;
use model::project::Project;

use crate::{context::Context, deploy::Outputs, error::Exit, session::Session};

/// A command that a project adds to the engine.
pub trait Verb: Send + Sync {
    /// The command's name, help and arguments.
    fn command(&self) -> clap::Command;

    /// Runs the command.
    ///
    /// # Errors
    ///
    /// The command's own errors.
    fn run<'a>(&'a self, arguments: &'a ArgMatches, context: &'a Context) -> LocalBoxFuture<'a, miette::Result<Exit>>;
}

/// A demonstration of a system, which follows a deploy to stage `local`. `check-rights` runs it too, so it can exercise what the
/// system's checks do not reach.
pub trait Demo: Send + Sync {
    /// The system; deploys of other systems do not run the demo.
    fn system(&self) -> &str;

    /// Returns a command to try by hand; `urls` has the URL of each API and site. Printed after every deploy.
    fn hint(&self, urls: &BTreeMap<String, String>) -> Option<String> {
        let _ = urls;
        None
    }

    /// Returns the routes that the demo calls, for example `POST /notes`. `check-rights` lists the other routes that no check calls.
    fn routes(&self) -> &[&str] {
        &[]
    }

    /// Runs the demo against the deployed stage, after a deploy that changed it.
    ///
    /// # Errors
    ///
    /// When the system does not work.
    fn run<'a>(
        &'a self,
        session: &'a Session,
        outputs: &'a Outputs,
        context: &'a Context,
    ) -> LocalBoxFuture<'a, miette::Result<()>>;
}

/// A check that a project adds to `cargo xtask ci`: a command line of cargo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnCheck {
    /// The check's name on the command line.
    pub name: &'static str,
    /// One line of help.
    pub about: &'static str,
    /// The arguments of cargo.
    pub arguments: Vec<&'static str>,
    /// Environment variables of cargo.
    pub environment: Vec<(&'static str, &'static str)>,
    /// Options of the check, which follow its arguments: `cargo xtask ci faults --runs 5`.
    pub options: Vec<CheckOption>,
    /// Whether the check runs when none is named.
    pub is_usual: bool,
}

/// An option of a project's check. It takes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckOption {
    /// The name without hyphens, unique among all checks.
    pub name: &'static str,
    /// The name of its value in the help.
    pub value: &'static str,
    /// One line of help.
    pub about: &'static str,
}

/// A project's command-line tool; [`crate::main`] runs it.
#[derive(Clone)]
pub struct Application {
    pub(crate) project: Arc<dyn Project>,
    pub(crate) verbs: Vec<Arc<dyn Verb>>,
    pub(crate) demos: Vec<Arc<dyn Demo>>,
    pub(crate) checks: Vec<OwnCheck>,
    pub(crate) left_out: Vec<&'static str>,
}

impl fmt::Debug for Application {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.debug_struct("Application").field("checks", &self.checks).finish_non_exhaustive()
    }
}

impl Application {
    /// A tool with the engine's commands and checks alone.
    #[must_use]
    pub fn new(project: impl Project + 'static) -> Self {
        Self {
            project: Arc::new(project),
            verbs: Vec::new(),
            demos: Vec::new(),
            checks: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// Adds a command.
    #[must_use]
    pub fn verb(mut self, verb: impl Verb + 'static) -> Self {
        self.verbs.push(Arc::new(verb));
        self
    }

    /// Adds a demo.
    #[must_use]
    pub fn demo(mut self, demo: impl Demo + 'static) -> Self {
        self.demos.push(Arc::new(demo));
        self
    }

    /// Adds a check to `ci`.
    #[must_use]
    pub fn check(mut self, check: OwnCheck) -> Self {
        self.checks.push(check);
        self
    }

    /// Lets a check of the engine run only when it is named, such as `checkov`, whose installation takes 300 MB.
    #[must_use]
    pub fn only_when_named(mut self, check: &'static str) -> Self {
        self.left_out.push(check);
        self
    }
}

impl<P: Project + 'static> From<P> for Application {
    fn from(project: P) -> Self {
        Self::new(project)
    }
}
