//! Runs the project's workflows as GitHub does, as far as they use it: jobs in order, steps, conditions, outputs, artifacts.
//!
//! Every `run:` is the real command. Of actions, only those that carry or attest artifacts do something here.

use std::{
    collections::BTreeMap,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use crate::{
    cloud::{Cloud, text, workspace},
    deploying::copy_workspace,
    github::{Github, TOKEN, commit},
    rights::deploying::Taken,
};

/// A workflow's file.
pub(crate) fn workflow(name: &str) -> Value {
    let path = workspace().join(".github/workflows").join(name);
    serde_yaml::from_str(&fs_err::read_to_string(path).expect("the workflow")).expect("YAML")
}

/// Where workflows run: a cloud, a GitHub, and what was uploaded.
pub(crate) struct Runner<'a> {
    pub(crate) cloud: &'a Cloud,
    pub(crate) github: &'a Github,
    /// The folder of the stage files.
    pub(crate) stages: &'a Path,
    /// Uploaded artifacts, by name.
    pub(crate) store: PathBuf,
    /// Where AWS is.
    pub(crate) endpoint: String,
    /// The pull request, where it runs for one.
    pub(crate) pull_request: Option<&'a PullRequest>,
    /// Told the role that a job takes.
    pub(crate) taken: Taken,
    /// A job, and what another job of the run does to the uploaded files before it starts.
    pub(crate) tamper: Option<(&'a str, Tamper<'a>)>,
}

/// Changes uploaded files.
pub(crate) type Tamper<'a> = &'a dyn Fn(&Path);

/// A pull request's checkout, with a history, which the workspace under test may not have.
pub(crate) struct PullRequest {
    pub(crate) checkout: tempfile::TempDir,
    pub(crate) number: u64,
}

/// What became of a run.
#[derive(Debug, Default)]
pub(crate) struct Ran {
    /// Every command with its exit code and what it said, in order.
    pub(crate) commands: Vec<(String, i32, String)>,
    /// Every job that ran, and whether it succeeded.
    pub(crate) jobs: BTreeMap<String, bool>,
    /// The summaries of all jobs.
    pub(crate) summary: String,
}

impl Ran {
    /// The command that begins with this.
    pub(crate) fn command(&self, begin: &str) -> &(String, i32, String) {
        let found = self.commands.iter().find(|(command, _, _)| command.starts_with(begin));
        found.unwrap_or_else(|| panic!("`{begin}` did not run: {:#?}", self.commands))
    }

    pub(crate) fn ran(&self, begin: &str) -> bool {
        self.commands.iter().any(|(command, _, _)| command.starts_with(begin))
    }
}

/// The program that jobs with a role run: the one that another job has compiled.
pub(crate) const HANDED: &str = "pipeline/xtask";
/// How the step that verifies downloaded files starts, and how it ends.
pub(crate) const VERIFIES: (&str, &str) = ("printf '%s  %s\\n' ", " | sha256sum --check --strict");
/// The step that makes the verified program executable, as a download does not.
pub(crate) const MAKES_EXECUTABLE: &str = "chmod +x pipeline/xtask";

/// What expressions may refer to.
type Context = BTreeMap<String, String>;

impl Runner<'_> {
    /// Runs a workflow for a push to a branch. `number` is the run's.
    pub(crate) fn run(&self, workflow: &Value, branch: &str, number: u64) -> Ran {
        let mut ran = Ran::default();
        self.github.push(branch, number, &workspace());
        let mut context = Context::from([
            ("github.ref_name".to_owned(), branch.to_owned()),
            ("github.token".to_owned(), TOKEN.to_owned()),
        ]);
        for (name, value) in workflow["env"].as_object().into_iter().flatten() {
            let value = filled_in(value.as_str().expect("text"), &context);
            context.insert(format!("env.{name}"), value);
        }
        // The files have their jobs in an order in which they can run.
        for (name, job) in workflow["jobs"].as_object().expect("jobs") {
            let needs = match &job["needs"] {
                Value::String(one) => vec![one.clone()],
                Value::Array(all) => all.iter().filter_map(|need| need.as_str().map(str::to_owned)).collect(),
                _ => Vec::new(),
            };
            let ready = needs.iter().all(|need| ran.jobs.get(need) == Some(&true));
            let results = ran.jobs.iter().filter(|(name, _)| needs.contains(name)).map(|(name, succeeded)| {
                (name.clone(), serde_json::json!({ "result": if *succeeded { "success" } else { "failure" } }))
            });
            context.insert("toJSON(needs)".to_owned(), Value::Object(results.collect()).to_string());
            if is_wanted(job["if"].as_str(), ready, &context) {
                let succeeded = self.job(name, job, &mut context, number, branch, &mut ran);
                ran.jobs.insert(name.clone(), succeeded);
            }
        }
        self.github.finish(number, ran.jobs.values().all(|succeeded| *succeeded));
        ran
    }

    fn job(&self, name: &str, job: &Value, context: &mut Context, number: u64, branch: &str, ran: &mut Ran) -> bool {
        let folder = tempfile::tempdir().expect("a temporary folder");
        if let Some((_, tamper)) = self.tamper.filter(|(job, _)| *job == name) {
            tamper(&self.store);
        }
        let mut succeeded = true;
        context.retain(|key, _| !key.starts_with("steps."));
        self.taken.lock().expect("a role").clear();
        for step in job["steps"].as_array().expect("steps") {
            let id = step["id"].as_str();
            let is_wanted = is_wanted(step["if"].as_str(), succeeded, context);
            if let Some(id) = id {
                let outcome = if is_wanted { "success" } else { "skipped" };
                context.insert(format!("steps.{id}.outcome"), outcome.to_owned());
            }
            if !is_wanted {
                continue;
            }
            if let Some(action) = step["uses"].as_str() {
                self.action(action, &step["with"], context, folder.path(), number, branch);
                continue;
            }
            let command = step["run"].as_str().expect("a step uses or runs something");
            let (code, outputs) = self.command(command, step, context, (folder.path(), branch), ran);
            if let Some(id) = id {
                let outcome = if code == 0 { "success" } else { "failure" };
                context.insert(format!("steps.{id}.outcome"), outcome.to_owned());
                context.extend(outputs.into_iter().map(|(key, value)| (format!("steps.{id}.outputs.{key}"), value)));
            }
            succeeded &= code == 0 || step["continue-on-error"] == true;
        }
        // The handed program has a target directory of its own in this folder.
        for built in ["debug", "lambda", "release", "build"] {
            assert!(!folder.path().join("target").join(built).exists(), "job {name} compiled something");
        }
        for (output, value) in job["outputs"].as_object().into_iter().flatten() {
            let value = filled_in(value.as_str().expect("text"), context);
            context.insert(format!("needs.{name}.outputs.{output}"), value);
        }
        succeeded
    }

    /// What carries or attests artifacts does so, and it is noted which role a job takes; what needs GitHub or AWS themselves does nothing.
    fn action(&self, action: &str, with: &Value, context: &Context, folder: &Path, number: u64, branch: &str) {
        let with = |name: &str| filled_in(with[name].as_str().unwrap_or_default(), context);
        let (name, path) = (with("name"), folder.join(with("path")));
        if action.starts_with("actions/upload-artifact@") {
            let to = self.store.join(&name);
            if path.is_dir() {
                copy(&path, &to);
                self.github.upload(&name, number, &path);
            } else if with("if-no-files-found") != "ignore" || path.exists() {
                fs_err::create_dir_all(&to).expect("a folder");
                fs_err::copy(&path, to.join(path.file_name().expect("a name"))).expect("copied");
            }
        } else if action.starts_with("actions/download-artifact@") {
            copy(&self.store.join(&name), &path);
        } else if action.starts_with("actions/attest-build-provenance@") {
            self.github.attest(&folder.join(with("subject-path")), "deploy.yml", branch, &commit(number));
        } else if action.starts_with("aws-actions/configure-aws-credentials@") {
            let arn = with("role-to-assume");
            *self.taken.lock().expect("a role") = arn.rsplit('/').next().unwrap_or_default().to_owned();
        }
    }

    /// Runs a command as a shell in a checkout would; its exit code, and the outputs it gave.
    fn command(
        &self,
        command: &str,
        step: &Value,
        context: &Context,
        (folder, branch): (&Path, &str),
        ran: &mut Ran,
    ) -> (i32, BTreeMap<String, String>) {
        let outputs = folder.join("outputs");
        let summary = folder.join("summary");
        for file in [&outputs, &summary] {
            fs_err::write(file, "").expect("written");
        }
        let (shown, mut process) = match self.process(command, context, folder) {
            Ok(process) => process,
            Err((shown, code)) => {
                ran.commands.push((shown, code, String::new()));
                return (code, BTreeMap::new());
            }
        };
        process
            .current_dir(folder)
            .env("CARGO_MANIFEST_DIR", workspace().join("xtask"))
            .env("XTASK_STAGES", self.stages)
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("GITHUB_OUTPUT", &outputs)
            .env("GITHUB_STEP_SUMMARY", &summary)
            .env("GITHUB_REF", format!("refs/heads/{branch}"))
            .envs(self.github.variables());
        if let Some(pull_request) = self.pull_request {
            pull_request.set_up(&mut process, shown.starts_with("pr-comment"));
        }
        for (name, value) in step["env"].as_object().into_iter().flatten() {
            process.env(name, filled_in(value.as_str().expect("text"), context));
        }
        let output: Output = process.output().expect("the command starts");
        let code = output.status.code().unwrap_or(-1);
        ran.commands.push((shown, code, text(&output)));
        ran.summary.push_str(&unpadded(&fs_err::read_to_string(&summary).expect("the summary")));
        let outputs = fs_err::read_to_string(&outputs).expect("the outputs");
        let pairs = outputs.lines().filter_map(|line| line.split_once('='));
        (code, pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }

    /// The process of a command, with what is shown of it; of a command that does not run here, its exit code.
    fn process(&self, command: &str, context: &Context, folder: &Path) -> Result<(String, Command), (String, i32)> {
        let is_verifying = command.starts_with(VERIFIES.0) && command.ends_with(VERIFIES.1);
        if is_verifying || command == MAKES_EXECUTABLE {
            let mut process = Command::new("bash");
            process.args(["-e", "-c", command]);
            return Ok((command.to_owned(), process));
        }
        let words = words(command, context);
        if words[0] == HANDED {
            let mut process = Command::new(folder.join(HANDED));
            process.args(&words[1..]);
            self.cloud.lead(&mut process);
            process.env("CARGO_TARGET_DIR", folder.join("target"));
            return Ok((words[1..].join(" "), process));
        }
        assert_eq!(words[..2], ["cargo", "xtask"], "every other step is a command of xtask: {command}");
        let shown = words[2..].join(" ");
        if words[2] == "ci" {
            // This test is one of those that it runs, so it is only held against the parser.
            let parsed = engine::command(&stacks::Project.into()).try_get_matches_from(&words[1..]).is_ok();
            return Err((shown, i32::from(!parsed)));
        }
        let arguments: Vec<_> = words[2..].iter().map(String::as_str).collect();
        Ok((shown, self.cloud.command(&arguments)))
    }
}

impl PullRequest {
    /// What GitHub tells a run for a pull request; it holds no credentials of an account, whoever runs the test.
    fn set_up(&self, process: &mut Command, in_checkout: bool) {
        let event = self.checkout.path().join("target/event.json");
        fs_err::create_dir_all(event.parent().expect("a folder")).expect("a folder");
        let number = serde_json::json!({ "pull_request": { "number": self.number } });
        fs_err::write(&event, number.to_string()).expect("written");
        process.env("GITHUB_BASE_REF", "main").env("GITHUB_EVENT_PATH", event);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
            if name != "AWS_ENDPOINT_URL" && name != "AWS_EC2_METADATA_DISABLED" {
                process.env_remove(name);
            }
        }
        if in_checkout {
            process.current_dir(self.checkout.path()).env_remove("XTASK_STAGES");
        }
    }
}

/// Does a step with this condition run? Without a word on what went before, only where nothing failed.
fn is_wanted(condition: Option<&str>, succeeded: bool, context: &Context) -> bool {
    let condition = condition.unwrap_or("success()");
    let mut context = context.clone();
    for (function, value) in [("always()", true), ("success()", succeeded), ("failure()", !succeeded)] {
        context.insert(function.to_owned(), value.to_string());
    }
    let says = ["always()", "success()", "failure()"].iter().any(|function| condition.contains(function));
    (says || succeeded) && is_true(&evaluated(condition, &context))
}

/// The words of a command, with variables from the workflow's `env`.
fn words(command: &str, context: &Context) -> Vec<String> {
    let word = |word: &str| match word.strip_prefix("\"$").and_then(|word| word.strip_suffix('"')) {
        Some(variable) => context.get(&format!("env.{variable}")).expect("a variable of the workflow").clone(),
        None => word.to_owned(),
    };
    command.split_whitespace().map(word).collect()
}

/// `${{ … }}` in a text.
fn filled_in(text: &str, context: &Context) -> String {
    let mut pieces = text.split("${{");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (expression, rest) = piece.split_once("}}").expect("an expression ends");
        out.push_str(&evaluated(expression, context));
        out.push_str(rest);
    }
    out
}

/// An expression, as far as the workflows use them: `a == 'b' && 'c' || 'd'`, `(a || b) && c`.
fn evaluated(expression: &str, context: &Context) -> String {
    if let Some((group, rest)) = expression.trim().strip_prefix('(').and_then(|rest| rest.split_once(") && ")) {
        let group = evaluated(group, context);
        return if is_true(&group) { evaluated(rest, context) } else { group };
    }
    let mut value = String::new();
    for alternative in expression.split("||") {
        for term in alternative.split("&&") {
            value = compared(term.trim(), context);
            if !is_true(&value) {
                break;
            }
        }
        if is_true(&value) {
            break;
        }
    }
    value
}

fn compared(term: &str, context: &Context) -> String {
    for (sign, equal) in [("==", true), ("!=", false)] {
        if let Some((left, right)) = term.split_once(sign) {
            return ((value(left.trim(), context) == value(right.trim(), context)) == equal).to_string();
        }
    }
    value(term, context)
}

fn value(term: &str, context: &Context) -> String {
    match term.strip_prefix('\'').and_then(|term| term.strip_suffix('\'')) {
        Some(literal) => literal.to_owned(),
        None if is_output_of_unfinished_step(term, context) => String::new(),
        None => context.get(term).unwrap_or_else(|| panic!("nothing is called {term}")).clone(),
    }
}

fn is_true(value: &str) -> bool {
    !value.is_empty() && value != "false"
}

/// Copies files as uploads and downloads do, which keep no modes.
fn copy(from: &Path, to: &Path) {
    fs_err::create_dir_all(to).expect("a folder");
    for entry in fs_err::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let copy = to.join(entry.file_name());
        fs_err::copy(entry.path(), &copy).expect("copied");
        fs_err::set_permissions(&copy, std::fs::Permissions::from_mode(0o644)).expect("set");
    }
}

/// A repository with the workspace as its only commit, which is also `origin/main`.
pub(crate) fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    copy_workspace(folder.path());
    for arguments in [
        &["init", "--quiet", "--initial-branch", "topic"][..],
        &["add", "--all"],
        &["-c", "user.name=Test", "-c", "user.email=test@example.com", "commit", "--quiet", "-m", "A commit"],
        &["update-ref", "refs/remotes/origin/main", "HEAD"],
    ] {
        let git = engine::process::git_of_test(folder.path()).args(arguments).output();
        let git = git.expect("git starts");
        assert!(git.status.success(), "{arguments:?}\n{}", text(&git));
    }
    folder
}

/// Text without the spaces that align the columns of its tables.
fn unpadded(text: &str) -> String {
    let line = |line: &str| {
        if line.starts_with('|') { line.split_whitespace().collect::<Vec<_>>().join(" ") } else { line.to_owned() }
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

/// GitHub gives an empty text for the outputs of steps that were skipped or failed.
fn is_output_of_unfinished_step(term: &str, context: &Context) -> bool {
    let step = term.split_once(".outputs.").map(|(step, _)| step).filter(|step| step.starts_with("steps."));
    let outcome = step.and_then(|step| context.get(&format!("{step}.outcome")));
    outcome.is_some_and(|outcome| outcome != "success") && !context.contains_key(term)
}
