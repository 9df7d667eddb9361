//! Change sets: their states, their changes, and their execution.

use aws_sdk_cloudformation::types::{ChangeSetType, EventFilter};
use serde_json::{Value, json};

use super::{World, refusal, status, template, topic};

const TOPIC: &str = "AWS::SNS::Topic";

fn changes(described: &aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput) -> Vec<String> {
    let change = |change: &aws_sdk_cloudformation::types::Change| {
        let change = change.resource_change()?;
        let replacement = change.replacement().map(|found| found.as_str()).unwrap_or("-");
        Some(format!("{} {} {replacement}", change.action()?.as_str(), change.logical_resource_id()?))
    };
    described.changes().iter().filter_map(change).collect()
}

#[tokio::test(start_paused = true)]
async fn a_new_stack_is_in_review_until_its_change_set_is_executed() {
    let world = World::new();
    let body = template(&[("Topic", TOPIC, topic("a"))]).to_string();
    let request = world.client.create_change_set().stack_name("s").change_set_name("c").template_body(body);
    request.change_set_type(ChangeSetType::Create).send().await.expect("a change set");
    let described = world.client.describe_change_set().stack_name("s").change_set_name("c").send().await;
    let described = described.expect("a description");
    assert!(described.status().expect("a status").as_str().starts_with("CREATE_"));
    assert_eq!(described.execution_status().map(|status| status.as_str()), Some("UNAVAILABLE"));
    let described = world.compared("s", "c").await;
    assert_eq!(described.status().map(|status| status.as_str()), Some("CREATE_COMPLETE"));
    assert_eq!(changes(&described), ["Add Topic -"]);
    assert_eq!(status(&world.find("s").await.expect("a stack")), "REVIEW_IN_PROGRESS");
    let template = world.client.get_template().stack_name("s").send().await.expect("no template");
    assert_eq!(template.template_body().unwrap_or_default(), "");
    world.execute("s", "c").await;
    assert_eq!(status(&world.settled("s").await), "CREATE_COMPLETE");
    assert_eq!(world.history("s", "s").await, ["REVIEW_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"]);
    let described = world.compared("s", "c").await;
    assert_eq!(described.execution_status().map(|status| status.as_str()), Some("EXECUTE_COMPLETE"));
}

#[tokio::test(start_paused = true)]
async fn a_change_set_without_changes_fails_and_one_of_outputs_alone_does_not() {
    let world = World::new();
    let mut body = template(&[("Topic", TOPIC, topic("a"))]);
    body["Outputs"] = json!({ "Name": { "Value": "one" } });
    world.deploy("s", &body).await;
    let empty = world.change_set("s", "empty", &body).await;
    assert_eq!(empty.status().map(|status| status.as_str()), Some("FAILED"));
    assert_eq!(empty.execution_status().map(|status| status.as_str()), Some("UNAVAILABLE"));
    assert!(
        empty
            .status_reason()
            .is_some_and(|reason| reason.starts_with("The submitted information didn't contain changes."))
    );
    let (code, message) =
        refusal(world.client.update_stack().stack_name("s").template_body(body.to_string()).send().await);
    assert_eq!((code.as_str(), message.as_str()), ("ValidationError", "No updates are to be performed."));
    body["Outputs"]["Name"]["Value"] = json!("two");
    let outputs = world.change_set("s", "outputs", &body).await;
    assert_eq!(
        (changes(&outputs), outputs.status().map(|status| status.as_str())),
        (Vec::new(), Some("CREATE_COMPLETE"))
    );
    world.execute("s", "outputs").await;
    let stack = world.settled("s").await;
    assert_eq!((status(&stack).as_str(), stack.outputs()[0].output_value()), ("UPDATE_COMPLETE", Some("two")));
}

#[tokio::test(start_paused = true)]
async fn replacements_are_true_conditional_or_false_by_the_schemas() {
    let world = World::new();
    let bucket = |name: &str, other: &str| {
        json!({ "Resources": {
            "Named": { "Type": "AWS::S3::Bucket", "Properties": { "BucketName": name } },
            "Follows": { "Type": "AWS::SSM::Parameter", "Properties": { "Name": { "Fn::Sub": "/x/${Named}" }, "Value": "1", "Type": "String" } },
            "Plain": { "Type": TOPIC, "Properties": topic(other) },
            "Reads": { "Type": "AWS::SNS::Subscription", "Properties": { "TopicArn": { "Fn::GetAtt": ["Plain", "TopicArn"] }, "Protocol": "sqs" } },
            other: { "Type": TOPIC },
        } })
    };
    world.deploy("s", &bucket("one", "a")).await;
    let described = world.change_set("s", "d", &bucket("two", "b")).await;
    assert_eq!(
        changes(&described),
        [
            "Modify Follows Conditional",
            "Modify Named True",
            "Modify Plain False",
            "Modify Reads Conditional",
            "Remove a -",
            "Add b -",
        ]
    );
    world.execute("s", "d").await;
    assert_eq!(status(&world.settled("s").await), "UPDATE_COMPLETE");
    // The subscription follows an attribute that did not change.
    assert_eq!(world.history("s", "Reads").await, ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]);
    assert_eq!(world.resources("s").await["Follows"].0, "/x/two");
}

#[tokio::test(start_paused = true)]
async fn names_are_used_once_and_deletion_is_repeatable() {
    let world = World::new();
    let body = template(&[("Topic", TOPIC, topic("a"))]);
    world.change_set("s", "c", &body).await;
    let again = world.client.create_change_set().stack_name("s").change_set_name("c");
    let again = again.change_set_type(ChangeSetType::Create).template_body(body.to_string());
    assert_eq!(refusal(again.clone().send().await).0, "AlreadyExistsException");
    for _ in 0..2 {
        world.client.delete_change_set().stack_name("s").change_set_name("c").send().await.expect("deleted");
    }
    let described = world.client.describe_change_set().stack_name("s").change_set_name("c").send().await;
    assert_eq!(refusal(described), ("ChangeSetNotFound".to_owned(), "ChangeSet [c] does not exist".to_owned()));
    let nowhere = world.client.delete_change_set().stack_name("none").change_set_name("c").send().await;
    assert_eq!(refusal(nowhere).1, "Stack [none] does not exist");
    again.send().await.expect("the name is free");
    loop {
        let described = world.client.describe_change_set().stack_name("s").change_set_name("c").send().await;
        match described.expect("a description").status().map(|status| status.as_str().to_owned()).as_deref() {
            Some("CREATE_PENDING") => {}
            found => break assert_eq!(found, Some("CREATE_IN_PROGRESS")),
        }
    }
    let busy = world.client.delete_change_set().stack_name("s").change_set_name("c").send().await;
    let wanted =
        ("InvalidChangeSetStatus".to_owned(), "Cannot delete ChangeSet in status CREATE_IN_PROGRESS".to_owned());
    assert_eq!(refusal(busy), wanted);
}

#[tokio::test(start_paused = true)]
async fn the_type_of_a_change_set_must_fit_the_stack() {
    let world = World::new();
    let body = template(&[("Topic", TOPIC, topic("a"))]);
    let request = |stack: &str, kind| {
        let request = world.client.create_change_set().stack_name(stack).change_set_name("x").change_set_type(kind);
        request.template_body(body.to_string()).send()
    };
    assert_eq!(refusal(request("s", ChangeSetType::Update).await).1, "Stack [s] does not exist");
    world.change_set("s", "c", &body).await;
    assert_eq!(refusal(request("s", ChangeSetType::Update).await).1, "Stack [s] does not exist");
    world.execute("s", "c").await;
    let busy = refusal(request("s", ChangeSetType::Update).await).1;
    assert!(
        busy.starts_with("Stack:arn:") && busy.ends_with("is in CREATE_IN_PROGRESS state and can not be updated."),
        "{busy}"
    );
    world.settled("s").await;
    let exists = refusal(request("s", ChangeSetType::Create).await);
    assert_eq!(exists.1, "Stack [s] already exists and cannot be created again with the changeSet [x].");
    assert_eq!(refusal(request("1s", ChangeSetType::Create).await).0, "ValidationError");
}

#[tokio::test(start_paused = true)]
async fn an_execution_is_idempotent_by_its_token_and_deletes_the_other_change_sets() {
    let world = World::new();
    let body = |name| template(&[("Topic", TOPIC, topic(name))]);
    world.deploy("s", &body("a")).await;
    world.change_set("s", "one", &body("b")).await;
    world.change_set("s", "two", &body("c")).await;
    let execute = |token: &str| {
        let request = world.client.execute_change_set().stack_name("s").change_set_name("one");
        request.client_request_token(token).send()
    };
    execute("t").await.expect("executed");
    execute("t").await.expect("the same execution");
    let other = refusal(execute("u").await);
    assert_eq!(other.0, "InvalidChangeSetStatus");
    assert!(
        other.1.ends_with("cannot be executed in its current execution status of [EXECUTE_IN_PROGRESS]"),
        "{other:?}"
    );
    let two = world.client.execute_change_set().stack_name("s").change_set_name("two").send().await;
    assert_eq!(refusal(two).0, "ChangeSetNotFound");
    world.settled("s").await;
    let listed = world.client.list_change_sets().stack_name("s").send().await.expect("a list");
    let names: Vec<_> = listed.summaries().iter().filter_map(|found| found.change_set_name()).collect();
    assert_eq!(names, ["one"]);
    let events = world.client.describe_stack_events().stack_name("s").send().await.expect("events");
    assert_eq!(events.stack_events()[0].client_request_token(), Some("t"));
}

#[tokio::test(start_paused = true)]
async fn an_update_without_it_makes_a_change_set_obsolete() {
    let world = World::new();
    let body = |name| template(&[("Topic", TOPIC, topic(name))]);
    world.deploy("s", &body("a")).await;
    world.change_set("s", "late", &body("b")).await;
    world.client.update_stack().stack_name("s").template_body(body("c").to_string()).send().await.expect("updated");
    world.settled("s").await;
    let described = world.compared("s", "late").await;
    assert_eq!(described.execution_status().map(|status| status.as_str()), Some("OBSOLETE"));
    let executed = world.client.execute_change_set().stack_name("s").change_set_name("late").send().await;
    assert!(refusal(executed).1.ends_with("current execution status of [OBSOLETE]"));
}

fn table(policy: &str) -> Value {
    json!({ "Resources": { "Table": {
        "Type": "AWS::DynamoDB::Table", "DeletionPolicy": policy, "UpdateReplacePolicy": policy,
        "Properties": { "TableName": "notes" },
    } } })
}

#[tokio::test(start_paused = true)]
async fn a_retained_resource_is_imported_by_the_next_creation() {
    let world = World::new();
    world.deploy("s", &table("Retain")).await;
    world.client.delete_stack().stack_name("s").send().await.expect("deleting");
    while world.find("s").await.is_some() {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    assert_eq!(world.count("AWS::DynamoDB::Table"), 1);
    let described = world.change_set("s", "c", &table("Retain")).await;
    assert_eq!(changes(&described), ["Import Table -"]);
    world.execute("s", "c").await;
    assert_eq!(status(&world.settled("s").await), "CREATE_COMPLETE");
    assert_eq!(world.history("s", "Table").await, ["IMPORT_IN_PROGRESS", "IMPORT_COMPLETE"]);
    assert_eq!(world.resources("s").await["Table"].0, "notes");
}

#[tokio::test(start_paused = true)]
async fn a_taken_name_fails_the_change_set_with_an_event() {
    let world = World::new();
    world.deploy("first", &table("Retain")).await;
    let described = world.change_set("second", "c", &table("Retain")).await;
    assert_eq!(described.status().map(|status| status.as_str()), Some("FAILED"));
    assert!(described.status_reason().is_some_and(|reason| reason.contains("DescribeEvents")));
    let id = described.change_set_id().expect("an ID");
    let failed = EventFilter::builder().failed_events(true).build();
    let events = world.client.describe_events().change_set_name(id).filters(failed).send().await.expect("events");
    let event = &events.operation_events()[0];
    assert_eq!(event.logical_resource_id(), Some("Table"));
    let reason = "Resource of type 'AWS::DynamoDB::Table' with identifier 'notes' already exists.";
    assert_eq!((event.validation_status_reason(), event.validation_path()), (Some(reason), Some("/Resources/Table")));
}

#[tokio::test(start_paused = true)]
async fn a_resource_keeps_its_type() {
    let world = World::new();
    world.deploy("s", &template(&[("A", TOPIC, topic("a"))])).await;
    let described = world.change_set("s", "d", &template(&[("A", "AWS::SQS::Queue", json!({}))])).await;
    assert!(
        described.status_reason().is_some_and(|reason| reason.contains("Update of resource type is not permitted"))
    );
}

#[tokio::test(start_paused = true)]
async fn changes_and_events_come_in_pages() {
    let world = World::new();
    let ids: Vec<_> = (0..130).map(|number| format!("T{number:03}")).collect();
    let resources: Vec<_> = ids.iter().map(|id| (id.as_str(), TOPIC, topic("a"))).collect();
    let described = world.change_set("s", "c", &template(&resources)).await;
    assert_eq!((described.changes().len(), described.next_token().is_some()), (100, true));
    let request = world.client.describe_change_set().stack_name("s").change_set_name("c");
    let pages: Vec<_> = request.into_paginator().send().try_collect().await.expect("pages");
    assert_eq!(pages.iter().map(|page| page.changes().len()).sum::<usize>(), 130);
    world.execute("s", "c").await;
    world.settled("s").await;
    assert_eq!(world.resources("s").await.len(), 130);
    let events = world.events("s").await;
    // Three for each resource, and three for the stack.
    assert_eq!(events.len(), 3 * 130 + 3);
    assert_eq!(events.last().map(|(id, status, _)| (id.as_str(), status.as_str())), Some(("s", "CREATE_COMPLETE")));
}
