//! The race: deploys the stacks of one system with this tool, AWS SAM CLI and AWS CDK CLI, each to a local cloud of its own, and writes
//! the medians as a table.
//!
//! `cargo xtask ci race` runs it. All three deploy the same resources and the same zips through a [`proxy`] that delays each call, so
//! that calls cost as much as they do over a network. The tools take turns, so that the load of the machine is the same for all. Only
//! ratios within one run mean anything. Read [`tools`] for the commands, [`project`] for what they deploy.

mod cloud;
mod programs;
mod project;
mod proxy;
mod report;
mod tools;

use std::{fmt, process::ExitCode, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};

use self::{
    programs::Programs,
    project::Project,
    report::{Report, say},
    tools::{Lane, Step, Tool},
};

/// The race cannot be run. The text says what failed and why.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let causes = std::iter::successors(error.source(), |cause| cause.source());
        Self(causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}")))
    }
}

/// The delays of a call, in milliseconds: none, and that of a region some hundred kilometres away.
const DELAYS: [u64; 2] = [0, 60];
/// The file with the result, relative to the workspace's root.
const RESULT: &str = "xtask/docs/race.md";

/// The numbers of runs, and where the tools are.
pub(crate) struct Arguments {
    /// The runs of every step but the first deploy.
    runs: usize,
    /// The runs of the first deploy, each in a new cloud.
    first_runs: usize,
    /// This tool.
    xtask: Utf8PathBuf,
    /// This tool as a release build, if it is measured as well.
    release: Option<Utf8PathBuf>,
}

fn main() -> ExitCode {
    let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Utf8Path::new("."));
    match Arguments::parse(std::env::args().skip(1)).and_then(|arguments| race(root, &arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("failed to run the race: {error}"));
            ExitCode::FAILURE
        }
    }
}

impl Arguments {
    fn parse(mut given: impl Iterator<Item = String>) -> Result<Self> {
        // `<target>/<profile>/examples/race` is this program.
        let profile = std::env::current_exe()?.ancestors().nth(2).map(std::path::Path::to_owned).unwrap_or_default();
        let xtask = Utf8PathBuf::try_from(profile.join("xtask"))?;
        let mut arguments = Self { runs: 5, first_runs: 3, xtask, release: None };
        while let Some(name) = given.next() {
            let value = given.next().ok_or_else(|| Failure(format!("`{name}` has no value")))?;
            let number = || value.parse().ok().filter(|number| *number > 0);
            let wrong = || Failure(format!("`{name}` is `{value}`; pass a number from 1"));
            match name.as_str() {
                "--runs" => arguments.runs = number().ok_or_else(wrong)?,
                "--first-runs" => arguments.first_runs = number().ok_or_else(wrong)?,
                "--xtask" => arguments.xtask = value.into(),
                "--release" => arguments.release = Some(value.into()),
                _ => return Err(Failure(format!("there is no option `{name}`"))),
            }
        }
        for tool in [Some(&arguments.xtask), arguments.release.as_ref()].into_iter().flatten() {
            if !tool.exists() {
                return Err(Failure(format!("{tool} does not exist; build it, or pass another path")));
            }
        }
        Ok(arguments)
    }
}

#[tokio::main]
async fn race(root: &Utf8Path, arguments: &Arguments) -> Result<()> {
    let programs = Programs::install(root, arguments)?;
    let directory = tempfile::tempdir()?;
    let directory =
        Utf8Path::from_path(directory.path()).ok_or_else(|| Failure("the temporary folder is not UTF-8".into()))?;
    let project = Project::build(&programs, directory)?;
    let mut report = Report::new(&programs, arguments)?;
    for delay in DELAYS {
        let lanes =
            first_deploys(&programs, &project, directory, Duration::from_millis(delay), arguments, &mut report).await?;
        for step in Step::REPEATED {
            for _ in 0..arguments.runs {
                for lane in &lanes {
                    lane.measure(step, &mut report).await?;
                }
            }
        }
    }
    fs_err::write(root.join(RESULT), report.page())?;
    say(&report.page());
    say(&format!("written to {RESULT}"));
    Ok(())
}

/// Deploys with every tool to new clouds; returns the last ones.
async fn first_deploys(
    programs: &Programs,
    project: &Project,
    directory: &Utf8Path,
    delay: Duration,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<Vec<Lane>> {
    let mut lanes = Vec::new();
    for number in 0..arguments.first_runs {
        lanes.clear();
        for tool in Tool::ALL {
            let folder = directory.join(format!("{}-{}-{number}", tool.id(), delay.as_millis()));
            let lane = Lane::prepare(tool, programs, project, &folder, delay).await?;
            lane.measure(Step::First, report).await?;
            lanes.push(lane);
        }
    }
    Ok(lanes)
}
