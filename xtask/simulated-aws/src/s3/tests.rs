//! Buckets through the SDK, as the engine uses them.

use std::{collections::BTreeSet, time::Duration};

use aws_sdk_s3::{
    Client,
    error::ProvideErrorMetadata,
    primitives::{ByteStream, SdkBody},
    types::{Delete, ObjectIdentifier},
};
use serde_json::{Value, json};

use super::{object, resource};
use crate::{
    Aws, Settings,
    account::Account,
    resources::{Wanted, with_stack_tags},
    testing::config,
};

const NAME: &str = "artifacts-dev-123456789012";

fn wanted(properties: &Value) -> Wanted<'_> {
    let (region, stack, logical_id) = ("eu-west-1", "foundation-dev", "Artifacts");
    Wanted { region, stack, logical_id, resource_type: resource::TYPE, properties }
}

/// An account with a bucket, and a client.
fn with_bucket(properties: Value) -> (Aws, Client) {
    let aws = Aws::new(Settings::default());
    let mut properties = properties;
    properties["BucketName"] = NAME.into();
    aws.change(|account| (resource::BUCKET.create)(account, wanted(&properties))).expect("created");
    let client = Client::new(&config(&aws));
    (aws, client)
}

fn versioned() -> Value {
    json!({ "VersioningConfiguration": { "Status": "Enabled" } })
}

async fn put(client: &Client, key: &str, text: &'static str) -> Option<String> {
    let body = ByteStream::from_static(text.as_bytes());
    let written = client.put_object().bucket(NAME).key(key).body(body).send().await.expect("written");
    written.version_id().map(str::to_owned)
}

async fn text(client: &Client, key: &str) -> String {
    let found = client.get_object().bucket(NAME).key(key).send().await.expect("an object");
    String::from_utf8(found.body.collect().await.expect("a body").to_vec()).expect("UTF-8")
}

#[tokio::test(start_paused = true)]
async fn an_object_is_read_as_it_was_written() {
    let (aws, client) = with_bucket(json!({}));
    let request = client.put_object().bucket(NAME).key("site/a b+c.html").body(ByteStream::from_static(b"page"));
    let request = request.content_type("text/html").cache_control("no-cache").metadata("sha256", "abc");
    let written = request.send().await.expect("written");
    let at = aws.now();
    tokio::time::sleep(Duration::from_secs(90)).await;
    let found = client.get_object().bucket(NAME).key("site/a b+c.html").send().await.expect("an object");
    assert_eq!((found.e_tag(), found.version_id()), (written.e_tag(), None));
    let age =
        at.unix_seconds().abs_diff(u64::try_from(found.last_modified().expect("a time").secs()).expect("positive"));
    assert!(age <= 1, "{age}");
    let head = client.head_object().bucket(NAME).key("site/a b+c.html").send().await.expect("headers");
    assert_eq!((head.content_type(), head.cache_control()), (Some("text/html"), Some("no-cache")));
    assert_eq!(head.metadata().and_then(|all| all.get("sha256")).map(String::as_str), Some("abc"));
    assert_eq!(head.content_length(), Some(4));
    assert_eq!(aws.read(|account| object(account, NAME, "site/a b+c.html")), Some(b"page".to_vec()));
}

#[tokio::test(start_paused = true)]
async fn buckets_are_found_in_the_path_and_streams_are_joined() {
    let (aws, _) = with_bucket(json!({}));
    let by_path = aws_sdk_s3::config::Builder::from(&config(&aws)).force_path_style(true).build();
    let client = Client::from_conf(by_path);
    let streamed = SdkBody::retryable(|| SdkBody::from_body_1_x(http_body_util::Full::new("streamed".into())));
    let request = client.put_object().bucket(NAME).key("a").content_length(8).body(ByteStream::new(streamed));
    request.send().await.expect("written");
    assert_eq!(text(&client, "a").await, "streamed");
}

#[tokio::test(start_paused = true)]
async fn missing_objects_and_buckets_are_reported() {
    let (_, client) = with_bucket(json!({}));
    let head = client.head_object().bucket(NAME).key("a").send().await.expect_err("missing");
    assert!(head.as_service_error().is_some_and(|error| error.is_not_found()), "{head:?}");
    let get = client.get_object().bucket(NAME).key("a").send().await.expect_err("missing");
    assert_eq!(get.code(), Some("NoSuchKey"));
    let get = client.get_object().bucket("other").key("a").send().await.expect_err("missing");
    assert_eq!(get.code(), Some("NoSuchBucket"));
    let put = client.put_object().bucket("other").key("a").if_none_match("*").send().await.expect_err("missing");
    assert_eq!(put.code(), Some("NoSuchBucket"));
}

#[tokio::test(start_paused = true)]
async fn conditional_writes_are_refused_if_their_condition_is_not_met() {
    let (_, client) = with_bucket(json!({}));
    let create = || client.put_object().bucket(NAME).key("lock").if_none_match("*");
    let replace = |tag: &str| client.put_object().bucket(NAME).key("lock").if_match(tag);
    let missing = replace("\"x\"").send().await.expect_err("no object to replace");
    assert_eq!((missing.code(), missing.raw_response().map(|it| it.status().as_u16())), (Some("NoSuchKey"), Some(404)));
    let first = create().body(ByteStream::from_static(b"one")).send().await.expect("created");
    let first = first.e_tag().expect("a tag").to_owned();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let again = create().send().await.expect_err("it exists");
    assert_eq!(
        (again.code(), again.raw_response().map(|it| it.status().as_u16())),
        (Some("PreconditionFailed"), Some(412))
    );
    let second = replace(&first).body(ByteStream::from_static(b"two")).send().await.expect("replaced");
    assert_ne!(second.e_tag(), Some(first.as_str()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let stale = replace(&first).send().await.expect_err("the tag is an earlier one");
    assert_eq!(stale.code(), Some("PreconditionFailed"));
    assert_eq!(text(&client, "lock").await, "two");
}

#[tokio::test(start_paused = true)]
async fn of_racing_writes_one_succeeds_and_the_others_fail_with_412_or_409() {
    let (_, client) = with_bucket(json!({}));
    let mut codes = BTreeSet::new();
    for round in 0..20 {
        let key = format!("lock-{round}");
        let racing = (0..4).map(|_| client.put_object().bucket(NAME).key(&key).if_none_match("*").send());
        let ended = futures_util::future::join_all(racing).await;
        assert_eq!(ended.iter().filter(|written| written.is_ok()).count(), 1);
        let errors = ended.into_iter().filter_map(Result::err);
        codes.extend(errors.filter_map(|error| error.code().map(str::to_owned)));
    }
    let expected = ["ConditionalRequestConflict", "PreconditionFailed"].map(str::to_owned);
    assert_eq!(codes, expected.into());
}

#[tokio::test(start_paused = true)]
async fn listings_are_sorted_and_paged() {
    let (_, client) = with_bucket(json!({}));
    for key in ["b/2", "a/1", "b/10", "c", "b/1"] {
        put(&client, key, "x").await;
    }
    let pages = client.list_objects_v2().bucket(NAME).prefix("b/").max_keys(2).into_paginator().send();
    let pages = pages.try_collect().await.expect("pages");
    let keys: Vec<Vec<_>> =
        pages.iter().map(|page| page.contents().iter().filter_map(|object| object.key()).collect()).collect();
    assert_eq!(keys, [vec!["b/1", "b/10"], vec!["b/2"]]);
    let all = client.list_objects_v2().bucket(NAME).send().await.expect("a page");
    assert_eq!((all.key_count(), all.is_truncated()), (Some(5), Some(false)));
}

#[tokio::test(start_paused = true)]
async fn a_list_has_the_tags_that_writes_and_reads_return() {
    let (_, client) = with_bucket(json!({}));
    let write = async |text: &'static [u8]| {
        let written = client.put_object().bucket(NAME).key("a").body(text.to_vec().into()).send().await;
        written.expect("written").e_tag.expect("a tag")
    };
    let listed = async || {
        let page = client.list_objects_v2().bucket(NAME).send().await.expect("a page");
        page.contents()[0].e_tag().map(str::to_owned)
    };
    let first = write(b"one").await;
    assert_eq!(listed().await.as_ref(), Some(&first));
    let second = write(b"two").await;
    assert_ne!(first, second);
    assert_eq!(listed().await.as_ref(), Some(&second));
    let read = client.get_object().bucket(NAME).key("a").send().await.expect("read");
    assert_eq!(read.e_tag(), Some(second.as_str()));
}

#[tokio::test(start_paused = true)]
async fn a_bucket_with_versions_keeps_them_and_marks_deletions() {
    let (_, client) = with_bucket(versioned());
    let first = put(&client, "a", "one").await.expect("a version");
    put(&client, "a", "two").await.expect("a version");
    put(&client, "b", "three").await;
    let deleted = client.delete_object().bucket(NAME).key("a").send().await.expect("deleted");
    assert_eq!(deleted.delete_marker(), Some(true));
    let current = client.get_object().bucket(NAME).key("a").send().await.expect_err("deleted");
    assert_eq!(current.code(), Some("NoSuchKey"));
    let old = client.get_object().bucket(NAME).key("a").version_id(&first).send().await.expect("a version");
    assert_eq!(old.body.collect().await.expect("a body").to_vec(), b"one");
    tokio::time::sleep(Duration::from_secs(1)).await;
    client.put_object().bucket(NAME).key("a").if_none_match("*").send().await.expect("a marker is no object");

    let mut rows = Vec::new();
    let (mut key, mut version) = (None, None);
    loop {
        let request = client.list_object_versions().bucket(NAME).max_keys(1);
        let page = request.set_key_marker(key).set_version_id_marker(version).send().await.expect("a page");
        rows.extend(
            page.versions().iter().filter_map(|row| Some((row.key()?.to_owned(), row.version_id()?.to_owned()))),
        );
        let markers = page.delete_markers().iter();
        rows.extend(markers.filter_map(|row| Some((row.key()?.to_owned(), row.version_id()?.to_owned()))));
        if page.is_truncated() != Some(true) {
            break;
        }
        (key, version) = (page.next_key_marker().map(str::to_owned), page.next_version_id_marker().map(str::to_owned));
    }
    let distinct: BTreeSet<_> = rows.iter().cloned().collect();
    let keys: Vec<_> = rows.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!((keys.as_slice(), distinct.len()), (&["a", "a", "a", "a", "b"][..], 5));
    assert_eq!(rows[3].1, first, "the oldest version is the last one");
}

#[tokio::test(start_paused = true)]
async fn many_objects_are_deleted_at_once_each_with_its_own_error() {
    let (aws, client) = with_bucket(json!({}));
    for key in ["a&b", "kept", "c"] {
        put(&client, key, "x").await;
    }
    aws.change(|account| {
        account.buckets.get_mut(NAME).expect("a bucket").undeletable.insert("kept".to_owned());
    });
    let object = |key: &str| ObjectIdentifier::builder().key(key).build().expect("a key");
    let objects = ["a&b", "kept", "missing"].map(object);
    let delete = Delete::builder().set_objects(Some(objects.into())).quiet(true).build().expect("objects");
    let deleted = client.delete_objects().bucket(NAME).delete(delete).send().await.expect("deleted");
    let errors: Vec<_> = deleted.errors().iter().map(|error| (error.key(), error.code())).collect();
    assert_eq!((errors, deleted.deleted().len()), (vec![(Some("kept"), Some("AccessDenied"))], 0));
    let left = client.list_objects_v2().bucket(NAME).send().await.expect("a page");
    assert_eq!(left.contents().iter().filter_map(|object| object.key()).collect::<Vec<_>>(), ["c", "kept"]);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_is_deleted_when_its_last_version_is() {
    let (aws, client) = with_bucket(versioned());
    put(&client, "a", "one").await;
    client.delete_object().bucket(NAME).key("a").send().await.expect("deleted");
    let full = client.delete_bucket().bucket(NAME).send().await.expect_err("not empty");
    assert_eq!(full.code(), Some("BucketNotEmpty"));
    let reason =
        aws.change(|account| (resource::BUCKET.delete)(account, NAME, wanted(&json!({})))).expect_err("not empty");
    assert!(reason.starts_with("The bucket you tried to delete is not empty"), "{reason}");
    let listed = client.list_object_versions().bucket(NAME).send().await.expect("a page");
    let object = |key: Option<&str>, version: Option<&str>| {
        ObjectIdentifier::builder().key(key.expect("a key")).set_version_id(version.map(str::to_owned)).build()
    };
    let versions = listed.versions().iter().map(|row| object(row.key(), row.version_id()));
    let markers = listed.delete_markers().iter().map(|row| object(row.key(), row.version_id()));
    let all = versions.chain(markers).collect::<Result<Vec<_>, _>>().expect("objects");
    let delete = Delete::builder().set_objects(Some(all)).build().expect("objects");
    let deleted = client.delete_objects().bucket(NAME).delete(delete).send().await.expect("deleted");
    assert_eq!(deleted.deleted().len(), 2);
    assert_eq!(aws.read(Account::stateful).len(), 1);
    client.delete_bucket().bucket(NAME).send().await.expect("deleted");
    assert!(aws.read(Account::stateful).is_empty());
    let missing = client.list_object_versions().bucket(NAME).send().await.expect_err("deleted");
    assert_eq!(missing.code(), Some("NoSuchBucket"));
}

#[tokio::test(start_paused = true)]
async fn tags_are_read_by_the_owner_only() {
    let tags = [("stage".to_owned(), "dev".to_owned())].into();
    let (aws, client) = with_bucket(with_stack_tags(resource::TYPE, &json!({}), &tags));
    let read = |owner: &str| client.get_bucket_tagging().bucket(NAME).expected_bucket_owner(owner).send();
    let found = read("123456789012").await.expect("tags");
    let found: Vec<_> = found.tag_set().iter().map(|tag| (tag.key(), tag.value())).collect();
    assert_eq!(found, [("stage", "dev")]);
    assert_eq!(read("999999999999").await.expect_err("another owner").code(), Some("AccessDenied"));
    aws.change(|account| account.buckets.get_mut(NAME).expect("a bucket").tags.clear());
    assert_eq!(read("123456789012").await.expect_err("no tags").code(), Some("NoSuchTagSet"));
    let missing = client.get_bucket_tagging().bucket("other").expected_bucket_owner("123456789012").send().await;
    assert_eq!(missing.expect_err("missing").code(), Some("NoSuchBucket"));
    aws.change(|account| account.buckets.get_mut(NAME).expect("a bucket").owner = "999999999999".to_owned());
    assert_eq!(read("123456789012").await.expect_err("another owner").code(), Some("AccessDenied"));
}

#[tokio::test(start_paused = true)]
async fn names_are_unique_in_all_regions_and_a_bucket_is_used_in_its_own() {
    let (aws, client) = with_bucket(json!({}));
    let properties = json!({ "BucketName": NAME });
    let elsewhere = Wanted { region: "us-east-1", ..wanted(&properties) };
    let reason = aws.change(|account| (resource::BUCKET.create)(account, elsewhere)).expect_err("taken");
    assert_eq!(reason, format!("{NAME} already exists"));
    let region = aws_sdk_s3::config::Region::new("us-east-1");
    let other = Client::from_conf(client.config().to_builder().region(region).build());
    let error = other.delete_bucket().bucket(NAME).send().await.expect_err("another region");
    assert_eq!(error.code(), Some("PermanentRedirect"));
}

#[tokio::test(start_paused = true)]
async fn versioning_can_only_be_suspended() {
    let (aws, client) = with_bucket(versioned());
    put(&client, "a", "one").await.expect("a version");
    aws.change(|account| (resource::BUCKET.update)(account, NAME, wanted(&json!({})))).expect("updated");
    assert_eq!(put(&client, "a", "two").await, None);
    put(&client, "a", "three").await;
    let listed = client.list_object_versions().bucket(NAME).send().await.expect("a page");
    let ids: Vec<_> = listed.versions().iter().map(|row| row.version_id() == Some("null")).collect();
    assert_eq!(ids, [true, false], "the newest version without an ID replaces the one before");
}
