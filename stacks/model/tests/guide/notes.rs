//! The system `notes`: users, a table, an API, a schedule and an alarm.

use model::{
    parts::{
        alarm::{Alarm, Metric, Statistic, Threshold},
        api::RestApi,
        email_pool::EmailPool,
        function::Function,
        schedule::Schedule,
        table::{Access, Table},
        topic::{ARN_OUTPUT, Topic},
    },
    rendered::SmokeCheck,
    stage::Stage,
    template::{RenderError, Stack, System},
    values::SettingsCheck,
};
use notes_contract::{Api, ApiRoute, SYSTEM, Sweep};
use serde::Deserialize;

/// A stage's settings for the notes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The address that alarms are sent to.
    #[serde(default)]
    alarm_email: Option<String>,
}

/// Builds the system.
///
/// # Errors
///
/// When a setting is not allowed.
pub(crate) fn system(stage: &Stage, settings: &Settings) -> Result<System, RenderError> {
    SettingsCheck::new(SYSTEM, stage).emails("alarm_email", &settings.alarm_email)?;
    let name = |name: &str| format!("{SYSTEM}-{name}-{}", stage.name);
    let mut stack = Stack::new("api", "Notes: users, a table, an API, a schedule and an alarm.");

    let table = Table::new("NotesTable", &name("table"), ("Id", None), stage);
    let table = stack.add(table.index("ByState", ("State", Some("Created"))).recoverable());

    let users = EmailPool::new("Users", &name("users"), ("UsersClient", "notes-web"));
    let users = stack.add(users.protected(stage.protected));
    let api = Function::new(stage, Api { table_name: table.name() });
    let api = stack.add(api.allow(table.allow(&[Access::GetItem])));
    let rest = RestApi::new("NotesApi", name("api"), stage);
    stack.add(rest.authorizer("UsersAuthorizer", users.pool.attribute("Arn")).routes::<ApiRoute>(&api));

    let sweep = Function::new(stage, Sweep { table_name: table.name() }).timeout(60);
    let sweep = sweep.allow(table.query_index("ByState")).allow(table.allow(&[Access::DeleteItem]));
    let sweep = stack.add(sweep);
    stack.add(Schedule::new("SweepSchedule", &name("sweep"), "rate(1 day)", &sweep));

    let topic = Topic::new("AlarmTopic", &name("alarms"), stage).email(settings.alarm_email.as_deref());
    let topic = stack.add(topic);
    let errors = Metric::new("AWS/Lambda", "Errors", Statistic::Sum).of("FunctionName", sweep.function.id());
    stack.add(Alarm::new("SweepErrors", &name("sweep-errors"), errors, Threshold::AtLeast(1.0), &topic));
    stack.output(ARN_OUTPUT, topic.arn());

    // Without a token, the gateway refuses the request.
    let guarded = SmokeCheck { api: "NotesApi".to_owned(), path: "/notes/1".to_owned(), status: 401, json: None };
    Ok(System::new(SYSTEM, [stack]).smoke(guarded).alarm_topic("api", ARN_OUTPUT))
}
