//! An API that sends events to a bus, a rule that invokes a function, and a queue that feeds another one.

use model::{
    parts::{
        api::RestApi,
        event_bus::{EventBus, EventPattern, EventRule},
        event_source::EventSource,
        function::Function,
        queue::Queue,
        table::{Access, Table},
    },
    stage::Stage,
    template::Stack,
};
use notes_contract::events::{ADDED, Add, AddRoute, Forward, NOTE, SOURCE, Store};
use serde_json::json;

pub fn stack(stage: &Stage) -> Stack {
    let mut stack = Stack::new("events", "Notes: what happens to a note that was added.");
    let name = |name: &str| format!("notes-{name}-{}", stage.name);
    let table = stack.add(Table::new("CountsTable", &name("counts"), ("PK", None), stage));
    let bus = stack.add(EventBus::new("Bus", &name("events")));
    let (main, dead_letters) = (name("added"), name("added-dlq"));
    let queues = Queue::new(("AddedQueue", &main), ("AddedDeadLetters", &dead_letters), stage).visibility(3);
    let queues = stack.add(queues);

    let add = Function::new(stage, Add { table_name: table.name(), bus_name: bus.name() });
    let add = stack.add(add.allow(bus.put()).allow(table.allow(&[Access::GetItem])));
    stack.add(RestApi::new("EventsApi", name("events"), stage).routes::<AddRoute>(&add));

    let forward = Function::new(stage, Forward { queue_url: queues.main.url() }).allow(queues.main.send());
    let forward = stack.add(forward);
    let pattern = EventPattern::new().sources([SOURCE]).detail_types([ADDED]);
    let rule = EventRule::new("AddedRule", &name("added"), &bus, pattern).invoke(&forward);
    stack.add(rule.retry(2, 60).dead_letters(&queues.dead_letters));

    let store = Function::new(stage, Store { table_name: table.name() }).timeout(3);
    let store = stack.add(store.allow(queues.main.feed()).allow(table.allow(&[Access::UpdateItem])));
    let source = EventSource::new("AddedMapping", &queues.main, &store).maximum_concurrency(2);
    stack.add(source.filter(json!({ "body": { "kind": [NOTE] } })));
    stack
}
