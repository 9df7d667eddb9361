//! Functions: reading, lists, updates and their states.

use aws_sdk_lambda::types::{Environment, LastUpdateStatus, State};

use super::*;

const BUSY: &str = "The operation cannot be performed at this time. An update is in progress for resource: \
                    arn:aws:lambda:eu-west-1:123456789012:function:f";

#[tokio::test(start_paused = true)]
async fn a_created_function_is_pending_and_refuses_changes() {
    let (aws, client) = account();
    aws.change(|account| {
        // Longer than the calls of this test take.
        account.lambda.settings.after_step = Duration::from_secs(5)..Duration::from_secs(6);
    });
    create(&aws, "AWS::Lambda::Function", &function("slow", "1.zip")).expect("created");
    let read = async || client.get_function_configuration().function_name("slow").send().await.expect("a function");
    let pending = read().await;
    assert_eq!((pending.state(), pending.last_update_status()), (Some(&State::Pending), None));
    assert_eq!(pending.version(), Some("$LATEST"));
    let message =
        "The operation cannot be performed at this time. The function is currently in the following state: Pending";
    let expected = (409, "ResourceConflictException".to_owned(), message.to_owned());
    let code = client.update_function_code().function_name("slow").s3_bucket("artifacts").s3_key("2.zip");
    assert_eq!(refused(code.send().await.expect_err("refused")), expected);
    assert_eq!(refused(client.publish_version().function_name("slow").send().await.expect_err("refused")), expected);
    assert_eq!(refused(client.invoke().function_name("slow").send().await.expect_err("refused")), expected);
    settled().await;
    let active = read().await;
    assert_eq!(
        (active.state(), active.last_update_status()),
        (Some(&State::Active), Some(&LastUpdateStatus::Successful))
    );
    assert_ne!(active.revision_id(), pending.revision_id());
    assert_eq!((active.memory_size(), active.timeout()), (Some(256), Some(10)));
    let table =
        active.environment().and_then(|it| it.variables()).and_then(|variables| variables.get("TABLE").cloned());
    assert_eq!(table.as_deref(), Some("notes"));
}

#[tokio::test(start_paused = true)]
async fn an_update_is_in_progress_for_a_while_and_refuses_others() {
    let (aws, client) = released().await;
    aws.change(|account| account.lambda.settings.updating = Duration::from_secs(4)..Duration::from_secs(5));
    let sha = update_code(&client, "2.zip").await.expect("updated");
    assert_eq!(sha, crate::lambda::sha256(&Behavior::working("notes", "list", 2).zip()));
    let latest = client.get_function_configuration().function_name("f").send().await.expect("a function");
    assert_eq!(
        (latest.state(), latest.last_update_status()),
        (Some(&State::Active), Some(&LastUpdateStatus::InProgress))
    );
    assert_eq!(latest.code_sha256(), Some(sha.as_str()), "the new code is shown at once");
    let expected = (409, "ResourceConflictException".to_owned(), BUSY.to_owned());
    assert_eq!(update_code(&client, "1.zip").await, Err(expected.clone()));
    let configuration = client.update_function_configuration().function_name("f").memory_size(512);
    assert_eq!(refused(configuration.send().await.expect_err("refused")), expected);
    assert_eq!(refused(client.publish_version().function_name("f").send().await.expect_err("refused")), expected);
    // An alias is not part of the update.
    client.update_alias().function_name("f").name("live").function_version("1").send().await.expect("updated");
    let during = client.invoke().function_name("f").send().await.expect("invoked");
    settled().await;
    let after = client.invoke().function_name("f").send().await.expect("invoked");
    let code = |found: Option<&aws_sdk_lambda::primitives::Blob>| {
        let payload: serde_json::Value = serde_json::from_slice(found.expect("a payload").as_ref()).expect("JSON");
        serde_json::from_str::<serde_json::Value>(payload["body"].as_str().expect("a body")).expect("JSON")["code"]
            .clone()
    };
    assert_eq!((code(during.payload()), code(after.payload())), (json!(1), json!(2)));
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_update_keeps_the_code_and_says_so() {
    let (aws, client) = released().await;
    aws.change(|account| account.lambda.settings.abandoned = 1.0);
    let before = client.get_function_configuration().function_name("f").send().await.expect("a function");
    update_code(&client, "2.zip").await.expect("begun");
    settled().await;
    let after = client.get_function_configuration().function_name("f").send().await.expect("a function");
    assert_eq!(after.last_update_status(), Some(&LastUpdateStatus::Failed));
    assert!(after.last_update_status_reason().is_some());
    assert_eq!(after.code_sha256(), before.code_sha256());
}

#[tokio::test(start_paused = true)]
async fn code_comes_from_an_existing_object_and_must_fit_into_the_storage() {
    let (aws, client) = released().await;
    let message =
        "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.";
    let expected = (400, "InvalidParameterValueException".to_owned(), message.to_owned());
    assert_eq!(update_code(&client, "absent.zip").await, Err(expected));
    upload(&aws, "artifacts", "broken.zip", b"PK".to_vec());
    let (status, code, _) = update_code(&client, "broken.zip").await.expect_err("refused");
    assert_eq!((status, code.as_str()), (400, "InvalidParameterValueException"));
    // One more version of this size does not fit, another code of `$LATEST` of the same size does.
    aws.change(|account| account.lambda.settings.code_storage = account.lambda.stored("eu-west-1") + 50);
    update_code(&client, "2.zip").await.expect("updated");
    settled().await;
    let (status, code, _) = refused(client.publish_version().function_name("f").send().await.expect_err("refused"));
    assert_eq!((status, code.as_str()), (400, "CodeStorageExceededException"));
}

#[tokio::test(start_paused = true)]
async fn qualifiers_name_versions_and_aliases() {
    let (_aws, client) = released().await;
    publish(&client, "2.zip").await;
    let read = async |qualifier: &str| {
        let read = client.get_function_configuration().function_name("f").qualifier(qualifier).send().await;
        read.map(|found| {
            (found.version().expect("a version").to_owned(), found.function_arn().expect("an ARN").to_owned())
        })
    };
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:f";
    assert_eq!(read("1").await.expect("a version"), ("1".to_owned(), format!("{arn}:1")));
    assert_eq!(read("live").await.expect("an alias"), ("1".to_owned(), format!("{arn}:live")));
    assert_eq!(read("$LATEST").await.expect("a version"), ("$LATEST".to_owned(), format!("{arn}:$LATEST")));
    for absent in ["9", "other"] {
        let expected = (404, "ResourceNotFoundException".to_owned(), format!("Function not found: {arn}:{absent}"));
        assert_eq!(refused(read(absent).await.expect_err("absent")), expected);
    }
    let whole = client.get_function().function_name(format!("{arn}:2")).send().await.expect("a version by its ARN");
    assert_eq!(whole.configuration().and_then(|found| found.version()), Some("2"));
    assert!(whole.code().and_then(|code| code.location()).is_some());
}

#[tokio::test(start_paused = true)]
async fn lists_come_in_pages_of_fifty_without_states() {
    let (aws, client) = released().await;
    for number in 0..60 {
        create(&aws, "AWS::Lambda::Function", &function(&format!("g{number:02}"), "1.zip")).expect("created");
    }
    settled().await;
    let first = client.list_functions().max_items(100).send().await.expect("functions");
    assert_eq!(first.functions().len(), 50);
    let second =
        client.list_functions().marker(first.next_marker().expect("a marker")).send().await.expect("functions");
    assert_eq!((second.functions().len(), second.next_marker()), (11, None));
    let found = &first.functions()[0];
    assert_eq!((found.function_name(), found.state(), found.last_update_status()), (Some("f"), None, None));
    assert!(found.code_sha256().is_some() && found.revision_id().is_some());
    for number in 0..60 {
        let variables = Environment::builder().variables("N", number.to_string()).build();
        client.update_function_configuration().function_name("f").environment(variables).send().await.expect("updated");
        settled().await;
        client.publish_version().function_name("f").send().await.expect("published");
    }
    let versions = client.list_versions_by_function().function_name("f").send().await.expect("versions");
    assert_eq!((versions.versions().len(), versions.next_marker()), (50, Some("49")));
    assert_eq!(names(&versions.versions()[..3]), ["$LATEST", "1", "2"]);
    assert_eq!(versions.versions()[1].state(), None);
    let all = client.list_versions_by_function().function_name("f").into_paginator().items().send();
    let all: Vec<_> = all.try_collect().await.expect("versions");
    assert_eq!((all.len(), names(&all[61..])), (62, vec!["61"]));
    let absent = client.list_versions_by_function().function_name("absent").send().await.expect_err("absent");
    assert_eq!(refused(absent).0, 404);
}

#[tokio::test(start_paused = true)]
async fn aliases_are_listed_in_pages_by_name() {
    let (_aws, client) = released().await;
    for number in 0..55 {
        let alias = client.create_alias().function_name("f").name(format!("a{number:02}")).function_version("1");
        alias.send().await.expect("created");
    }
    let first = client.list_aliases().function_name("f").send().await.expect("aliases");
    assert_eq!(first.aliases().len(), 50);
    let all: Vec<_> =
        client.list_aliases().function_name("f").into_paginator().items().send().try_collect().await.expect("aliases");
    assert_eq!((all.len(), all[55].name()), (56, Some("live")));
    assert_eq!(refused(client.list_aliases().function_name("g").send().await.expect_err("absent")).0, 404);
}
