//! The outside world of the engine: everything but its arguments and the workspace's files.
//!
//! By default, it is the real world. A simulation replaces all of it with [`Simulated`] and calls [`crate::run_in`]. The engine
//! reaches it in two ways:
//!
//! - [`Surroundings`], a part of every command's context: builds, the commit, the validation of templates, the printer, interruption.
//! - [`Process`], which holds the services of an operating system: the network, the clock, random bytes, environment variables, tasks.
//!   Functions such as `now` and `spawn` find it in a task-local variable; if that is not set, they use the real process.
//!
//! Simulated time is tokio's: with a paused clock, a wait takes no real time. The AWS SDK also draws from `fastrand`'s generator of the
//! thread (jitter of retries, invocation IDs, idempotency tokens), which a simulation seeds with `fastrand::seed` before it begins.
//! A test refuses other sources of time, randomness and order in modules that are simulated.

#[cfg(test)]
mod boundary;
mod machine;
mod process;
mod real;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use model::{rendered::RenderedSystem, stage::Stage};
use plan::artifacts::Artifacts;

pub(crate) use self::process::{
    current, fill_random, host, is_alive, is_simulated, network, now, process_id, spawn, variable,
};
pub use self::{
    machine::{Clock, Machine},
    process::{Keys, Process, ProcessSettings},
};
use crate::interruption::Interruption;

/// The surroundings of a command: the real world, or a simulated one. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    simulated: Option<Arc<Simulated>>,
}

/// A simulated world, as one process sees it.
#[derive(Debug)]
pub struct Simulated {
    /// The process that runs the command. It ends with the command, or when the command's future is dropped.
    pub process: Process,
    /// The artifacts, in place of cargo's.
    pub builds: Arc<dyn Builds>,
    /// The workspace's commit, in place of git's.
    pub commit: Option<String>,
    /// Whether templates are validated before they are used, which takes longer than most simulated commands.
    pub validates_templates: bool,
    /// The receiver of all printed text, in place of stdout and stderr.
    pub printer: Arc<dyn Printer>,
    /// The signals of the command, created with [`Interruption::simulated`]. A clone of it interrupts the command.
    pub interruption: Interruption,
}

/// A source of artifacts in place of cargo.
pub trait Builds: fmt::Debug + Send + Sync {
    /// Returns an artifact for each function and each layer of the systems. A deploy reads the zips at their paths.
    fn artifacts(&self, stage: &Stage, systems: &[RenderedSystem]) -> Artifacts;
}

/// A receiver of printed text.
pub trait Printer: fmt::Debug + Send + Sync {
    /// Receives a text of one or more lines, without colours and without the last newline.
    fn print(&self, stream: Stream, text: &str);
}

/// A kind of printed text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// A result, for stdout.
    Result,
    /// A message, for stderr.
    Message,
}

impl From<Simulated> for Surroundings {
    fn from(simulated: Simulated) -> Self {
        Self { simulated: Some(Arc::new(simulated)) }
    }
}

impl Surroundings {
    /// The simulated world; `None` in the real one.
    pub(crate) fn simulated(&self) -> Option<&Simulated> {
        self.simulated.as_deref()
    }
}
