//! The tools, and the commands with which each performs a step: the fastest usual options of each.

use std::{
    cell::Cell,
    collections::BTreeMap,
    process::Command,
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    Failure, Result,
    cloud::{Cloud, REGION},
    programs::{Programs, command, run},
    project::{FUNCTION, Inputs, OUTPUT, Project, STACKS, SYSTEM},
    proxy::Proxy,
    report::Report,
};

/// The bucket of SAM's zips, which `--resolve-s3` would create on AWS.
const BUCKET: &str = "race-zips";

/// A tool in the race.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tool {
    /// This tool.
    Own,
    /// AWS SAM CLI.
    Sam,
    /// AWS CDK CLI.
    Cdk,
}

impl Tool {
    pub(crate) const ALL: [Self; 3] = [Self::Own, Self::Sam, Self::Cdk];

    /// The name of its folders.
    pub(crate) const fn id(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Sam => "sam",
            Self::Cdk => "cdk",
        }
    }
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// The first deploy to an account that the tool is prepared for.
    First,
    /// A deploy of both stacks with nothing changed.
    Unchanged,
    /// A deploy of both stacks with other code of one function.
    Code,
    /// The fastest way to other code of one function: past CloudFormation.
    CodeInPlace,
    /// What a deploy would change.
    Plan,
    /// The same with a release build of this tool.
    ReleasePlan,
}

impl Step {
    /// Its name in the list of calls.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::First => "first deploy",
            Self::Unchanged => "nothing changed",
            Self::Code => "code",
            Self::CodeInPlace => "code in place",
            Self::Plan | Self::ReleasePlan => "plan",
        }
    }

    /// The steps that are repeated in one cloud. Code in place comes last: it makes stacks differ from what is deployed.
    pub(crate) const REPEATED: [Self; 5] =
        [Self::Unchanged, Self::Code, Self::Plan, Self::ReleasePlan, Self::CodeInPlace];
}

/// A tool, the cloud that it deploys to, and the files that it deploys.
pub(crate) struct Lane {
    pub(crate) tool: Tool,
    cloud: Cloud,
    proxy: Proxy,
    folder: Utf8PathBuf,
    /// What CDK synthesizes.
    assembly: Utf8PathBuf,
    inputs: Inputs,
    commands: Commands,
    delay: Duration,
    changes: Cell<usize>,
}

/// The programs, as far as commands need them.
struct Commands {
    root: Utf8PathBuf,
    xtask: Utf8PathBuf,
    release: Option<Utf8PathBuf>,
    sam: Utf8PathBuf,
    cdk: Utf8PathBuf,
    app: Utf8PathBuf,
}

impl Lane {
    /// Starts a cloud and prepares it for the tool, which is not measured: a bucket for SAM, `cdk bootstrap` for CDK. This tool deploys
    /// its own bucket with the first deploy, which is measured.
    pub(crate) async fn prepare(
        tool: Tool,
        programs: &Programs,
        project: &Project,
        folder: &Utf8Path,
        delay: Duration,
    ) -> Result<Self> {
        let cloud = Cloud::start(programs, &folder.join("cloud"))?;
        let proxy = Proxy::start(cloud.url()).await?;
        let inputs = project.copy(folder)?;
        let Programs { root, xtask, release, sam, cdk, app } = programs;
        let commands = Commands {
            root: root.clone(),
            xtask: xtask.clone(),
            release: release.clone(),
            sam: sam.clone(),
            cdk: cdk.clone(),
            app: app.clone(),
        };
        let lane = Self {
            tool,
            cloud,
            proxy,
            folder: folder.to_owned(),
            assembly: folder.join("assembly"),
            inputs,
            commands,
            delay,
            changes: Cell::new(0),
        };
        match tool {
            Tool::Own => {}
            Tool::Sam => lane.cloud.create_bucket(BUCKET).await?,
            Tool::Cdk => {
                let environment = format!("aws://000000000000/{REGION}");
                lane.run(vec![lane.cdk(&["bootstrap", &environment])]).await?;
            }
        }
        Ok(lane)
    }

    /// Performs a step once, if the tool has it, and adds it to the report. A step that the tool cannot perform is reported with its
    /// reason.
    pub(crate) async fn measure(&self, step: Step, report: &mut Report) -> Result<()> {
        if !self.has(step) || report.has_failed(self.tool, step, self.delay) {
            return Ok(());
        }
        let expected = match step {
            Step::Code | Step::CodeInPlace => Some(self.change_code()?),
            _ => None,
        };
        match self.perform(step).await {
            Ok((time, calls)) => {
                if let Some(expected) = expected {
                    self.check_code(&expected).await?;
                }
                report.add(self.tool, step, self.delay, time, &calls);
                Ok(())
            }
            // Without it, the tool has no other step to perform.
            Err(error) if step == Step::First || self.tool == Tool::Own => Err(error),
            Err(error) => {
                report.fail(self.tool, step, self.delay, &error);
                Ok(())
            }
        }
    }

    fn has(&self, step: Step) -> bool {
        match step {
            Step::First | Step::Unchanged | Step::Code | Step::Plan => true,
            Step::CodeInPlace => self.tool != Tool::Own,
            Step::ReleasePlan => self.tool == Tool::Own && self.commands.release.is_some(),
        }
    }

    async fn perform(&self, step: Step) -> Result<(Duration, BTreeMap<String, usize>)> {
        // The value of an output is looked up by hand, once, so the time for it does not count.
        if self.tool == Tool::Sam && step == Step::First {
            return self.first_of_sam().await;
        }
        let commands = self.commands(step).await?;
        self.proxy.reset(self.delay);
        let time = self.run(commands).await?;
        Ok((time, self.proxy.calls()))
    }

    async fn first_of_sam(&self) -> Result<(Duration, BTreeMap<String, usize>)> {
        self.proxy.reset(self.delay);
        let first = self.run(vec![self.sam_deploy(STACKS[0], "cognito.json", &[])]).await?;
        let parameter = self.parameter().await?;
        let second =
            self.run(vec![self.sam_deploy(STACKS[1], "api-sam.json", &["--parameter-overrides", &parameter])]).await?;
        Ok((first + second, self.proxy.calls()))
    }

    /// The commands of a step, which run one after the other.
    async fn commands(&self, step: Step) -> Result<Vec<Command>> {
        Ok(match self.tool {
            Tool::Own => vec![match step {
                Step::Plan => self.own_plan(&self.commands.xtask),
                Step::ReleasePlan => self.own_plan(self.commands.release.as_ref().unwrap_or(&self.commands.xtask)),
                _ => self.own_deploy(),
            }],
            Tool::Sam => {
                let parameter = self.parameter().await?;
                let with_parameter = ["--parameter-overrides", parameter.as_str()];
                let deploy = |more: &[&str]| {
                    let api = [&with_parameter, more].concat();
                    vec![
                        self.sam_deploy(STACKS[0], "cognito.json", more),
                        self.sam_deploy(STACKS[1], "api-sam.json", &api),
                    ]
                };
                match step {
                    Step::Plan => deploy(&["--no-execute-changeset"]),
                    Step::CodeInPlace => vec![self.sam_sync(&parameter)?],
                    _ => deploy(&[]),
                }
            }
            Tool::Cdk => match step {
                Step::Plan => {
                    vec![
                        self.cdk(&["synth", "--quiet"]),
                        self.cdk(&["diff", "--app", self.output(), "--method", "template"]),
                    ]
                }
                Step::CodeInPlace => {
                    vec![self.cdk(&["deploy", STACKS[1], "--exclusively", "--hotswap", "--require-approval", "never"])]
                }
                _ => vec![self.cdk(&[
                    "deploy",
                    "--all",
                    "--method",
                    "direct",
                    "--concurrency",
                    "2",
                    "--require-approval",
                    "never",
                ])],
            },
        })
    }

    fn own_deploy(&self) -> Command {
        let mut own = command(&self.commands.xtask);
        own.args(["deploy", "--stage", "local", "--system", SYSTEM, "--yes", "--allow-other-sources", "--artifacts"]);
        own.arg(&self.inputs.artifacts);
        own.current_dir(&self.commands.root).envs(self.cloud.variables()).env("AWS_ENDPOINT_URL", &self.proxy.url);
        own
    }

    /// Stage `dev` has the same two stacks, and committed templates to compare with.
    fn own_plan(&self, xtask: &Utf8Path) -> Command {
        let mut own = command(xtask);
        own.args(["plan", "--stage", "dev", "--system", SYSTEM, "--against", "HEAD"]);
        own.current_dir(&self.commands.root);
        own
    }

    fn sam_deploy(&self, stack: &str, template: &str, more: &[&str]) -> Command {
        let mut sam = self.sam("deploy", stack, template);
        sam.args(["--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"]).args(more);
        sam
    }

    /// `sam sync` asks whether the stack is one for development, and no option answers.
    fn sam_sync(&self, parameter: &str) -> Result<Command> {
        let answer = self.folder.join("answer");
        fs_err::write(&answer, "y\n")?;
        let mut sam = self.sam("sync", STACKS[1], "api-sam.json");
        sam.stdin(std::fs::File::open(&answer)?);
        sam.args(["--code", "--resource-id", FUNCTION.0, "--no-dependency-layer", "--parameter-overrides", parameter]);
        Ok(sam)
    }

    fn sam(&self, verb: &str, stack: &str, template: &str) -> Command {
        let mut sam = command(&self.commands.sam);
        sam.args([verb, "--stack-name", stack, "--template-file", template, "--s3-bucket", BUCKET]);
        sam.args(["--capabilities", "CAPABILITY_NAMED_IAM"]);
        sam.current_dir(&self.folder)
            .env("SAM_CLI_TELEMETRY", "0")
            .envs(self.cloud.variables_of_others(&self.proxy.url));
        sam
    }

    fn cdk(&self, arguments: &[&str]) -> Command {
        let mut cdk = command(&self.commands.cdk);
        cdk.args(arguments).args([
            "--no-notices",
            "--no-version-reporting",
            "--no-path-metadata",
            "--no-asset-metadata",
        ]);
        if !arguments.contains(&"--app") {
            cdk.args(["--output", self.output()]);
        }
        cdk.current_dir(&self.commands.app).env("RACE_INPUTS", &self.folder);
        cdk.env("CDK_DISABLE_CLI_TELEMETRY", "true").envs(self.cloud.variables_of_others(&self.proxy.url));
        cdk
    }

    fn output(&self) -> &str {
        self.assembly.as_str()
    }

    async fn parameter(&self) -> Result<String> {
        Ok(format!("{OUTPUT}={}", self.cloud.output(STACKS[0], OUTPUT).await?))
    }

    /// Runs commands one after the other; returns the time that they take.
    async fn run(&self, commands: Vec<Command>) -> Result<Duration> {
        let run_all = move || {
            let start = Instant::now();
            commands.into_iter().try_for_each(|mut command| run(&mut command).map(drop))?;
            Ok(start.elapsed())
        };
        // The proxy runs on the same runtime.
        tokio::task::spawn_blocking(run_all).await.map_err(|error| Failure(error.to_string()))?
    }

    fn change_code(&self) -> Result<String> {
        self.changes.set(self.changes.get() + 1);
        self.inputs.change_code(self.changes.get())
    }

    /// Fails unless the function has the new code: a step that deploys nothing would be the fastest.
    async fn check_code(&self, expected: &str) -> Result<()> {
        let deployed = self.cloud.code_of(FUNCTION.1).await?;
        if deployed == expected {
            return Ok(());
        }
        Err(Failure(format!("{:?} did not deploy the new code of {}", self.tool, FUNCTION.1)))
    }
}
