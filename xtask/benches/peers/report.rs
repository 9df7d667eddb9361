//! The result: medians and ratios, as a page.

use std::{collections::BTreeMap, fmt::Write as _, io::Write as _, time::Duration};

use crate::{
    Arguments, DELAYS, Failure, Result,
    programs::Programs,
    tools::{Step, Tool},
};

/// The measurements of all runs.
pub(crate) struct Report {
    start: String,
    measured: BTreeMap<(u128, Step, Tool), Measured>,
}

/// The runs of one tool's step.
#[derive(Default)]
struct Measured {
    times: Vec<Duration>,
    /// The calls of the last run, by operation.
    calls: BTreeMap<String, usize>,
    /// Why the tool cannot perform the step.
    failure: Option<String>,
}

impl Report {
    pub(crate) fn new(programs: &Programs, arguments: &Arguments) -> Result<Self> {
        let mut start = String::from(
            "# The race\n\n\
             Written by `cargo xtask ci race`; do not edit.\n\n\
             Deploys the two stacks of media-uploader (7 and 76 resources, 5 functions, a layer) with three tools, each to a local cloud of \
             its own. All deploy the same resources and the same zips. \
             A proxy delays each call by 0 or 60 ms and counts the calls. The tools take turns.\n\
             The times hold for one machine and its load; only the ratios within a run mean anything.\n\n",
        );
        writeln!(
            start,
            "{}, {} runs of each step, {} of the first deploy. Load of the machine at the start: {}.\n",
            jiff::Zoned::now().date(),
            arguments.runs,
            arguments.first_runs,
            load()
        )?;
        writeln!(start, "| program | version |\n| --- | --- |")?;
        for (program, version) in programs.versions()? {
            writeln!(start, "| {program} | {version} |")?;
        }
        Ok(Self { start, measured: BTreeMap::new() })
    }

    /// Adds a run.
    pub(crate) fn add(
        &mut self,
        tool: Tool,
        step: Step,
        delay: Duration,
        time: Duration,
        calls: &BTreeMap<String, usize>,
    ) {
        let total: usize = calls.values().sum();
        say(&format!(
            "{} ms, {step:?}, {tool:?}: {:.2} s, {total} calls: {calls:?}",
            delay.as_millis(),
            time.as_secs_f64()
        ));
        let measured = self.measured.entry((delay.as_millis(), step, tool)).or_default();
        measured.times.push(time);
        measured.calls.clone_from(calls);
    }

    /// Adds the reason why a tool cannot perform a step.
    pub(crate) fn fail(&mut self, tool: Tool, step: Step, delay: Duration, failure: &Failure) {
        say(&format!("{} ms, {step:?}, {tool:?}: {failure}", delay.as_millis()));
        let last = failure.0.lines().last().unwrap_or_default().replace('|', "/");
        self.measured.entry((delay.as_millis(), step, tool)).or_default().failure = Some(last);
    }

    pub(crate) fn has_failed(&self, tool: Tool, step: Step, delay: Duration) -> bool {
        self.measured.get(&(delay.as_millis(), step, tool)).is_some_and(|measured| measured.failure.is_some())
    }

    /// Returns the page.
    pub(crate) fn page(&self) -> String {
        let mut page = self.start.clone();
        for delay in DELAYS.map(u128::from) {
            let _never = write!(
                page,
                "\n## {delay} ms a call\n\n| step | this tool | SAM | ratio | CDK | ratio |\n| --- | --- | --- | --- | --- | --- |\n"
            );
            for row in ROWS {
                // Calls are all that the delay changes, and an offline plan makes none.
                let own = self.measured.get(&(delay, row.own, Tool::Own));
                let Some(own) = own.filter(|own| !own.times.is_empty()) else { continue };
                let other = |tool| self.cells(self.measured.get(&(delay, row.others, tool)), own);
                let _never =
                    writeln!(page, "| {} | {} | {} | {} |", row.title, cell(own), other(Tool::Sam), other(Tool::Cdk));
            }
        }
        page + NOTES + &self.calls()
    }

    /// Returns the calls of each step by operation, at the last delay.
    fn calls(&self) -> String {
        let delay = DELAYS.map(u128::from).into_iter().max().unwrap_or_default();
        let mut page =
            format!("\n## Calls at {delay} ms\n\n| step | tool | calls by operation |\n| --- | --- | --- |\n");
        let with_calls = self.measured.iter().filter(|((of, ..), measured)| *of == delay && !measured.calls.is_empty());
        for ((_, step, tool), measured) in with_calls {
            let mut calls: Vec<_> = measured.calls.iter().collect();
            calls.sort_by_key(|(operation, count)| (std::cmp::Reverse(**count), *operation));
            let calls: Vec<_> = calls.iter().map(|(operation, count)| format!("{count} {operation}")).collect();
            let _never = writeln!(page, "| {} | {} | {} |", step.title(), tool.id(), calls.join(", "));
        }
        page
    }

    /// The cell of another tool, and how many times as long it takes.
    fn cells(&self, other: Option<&Measured>, own: &Measured) -> String {
        match other {
            Some(Measured { failure: Some(failure), .. }) => format!("fails: {failure} | "),
            Some(other) if !other.times.is_empty() => {
                format!(
                    "{} | {:.1} ×",
                    cell(other),
                    median(&other.times).as_secs_f64() / median(&own.times).as_secs_f64()
                )
            }
            _ => " | ".to_owned(),
        }
    }
}

/// A row of the table.
struct Row {
    title: &'static str,
    own: Step,
    others: Step,
}

const ROWS: [Row; 6] = [
    Row { title: "first deploy", own: Step::First, others: Step::First },
    Row { title: "nothing changed", own: Step::Unchanged, others: Step::Unchanged },
    Row { title: "one function's code, deployed", own: Step::Code, others: Step::Code },
    Row {
        title: "one function's code, `sam sync --code`, `cdk deploy --hotswap`",
        own: Step::Code,
        others: Step::CodeInPlace,
    },
    Row { title: "plan or diff", own: Step::Plan, others: Step::Plan },
    Row { title: "plan or diff, release build of this tool", own: Step::ReleasePlan, others: Step::Plan },
];

/// The commands, and what they compare.
const NOTES: &str = "
The number of calls follows each time.

## Commands

| tool | deploy | one function's code | plan |
| --- | --- | --- | --- |
| this tool, development build | `xtask deploy --stage local --system media-uploader --yes --artifacts …` | the same | `xtask plan --stage dev --system media-uploader --against HEAD`, offline |
| SAM | `sam deploy --no-confirm-changeset --no-fail-on-empty-changeset` for one stack, then for the other | `sam sync --code --resource-id …` | both with `--no-execute-changeset` |
| CDK | `cdk deploy --all --method direct --concurrency 2 --require-approval never` | `cdk deploy --exclusively --hotswap` for the stack of the function | `cdk synth --quiet && cdk diff --app … --method template` |

- No tool compiles: all get finished zips. `cargo`'s own check, which `cargo xtask` adds, is not measured.
- Not measured: the bucket for SAM, `cdk bootstrap`, and looking up the output that SAM's second stack takes as a parameter. This tool's first deploy includes its artifact bucket and the role of API Gateway's logs.
- This tool's deploy does more: after CloudFormation it publishes a version, probes it, shifts `live` to it, runs smoke checks and records the release. In the templates of SAM and CDK, `live` stays at version 1.
- SAM's own bucket (`--resolve-s3`) needs the SAM transform, which the emulator lacks; SAM gets a bucket instead.
- The emulator creates resources at once. On AWS, all three wait for CloudFormation as well, which makes ratios of deploys smaller.
";

fn cell(measured: &Measured) -> String {
    format!("{:.2} s, {}", median(&measured.times).as_secs_f64(), measured.calls.values().sum::<usize>())
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// The machine's load averages and cores, where the system has them.
fn load() -> String {
    let averages = fs_err::read_to_string("/proc/loadavg").unwrap_or_default();
    let averages: Vec<_> = averages.split(' ').take(3).collect();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    if averages.len() < 3 {
        format!("unknown, {cores} cores")
    } else {
        format!("{}, {cores} cores", averages.join(" "))
    }
}

/// Prints a line.
pub(crate) fn say(line: &str) {
    // A closed output ends no race.
    let _written = writeln!(std::io::stdout().lock(), "{line}");
}
