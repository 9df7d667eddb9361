//! Lambda: versions, aliases and qualifiers.

use aws_sdk_lambda::{
    Client,
    types::{AliasRoutingConfiguration, LastUpdateStatus, State},
};
use serde_json::json;

use super::{
    seen::{Seen, outcome, refusal},
    world::World,
};

/// A world with a function whose version 1 is live, and its client.
struct Released {
    world: World,
    client: Client,
}

fn weights(weights: &[(&str, f64)]) -> AliasRoutingConfiguration {
    let weights = weights.iter().map(|(version, weight)| ((*version).to_owned(), *weight)).collect();
    AliasRoutingConfiguration::builder().set_additional_version_weights(Some(weights)).build()
}

impl Released {
    async fn new(world: World) -> Self {
        world.bucket(false).await;
        for number in 1..=3 {
            let write = world.s3().put_object().bucket(&world.name).key(format!("{number}.zip"));
            write.body(world.zip(number).into()).send().await.expect("written");
        }
        let properties = json!({
            "FunctionName": world.name,
            "Runtime": "provided.al2023",
            "Handler": "bootstrap",
            "Role": "arn:aws:iam::000000000000:role/agreement",
            "Code": { "S3Bucket": world.name, "S3Key": "1.zip" },
        });
        let function = json!({ "Type": "AWS::Lambda::Function", "Properties": properties });
        let template = json!({ "Resources": { "Function": function } });
        assert_eq!(world.create(&world.name, &template).await, "CREATE_COMPLETE");
        let released = Self { client: world.lambda(), world };
        assert_eq!(released.publish(1).await, "1");
        let alias = released.client.create_alias().function_name(&released.world.name).name("live");
        alias.function_version("1").send().await.expect("an alias");
        released
    }

    /// Waits until the function can be changed.
    async fn settled(&self) {
        let is_settled = async || {
            let found = self.client.get_function_configuration().function_name(&self.world.name).send().await;
            let found = found.expect("a function");
            found.state() != Some(&State::Pending) && found.last_update_status() != Some(&LastUpdateStatus::InProgress)
        };
        self.world.until("the end of the update", is_settled).await;
    }

    /// Updates the code, if it is another one, and publishes it; returns the version's number.
    async fn publish(&self, code: u64) -> String {
        self.settled().await;
        let (name, key) = (&self.world.name, format!("{code}.zip"));
        let update = self.client.update_function_code().function_name(name).s3_bucket(name).s3_key(key);
        update.send().await.expect("updated");
        self.settled().await;
        let published = self.client.publish_version().function_name(name).send().await.expect("published");
        let version = published.version().expect("a number").to_owned();
        let is_active = async || {
            let read = self.client.get_function_configuration().function_name(name).qualifier(&version).send().await;
            read.expect("a version").state() != Some(&State::Pending)
        };
        self.world.until("the end of the publication", is_active).await;
        version
    }

    /// Points `live` to a version and routes to others; returns how the call ended.
    async fn point(&self, version: &str, routes: &[(&str, f64)]) -> String {
        let update = self.client.update_alias().function_name(&self.world.name).name("live").function_version(version);
        outcome(&update.routing_config(weights(routes)).send().await)
    }

    /// What `live` points to: `1` or `1 2=0.25`.
    async fn live(&self) -> String {
        let found = self.client.get_alias().function_name(&self.world.name).name("live").send().await;
        let found = found.expect("an alias");
        let routing = found.routing_config().and_then(|routing| routing.additional_version_weights());
        let routes = routing.into_iter().flatten().map(|(version, weight)| format!(" {version}={weight}"));
        format!("{}{}", found.function_version().unwrap_or_default(), routes.collect::<String>())
    }

    async fn delete(&self, version: &str) -> String {
        let deletion = self.client.delete_function().function_name(&self.world.name).qualifier(version);
        outcome(&deletion.send().await)
    }
}

pub(super) async fn published_twice(world: World) -> Seen {
    let (released, mut seen) = (Released::new(world).await, Seen::default());
    let again = released.client.publish_version().function_name(&released.world.name).description("again").send().await;
    seen.note("again", again.expect("published").version().unwrap_or_default());
    seen.note("another code", released.publish(2).await);
    seen.note("the same code once more", released.publish(2).await);
    seen.note("the first code", released.publish(1).await);
    seen
}

pub(super) async fn conditional_publication(world: World) -> Seen {
    let (released, mut seen) = (Released::new(world).await, Seen::default());
    let name = &released.world.name;
    let update = released.client.update_function_code().function_name(name).s3_bucket(name).s3_key("2.zip");
    let sha = update.send().await.expect("updated").code_sha256.expect("a hash");
    released.settled().await;
    let publish = || released.client.publish_version().function_name(name);
    seen.note("another hash", outcome(&publish().code_sha256("AAAA").send().await));
    let other = "00000000-0000-0000-0000-000000000000";
    seen.note("another revision", outcome(&publish().revision_id(other).send().await));
    let latest = released.client.get_function_configuration().function_name(name).send().await.expect("a function");
    let publish = publish().code_sha256(sha).set_revision_id(latest.revision_id);
    seen.note(
        "both",
        publish.send().await.map_or_else(|_| "refused".to_owned(), |found| found.version.unwrap_or_default()),
    );
    seen
}

pub(super) async fn aliases(world: World) -> Seen {
    let (released, mut seen) = (Released::new(world).await, Seen::default());
    let name = &released.world.name;
    let create = |alias: &str, version: &str| {
        released.client.create_alias().function_name(name).name(alias).function_version(version).send()
    };
    seen.note("a new one to an absent version", outcome(&create("other", "9").await));
    seen.note("one of the same name", outcome(&create("live", "1").await));
    seen.note("moved to an absent version", released.point("9", &[]).await);
    seen.note("live", released.live().await);
    let update = released.client.update_alias().function_name(name).name("absent").function_version("1").send().await;
    seen.note("the update of an absent one", refusal(&update, name));
    let read = released.client.get_alias().function_name(name).name("absent").send().await;
    seen.note("an absent one", refusal(&read, name));
    let deletion = released.client.delete_alias().function_name(name).name("absent").send().await;
    seen.note("the deletion of an absent one", outcome(&deletion));
    seen
}

pub(super) async fn weights_refused(world: World) -> Seen {
    let (released, mut seen) = (Released::new(world).await, Seen::default());
    released.publish(2).await;
    released.publish(3).await;
    seen.note("to version 2", released.point("1", &[("2", 0.25)]).await);
    seen.note("live", released.live().await);
    seen.note("to `$LATEST`", released.point("1", &[("$LATEST", 0.1)]).await);
    seen.note("from `$LATEST`", released.point("$LATEST", &[("2", 0.1)]).await);
    seen.note("to its own version", released.point("1", &[("1", 0.1)]).await);
    seen.note("above 1", released.point("1", &[("2", 1.5)]).await);
    seen.note("to two versions", released.point("1", &[("2", 0.1), ("3", 0.1)]).await);
    seen.note("to an absent version", released.point("1", &[("9", 0.1)]).await);
    seen.note("live afterwards", released.live().await);
    seen
}

pub(super) async fn alias_updates(world: World) -> Seen {
    let (released, mut seen) = (Released::new(world).await, Seen::default());
    released.publish(2).await;
    released.point("1", &[("2", 0.25)]).await;
    let update = || released.client.update_alias().function_name(&released.world.name).name("live");
    seen.note("a description alone", outcome(&update().description("x").send().await));
    seen.note("live", released.live().await);
    let read = released.client.get_alias().function_name(&released.world.name).name("live").send().await;
    let revision = read.expect("an alias").revision_id.expect("a revision");
    let moved = update().function_version("2").routing_config(weights(&[])).revision_id(&revision).send().await;
    seen.note("with its revision", outcome(&moved));
    seen.note("live afterwards", released.live().await);
    seen.note("with an outdated revision", outcome(&update().function_version("1").revision_id(revision).send().await));
    seen
}

pub(super) async fn deletion(world: World) -> Seen {
    let (released, mut seen) = (Released::new(world).await, Seen::default());
    released.publish(2).await;
    released.publish(3).await;
    released.point("1", &[("2", 0.1)]).await;
    seen.note("the alias's version", released.delete("1").await);
    seen.note("the routed version", released.delete("2").await);
    seen.note("another version", released.delete("3").await);
    seen.note("an absent version", released.delete("9").await);
    seen.note("live", released.live().await);
    seen.note("the next number", released.publish(1).await);
    seen.note("`$LATEST`", released.delete("$LATEST").await);
    let function = released.client.get_function().function_name(&released.world.name).send().await;
    seen.note("the function", outcome(&function));
    seen
}

pub(super) async fn qualifiers(world: World) -> Seen {
    let (released, mut seen) = (Released::new(world).await, Seen::default());
    released.publish(2).await;
    let name = &released.world.name;
    for (fact, qualifier) in [("a version", "1"), ("an alias", "live"), ("`$LATEST`", "$LATEST"), ("absent", "9")] {
        let read = released.client.get_function_configuration().function_name(name).qualifier(qualifier).send().await;
        let found = read.as_ref().map(|found| {
            let arn = found.function_arn().unwrap_or_default().replace(name, "f");
            format!("{} {arn}", found.version().unwrap_or_default())
        });
        seen.note(fact, found.unwrap_or_else(|_| refusal(&read, name)));
    }
    let read = released.client.get_function_configuration().function_name(name).send().await.expect("a function");
    seen.note("without one", read.function_arn().unwrap_or_default().replace(name, "f"));
    seen
}

pub(super) async fn versions(world: World) -> Seen {
    let (released, mut seen) = (Released::new(world).await, Seen::default());
    released.publish(2).await;
    let name = &released.world.name;
    let listed = released.client.list_versions_by_function().function_name(name).send().await.expect("versions");
    let listed = listed.versions().iter().filter_map(|version| version.version());
    seen.note("versions", listed.collect::<Vec<_>>().join(" "));
    let update = released.client.update_function_code().function_name(name).s3_bucket(name).s3_key("absent.zip");
    seen.note("absent code", outcome(&update.send().await));
    let other = format!("{name}-absent");
    let listed = released.client.list_versions_by_function().function_name(&other).send().await;
    seen.note("versions of an absent function", outcome(&listed));
    seen
}
