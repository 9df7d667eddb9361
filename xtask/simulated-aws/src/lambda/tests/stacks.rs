//! Lambda's resources as stacks manage them.

use serde_json::Value;

use super::*;
use crate::{
    resources::linger,
    testing::{delete, update},
};

const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:f";

#[tokio::test(start_paused = true)]
async fn a_function_its_first_version_and_its_alias_are_created_in_one_stack() {
    let (aws, client) = account();
    let version = create(&aws, "AWS::Lambda::Version", &json!({ "FunctionName": "f" })).expect("published");
    assert_eq!((version.physical_id, version.attributes["Version"].clone()), (format!("{ARN}:1"), json!("1")));
    let alias = json!({ "FunctionName": "f", "Name": "live", "FunctionVersion": "1" });
    let created = create(&aws, "AWS::Lambda::Alias", &alias).expect("created");
    assert_eq!(created.physical_id, format!("{ARN}:live"));
    let again = create(&aws, "AWS::Lambda::Version", &json!({ "FunctionName": "f" })).expect_err("exists");
    assert!(again.contains("A version for this Lambda function exists ( 1 )"), "{again}");
    assert!(create(&aws, "AWS::Lambda::Alias", &alias).is_err_and(|error| error.contains("Alias already exists")));
    let other = json!({ "FunctionName": "f", "Name": "other", "FunctionVersion": "7" });
    assert!(create(&aws, "AWS::Lambda::Alias", &other).is_err_and(|error| error.contains("Function not found")));
    assert!(delete(&aws, "AWS::Lambda::Version", &format!("{ARN}:1")).is_err_and(|error| error.contains("[live]")));
    delete(&aws, "AWS::Lambda::Alias", &format!("{ARN}:live")).expect("deleted");
    delete(&aws, "AWS::Lambda::Version", &format!("{ARN}:1")).expect("deleted");
    let versions = client.list_versions_by_function().function_name("f").send().await.expect("versions");
    assert_eq!(names(versions.versions()), ["$LATEST"]);
}

#[tokio::test(start_paused = true)]
async fn a_function_that_cloudformation_does_not_wait_for_is_pending_longer() {
    let (aws, client) = account();
    aws.change(|account| account.lambda.settings.updating = Duration::from_secs(5)..Duration::from_secs(6));
    let state = async |name: &str| {
        let read = client.get_function_configuration().function_name(name).send().await.expect("a function");
        read.state().map(|state| state.as_str().to_owned()).unwrap_or_default()
    };
    for (name, is_express) in [("waited", false), ("express", true)] {
        create(&aws, "AWS::Lambda::Function", &function(name, "1.zip")).expect("created");
        if is_express {
            aws.change(|account| linger(account, "eu-west-1", "AWS::Lambda::Function", name, true));
        }
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!((state("waited").await, state("express").await), ("Active".to_owned(), "Pending".to_owned()));
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(state("express").await, "Active");
    // Lambda is done with it, so no step has left anything to wait for.
    aws.change(|account| linger(account, "eu-west-1", "AWS::Lambda::Function", "express", false));
    assert_eq!(state("express").await, "Active");
}

#[tokio::test(start_paused = true)]
async fn a_function_exists_once_and_needs_its_code_and_layers() {
    let (aws, client) = account();
    let again = create(&aws, "AWS::Lambda::Function", &function("f", "1.zip")).expect_err("exists");
    assert!(again.contains("Function already exist: f") && again.contains("AlreadyExists"), "{again}");
    let absent = create(&aws, "AWS::Lambda::Function", &function("g", "absent.zip")).expect_err("no code");
    assert!(absent.contains("NoSuchKey"), "{absent}");
    let mut properties = function("g", "1.zip");
    properties["Layers"] = json!(["arn:aws:lambda:eu-west-1:123456789012:layer:l:1"]);
    let absent = create(&aws, "AWS::Lambda::Function", &properties).expect_err("no layer");
    assert!(absent.contains("does not exist"), "{absent}");
    properties["Layers"] = json!([]);
    properties["ReservedConcurrentExecutions"] = json!(901);
    let reserved = create(&aws, "AWS::Lambda::Function", &properties).expect_err("too many");
    assert!(reserved.contains("UnreservedConcurrentExecution"), "{reserved}");
    properties.as_object_mut().expect("an object").remove("FunctionName");
    properties["ReservedConcurrentExecutions"] = json!(900);
    let generated = create(&aws, "AWS::Lambda::Function", &properties).expect("created").physical_id;
    assert!(generated.starts_with("s-R-"), "{generated}");
    delete(&aws, "AWS::Lambda::Function", &generated).expect("deleted");
    delete(&aws, "AWS::Lambda::Function", &generated).expect("one that does not exist is deleted");
    assert_eq!(refused(client.get_function().function_name(&generated).send().await.expect_err("absent")).0, 404);
}

#[tokio::test(start_paused = true)]
async fn an_update_sets_what_the_template_has_and_a_changed_function_is_published_anew() {
    let (aws, client) = released().await;
    let mut properties = function("f", "1.zip");
    update(&aws, "AWS::Lambda::Function", "f", &properties).expect("unchanged");
    let unchanged = client.publish_version().function_name("f").send().await.expect("published");
    assert_eq!(unchanged.version(), Some("1"));
    properties.as_object_mut().expect("an object").remove("Environment");
    properties["MemorySize"] = json!(512);
    update(&aws, "AWS::Lambda::Function", "f", &properties).expect("updated");
    settled().await;
    let latest = client.get_function_configuration().function_name("f").send().await.expect("a function");
    assert_eq!((latest.memory_size(), latest.environment()), (Some(512), None));
    let published = client.publish_version().function_name("f").send().await.expect("published");
    assert_eq!(published.version(), Some("2"));
    // A function that is deleted and created again numbers its versions from 1.
    delete(&aws, "AWS::Lambda::Function", "f").expect("deleted");
    create(&aws, "AWS::Lambda::Function", &properties).expect("created");
    settled().await;
    let published = client.publish_version().function_name("f").send().await.expect("published");
    assert_eq!(published.version(), Some("1"));
}

#[tokio::test(start_paused = true)]
async fn an_alias_has_the_routing_of_the_template() {
    let (aws, client) = released().await;
    publish(&client, "2.zip").await;
    let routing = json!({ "AdditionalVersionWeights": [{ "FunctionVersion": "2", "FunctionWeight": "0.1" }] });
    let mut alias = json!({ "FunctionName": "f", "Name": "live", "FunctionVersion": "1", "RoutingConfig": routing });
    update(&aws, "AWS::Lambda::Alias", &format!("{ARN}:live"), &alias).expect("updated");
    let read = async || client.get_alias().function_name("f").name("live").send().await.expect("an alias");
    assert!(read().await.routing_config().is_some());
    alias.as_object_mut().expect("an object").remove("RoutingConfig");
    update(&aws, "AWS::Lambda::Alias", &format!("{ARN}:live"), &alias).expect("updated");
    assert_eq!(read().await.routing_config(), None);
}

#[tokio::test(start_paused = true)]
async fn layers_number_their_versions_and_list_the_newest_first() {
    let (aws, client) = released().await;
    let layer = json!({ "LayerName": "l", "Content": { "S3Bucket": "artifacts", "S3Key": "1.zip" } });
    let arns: Vec<_> =
        (0..60).map(|_| create(&aws, "AWS::Lambda::LayerVersion", &layer).expect("published").physical_id).collect();
    assert_eq!(arns[1], "arn:aws:lambda:eu-west-1:123456789012:layer:l:2");
    client.delete_layer_version().layer_name("l").version_number(60).send().await.expect("deleted");
    client.delete_layer_version().layer_name("l").version_number(60).send().await.expect("deleted before");
    delete(&aws, "AWS::Lambda::LayerVersion", &arns[0]).expect("deleted");
    let first = client.list_layer_versions().layer_name("l").send().await.expect("versions");
    assert_eq!((first.layer_versions().len(), first.layer_versions()[0].version()), (50, 59));
    let all = client.list_layer_versions().layer_name("l").into_paginator().items().send();
    let all: Vec<_> = all.try_collect().await.expect("versions");
    assert_eq!((all.len(), all[57].version()), (58, 2));
    let next = create(&aws, "AWS::Lambda::LayerVersion", &layer).expect("published").physical_id;
    assert!(next.ends_with(":61"), "{next}");
    let none = client.list_layer_versions().layer_name("absent").send().await.expect("none");
    assert!(none.layer_versions().is_empty());
    let mut properties = function("with-layer", "1.zip");
    properties["Layers"] = json!([arns[1]]);
    create(&aws, "AWS::Lambda::Function", &properties).expect("created");
    let found = client.get_function_configuration().function_name("with-layer").send().await.expect("a function");
    assert_eq!(found.layers()[0].arn(), Some(arns[1].as_str()));
}

#[tokio::test(start_paused = true)]
async fn what_belongs_to_a_function_needs_it() {
    let (aws, _client) = released().await;
    let permission =
        |function: &str| json!({ "FunctionName": function, "Action": "lambda:InvokeFunction", "Principal": "s3" });
    let create_permission = |function: &str| create(&aws, "AWS::Lambda::Permission", &permission(function));
    let created = create_permission(&format!("{ARN}:live")).expect("created");
    assert!(created.physical_id.starts_with("s-R-"));
    assert!(create_permission("g").is_err_and(|error| error.contains("Function not found")));
    assert!(create_permission(&format!("{ARN}:other")).is_err_and(|error| error.contains("Cannot find alias arn")));
    let mapping = json!({ "FunctionName": format!("{ARN}:live"), "EventSourceArn": "arn:aws:sqs:eu-west-1:1:q" });
    let created = create(&aws, "AWS::Lambda::EventSourceMapping", &mapping).expect("created");
    assert_eq!(created.attributes["Id"], Value::String(created.physical_id.clone()));
    let again = create(&aws, "AWS::Lambda::EventSourceMapping", &mapping).expect_err("exists");
    assert!(again.contains(&created.physical_id), "{again}");
    let url = json!({ "TargetFunctionArn": "f", "Qualifier": "live", "AuthType": "NONE" });
    let url = create(&aws, "AWS::Lambda::Url", &url).expect("created");
    assert!(url.attributes["FunctionUrl"].as_str().is_some_and(|url| url.ends_with(".lambda-url.eu-west-1.on.aws/")));
    let config = json!({ "FunctionName": "f", "Qualifier": "live", "MaximumRetryAttempts": 1 });
    create(&aws, "AWS::Lambda::EventInvokeConfig", &config).expect("created");
    assert!(create(&aws, "AWS::Lambda::EventInvokeConfig", &config).is_err());
    delete(&aws, "AWS::Lambda::Function", "f").expect("deleted");
    create(&aws, "AWS::Lambda::Function", &function("f", "1.zip")).expect("created");
    let config = json!({ "FunctionName": "f", "Qualifier": "$LATEST" });
    create(&aws, "AWS::Lambda::EventInvokeConfig", &config).expect("the earlier one was deleted with the function");
}
