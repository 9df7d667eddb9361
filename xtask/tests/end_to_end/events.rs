//! What happens behind the API: bucket settings, events, anonymous reading.

use std::sync::Arc;

use aws_sdk_lambda::primitives::Blob;
use media_uploader::fixtures;
use serde_json::{Value, json};

use crate::{acceptance::World, client::filename};

pub(crate) async fn row_07_the_raw_bucket_notifies_the_dispatcher(world: Arc<World>) {
    let bucket = &world.outputs["RawMediaBucketName"];
    let notifications = world.cloud.s3().get_bucket_notification_configuration().bucket(bucket).send().await;
    let notifications = notifications.expect("notifications");
    let [one] = notifications.lambda_function_configurations() else { panic!("{notifications:?}") };
    assert!(one.lambda_function_arn().ends_with(":media-uploader-dispatcher-local:live"), "{one:?}");
    assert_eq!(one.events().iter().map(|event| event.as_str()).collect::<Vec<_>>(), ["s3:ObjectCreated:*"]);
}

pub(crate) async fn row_24_an_event_twice_is_skipped_and_every_record_counts(world: Arc<World>) {
    let first = upload(&world).await;
    let second = upload(&world).await;
    let before = world.user.processed(filename(&first)).await;
    world.user.processed(filename(&second)).await;

    dispatch(&world, &[&first]).await;
    let after = world.user.processed(filename(&first)).await;
    assert_eq!(after["updatedAt"], before["updatedAt"], "the same event was processed twice");

    // Without their manifests both are new again, in one event.
    let bucket = &world.outputs["ProcessedMediaBucketName"];
    for created in [&first, &second] {
        let key = format!("{}/manifest.json", filename(created));
        world.cloud.s3().delete_object().bucket(bucket).key(key).send().await.expect("deleted");
    }
    dispatch(&world, &[&first, &second]).await;
    for created in [&first, &second] {
        assert_eq!(world.user.processed(filename(created)).await["status"], "ready");
    }
}

pub(crate) async fn row_25_anyone_may_read_processed_media(world: Arc<World>) {
    let created = upload(&world).await;
    let file = filename(&created);
    world.user.processed(file).await;
    let identity = |operation: &str, body: Value| {
        let request = reqwest::Client::new()
            .post(world.cloud.endpoint())
            .header("X-Amz-Target", format!("AWSCognitoIdentityService.{operation}"))
            .header("Content-Type", "application/x-amz-json-1.1")
            .body(body.to_string());
        async move { request.send().await.unwrap().json::<Value>().await.unwrap() }
    };
    let pool = &world.outputs["MainIdentityPoolId"];
    let id = identity("GetId", json!({ "IdentityPoolId": pool })).await;
    let given = identity("GetCredentialsForIdentity", json!({ "IdentityId": id["IdentityId"] })).await;
    let text = |field: &str| given["Credentials"][field].as_str().unwrap_or_else(|| panic!("{given:#}")).to_owned();
    let credentials = aws_sdk_s3::config::Credentials::new(
        text("AccessKeyId"),
        text("SecretKey"),
        Some(text("SessionToken")),
        None,
        "identity pool",
    );
    let config = aws_sdk_s3::config::Builder::from(&world.cloud.sdk())
        .credentials_provider(credentials)
        .force_path_style(true)
        .build();
    let anyone = aws_sdk_s3::Client::from_conf(config);
    let bucket = &world.outputs["ProcessedMediaBucketName"];
    let read = anyone.get_object().bucket(bucket).key(format!("{file}/small.jpg")).send().await;
    assert_eq!(read.expect("readable").content_type(), Some("image/jpeg"));
}

/// After 30 days, the lifecycle deletes everything that was made of an upload, which the emulator does not.
pub(crate) async fn an_expired_filename_stays_with_its_owner(world: Arc<World>) {
    let created = upload(&world).await;
    let file = filename(&created);
    let manifest = world.user.processed(file).await;
    let variants = manifest["variants"].as_array().expect("variants").iter();
    let keys = variants.map(|variant| variant["key"].as_str().expect("a key").to_owned());
    let (raw, processed) = (&world.outputs["RawMediaBucketName"], &world.outputs["ProcessedMediaBucketName"]);
    let s3 = world.cloud.s3();
    for key in keys.chain([format!("{file}/manifest.json")]) {
        s3.delete_object().bucket(processed).key(key).send().await.expect("deleted");
    }
    let key = format!("us-east-1:0a1b2c3d/images/{file}");
    let put = s3.put_object().bucket(raw).key(&key).content_type("image/jpeg").body(fixtures::jpeg(60, 40).into());
    put.send().await.expect("an identity writes what it wants under its own ID");
    let answer = dispatch(&world, &[&json!({ "key": key })]).await;
    assert_eq!(answer["records"][0]["outcome"], "OwnerMismatch", "{answer:#}");
    assert_eq!(world.user.get(&format!("/media/{file}")).await.status(), 404, "an old link shows another user's file");

    let answer = dispatch(&world, &[&created]).await;
    assert_eq!(answer["records"][0]["outcome"], "Started", "{answer:#}");
    assert_eq!(world.user.processed(file).await["image"]["width"], 120);
}

async fn upload(world: &World) -> Value {
    world.user.upload("image/jpeg", &fixtures::jpeg(120, 80), None).await
}

/// Sends the dispatcher the event that S3 sends, with a record for each upload; returns its answer.
async fn dispatch(world: &World, uploads: &[&Value]) -> Value {
    let records: Vec<Value> = uploads
        .iter()
        .map(|created| {
            json!({
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": "us-east-1",
                "eventTime": "2026-01-01T00:00:00.000Z",
                "eventName": "ObjectCreated:Put",
                "userIdentity": { "principalId": "test" },
                "requestParameters": { "sourceIPAddress": "127.0.0.1" },
                "responseElements": {},
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "test",
                    "bucket": {
                        "name": world.outputs["RawMediaBucketName"],
                        "ownerIdentity": { "principalId": "test" },
                        "arn": format!("arn:aws:s3:::{}", world.outputs["RawMediaBucketName"]),
                    },
                    "object": { "key": created["key"], "size": 1, "eTag": "0", "sequencer": "0" },
                },
            })
        })
        .collect();
    let invoked = world
        .cloud
        .lambda()
        .invoke()
        .function_name("media-uploader-dispatcher-local")
        .qualifier("live")
        .payload(Blob::new(json!({ "Records": records }).to_string()))
        .send()
        .await
        .expect("invoked");
    let answer = String::from_utf8_lossy(invoked.payload().map_or(&[], |blob| blob.as_ref())).into_owned();
    assert_eq!(invoked.function_error(), None, "{answer}");
    serde_json::from_str(&answer).expect("the dispatcher's answer")
}
