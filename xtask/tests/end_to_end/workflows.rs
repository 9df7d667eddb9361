//! Runs the project's workflows as GitHub does, as far as they use it: jobs in order, steps, conditions, outputs, artifacts.
//!
//! Every `run:` is the real command. Of actions, only those that carry artifacts do something here.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::Value;

use crate::{
    cloud::{Cloud, text, workspace},
    deploying::copy_workspace,
    github::{Github, TOKEN},
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

/// What expressions may refer to.
type Context = BTreeMap<String, String>;

impl Runner<'_> {
    /// Runs a workflow for a push to a branch. `number` is the run's.
    pub(crate) fn run(&self, workflow: &Value, branch: &str, number: u64) -> Ran {
        let mut ran = Ran::default();
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
            if ready && job["if"].as_str().is_none_or(|condition| is_true(&evaluated(condition, &context))) {
                let succeeded = self.job(name, job, &mut context, number, branch, &mut ran);
                ran.jobs.insert(name.clone(), succeeded);
            }
        }
        ran
    }

    fn job(&self, name: &str, job: &Value, context: &mut Context, number: u64, branch: &str, ran: &mut Ran) -> bool {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut succeeded = true;
        context.retain(|key, _| !key.starts_with("steps."));
        for step in job["steps"].as_array().expect("steps") {
            let condition = step["if"].as_str().unwrap_or("success()");
            let is_wanted = match condition {
                "always()" => true,
                "success()" => succeeded,
                condition => succeeded && is_true(&evaluated(condition, context)),
            };
            if !is_wanted {
                continue;
            }
            if let Some(action) = step["uses"].as_str() {
                self.action(action, &step["with"], context, folder.path(), number, branch);
                continue;
            }
            let command = step["run"].as_str().expect("a step uses or runs something");
            let (code, outputs) = self.command(command, step, context, folder.path(), ran);
            if let Some(id) = step["id"].as_str() {
                context.extend(outputs.into_iter().map(|(key, value)| (format!("steps.{id}.outputs.{key}"), value)));
            }
            succeeded &= code == 0 || step["continue-on-error"] == true;
        }
        for (output, value) in job["outputs"].as_object().into_iter().flatten() {
            let value = filled_in(value.as_str().expect("text"), context);
            context.insert(format!("needs.{name}.outputs.{output}"), value);
        }
        succeeded
    }

    /// What carries artifacts does so; what needs GitHub or AWS themselves does nothing.
    fn action(&self, action: &str, with: &Value, context: &Context, folder: &Path, number: u64, branch: &str) {
        let with = |name: &str| filled_in(with[name].as_str().unwrap_or_default(), context);
        let (name, path) = (with("name"), folder.join(with("path")));
        if action.starts_with("actions/upload-artifact@") {
            let to = self.store.join(&name);
            if path.is_dir() {
                copy(&path, &to);
            } else {
                fs_err::create_dir_all(&to).expect("a folder");
                fs_err::copy(&path, to.join(path.file_name().expect("a name"))).expect("copied");
            }
            self.github.upload(&name, number, branch, false);
        } else if action.starts_with("actions/download-artifact@") {
            copy(&self.store.join(&name), &path);
        }
    }

    /// Runs a command as a shell in a checkout would; its exit code, and the outputs it gave.
    fn command(
        &self,
        command: &str,
        step: &Value,
        context: &Context,
        folder: &Path,
        ran: &mut Ran,
    ) -> (i32, BTreeMap<String, String>) {
        let words = words(command, context);
        assert_eq!(words[..2], ["cargo", "xtask"], "every step is a command of xtask: {command}");
        let shown = words[2..].join(" ");
        if words[2] == "ci" {
            // This test is one of those that it runs.
            return (0, BTreeMap::new());
        }
        let outputs = folder.join("outputs");
        let summary = folder.join("summary");
        for file in [&outputs, &summary] {
            fs_err::write(file, "").expect("written");
        }
        let arguments: Vec<_> = words[2..].iter().map(String::as_str).collect();
        let mut process = self.cloud.command(&arguments);
        process
            .current_dir(folder)
            .env("CARGO_MANIFEST_DIR", workspace().join("xtask"))
            .env("XTASK_STAGES", self.stages)
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("GITHUB_OUTPUT", &outputs)
            .env("GITHUB_STEP_SUMMARY", &summary)
            .envs(self.github.variables());
        for (name, value) in step["env"].as_object().into_iter().flatten() {
            process.env(name, filled_in(value.as_str().expect("text"), context));
        }
        let output: Output = process.output().expect("xtask starts");
        let code = output.status.code().unwrap_or(-1);
        ran.commands.push((shown, code, text(&output)));
        ran.summary.push_str(&fs_err::read_to_string(&summary).expect("the summary"));
        let outputs = fs_err::read_to_string(&outputs).expect("the outputs");
        let pairs = outputs.lines().filter_map(|line| line.split_once('='));
        (code, pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }
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

/// An expression, as far as the workflows use them: `a == 'b' && 'c' || 'd'`.
fn evaluated(expression: &str, context: &Context) -> String {
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
        None => context.get(term).unwrap_or_else(|| panic!("nothing is called {term}")).clone(),
    }
}

fn is_true(value: &str) -> bool {
    !value.is_empty() && value != "false"
}

fn copy(from: &Path, to: &Path) {
    fs_err::create_dir_all(to).expect("a folder");
    for entry in fs_err::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        fs_err::copy(entry.path(), to.join(entry.file_name())).expect("copied");
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
        let git = std::process::Command::new("git").args(arguments).current_dir(folder.path()).output();
        let git = git.expect("git starts");
        assert!(git.status.success(), "{arguments:?}\n{}", text(&git));
    }
    folder
}
