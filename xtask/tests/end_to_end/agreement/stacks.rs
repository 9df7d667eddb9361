//! CloudFormation: change sets, refusals, deletions and events.

use aws_sdk_cloudformation::types::{Capability, ChangeSetType, Parameter};
use serde_json::{Value, json};

use super::{
    seen::{Seen, outcome, refusal},
    world::World,
};

const TOPIC: &str = "AWS::SNS::Topic";

/// A template with a topic.
fn topic(display: &str) -> Value {
    json!({ "Resources": { "Topic": { "Type": TOPIC, "Properties": { "DisplayName": display } } } })
}

/// The state of a change set: its status, its execution status and the start of its reason.
async fn compared(world: &World, name: &str) -> String {
    let describe = async || {
        let request = world.cloudformation().describe_change_set().stack_name(&world.name).change_set_name(name);
        request.send().await.unwrap_or_else(|error| panic!("{name}: {error:?}"))
    };
    let status = async || describe().await.status().map(|status| status.as_str().to_owned()).unwrap_or_default();
    world.until("the comparison", async || !matches!(&*status().await, "CREATE_PENDING" | "CREATE_IN_PROGRESS")).await;
    let described = describe().await;
    let execution = described.execution_status().map(|status| status.as_str()).unwrap_or_default();
    let reason = described.status_reason().unwrap_or_default().split('.').next().unwrap_or_default();
    format!("{} {execution} {reason}", status().await).trim_end().to_owned()
}

/// Asks for a change set; returns how the call ended.
async fn change_set(world: &World, name: &str, kind: ChangeSetType, template: &Value) -> String {
    let request = world.cloudformation().create_change_set().stack_name(&world.name).change_set_name(name);
    let request = request.change_set_type(kind).template_body(template.to_string());
    refusal(&request.send().await, &world.name)
}

/// Executes a change set, and waits for the end.
async fn execute(world: &World, name: &str) -> String {
    let request = world.cloudformation().execute_change_set().stack_name(&world.name).change_set_name(name);
    request.send().await.expect("executed");
    world.until("the execution", async || !world.status(&world.name).await.starts_with("REVIEW")).await;
    world.settled(&world.name).await
}

async fn delete(world: &World) -> String {
    let deleted = world.cloudformation().delete_stack().stack_name(&world.name).send().await;
    refusal(&deleted, &world.name)
}

pub(super) async fn absent(world: World) -> Seen {
    let mut seen = Seen::default();
    let described = world.cloudformation().describe_stacks().stack_name(&world.name).send().await;
    seen.note("the call", refusal(&described, &world.name));
    seen
}

pub(super) async fn change_set_of_absent_stack(world: World) -> Seen {
    let mut seen = Seen::default();
    seen.note("its creation", change_set(&world, "c", ChangeSetType::Update, &topic("a")).await);
    let described = world.cloudformation().describe_change_set().stack_name(&world.name).change_set_name("c");
    seen.note("its description", refusal(&described.send().await, &world.name));
    seen
}

pub(super) async fn review(world: World) -> Seen {
    let mut seen = Seen::default();
    seen.note("its creation", change_set(&world, "c", ChangeSetType::Create, &topic("a")).await);
    seen.note("the change set", compared(&world, "c").await);
    seen.note("the stack", world.status(&world.name).await);
    let template = world.cloudformation().get_template().stack_name(&world.name).send().await;
    let body = template.as_ref().map(|template| template.template_body().filter(|body| !body.is_empty()));
    let body = body.map(|body| body.unwrap_or("none").to_owned());
    seen.note("its template", body.unwrap_or_else(|_| refusal(&template, &world.name)));
    seen.note("an update", change_set(&world, "d", ChangeSetType::Update, &topic("a")).await);
    seen.note("the execution", execute(&world, "c").await);
    seen
}

pub(super) async fn review_deleted(world: World) -> Seen {
    let mut seen = Seen::default();
    change_set(&world, "c", ChangeSetType::Create, &topic("a")).await;
    compared(&world, "c").await;
    seen.note("the deletion", delete(&world).await);
    seen.note("the stack", world.status(&world.name).await);
    seen
}

pub(super) async fn empty_change_set(world: World) -> Seen {
    let mut seen = Seen::default();
    world.create(&world.name, &topic("a")).await;
    seen.note("its creation", change_set(&world, "c", ChangeSetType::Update, &topic("a")).await);
    seen.note("the change set", compared(&world, "c").await);
    let request = world.cloudformation().execute_change_set().stack_name(&world.name).change_set_name("c");
    seen.note("its execution", outcome(&request.send().await));
    seen
}

pub(super) async fn empty_update(world: World) -> Seen {
    let mut seen = Seen::default();
    world.create(&world.name, &topic("a")).await;
    let request = world.cloudformation().update_stack().stack_name(&world.name).template_body(topic("a").to_string());
    seen.note("the update", refusal(&request.send().await, &world.name));
    seen.note("the stack", world.settled(&world.name).await);
    seen
}

pub(super) async fn change_set_names(world: World) -> Seen {
    let mut seen = Seen::default();
    change_set(&world, "c", ChangeSetType::Create, &topic("a")).await;
    compared(&world, "c").await;
    let again = change_set(&world, "c", ChangeSetType::Create, &topic("a")).await;
    seen.note("another one of its name", again.split(':').next().unwrap_or_default());
    let request = |stack: &str| world.cloudformation().delete_change_set().stack_name(stack).change_set_name("c");
    seen.note("its deletion", outcome(&request(&world.name).send().await));
    seen.note("the second deletion", outcome(&request(&world.name).send().await));
    let described = world.cloudformation().describe_change_set().stack_name(&world.name).change_set_name("c");
    seen.note("its description", refusal(&described.send().await, &world.name));
    let other = format!("{}-absent", world.name);
    seen.note("a deletion in an absent stack", refusal(&request(&other).send().await, &other));
    seen
}

pub(super) async fn creation_of_existing(world: World) -> Seen {
    let mut seen = Seen::default();
    world.create(&world.name, &topic("a")).await;
    let refused = change_set(&world, "c", ChangeSetType::Create, &topic("b")).await;
    seen.note("its creation", refused.split(':').next().unwrap_or_default());
    seen.note("the stack", world.status(&world.name).await);
    seen
}

pub(super) async fn executed(world: World) -> Seen {
    let mut seen = Seen::default();
    world.create(&world.name, &topic("a")).await;
    for (name, display) in [("one", "b"), ("two", "c")] {
        change_set(&world, name, ChangeSetType::Update, &topic(display)).await;
        compared(&world, name).await;
    }
    seen.note("the stack", execute(&world, "one").await);
    seen.note("the executed one", compared(&world, "one").await);
    let request = world.cloudformation().describe_change_set().stack_name(&world.name).change_set_name("two");
    seen.note("the other one", outcome(&request.send().await));
    let request = world.cloudformation().execute_change_set().stack_name(&world.name).change_set_name("one");
    seen.note("a second execution", outcome(&request.send().await));
    seen
}

pub(super) async fn replacement(world: World) -> Seen {
    let mut seen = Seen::default();
    let queue = |suffix: &str, seconds: u32| {
        let properties = json!({ "QueueName": format!("{}-{suffix}", world.name), "DelaySeconds": seconds });
        json!({ "Resources": { "Queue": { "Type": "AWS::SQS::Queue", "Properties": properties } } })
    };
    world.create(&world.name, &queue("one", 1)).await;
    for (fact, name, template) in [("another delay", "c", queue("one", 2)), ("another name", "d", queue("two", 1))] {
        change_set(&world, name, ChangeSetType::Update, &template).await;
        compared(&world, name).await;
        let request = world.cloudformation().describe_change_set().stack_name(&world.name).change_set_name(name);
        let described = request.send().await.expect("a description");
        let changes = described.changes().iter().filter_map(|change| change.resource_change());
        let changes = changes.map(|change| {
            let replacement = change.replacement().map(|replacement| replacement.as_str());
            let action = change.action().map(|action| action.as_str());
            format!("{} {}", action.unwrap_or_default(), replacement.unwrap_or("no replacement"))
        });
        seen.note(fact, changes.collect::<Vec<_>>().join(", "));
    }
    seen
}

pub(super) async fn protected(world: World) -> Seen {
    let mut seen = Seen::default();
    world.create(&world.name, &topic("a")).await;
    let protect = async |is_on| {
        let request = world.cloudformation().update_termination_protection().stack_name(&world.name);
        outcome(&request.enable_termination_protection(is_on).send().await)
    };
    seen.note("the protection", protect(true).await);
    let described = world.stack(&world.name).await.and_then(|stack| stack.enable_termination_protection);
    seen.note("its description", described == Some(true));
    seen.note("the deletion", delete(&world).await);
    seen.note("the stack", world.settled(&world.name).await);
    protect(false).await;
    seen.note("the deletion without it", delete(&world).await);
    seen
}

pub(super) async fn events(world: World) -> Seen {
    let mut seen = Seen::default();
    world.create(&world.name, &topic("a")).await;
    let events = world.cloudformation().describe_stack_events().stack_name(&world.name).send().await.expect("events");
    let events = events.stack_events().iter().map(|event| {
        let status = event.resource_status().map(|status| status.as_str()).unwrap_or_default();
        format!("{} {status}", event.logical_resource_id().unwrap_or_default().replace(&world.name, "s"))
    });
    let mut events: Vec<_> = events.collect();
    events.dedup();
    seen.note("events", events.join(", "));
    seen
}

pub(super) async fn deleted(world: World) -> Seen {
    let mut seen = Seen::default();
    world.create(&world.name, &topic("a")).await;
    let id = world.stack(&world.name).await.and_then(|stack| stack.stack_id).expect("an ID");
    seen.note("the deletion", delete(&world).await);
    world.until("the deletion's end", async || world.status(&world.name).await != "DELETE_IN_PROGRESS").await;
    seen.note("by its name", world.status(&world.name).await);
    seen.note("by its ID", world.status(&id).await);
    let described = world.cloudformation().describe_stacks().send().await.expect("stacks");
    let is_listed = described.stacks().iter().any(|stack| stack.stack_id() == Some(&id));
    seen.note("among all stacks", is_listed);
    seen.note("the second deletion", delete(&world).await);
    seen
}

pub(super) async fn parameters(world: World) -> Seen {
    let mut seen = Seen::default();
    let mut template = topic("a");
    template["Resources"]["Topic"]["Properties"]["DisplayName"] = json!({ "Fn::Sub": "${One}-${Two}" });
    template["Parameters"] = json!({ "One": { "Type": "String" }, "Two": { "Type": "String", "Default": "2" } });
    let create = |stack: String, given: &[(&str, &str)]| {
        let given = given.iter().map(|(key, value)| Parameter::builder().parameter_key(*key).parameter_value(*value));
        let given = given.map(|parameter| parameter.build()).collect();
        let request = world.cloudformation().create_stack().stack_name(stack).template_body(template.to_string());
        request.set_parameters(Some(given)).send()
    };
    let name = |suffix: &str| format!("{}-{suffix}", world.name);
    seen.note("without a value", refusal(&create(name("none"), &[]).await, &world.name));
    let foreign = create(name("foreign"), &[("One", "1"), ("Three", "3")]).await;
    seen.note("a parameter that the template lacks", refusal(&foreign, &world.name));
    create(name("given"), &[("One", "1")]).await.expect("created");
    world.settled(&name("given")).await;
    let stack = world.stack(&name("given")).await.expect("a stack");
    let mut values: Vec<_> = stack.parameters().iter().filter_map(|found| found.parameter_value()).collect();
    values.sort_unstable();
    seen.note("values", values.join(" "));
    seen
}

pub(super) async fn capabilities(world: World) -> Seen {
    let mut seen = Seen::default();
    let policy = json!({ "Version": "2012-10-17", "Statement": [] });
    let properties = json!({ "RoleName": world.name, "AssumeRolePolicyDocument": policy });
    let template = json!({ "Resources": { "Role": { "Type": "AWS::IAM::Role", "Properties": properties } } });
    let create = |suffix: &str, capability| {
        let request = world.cloudformation().create_stack().stack_name(format!("{}-{suffix}", world.name));
        request.template_body(template.to_string()).capabilities(capability).send()
    };
    seen.note("`CAPABILITY_IAM`", outcome(&create("weak", Capability::CapabilityIam).await));
    seen.note("`CAPABILITY_NAMED_IAM`", outcome(&create("named", Capability::CapabilityNamedIam).await));
    seen
}

pub(super) async fn taken_name(world: World) -> Seen {
    let mut seen = Seen::default();
    let properties = json!({ "LogGroupName": format!("/{}", world.name) });
    let template = json!({ "Resources": { "Group": { "Type": "AWS::Logs::LogGroup", "Properties": properties } } });
    seen.note("the first stack", world.create(&format!("{}-first", world.name), &template).await);
    seen.note("the second stack", world.create(&format!("{}-second", world.name), &template).await);
    seen
}
