//! The static site: what a deploy puts where, and what it leaves alone.

use std::{collections::BTreeMap, path::Path, process::Output, sync::Arc};

use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::world::World;
use crate::{cloud::text, deploying::copy_workspace, refusals::refused};

const FOREVER: &str = "public, max-age=31536000, immutable";
const NEVER: &str = "no-cache, no-store, must-revalidate";
const DEPLOY: [&str; 8] = ["deploy", "--stage", "local", "--system", "portfolio", "--yes", "--format", "json"];

/// A file of the site, as it is served.
struct Served {
    headers: HeaderMap,
    text: String,
}

impl Served {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().expect("text")).unwrap_or_default()
    }
}

/// The site's URL, for people: where `status` says that it is.
fn url(world: &World) -> String {
    let status = world.cloud.json(&["status", "--stage", "local", "--format", "json"]);
    status["urls"]["PortfolioSite"].as_str().expect("the site's URL").to_owned()
}

async fn fetch(url: &str) -> Served {
    read(reqwest::Client::new().get(url)).await
}

/// Through the distribution, which the emulator finds by the host's name.
async fn through_the_distribution(world: &World, path: &str) -> Served {
    let request = reqwest::Client::new().get(format!("{}{path}", world.cloud.endpoint()));
    read(request.header("Host", &world.outputs["DistributionDomainName"]).header("X-Forwarded-Proto", "https")).await
}

async fn read(request: reqwest::RequestBuilder) -> Served {
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{}", answer.url());
    Served { headers: answer.headers().clone(), text: answer.text().await.expect("text") }
}

/// What the page refers to, but for places within it.
fn references(page: &str) -> Vec<String> {
    let values = ["href=\"", "src=\""].into_iter().flat_map(|name| page.split(name).skip(1));
    let values = values.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()));
    values.filter(|value| !value.starts_with('#')).collect()
}

async fn invalidations(world: &World) -> usize {
    let path = format!("/distribution/{}/invalidation", world.outputs["DistributionId"]);
    world.cloud.cloudfront(&path).await.matches("<InvalidationSummary>").count()
}

/// Every object with its version: one that is uploaded again gets another.
async fn versions(world: &World) -> BTreeMap<String, String> {
    let list = world.cloud.s3().list_object_versions().bucket(&world.outputs["WebBucketName"]).send();
    let list = list.await.expect("versions");
    let current = list.versions().iter().filter(|version| version.is_latest() == Some(true));
    let text = |value: Option<&str>| value.expect("a value").to_owned();
    current.map(|version| (text(version.key()), text(version.version_id()))).collect()
}

pub(super) async fn the_page_is_served_with_its_headers_and_finds_the_api(world: Arc<World>) {
    let url = url(&world);
    let page = fetch(&url).await;
    assert_eq!((page.header("content-type"), page.header("cache-control")), ("text/html; charset=utf-8", NEVER));
    assert!(!page.text.contains("<script>") && !page.text.contains("onclick"), "scripts are files");

    let found = references(&page.text);
    assert_eq!(found.len(), 3, "{found:?}");
    for reference in &found {
        let asset = fetch(&format!("{}{reference}", world.cloud.endpoint())).await;
        assert_eq!(asset.header("cache-control"), FOREVER, "{reference}");
        let (_, ending) = reference.rsplit_once('.').expect("an extension");
        let expected = match ending {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            _ => "image/svg+xml",
        };
        assert_eq!(asset.header("content-type"), expected, "{reference}");
    }
    let config = fetch(&url.replace("index.html", "config.json")).await;
    assert_eq!((config.header("content-type"), config.header("cache-control")), ("application/json", NEVER));
    let config: Value = serde_json::from_str(&config.text).expect("JSON");
    let api = config["apiUrl"].as_str().expect("a URL");
    let health: Value = serde_json::from_str(&fetch(&format!("{api}/health")).await.text).expect("JSON");
    assert_eq!(health["status"], "healthy");
    // Of one origin, so that browsers let the page call the API.
    assert!(url.starts_with(&world.cloud.endpoint()) && api.starts_with(&world.cloud.endpoint()), "{url} {api}");

    // The root and every path that is no file are the page.
    for path in ["/", "/index.html", "/blog/any"] {
        let served = through_the_distribution(&world, path).await;
        assert_eq!(served.text, page.text, "{path}");
        assert_eq!(served.header("content-type"), "text/html; charset=utf-8", "{path}");
    }
    assert_eq!(invalidations(&world).await, 1);
}

pub(super) async fn a_second_deploy_uploads_nothing(world: Arc<World>) {
    let before = (versions(&world).await, invalidations(&world).await);
    let again = world.cloud.json(&DEPLOY);
    assert_eq!(again["changed"], false, "{again:#}");
    let site = &again["sites"][0];
    assert_eq!((&site["uploaded"], &site["unchanged"], &site["invalidated"]), (&json!([]), &json!(5), &json!([])));
    assert_eq!((versions(&world).await, invalidations(&world).await), before);
}

pub(super) async fn a_change_of_one_asset_uploads_it_and_the_page(world: Arc<World>) {
    let (checkout, artifacts) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let artifacts = artifacts.path().join("built");
    let artifacts = artifacts.to_str().expect("UTF-8");
    world.cloud.success(&["build", "--stage", "local", "--system", "portfolio", "--out", artifacts]);
    copy_workspace(checkout.path());
    // What was built stays as it was, so nothing but the site is new.
    let deploy = |more: &[&str]| -> Output {
        let arguments: Vec<_> =
            DEPLOY.iter().chain(&["--allow-other-sources", "--artifacts", artifacts]).chain(more).copied().collect();
        world.cloud.command(&arguments).current_dir(checkout.path()).output().expect("xtask starts")
    };
    let (before, told) = (versions(&world).await, invalidations(&world).await);
    let old = references(&fetch(&url(&world)).await.text);
    change(checkout.path(), "style.css", |text| format!("{text}\nbody {{ margin: 1px }}\n"));
    assert!(deploy(&["--dry-run"]).status.success());
    assert_eq!(versions(&world).await, before, "a dry run changed something");

    let output = deploy(&[]);
    assert!(output.status.success(), "{}", text(&output));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let site = &report["sites"][0];
    let uploaded = site["uploaded"].as_array().expect("keys");
    let [style, page] = uploaded.as_slice() else { panic!("{site:#}") };
    assert_eq!((&report["changed"], page), (&json!(true), &json!("index.html")));
    assert_eq!(site["invalidated"], json!(["/index.html", "/", "/config.json"]));
    assert_eq!(invalidations(&world).await, told + 1);
    let mut expected = versions(&world).await;
    let style = style.as_str().expect("a key");
    assert!(style.starts_with("style-") && style.ends_with(".css"), "{style}");
    assert!(expected.remove(style).is_some() && !before.contains_key(style), "{style}");
    assert_ne!(expected["index.html"], before["index.html"]);
    expected.insert("index.html".to_owned(), before["index.html"].clone());
    assert_eq!(expected, before, "something else was uploaded, or is gone");

    let new = references(&fetch(&url(&world)).await.text);
    assert!(new.iter().any(|reference| reference.ends_with(style)), "{new:?}");
    for reference in old.iter().chain(&new) {
        // Pages that are still open go on.
        fetch(&format!("{}{reference}", world.cloud.endpoint())).await;
    }
    a_site_that_cannot_be_published_changes_nothing(&world, checkout.path(), deploy).await;
}

async fn a_site_that_cannot_be_published_changes_nothing(
    world: &World,
    checkout: &Path,
    deploy: impl Fn(&[&str]) -> Output,
) {
    let before = versions(world).await;
    change(checkout, "index.html", |text| text.replace("</main>", "<img src=\"lost.png\" alt=\"\"></main>"));
    refused(&deploy(&[]), 1, &["failed to publish site PortfolioSite", "lost.png, which does not exist"]);
    assert_eq!(versions(world).await, before);
}

fn change(checkout: &Path, file: &str, change: impl Fn(String) -> String) {
    let path = checkout.join("lambdas/portfolio/site").join(file);
    let text = fs_err::read_to_string(&path).expect("the file");
    fs_err::write(&path, change(text)).expect("written");
}
