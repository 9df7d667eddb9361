//! Images from upload to variants.

use std::sync::Arc;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use image::GenericImageView as _;
use media_uploader::fixtures;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{acceptance::World, client::filename};

pub(crate) async fn row_10_to_12_a_photo_is_processed_and_served(world: Arc<World>) {
    let user = &world.user;
    let created = user.upload("image/jpeg", &fixtures::jpeg(2000, 1000), None).await;
    let file = filename(&created);
    let manifest = user.processed(file).await;
    assert_eq!(manifest["status"], "ready", "{manifest:#}");
    assert_eq!(size_of(&manifest, "medium"), (640, 320));
    assert_eq!(size_of(&manifest, "huge"), (1920, 960));
    assert_eq!(manifest["variants"].as_array().unwrap().len(), 5);

    let found = user.get(&format!("/media/{file}")).await;
    assert_eq!(found.headers()["cache-control"], "private, max-age=300");
    let found: Value = found.json().await.unwrap();
    assert_eq!((&found["size"], &found["extension"]), (&json!("medium"), &json!("jpg")));
    assert_eq!(found["expiresIn"], 900);
    let (content_type, bytes) = user.fetch(found["url"].as_str().unwrap()).await;
    assert_eq!(content_type, "image/jpeg");
    assert_eq!(image::load_from_memory(&bytes).unwrap().dimensions(), (640, 320));

    let redirected = user.get(&format!("/media/{file}?size=HUGE&extension=jpeg&redirect=1")).await;
    assert_eq!(redirected.status(), 302);
    let location = redirected.headers()["location"].to_str().unwrap().to_owned();
    assert!(location.contains(&format!("/{file}/huge.jpg")), "the link names another object");

    let tiny = user.send(Method::HEAD, &format!("/media/{file}?size=tiny"), None).await;
    assert_eq!(tiny.status(), 200);
    let missing = user.get(&format!("/media/{file}?extension=png")).await;
    assert_eq!(missing.status(), 404);
    let missing: Value = missing.json().await.unwrap();
    assert_eq!(missing["details"]["available"].as_array().unwrap().len(), 5, "{missing:#}");
}

pub(crate) async fn row_13_orientation_is_applied_and_metadata_dropped(world: Arc<World>) {
    let photo = fixtures::jpeg_with_exif(400, 200, 6);
    let created = world.user.upload("image/jpeg", &photo, None).await;
    let manifest = world.user.processed(filename(&created)).await;
    assert_eq!(size_of(&manifest, "small"), (160, 320), "{manifest:#}");
    let small = world.user.variant(filename(&created), "small", "jpg").await;
    assert!(!small.windows(4).any(|window| window == b"Exif"), "metadata was kept");
    assert!(photo.windows(4).any(|window| window == b"Exif"), "the fixture has none");
}

pub(crate) async fn row_14_transparency_is_kept_beside_the_jpegs(world: Arc<World>) {
    let created = world.user.upload("image/png", &fixtures::png_with_alpha(50, 50), None).await;
    let manifest = world.user.processed(filename(&created)).await;
    let variants = manifest["variants"].as_array().unwrap();
    for extension in ["jpg", "png"] {
        let of_extension = variants.iter().filter(|variant| variant["extension"] == extension);
        assert_eq!(of_extension.count(), 5, "{manifest:#}");
    }
    assert!(variants.iter().all(|variant| variant["width"] == 50 && variant["height"] == 50), "{manifest:#}");
}

pub(crate) async fn row_19_text_declared_as_an_image_fails(world: Arc<World>) {
    let created = world.user.upload("image/png", b"this is no picture, it is a text", None).await;
    let manifest = world.user.processed(filename(&created)).await;
    assert_eq!(manifest["status"], "failed", "{manifest:#}");
    let got = world.user.get(&format!("/media/{}", filename(&created))).await;
    assert_eq!(got.status(), 422);
    let body: Value = got.json().await.unwrap();
    assert_eq!(body["details"]["code"], manifest["error"]["code"], "{body:#}");
}

pub(crate) async fn row_20_a_header_that_claims_too_many_pixels_fails(world: Arc<World>) {
    let bomb = fixtures::png_claiming(60_000, 60_000);
    let created = world.user.upload("image/png", &bomb, None).await;
    let manifest = world.user.processed(filename(&created)).await;
    assert_eq!(manifest["error"]["code"], "TooManyPixels", "{manifest:#}");
}

pub(crate) async fn a_small_file_is_stored_in_one_call_and_deleted(world: Arc<World>) {
    let data = BASE64_STANDARD.encode(fixtures::jpeg(64, 48));
    let stored = world.user.post("/media", json!({ "contentType": "image/jpeg", "data": data })).await;
    assert_eq!(stored.status(), 201);
    let stored: Value = stored.json().await.unwrap();
    assert_eq!(stored["stored"], true);
    let manifest = world.user.processed(filename(&stored)).await;
    assert_eq!(size_of(&manifest, "huge"), (64, 48), "{manifest:#}");

    let path = format!("/media/{}", filename(&stored));
    assert_eq!(world.user.send(Method::DELETE, &path, None).await.status(), 204);
    assert_eq!(world.user.send(Method::DELETE, &path, None).await.status(), 404);
}

fn size_of(manifest: &Value, size: &str) -> (u64, u64) {
    let variants = manifest["variants"].as_array().unwrap();
    let variant = variants.iter().find(|variant| variant["size"] == size && variant["extension"] == "jpg");
    let variant = variant.unwrap_or_else(|| panic!("no {size} in {manifest:#}"));
    (variant["width"].as_u64().unwrap(), variant["height"].as_u64().unwrap())
}
