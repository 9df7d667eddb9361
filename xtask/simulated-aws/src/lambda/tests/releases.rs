//! Versions and aliases.

use aws_sdk_lambda::types::{AliasRoutingConfiguration, Environment, State};

use super::*;

fn weights(version: &str, weight: f64) -> AliasRoutingConfiguration {
    AliasRoutingConfiguration::builder().additional_version_weights(version, weight).build()
}

#[tokio::test(start_paused = true)]
async fn the_same_code_and_configuration_is_published_once() {
    let (_aws, client) = released().await;
    let again = client.publish_version().function_name("f").description("again").send().await.expect("published");
    assert_eq!((again.version(), again.description()), (Some("1"), Some("")));
    assert_eq!(publish(&client, "2.zip").await, "2");
    // The environment alone makes a version as well.
    let environment = Environment::builder().variables("TABLE", "other").build();
    client.update_function_configuration().function_name("f").environment(environment).send().await.expect("updated");
    settled().await;
    let third = client.publish_version().function_name("f").send().await.expect("published");
    assert_eq!(third.version(), Some("3"));
    // The code of an earlier version is new compared with the last one.
    assert_eq!(publish(&client, "1.zip").await, "4");
}

#[tokio::test(start_paused = true)]
async fn a_version_is_published_under_conditions_and_is_pending_for_a_while() {
    let (aws, client) = released().await;
    aws.change(|account| account.lambda.settings.publishing = Duration::from_secs(2)..Duration::from_secs(3));
    let sha = update_code(&client, "2.zip").await.expect("updated");
    settled().await;
    let latest = client.get_function_configuration().function_name("f").send().await.expect("a function");
    let other = client.publish_version().function_name("f").code_sha256("AAAA").send().await.expect_err("refused");
    let (status, code, message) = refused(other);
    assert_eq!((status, code.as_str()), (400, "InvalidParameterValueException"));
    assert!(message.starts_with("CodeSHA256 (AAAA) is different from current CodeSHA256 in $LATEST"), "{message}");
    let outdated = client.publish_version().function_name("f").revision_id("x").send().await.expect_err("refused");
    assert_eq!((refused(outdated).0), 412);
    let revision = latest.revision_id().expect("a revision");
    let published = client.publish_version().function_name("f").code_sha256(&sha).revision_id(revision);
    let published = published.description("second").send().await.expect("published");
    assert_eq!((published.version(), published.state()), (Some("2"), Some(&State::Pending)));
    assert_eq!(published.description(), Some("second"));
    let early = client.invoke().function_name("f").qualifier("2").send().await.expect_err("pending");
    assert_eq!(refused(early).1, "ResourceConflictException");
    settled().await;
    let version =
        client.get_function_configuration().function_name("f").qualifier("2").send().await.expect("a version");
    assert_eq!(version.state(), Some(&State::Active));
    let latest = client.get_function_configuration().function_name("f").send().await.expect("a function");
    assert_ne!(latest.revision_id(), Some(revision), "publishing changes the revision of $LATEST");
}

#[tokio::test(start_paused = true)]
async fn an_alias_keeps_its_weights_until_they_are_set() {
    let (aws, client) = released().await;
    publish(&client, "2.zip").await;
    let update = || client.update_alias().function_name("f").name("live");
    let split = update().routing_config(weights("2", 0.25)).send().await.expect("split");
    let share = |routing: Option<&AliasRoutingConfiguration>| {
        routing.and_then(|it| it.additional_version_weights()).and_then(|weights| weights.get("2").copied())
    };
    assert_eq!((split.function_version(), share(split.routing_config())), (Some("1"), Some(0.25)));
    let described = update().description("d").send().await.expect("described");
    assert_eq!((described.description(), share(described.routing_config())), (Some("d"), Some(0.25)));
    let observed = aws.read(|account| {
        let function = crate::lambda::observe(account, "eu-west-1", "f").expect("a function");
        function
            .served("live")
            .into_iter()
            .map(|(number, share, behavior)| (number, share, behavior.code))
            .collect::<Vec<_>>()
    });
    assert_eq!(observed, [(1, 0.75, 1), (2, 0.25, 2)]);
    let outdated = update().revision_id(split.revision_id().expect("a revision")).function_version("2").send().await;
    assert_eq!(refused(outdated.expect_err("refused")).1, "PreconditionFailedException");
    let revision = described.revision_id().expect("a revision");
    // An empty map removes the weights, and the main version may then be any.
    let none = AliasRoutingConfiguration::builder().set_additional_version_weights(Some([].into())).build();
    let moved = update().revision_id(revision).function_version("2").routing_config(none).send().await.expect("moved");
    assert_eq!((moved.function_version(), moved.routing_config()), (Some("2"), None));
    let read = client.get_alias().function_name("f").name("live").send().await.expect("an alias");
    assert_eq!((read.function_version(), read.revision_id()), (Some("2"), moved.revision_id()));
}

#[tokio::test(start_paused = true)]
async fn an_alias_refuses_what_it_cannot_route() {
    let (_aws, client) = released().await;
    publish(&client, "2.zip").await;
    let update = || client.update_alias().function_name("f").name("live");
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:f";
    let absent = refused(update().function_version("9").send().await.expect_err("absent"));
    assert_eq!(absent, (404, "ResourceNotFoundException".to_owned(), format!("Function not found: {arn}:9")));
    let absent = refused(update().routing_config(weights("9", 0.1)).send().await.expect_err("absent"));
    assert_eq!(absent.0, 404);
    let two = weights("2", 0.1).additional_version_weights().cloned();
    let two = two.into_iter().flatten().chain([("1".to_owned(), 0.1)]).collect();
    let two = AliasRoutingConfiguration::builder().set_additional_version_weights(Some(two)).build();
    for (update, expected) in [
        (
            update().function_version("$LATEST").routing_config(weights("2", 0.1)),
            "$LATEST is not supported for an alias",
        ),
        (update().routing_config(weights("$LATEST", 0.1)), "1 validation error detected: Value '{$LATEST=0.1}'"),
        (update().routing_config(weights("2", 1.5)), "1 validation error detected: Value '{2=1.5}'"),
        (
            update().routing_config(weights("1", 0.1)),
            "Invalid function version 1. Function version 1 is already included",
        ),
        (update().routing_config(two), "Number of items in AdditionalVersionWeights cannot be greater than 1"),
    ] {
        let (status, _, message) = refused(update.send().await.expect_err(expected));
        assert!(status == 400 && message.starts_with(expected), "{status} {message}");
    }
    let again = client.create_alias().function_name("f").name("live").function_version("1").send().await;
    let again = refused(again.expect_err("exists"));
    assert_eq!(again, (409, "ResourceConflictException".to_owned(), format!("Alias already exists: {arn}:live")));
    let other = client.update_alias().function_name("f").name("other").function_version("1").send().await;
    assert_eq!(refused(other.expect_err("absent")).2, format!("Alias not found: {arn}:other"));
    let other = client.get_alias().function_name("f").name("other").send().await.expect_err("absent");
    assert_eq!(refused(other).2, format!("Cannot find alias arn: {arn}:other"));
}

#[tokio::test(start_paused = true)]
async fn versions_of_a_weighted_alias_have_the_same_role() {
    let (_aws, client) = released().await;
    client
        .update_function_configuration()
        .function_name("f")
        .role("arn:aws:iam::1:role/other")
        .send()
        .await
        .expect("updated");
    settled().await;
    client.publish_version().function_name("f").send().await.expect("published");
    let split = client.update_alias().function_name("f").name("live").routing_config(weights("2", 0.1)).send().await;
    assert_eq!(refused(split.expect_err("refused")).0, 400);
}

#[tokio::test(start_paused = true)]
async fn a_version_is_deleted_unless_an_alias_or_a_replica_needs_it() {
    let (aws, client) = released().await;
    publish(&client, "2.zip").await;
    publish(&client, "1.zip").await;
    client
        .update_alias()
        .function_name("f")
        .name("live")
        .routing_config(weights("2", 0.1))
        .send()
        .await
        .expect("split");
    let delete = async |version: &str| client.delete_function().function_name("f").qualifier(version).send().await;
    for version in ["1", "2"] {
        let error = refused(delete(version).await.expect_err("referenced"));
        let message = "Unable to delete version because the following aliases reference it: [live]";
        assert_eq!(error, (409, "ResourceConflictException".to_owned(), message.to_owned()));
    }
    let latest = refused(delete("$LATEST").await.expect_err("refused"));
    assert_eq!((latest.0, latest.1.as_str()), (400, "InvalidParameterValueException"));
    aws.change(|account| crate::lambda::set_replicated(account, "eu-west-1", "f", 3, true));
    let replicated = refused(delete("3").await.expect_err("replicated"));
    assert!(
        replicated.1 == "InvalidParameterValueException" && replicated.2.contains("replicated function"),
        "{replicated:?}"
    );
    aws.change(|account| crate::lambda::set_replicated(account, "eu-west-1", "f", 3, false));
    delete("3").await.expect("deleted");
    delete("3").await.expect("one that does not exist is deleted");
    let versions = client.list_versions_by_function().function_name("f").send().await.expect("versions");
    assert_eq!(names(versions.versions()), ["$LATEST", "1", "2"]);
    // Its number is not used again.
    let published = client.publish_version().function_name("f").send().await.expect("published");
    assert_eq!(published.version(), Some("4"));
    client.delete_function().function_name("f").send().await.expect("deleted");
    assert_eq!(refused(delete("1").await.expect_err("absent")).0, 404);
}
