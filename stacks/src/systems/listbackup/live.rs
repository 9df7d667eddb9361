//! Stack `live`, of stages with `live_updates`: a WebSocket API that sends the progress of backups to connected clients.
//!
//! It has its own table of connections, and a rule on the system's bus. The other stacks do not know it.

use listbackup_contract::{
    SYSTEM,
    events::{FILES, JOBS},
    limits,
    live::{Connect, Disconnect, PUSHED, Push, TOKEN},
    tables::{CONNECTIONS, CONNECTIONS_BY_ACCOUNT},
};
use model::{
    parts::{
        event_bus::{EventPattern, EventRule},
        function::Function,
        queue::{FailureQueue, QueueHandle},
        table::{
            Access::{DeleteItem, GetItem, PutItem},
            TableHandle,
        },
        web_socket_api::{WebSocketApi, WebSocketHandle},
    },
    template::{Stack, Text},
};

use super::{
    Shared,
    alarms::{self, Watched},
    core,
    functions::{DECISION_SECONDS, function},
};

/// The logical ID of the WebSocket API.
pub(super) const API: &str = "LiveApi";
/// Retries of the delivery of an event, and the age in seconds at which it is given up: later progress replaces it.
const DELIVERY: (u32, u32) = (2, 300);

/// Builds the stack.
pub(super) fn stack(shared: &Shared) -> Stack {
    let Shared { stage, settings, core } = shared;
    let mut stack = Stack::new("live", "ListBackup: live updates of the progress of backups.");
    let connections = stack.add(core::table(stage, settings, CONNECTIONS, "live"));
    let failed = FailureQueue::new("FailedUpdates", &format!("{SYSTEM}-updates-dlq-{}", stage.name), stage);
    let failed = stack.add(failed);
    let connect = stack.add(shared.connect(&connections));
    let disconnect = stack.add(shared.disconnect(&connections));
    let identity = format!("route.request.querystring.{TOKEN}");
    let api = WebSocketApi::new(API, format!("{SYSTEM}-live-{}", stage.name), stage)
        .authorizer("LiveAuthorizer", &connect, &[&identity])
        .connect(&connect)
        .disconnect(&disconnect)
        .throttle(settings.throttle.rate, settings.throttle.burst)
        .log_retention(limits::LOG_DAYS);
    let api = stack.add(api);
    let push = stack.add(shared.push(&connections, &api, &failed));
    let pattern = EventPattern::new().sources([JOBS, FILES]).detail_types(PUSHED.map(|kind| kind.detail_type));
    let rule = EventRule::new("Progress", &format!("{SYSTEM}-progress-{}", stage.name), &core.bus, pattern)
        .invoke(&push)
        .retry(DELIVERY.0, DELIVERY.1)
        .dead_letters(&failed);
    stack.add(rule);
    let watched = [
        Watched::new(&connect, DECISION_SECONDS),
        Watched::new(&disconnect, limits::TIMEOUT_SECONDS),
        Watched::new(&push, limits::TIMEOUT_SECONDS),
    ];
    alarms::add_of_functions(&mut stack, stage, &core.topic, &watched);
    stack
}

impl Shared<'_> {
    fn connect(&self, connections: &TableHandle) -> Function {
        let core = self.core;
        let environment = Connect {
            stage: Text::from(&self.stage.name),
            connections_table: connections.name(),
            users_table: core.tables.users.name(),
            access_secret_arn: core.access_secret.arn(),
        };
        function(self.stage, environment)
            .timeout(DECISION_SECONDS)
            .allow(connections.allow(&[PutItem, DeleteItem]))
            .allow(connections.query_index(CONNECTIONS_BY_ACCOUNT.name))
            .allow(core.tables.users.allow(&[GetItem]))
            .allow(core.access_secret.read())
    }

    fn disconnect(&self, connections: &TableHandle) -> Function {
        let environment = Disconnect { connections_table: connections.name() };
        function(self.stage, environment).allow(connections.allow(&[DeleteItem]))
    }

    fn push(&self, connections: &TableHandle, api: &WebSocketHandle, failed: &QueueHandle) -> Function {
        let runs = &self.core.tables.runs;
        let environment = Push {
            connections_table: connections.name(),
            runs_table: runs.name(),
            connections_endpoint: api.management_endpoint.clone(),
        };
        function(self.stage, environment)
            .asynchronous(0, 300)
            .failures(failed)
            .allow(connections.allow(&[DeleteItem]))
            .allow(connections.query_index(CONNECTIONS_BY_ACCOUNT.name))
            .allow(runs.allow(&[GetItem]))
            .allow(api.manage())
    }
}
