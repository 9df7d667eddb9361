//! Stack `ops`: cleanup, the administration of users, alarms and the dashboard.

use analyticbot_contract::{
    Cleanup, SYSTEM, UserAdmin, limits,
    tables::{LEASES, PK, TTL},
};
use model::{
    parts::{
        function::Function,
        policy::Statement,
        schedule::Schedule,
        table::Access,
        topic::{ARN_OUTPUT, Topic},
    },
    requirements::Requirement,
    template::{Expression, Stack, Text},
};

use super::{Settings, Shared, alarms, api::Served, api::function, dashboard};

/// The stack's name.
pub(super) const NAME: &str = "ops";

/// Builds the stack.
pub(super) fn stack(shared: &Shared<'_>, served: &Served) -> Stack {
    let Shared { stage, settings, data } = shared;
    let mut stack = Stack::new(NAME, "AnalyticBot: cleanup, administration of users, alarms and dashboard.");
    let topic = Topic::new("AlarmTopic", &format!("{SYSTEM}-{}-alarms", stage.name), stage);
    let topic = stack.add(topic.email(settings.alarm_email.as_deref()));
    let cleanup = stack.add(shared.cleanup());
    // Expired counters and leases have no index: it would be written with every call to Telegram.
    stack.except(
        "CleanupFunctionRole",
        Requirement::TableScan,
        "Expired items are found by a scan of keys and times, which reads no other attribute.",
    );
    let expression = format!("rate({} minutes)", limits::CLEANUP_MINUTES);
    stack.add(Schedule::new("CleanupSchedule", &format!("{SYSTEM}-{}-cleanup", stage.name), &expression, &cleanup));
    let user_admin = stack.add(shared.user_admin());
    let functions: Vec<_> = served.functions.iter().cloned().chain([cleanup, user_admin]).collect();
    for alarm in alarms::all(stage, &topic, data, (&served.api, &functions)) {
        stack.add(alarm);
    }
    stack.add(dashboard::of_system(stage, data, &served.api, &functions));
    stack.output("DashboardName", dashboard::name(stage));
    stack.output("UserAdminFunctionName", functions.last().map_or_else(|| Text::from(""), |last| last.function.id()));
    stack.output(ARN_OUTPUT, topic.arn());
    stack
}

impl Shared<'_> {
    fn cleanup(&self) -> Function {
        let data = self.data;
        let environment =
            Cleanup { users_table: data.users.name(), user_bot_credentials_table: data.credentials.name() };
        function(self.stage, environment)
            .memory(limits::CLEANUP_MEMORY)
            .timeout(limits::CLEANUP_TIMEOUT_SECONDS)
            .allow(data.credentials.scan_attributes(&[PK, TTL, LEASES]))
            .allow(data.credentials.allow(&[Access::DeleteItem, Access::UpdateItem]))
            .allow(data.users.scan_attributes(&[PK, TTL]))
            .allow(data.users.allow(&[Access::DeleteItem]))
    }

    fn user_admin(&self) -> Function {
        let (data, stage) = (self.data, self.stage);
        let password = Settings::bootstrap_password(stage);
        let environment = UserAdmin {
            stage: Text::from(&stage.name),
            users_table: data.users.name(),
            admin_bot_actions_table: data.actions.name(),
            bootstrap_password_param: Text::from(&password),
        };
        let access = [Access::GetItem, Access::PutItem, Access::UpdateItem];
        let arn = format!("arn:${{AWS::Partition}}:ssm:${{AWS::Region}}:${{AWS::AccountId}}:parameter{password}");
        function(stage, environment)
            .memory(limits::AUTH_MEMORY)
            .allow(data.users.allow(&access))
            .allow(data.actions.allow(&[Access::Query]))
            // Parameter Store decrypts with its own key of the account, whose policy allows this to every caller that may read the
            // parameter (KMS developer guide, "AWS managed keys").
            .allow([Statement::allow(["ssm:DeleteParameter", "ssm:GetParameter"], [Expression::sub(&arn, []).into()])])
    }
}
