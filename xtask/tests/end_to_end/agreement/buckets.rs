//! S3: conditional writes, versions, listings and deletions.

use aws_sdk_s3::{
    Client,
    primitives::ByteStream,
    types::{Delete, ObjectIdentifier},
};

use super::{
    seen::{Seen, outcome},
    world::World,
};

async fn put(client: &Client, bucket: &str, key: &str, text: &'static str) -> Option<String> {
    let body = ByteStream::from_static(text.as_bytes());
    let written = client.put_object().bucket(bucket).key(key).body(body).send().await.expect("written");
    written.version_id().map(str::to_owned)
}

/// The text of an object, or how reading it was refused.
async fn text(client: &Client, bucket: &str, key: &str, version: Option<String>) -> String {
    let found = client.get_object().bucket(bucket).key(key).set_version_id(version).send().await;
    match found {
        Ok(found) => String::from_utf8(found.body.collect().await.expect("a body").to_vec()).expect("UTF-8"),
        Err(_) => outcome(&found),
    }
}

pub(super) async fn if_none_match(world: World) -> Seen {
    let (client, bucket, mut seen) = (world.s3(), world.bucket(false).await, Seen::default());
    for (name, content) in [("a new object", "one"), ("an existing object", "two")] {
        let write = client.put_object().bucket(bucket).key("lock").if_none_match("*");
        seen.note(name, outcome(&write.body(ByteStream::from_static(content.as_bytes())).send().await));
        seen.note("the content afterwards", text(&client, bucket, "lock", None).await);
    }
    seen
}

pub(super) async fn if_match(world: World) -> Seen {
    let (client, bucket, mut seen) = (world.s3(), world.bucket(false).await, Seen::default());
    let replace = async |tag: &str, content: &'static str| {
        let write = client.put_object().bucket(bucket).key("lock").if_match(tag);
        let ended = outcome(&write.body(ByteStream::from_static(content.as_bytes())).send().await);
        (ended, text(&client, bucket, "lock", None).await)
    };
    seen.note("an absent object", replace("\"0123\"", "zero").await.0);
    put(&client, bucket, "lock", "one").await;
    let head = client.head_object().bucket(bucket).key("lock").send().await.expect("headers");
    let tag = head.e_tag().expect("a tag");
    for (name, content) in [("the tag of the object", "two"), ("the tag of an earlier object", "three")] {
        let (ended, text) = replace(tag, content).await;
        seen.note(name, ended);
        seen.note("the content afterwards", text);
    }
    seen
}

pub(super) async fn delete_marker(world: World) -> Seen {
    let (client, bucket, mut seen) = (world.s3(), world.bucket(true).await, Seen::default());
    let first = put(&client, bucket, "a", "one").await;
    seen.note("a write returns a version", first.is_some());
    let deleted = client.delete_object().bucket(bucket).key("a").send().await.expect("deleted");
    seen.note("the deletion made a marker", deleted.delete_marker() == Some(true) && deleted.version_id().is_some());
    seen.note("the object", text(&client, bucket, "a", None).await);
    seen.note("its version", text(&client, bucket, "a", first).await);
    let created = client.put_object().bucket(bucket).key("a").if_none_match("*").send().await;
    seen.note("a write that needs no object", outcome(&created));
    seen
}

pub(super) async fn version_pages(world: World) -> Seen {
    let (client, bucket, mut seen) = (world.s3(), world.bucket(true).await, Seen::default());
    let first = put(&client, bucket, "a", "one").await;
    let second = put(&client, bucket, "a", "two").await;
    put(&client, bucket, "b", "three").await;
    let marker = client.delete_object().bucket(bucket).key("b").send().await.expect("deleted");
    let (mut rows, mut pages) = (Vec::new(), 0);
    let (mut key, mut version) = (None, None);
    for _ in 0..10 {
        let request = client.list_object_versions().bucket(bucket).max_keys(1);
        let page = request.set_key_marker(key).set_version_id_marker(version).send().await.expect("a page");
        pages += 1;
        rows.extend(page.versions().iter().filter_map(|row| Some((row.key()?.to_owned(), row.version_id.clone()))));
        let markers = page.delete_markers().iter();
        rows.extend(markers.filter_map(|row| Some((row.key()?.to_owned(), row.version_id.clone()))));
        if page.is_truncated() != Some(true) {
            break;
        }
        (key, version) = (page.next_key_marker, page.next_version_id_marker);
    }
    seen.note("pages", pages);
    seen.note("keys", rows.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>().join(" "));
    let versions: Vec<_> = rows.iter().map(|(_, version)| version).collect();
    seen.note("the newest version is first", versions.starts_with(&[&second, &first]));
    seen.note("the newest marker is first", versions.get(2) == Some(&&marker.version_id));
    seen
}

pub(super) async fn object_pages(world: World) -> Seen {
    let (client, bucket, mut seen) = (world.s3(), world.bucket(false).await, Seen::default());
    for key in ["b/2", "a/1", "b/10", "c", "b/1", "B/3"] {
        put(&client, bucket, key, "x").await;
    }
    let pages = client.list_objects_v2().bucket(bucket).max_keys(2).into_paginator().send();
    let pages = pages.try_collect().await.expect("pages");
    let pages = pages.iter().map(|page| {
        let keys: Vec<_> = page.contents().iter().filter_map(|object| object.key()).collect();
        keys.join(" ")
    });
    seen.note("all pages", pages.collect::<Vec<_>>().join(", "));
    let below = client.list_objects_v2().bucket(bucket).prefix("b/").send().await.expect("a page");
    seen.note("a prefix", below.contents().iter().filter_map(|object| object.key()).collect::<Vec<_>>().join(" "));
    seen
}

pub(super) async fn non_empty_bucket(world: World) -> Seen {
    let (client, bucket, mut seen) = (world.s3(), world.bucket(true).await, Seen::default());
    let version = put(&client, bucket, "a", "one").await;
    let delete = async || outcome(&client.delete_bucket().bucket(bucket).send().await);
    seen.note("with an object", delete().await);
    let marker = client.delete_object().bucket(bucket).key("a").send().await.expect("deleted");
    seen.note("with a version and a marker", delete().await);
    client.delete_object().bucket(bucket).key("a").set_version_id(version).send().await.expect("deleted");
    seen.note("with a marker alone", delete().await);
    let last = client.delete_object().bucket(bucket).key("a").set_version_id(marker.version_id).send().await;
    seen.note("the deletion of the marker", outcome(&last));
    seen.note("empty", delete().await);
    seen
}

pub(super) async fn absent(world: World) -> Seen {
    let (client, bucket, mut seen) = (world.s3(), world.bucket(false).await, Seen::default());
    seen.note("`GetObject`", outcome(&client.get_object().bucket(bucket).key("a").send().await));
    seen.note("`HeadObject`", outcome(&client.head_object().bucket(bucket).key("a").send().await));
    seen.note("`DeleteObject`", outcome(&client.delete_object().bucket(bucket).key("a").send().await));
    let other = format!("{bucket}-absent");
    seen.note("`GetObject` of an absent bucket", outcome(&client.get_object().bucket(&other).key("a").send().await));
    seen.note("`PutObject` to an absent bucket", outcome(&client.put_object().bucket(&other).key("a").send().await));
    seen.note("a listing of an absent bucket", outcome(&client.list_objects_v2().bucket(&other).send().await));
    seen
}

pub(super) async fn many_deleted(world: World) -> Seen {
    let (client, bucket, mut seen) = (world.s3(), world.bucket(false).await, Seen::default());
    for is_quiet in [true, false] {
        put(&client, bucket, "a&b", "x").await;
        let objects = ["a&b", "absent"].map(|key| ObjectIdentifier::builder().key(key).build().expect("a key"));
        let delete = Delete::builder().set_objects(Some(objects.into())).quiet(is_quiet).build().expect("objects");
        let deleted = client.delete_objects().bucket(bucket).delete(delete).send().await.expect("deleted");
        let (name, lists) =
            if is_quiet { ("quiet", "deleted, quiet") } else { ("with results", "deleted, with results") };
        seen.note(name, format!("{} errors", deleted.errors().len()));
        seen.note(lists, deleted.deleted().iter().filter_map(|found| found.key()).collect::<Vec<_>>().join(" "));
        seen.note("remaining", client.list_objects_v2().bucket(bucket).send().await.expect("a page").contents().len());
    }
    seen
}

pub(super) async fn tagging(world: World) -> Seen {
    let (client, bucket, mut seen) = (world.s3(), world.bucket(false).await, Seen::default());
    let read = async |bucket: &str, owner: &str| {
        client.get_bucket_tagging().bucket(bucket).expected_bucket_owner(owner).send().await
    };
    let found = read(bucket, "000000000000").await;
    let has_tag =
        found.as_ref().map(|found| found.tag_set().iter().any(|tag| (tag.key(), tag.value()) == ("stage", "dev")));
    seen.note("a tag of the template", has_tag.map_or_else(|_| outcome(&found), |has_tag| has_tag.to_string()));
    seen.note("another owner", outcome(&read(bucket, "999999999999").await));
    seen.note("an absent bucket", outcome(&read(&format!("{bucket}-absent"), "000000000000").await));
    seen
}
