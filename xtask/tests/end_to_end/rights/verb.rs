//! `check-rights` as a user runs it: with every grant, and with a project whose role in `prod` lacks one.

use std::{
    process::{Command, ExitCode, Output, Stdio},
    time::Duration,
};

use model::{
    project::Project,
    rendered::RenderedSystem,
    stage::{Stage, StageError},
    template::RenderError,
};
use serde_json::{Value, json};

use crate::{
    cloud::{Cloud, text},
    proxy::kill,
};

/// The arguments of the tool that is this test's own binary.
const ARGUMENTS: &str = "LACKING_TOOL_ARGUMENTS";
const TOOL: &str = "rights::verb::the_tool_of_a_project_that_lacks_a_grant";
/// The grant that it lacks.
const GRANT: &str = "dynamodb:Query";

#[test]
fn a_removed_grant_is_named_before_production() {
    let cloud = Cloud::new();
    for system in ["foundation", "portfolio"] {
        cloud.success(&["deploy", "--stage", "local", "--system", system, "--yes"]);
    }
    let functions = || cloud.json(&["status", "--stage", "local", "--format", "json"])["systems"].clone();
    let before = functions();
    let check = "check-rights --stage local --system portfolio --against prod --format json";
    let arguments: Vec<_> = check.split(' ').collect();

    let report = cloud.json(&arguments);
    for name in ["refused", "unknown", "conditional", "failedChecks", "silent", "absent", "unread"] {
        assert_eq!(report[name], json!([]), "{name}: {report:#}");
    }
    assert_eq!(report["against"], "prod");
    assert_eq!(report["uninvoked"], json!([]), "{report:#}");
    let uncalled = report["uncalled"].as_array().expect("routes");
    let is_uncalled = |title: &str| uncalled.iter().any(|route| route["route"] == title);
    assert!(is_uncalled("POST /v1/blog/posts") && !is_uncalled("GET /v1/blog/posts"), "{uncalled:#?}");
    assert!(!is_uncalled("GET /v1/auth/me"), "a signed-in user calls it: {uncalled:#?}");
    let unused = report["unused"].as_array().expect("grants");
    let is_unused = |action: &str, end: &str| {
        unused
            .iter()
            .any(|grant| grant["action"] == action && grant["resource"].as_str().is_some_and(|of| of.ends_with(end)))
    };
    assert!(is_unused("dynamodb:DeleteItem", "-table") && !is_unused(GRANT, "/index/GSI1"), "{unused:#?}");
    assert_eq!(functions(), before, "the functions are put back");

    let output = lacking(&cloud, check);
    assert!(!output.status.success(), "{}", text(&output));
    let report = report_of(&output);
    let refused = report["refused"].as_array().expect("calls");
    assert!(!refused.is_empty() && refused.iter().all(|call| call["action"] == GRANT), "{report:#}");
    assert_eq!(refused[0]["function"], "portfolio-api-local");
    assert!(refused[0]["reason"].as_str().is_some_and(|reason| reason.starts_with("closest: allow dynamodb:")));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("error: the roles of stage prod do not match the recorded calls"), "{errors}");
    assert_eq!(functions(), before, "the functions are put back after a failure");

    let interrupted = stopped(&cloud, &arguments, |process| {
        Command::new("kill").args(["-INT", &process.to_string()]).output().expect("kill");
    });
    assert_eq!(interrupted.status.code(), Some(130), "{}", text(&interrupted));
    assert_eq!(functions(), before, "the functions are put back after an interruption");

    stopped(&cloud, &arguments, kill);
    assert_ne!(functions(), before, "a killed command puts nothing back");
    cloud.json(&arguments);
    assert_eq!(functions(), before, "the next run does");

    abandon(&cloud, "portfolio-api-local");
    cloud.success(&["deploy", "--stage", "local", "--system", "portfolio", "--yes"]);
    assert_eq!(functions(), before, "a deploy publishes nothing that a killed recording changed");
}

/// Changes `$LATEST` as a recording does, which is then killed.
#[tokio::main(flavor = "current_thread")]
async fn abandon(cloud: &Cloud, function: &str) {
    let lambda = cloud.lambda();
    let live = lambda.get_function_configuration().function_name(function).qualifier("live").send().await;
    let live = live.expect("a version");
    let variables = live.environment().and_then(|environment| environment.variables()).cloned().unwrap_or_default();
    let environment = aws_sdk_lambda::types::Environment::builder()
        .set_variables(Some(variables))
        .variables("XTASK_RECORDED_VERSION", live.version().expect("its number"))
        .variables("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9");
    let request = lambda.update_function_configuration().function_name(function).environment(environment.build());
    request.send().await.expect("changed");
}

/// Runs the command and stops it while it records.
#[tokio::main(flavor = "current_thread")]
async fn stopped(cloud: &Cloud, arguments: &[&str], stop: impl Fn(u32)) -> Output {
    let live = async || {
        let alias = cloud.lambda().get_alias().function_name("portfolio-api-local").name("live").send().await;
        alias.expect("an alias").function_version().expect("a version").to_owned()
    };
    let before = live().await;
    let mut command = cloud.command(arguments);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("xtask starts");
    while live().await == before {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop(child.id());
    child.wait_with_output().expect("it ends")
}

/// Runs this binary as the tool of the other project.
fn lacking(cloud: &Cloud, arguments: &str) -> Output {
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    command.args([TOOL, "--exact", "--nocapture"]).env(ARGUMENTS, arguments);
    // A test's thread has a quarter of the stack of a program's main thread.
    command.env("RUST_MIN_STACK", (8 << 20).to_string());
    cloud.lead(&mut command);
    command.output().expect("it starts")
}

/// The JSON in what the tool and the test runner printed.
fn report_of(output: &Output) -> Value {
    let printed = String::from_utf8_lossy(&output.stdout);
    let (_, json) = printed.split_once('{').unwrap_or_else(|| panic!("no JSON\n{}", text(output)));
    let json = format!("{{{json}");
    let mut values = serde_json::Deserializer::from_str(&json).into_iter::<Value>();
    values.next().expect("a value").expect("JSON")
}

/// Not a test of its own: [`lacking`] runs it with arguments.
#[test]
fn the_tool_of_a_project_that_lacks_a_grant() -> ExitCode {
    let Ok(arguments) = std::env::var(ARGUMENTS) else { return ExitCode::SUCCESS };
    let arguments = ["xtask"].into_iter().chain(arguments.split(' ')).map(Into::into);
    engine::main_with(engine::Application::new(Lacking), arguments.collect())
}

/// The project of this repository, whose roles in `prod` lack the grant.
struct Lacking;

impl Project for Lacking {
    fn stage(&self, name: &str, text: &str, file: &str) -> Result<Stage, StageError> {
        stacks::Project.stage(name, text, file)
    }

    fn render(&self, stage: &Stage) -> Result<Vec<RenderedSystem>, RenderError> {
        let mut systems = stacks::Project.render(stage)?;
        if stage.name == "prod" {
            for stack in systems.iter_mut().flat_map(|system| &mut system.stacks) {
                stack.template["Resources"].as_object_mut().expect("resources").values_mut().for_each(remove);
            }
        }
        Ok(systems)
    }
}

/// Removes the grant wherever a statement has it.
fn remove(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::Array(statements)) = fields.get_mut("Statement") {
                statements.retain(|statement| statement["Action"] != json!([GRANT]));
            }
            if let Some(Value::Array(actions)) = fields.get_mut("Action") {
                actions.retain(|action| action != GRANT);
            }
            fields.values_mut().for_each(remove);
        }
        Value::Array(items) => items.iter_mut().for_each(remove),
        _ => {}
    }
}
