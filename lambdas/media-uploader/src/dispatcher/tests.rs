//! The dispatcher with a scripted S3 and Lambda: started processors and skipped records.

use serde_json::{Value, json};

use super::*;
use crate::{
    manifest::{FailureCode, PosterSource, Status},
    testing::{
        FILENAME, manifest,
        scripted::{Reply, Rule, ScriptedAws},
    },
};

const OTHER: &str = "11111111-2222-4333-8444-555555555555";

/// The dispatcher's surroundings.
#[derive(Debug)]
struct World {
    /// Keys and content types of raw objects, which all have the ETag `etag`.
    raw: Vec<(String, &'static str)>,
    /// Manifests by key.
    manifests: Vec<(String, Manifest)>,
    /// The versions that the user stores.
    usage: Rule,
    /// Deletions of versions.
    delete: Rule,
    /// Claims of filenames.
    claim: Rule,
    /// The owner in the record of a claimed filename.
    owner: &'static str,
    /// Writes of manifests.
    put: Rule,
    /// Invocations of processors.
    invoke: Rule,
}

impl Default for World {
    fn default() -> Self {
        Self {
            raw: Vec::new(),
            manifests: Vec::new(),
            usage: usage("ana", &[9]),
            delete: Rule::delete_version("/raw/*", "v1"),
            claim: Rule::put_object("/processed/owners/*").header("if-none-match", "*"),
            owner: "",
            put: Rule::put_object("/processed/*"),
            invoke: Rule::invoke_async("*", Reply::accepted()),
        }
    }
}

impl World {
    async fn handle(&self, records: &[(&str, &str)]) -> Result<Answer, DispatchError> {
        let records: Vec<Value> = records
            .iter()
            .map(|(bucket, key)| json!({"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": 9, "versionId": "v1"}}}))
            .collect();
        let event: Event = serde_json::from_value(json!({"Records": records})).expect("an event");
        let aws = self.aws();
        let s3 = aws.s3();
        let dispatcher = Dispatcher {
            raw: Store::new(s3.clone(), "raw"),
            processed: Store::new(s3, "processed"),
            lambda: aws.lambda(),
            image: "image-alias".to_owned(),
            video: "video-alias".to_owned(),
            profile: Profile::default(),
        };
        dispatcher.handle(event).await
    }

    async fn outcome(&self, key: &str) -> Outcome {
        self.handle(&[("raw", key)]).await.expect("handled").records[0].outcome
    }

    fn aws(&self) -> ScriptedAws {
        let objects = self.raw.iter().map(|(key, content_type)| {
            let object = Reply::object([0; 9]).header("content-type", content_type).header("etag", "\"etag\"");
            Rule::head_object(&format!("/raw/{key}"), object)
        });
        let manifests = self.manifests.iter().map(|(key, manifest)| {
            let bytes = serde_json::to_vec(manifest).expect("plain data");
            Rule::get_object(&format!("/processed/{key}"), Reply::object(bytes))
        });
        let missing =
            [Rule::head_object("/raw/*", Reply::no_such_key()), Rule::get_object("/processed/*", Reply::no_such_key())];
        let record = Reply::object([]).header("x-amz-meta-owner", &keys::owner_hash(self.owner));
        let record = Rule::head_object("/processed/owners/*", record);
        // A claim is also a write to the processed bucket, so its rule comes first.
        let calls = [&self.usage, &self.delete, &self.claim, &record, &self.put, &self.invoke].map(Rule::clone);
        ScriptedAws::new(objects.chain(manifests).chain(missing).chain(calls))
    }

    /// The invoked functions and their jobs.
    fn invoked(&self) -> Vec<(String, ProcessingJob)> {
        let function = |path: &str| path.split('/').nth(3).expect("a function").to_owned();
        self.invoke.requests().iter().map(|request| (function(&request.path), request.json())).collect()
    }

    /// The written manifests by key.
    fn written(&self) -> Vec<(String, Manifest)> {
        let key = |path: &str| path.strip_prefix("/processed/").expect("the bucket").to_owned();
        self.put.requests().iter().map(|request| (key(&request.path), request.json())).collect()
    }
}

/// A listing of what a user stores.
fn usage(owner: &str, sizes: &[u64]) -> Rule {
    Rule::list_versions("raw", &[("prefix", &format!("{owner}/"))], Reply::versions(sizes, None))
}

fn raw(kind: &str) -> String {
    format!("ana/{kind}/{FILENAME}")
}

fn with(kind: &str, content_type: &'static str) -> World {
    World { raw: vec![(raw(kind), content_type)], ..World::default() }
}

#[tokio::test(flavor = "current_thread")]
async fn an_image_starts_the_image_function() {
    let world = with("images", "image/png");
    let answer = world.handle(&[("raw", &raw("images"))]).await.expect("handled");
    assert_eq!(answer.message, "Processing job started");
    let job = ProcessingJob {
        bucket: "raw".to_owned(),
        key: raw("images"),
        filename: FILENAME.to_owned(),
        extension: "jpg".to_owned(),
        sizes: ["tiny", "small", "medium", "large", "huge"].map(str::to_owned).to_vec(),
        role: Role::Main,
        etag: "etag".to_owned(),
    };
    assert_eq!(world.invoked(), [("image-alias".to_owned(), job)]);
    let (key, manifest) = world.written().remove(0);
    assert_eq!(key, format!("{FILENAME}/manifest.json"));
    assert_eq!((manifest.status, manifest.source_etag.as_str(), manifest.bytes), (Status::Processing, "etag", 9));
    assert_eq!(manifest.owner_hash, keys::owner_hash("ana"));
    assert_eq!(manifest.poster_source, None);
}

#[tokio::test(flavor = "current_thread")]
async fn a_video_starts_the_video_function() {
    let world = with("videos", "video/mp4");
    assert_eq!(world.outcome(&raw("videos")).await, Outcome::Started);
    assert_eq!(world.invoked()[0].0, "video-alias");
    assert_eq!(world.written()[0].1.kind, MediaKind::Video);
}

#[tokio::test(flavor = "current_thread")]
async fn a_poster_has_a_manifest_of_its_own() {
    let mut world = with("posters", "image/png");
    world.manifests = vec![(keys::manifest(FILENAME), manifest(MediaKind::Video, Status::Ready, &[]))];
    assert_eq!(world.outcome(&raw("posters")).await, Outcome::Started);
    let (function, job) = world.invoked().remove(0);
    assert_eq!((function.as_str(), job.role), ("image-alias", Role::Poster));
    let (key, poster) = world.written().remove(0);
    assert_eq!(key, format!("{FILENAME}/poster.json"));
    assert_eq!(poster.poster_source, Some(PosterSource::Client));
}

#[tokio::test(flavor = "current_thread")]
async fn the_same_object_is_processed_once() {
    let mut world = with("images", "image/png");
    world.manifests = vec![(keys::manifest(FILENAME), manifest(MediaKind::Image, Status::Ready, &[]))];
    let answer = world.handle(&[("raw", &raw("images"))]).await.expect("handled");
    assert_eq!(answer.records[0].outcome, Outcome::AlreadyProcessed);
    assert_eq!(answer.message, "Nothing to process");
    assert!(world.written().is_empty() && world.invoked().is_empty());
}

#[tokio::test(flavor = "current_thread")]
async fn a_new_object_and_a_retry_are_processed_again() {
    let mut changed = manifest(MediaKind::Image, Status::Ready, &[("medium", "jpg")]);
    changed.source_etag = "older".to_owned();
    for previous in
        [changed, manifest(MediaKind::Image, Status::Failed, &[]), manifest(MediaKind::Image, Status::Processing, &[])]
    {
        let mut world = with("images", "image/png");
        let created_at = previous.created_at;
        world.manifests = vec![(keys::manifest(FILENAME), previous)];
        assert_eq!(world.outcome(&raw("images")).await, Outcome::Started);
        let written = world.written().remove(0).1;
        assert_eq!((written.created_at, written.variants.len()), (created_at, 0));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn results_of_another_user_are_not_overwritten() {
    let mut foreign = manifest(MediaKind::Video, Status::Failed, &[]);
    foreign.owner_hash = keys::owner_hash("eve");
    for kind in ["images", "videos", "posters"] {
        let mut world = with(kind, "image/png");
        world.manifests = vec![(keys::manifest(FILENAME), foreign.clone())];
        assert_eq!(world.outcome(&raw(kind)).await, Outcome::OwnerMismatch, "{kind}");
        assert!(world.written().is_empty() && world.invoked().is_empty());
    }
    let mut world = with("posters", "image/png");
    world.manifests = vec![(keys::poster_manifest(FILENAME), foreign)];
    assert_eq!(world.outcome(&raw("posters")).await, Outcome::OwnerMismatch);
}

/// The manifest, which also names its owner, expires; old links must not show the content of another user.
#[tokio::test(flavor = "current_thread")]
async fn a_filename_stays_with_its_owner_after_its_manifest_expired() {
    for (kind, content_type) in [("images", "image/png"), ("videos", "video/mp4"), ("posters", "image/png")] {
        for (owner, outcome) in [("eve", Outcome::OwnerMismatch), ("ana", Outcome::Started)] {
            let mut world = with(kind, content_type);
            world.claim = Rule::put_object_answered("/processed/owners/*", Reply::precondition_failed());
            world.owner = owner;
            assert_eq!(world.outcome(&raw(kind)).await, outcome, "{kind} of {owner}");
            let started = usize::from(outcome == Outcome::Started);
            assert_eq!((world.written().len(), world.invoked().len()), (started, started));
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn the_owner_is_recorded_before_anything_is_processed() {
    let world = with("images", "image/png");
    assert_eq!(world.outcome(&raw("images")).await, Outcome::Started);
    let [claim] = &world.claim.requests()[..] else { panic!("one claim") };
    assert_eq!(claim.path, format!("/processed/owners/{FILENAME}"));
    assert_eq!(claim.headers["x-amz-meta-owner"], keys::owner_hash("ana"));
    // Media from before there were records are claimed by the next event of their owner.
    let mut world = with("images", "image/png");
    world.manifests = vec![(keys::manifest(FILENAME), manifest(MediaKind::Image, Status::Ready, &[]))];
    assert_eq!(world.outcome(&raw("images")).await, Outcome::AlreadyProcessed);
    assert_eq!(world.claim.calls(), 1);
    // Without a record, nothing is written.
    let mut world = with("images", "image/png");
    let conflict = Reply::s3_error(409, "ConditionalRequestConflict", "Please retry.");
    world.claim = Rule::put_object_answered("/processed/owners/*", conflict);
    world.handle(&[("raw", &raw("images"))]).await.expect_err("undecided");
    assert!(world.written().is_empty() && world.invoked().is_empty());
}

#[tokio::test(flavor = "current_thread")]
async fn objects_beyond_the_quota_are_deleted() {
    let limits = Profile::default().limits;
    // Deleted objects, whose versions remain, and keys of no meaning are of the same owner.
    for (key, stored) in
        [(raw("images"), true), (raw("images"), false), ("ana/notes".to_owned(), true), ("ana/".to_owned(), true)]
    {
        let mut world = World { usage: usage("ana", &[limits.user_bytes + 1]), ..World::default() };
        if stored {
            world.raw.push((key.clone(), "image/png"));
        }
        assert_eq!(world.outcome(&key).await, Outcome::OverQuota, "{key}");
        assert_eq!(world.delete.requests()[0].path, format!("/raw/{key}"));
        assert!(world.claim.calls() == 0 && world.written().is_empty() && world.invoked().is_empty());
    }
    let mut world = with("images", "image/png");
    world.usage = usage("ana", &[limits.user_bytes]);
    assert_eq!((world.outcome(&raw("images")).await, world.delete.calls()), (Outcome::Started, 0));
}

#[tokio::test(flavor = "current_thread")]
async fn unsupported_types_fail_without_a_processor() {
    for (kind, content_type) in [("images", "text/plain"), ("videos", "application/pdf"), ("posters", "video/mp4")] {
        let world = with(kind, content_type);
        assert_eq!(world.outcome(&raw(kind)).await, Outcome::UnsupportedType);
        let written = world.written().remove(0).1;
        assert_eq!(written.status, Status::Failed);
        assert_eq!(written.error.expect("an error").code, FailureCode::UnsupportedType);
        assert!(world.invoked().is_empty());
    }
}

#[tokio::test(flavor = "current_thread")]
async fn foreign_keys_and_buckets_and_deleted_objects_are_skipped() {
    let world = World::default();
    for key in ["a", "ana/images/abc", "ana/audio/x", "ana/images/7f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b.jpg"] {
        assert_eq!(world.outcome(key).await, Outcome::InvalidKey, "{key}");
    }
    assert_eq!(world.outcome(&raw("images")).await, Outcome::Gone);
    let elsewhere = with("images", "image/png").handle(&[("other", &raw("images"))]).await.expect("handled");
    assert_eq!(elsewhere.records[0].outcome, Outcome::InvalidKey);
}

#[tokio::test(flavor = "current_thread")]
async fn keys_are_decoded_before_they_are_used() {
    let key = format!("us-east-1:a b/images/{FILENAME}");
    let usage = usage("us-east-1:a b", &[9]);
    let world = World { raw: vec![(key.clone(), "image/png")], usage, ..World::default() };
    assert_eq!(world.outcome(&format!("us-east-1%3Aa+b/images/{FILENAME}")).await, Outcome::Started);
    assert_eq!(world.invoked()[0].1.key, key);
}

#[tokio::test(flavor = "current_thread")]
async fn every_record_is_handled() {
    let other = format!("ana/videos/{OTHER}");
    let mut world = with("images", "image/png");
    world.raw.push((other.clone(), "video/mp4"));
    let answer = world.handle(&[("raw", &raw("images")), ("raw", "bad"), ("raw", &other)]).await.expect("handled");
    let outcomes: Vec<Outcome> = answer.records.iter().map(|record| record.outcome).collect();
    assert_eq!(outcomes, [Outcome::Started, Outcome::InvalidKey, Outcome::Started]);
    assert_eq!(world.invoked().len(), 2);
}

#[tokio::test(flavor = "current_thread")]
async fn a_failed_invocation_is_reported_after_all_records() {
    let other = format!("ana/videos/{OTHER}");
    let mut world = with("images", "image/png");
    world.raw.push((other.clone(), "video/mp4"));
    let refused = "User is not authorized to perform: lambda:InvokeFunction";
    world.invoke = Rule::invoke_async("*", Reply::lambda_error(403, "AccessDeniedException", refused));
    let error = world.handle(&[("raw", &raw("images")), ("raw", &other)]).await.expect_err("Lambda refuses");
    assert_eq!(error.to_string(), "failed to handle 2 of 2 records");
    assert_eq!((world.written().len(), world.invoked().len()), (2, 2));
}
