//! A release includes its site: it comes back with it, and what no release needs is pruned.

use std::{
    process::{Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    cloud::{Cloud, text},
    deploying::copy_workspace,
    proxy::{Call, Proxy, Verdict},
    refusals::refused,
    releasing::put,
};

const SYSTEM: &str = "portfolio";
const FUNCTION: &str = "portfolio-api-local";
const ROLLBACK: [&str; 5] = ["rollback", "--stage", "local", "--system", SYSTEM];

/// A cloud with the site, and a checkout to change it in. What was built stays as it was.
struct World {
    cloud: Cloud,
    checkout: TempDir,
    artifacts: String,
}

/// What users get: the page, what it is told, and the version of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    page: String,
    config: String,
    version: String,
}

impl World {
    fn deploy() -> Self {
        let (cloud, checkout) = (Cloud::new(), tempfile::tempdir().expect("a folder"));
        cloud.success(&["deploy", "--stage", "local", "--system", "foundation", "--yes"]);
        copy_workspace(checkout.path());
        let artifacts = checkout.path().join("target/built");
        let artifacts = artifacts.to_str().expect("UTF-8").to_owned();
        cloud.success(&["build", "--stage", "local", "--system", SYSTEM, "--out", &artifacts]);
        let world = Self { cloud, checkout, artifacts };
        world.succeed(&[]);
        world
    }

    fn run(&self, more: &[&str]) -> Output {
        let deploy = ["deploy", "--stage", "local", "--system", SYSTEM, "--yes", "--artifacts", &self.artifacts];
        // The site lies in the function's package.
        let mut command = self.cloud.command(&[&deploy[..], &["--allow-other-sources"], more].concat());
        command.current_dir(self.checkout.path()).output().expect("xtask starts")
    }

    fn succeed(&self, more: &[&str]) -> String {
        let output = self.run(more);
        assert!(output.status.success(), "{}", text(&output));
        text(&output)
    }

    fn change(&self, file: &str, change: impl Fn(String) -> String) {
        let path = self.checkout.path().join("lambdas/portfolio/site").join(file);
        fs_err::write(&path, change(fs_err::read_to_string(&path).expect("the file"))).expect("written");
    }

    fn style(&self, margin: u32) {
        self.change("style.css", |text| format!("{text}\nbody {{ margin: {margin}px }}\n"));
    }

    fn back(&self, more: &[&str]) -> String {
        text(&self.cloud.success(&[&ROLLBACK[..], more].concat()))
    }

    fn releases(&self) -> Vec<Value> {
        let list = ["release", "list", "--stage", "local", "--system", SYSTEM, "--format", "json"];
        let mut entries = self.cloud.json(&list).as_array().expect("a list").clone();
        entries.sort_by_key(|entry| entry["number"].as_u64());
        entries
    }

    #[tokio::main(flavor = "current_thread")]
    async fn shown(&self) -> Shown {
        let bucket = self.bucket("portfolio-web-").await;
        let file = async |key: &str| {
            let url = format!("{}/{bucket}/{key}", self.cloud.endpoint());
            reqwest::get(url).await.expect("an answer").text().await.expect("text")
        };
        let alias = self.cloud.lambda().get_alias().function_name(FUNCTION).name("live").send().await;
        let version = alias.expect("the alias").function_version().expect("a version").to_owned();
        Shown { page: file("index.html").await, config: file("config.json").await, version }
    }

    async fn bucket(&self, prefix: &str) -> String {
        let listed = self.cloud.s3().list_buckets().send().await.expect("buckets");
        let found = listed.buckets().iter().filter_map(|bucket| bucket.name()).find(|name| name.starts_with(prefix));
        found.expect("the bucket").to_owned()
    }

    /// The keys in a bucket of this system.
    #[tokio::main(flavor = "current_thread")]
    async fn keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let bucket = self.bucket(bucket).await;
        let listed = self.cloud.s3().list_objects_v2().bucket(bucket).prefix(prefix).send().await.expect("keys");
        listed.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect()
    }

    fn styles(&self) -> Vec<String> {
        self.keys("portfolio-web-", "style-")
    }

    #[tokio::main(flavor = "current_thread")]
    async fn delete(&self, key: &str) {
        let bucket = self.bucket("portfolio-web-").await;
        self.cloud.s3().delete_object().bucket(bucket).key(key).send().await.expect("deleted");
    }

    #[tokio::main(flavor = "current_thread")]
    async fn remember(&self, memory: i32) {
        let request = self.cloud.lambda().update_function_configuration().function_name(FUNCTION).memory_size(memory);
        request.send().await.expect("the memory changes");
    }
}

/// The style sheet that a page refers to.
fn style_of(shown: &Shown) -> String {
    let start = shown.page.find("/style-").expect("a style sheet");
    shown.page[start + 1..].split('"').next().expect("a reference").to_owned()
}

#[test]
fn a_release_includes_its_site() {
    let world = World::deploy();
    let first = world.shown();
    assert_eq!(first.version, "1");
    assert!(first.config.contains("apiUrl"), "{}", first.config);

    // Another page, another style sheet, another version of the API.
    world.change("index.html", |text| text.replace("<title>Portfolio</title>", "<title>Second</title>"));
    world.style(2);
    world.remember(300);
    let dry = world.succeed(&["--dry-run"]);
    assert!(dry.contains("PortfolioSite: 2 files to upload: style-") && dry.contains("index.html"), "{dry}");
    assert_eq!(world.shown(), first, "a dry run changed something");
    world.succeed(&[]);
    let second = world.shown();
    assert!(second.page.contains("<title>Second</title>") && second.version == "2", "{second:?}");

    // A page alone is a release as well; nothing at all is none.
    world.style(3);
    world.succeed(&[]);
    let third = world.shown();
    assert_ne!((&third.page, third.version.as_str()), (&second.page, "1"));
    let again = world.succeed(&[]);
    assert!(again.contains("No change"), "{again}");
    let entries = world.releases();
    assert_eq!(entries.len(), 3, "{entries:#?}");
    assert!(entries.iter().all(|entry| entry["sites"]["PortfolioSite"].is_string()), "{entries:#?}");

    let said = world.back(&[]);
    assert!(said.contains("release 4: rollback to 2, released"), "{said}");
    assert_eq!(world.shown(), second);
    // What users get is not what the workspace says, and a plan says so.
    let plan = world.succeed(&["--dry-run"]);
    assert!(plan.contains("PortfolioSite: 1 file to upload: index.html"), "{plan}");
    let said = world.back(&[]);
    assert!(said.contains("release 5: rollback to 1, released"), "{said}");
    assert_eq!(world.shown(), first);
    world.back(&["--to", "3"]);
    assert_eq!(world.shown(), third);
    let said = world.back(&["--to", "3"]);
    assert!(said.contains("Users already receive release 3"), "{said}");

    a_page_that_cannot_be_put_there_takes_its_release_back(&world, &third);
    a_run_that_is_killed_at_its_page_is_finished_by_the_next(&world, &first, &third);
    an_interrupted_release_takes_its_page_along(&world, &first, &third);
    a_release_that_knows_no_site_leaves_the_page(&world, &third);
    what_is_gone_is_told_before_anything_moves(&world, &first);
    what_no_kept_release_names_is_pruned(&world);
}

fn puts_the_page(call: &Call) -> bool {
    call.operation.starts_with("PUT /portfolio-web-") && call.operation.ends_with("/index.html")
}

/// Of functions and page users get both, or neither.
fn a_page_that_cannot_be_put_there_takes_its_release_back(world: &World, third: &Shown) {
    let denied = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    let proxy = Proxy::start(&world.cloud.endpoint(), move |call| {
        if puts_the_page(call) { Verdict::Answer(403, denied.to_owned()) } else { Verdict::Forward }
    });
    let back = [&ROLLBACK[..], &["--to", "1"]].concat();
    let output = world.cloud.command(&back).env("AWS_ENDPOINT_URL", proxy.endpoint()).output().expect("xtask starts");
    refused(&output, 1, &["release 7 was reverted: failed to publish site PortfolioSite", "AccessDenied"]);
    let shown = world.shown();
    assert_eq!((&shown.page, &shown.version), (&third.page, &third.version));
    assert_eq!(world.releases()[6]["outcome"]["state"], "reverted");
    // Through the proxy the API has another address, which the page was told.
    assert_ne!(shown.config, third.config);
    world.back(&["--to", "3"]);
    assert_eq!(world.shown(), *third);
}

fn a_run_that_is_killed_at_its_page_is_finished_by_the_next(world: &World, first: &Shown, third: &Shown) {
    let process = Arc::new(AtomicU32::new(0));
    let victim = Arc::clone(&process);
    let proxy = Proxy::start(&world.cloud.endpoint(), move |call| {
        if puts_the_page(call) { Verdict::ThenKill(victim.load(Ordering::SeqCst)) } else { Verdict::Forward }
    });
    let mut command = world.cloud.command(&[&ROLLBACK[..], &["--to", "1"]].concat());
    let command = command.env("AWS_ENDPOINT_URL", proxy.endpoint()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("xtask starts");
    process.store(child.id(), Ordering::SeqCst);
    assert_eq!(child.wait().expect("it ends").code(), None, "it was to be killed");
    let newest = world.releases().pop().expect("a release");
    assert_eq!(newest["outcome"]["state"], "open", "{newest:#}");
    let said = world.back(&[]);
    assert!(said.contains("Resuming rollback"), "{said}");
    assert_eq!(world.shown(), *first);
    world.back(&["--to", "3"]);
    assert_eq!(world.shown(), *third);
}

/// A run was killed after the page went up and before its release was closed.
fn an_interrupted_release_takes_its_page_along(world: &World, first: &Shown, third: &Shown) {
    let open = |number: u64| {
        let mut entry = world.releases().into_iter().find(|entry| entry["number"] == 5).expect("release 5");
        (entry["number"], entry["outcome"]) = (json!(number), json!({ "state": "open" }));
        entry["functions"][FUNCTION]["before"] = json!(third.version);
        put(&world.cloud, &format!("releases/{SYSTEM}/{number:08}.json"), &entry);
    };
    let number = world.releases().len() as u64 + 1;
    open(number);
    world.cloud.success(&["release", "resume", "--stage", "local", "--system", SYSTEM]);
    assert_eq!(world.shown(), *first);
    // As if that one had not been closed.
    let mut entry = world.releases().pop().expect("a release");
    entry["outcome"] = json!({ "state": "open" });
    put(&world.cloud, &format!("releases/{SYSTEM}/{number:08}.json"), &entry);
    world.cloud.success(&["release", "abort", "--stage", "local", "--system", SYSTEM]);
    assert_eq!(world.shown(), *third);
}

/// Versions that kept no manifests have written such entries.
fn a_release_that_knows_no_site_leaves_the_page(world: &World, third: &Shown) {
    let mut old = world.releases().remove(0);
    let whole = old.clone();
    old.as_object_mut().expect("an entry").remove("sites");
    put(&world.cloud, &format!("releases/{SYSTEM}/00000001.json"), &old);
    let said = world.back(&["--to", "1"]);
    assert!(said.contains("Release 1 does not contain PortfolioSite: its page stays unchanged"), "{said}");
    let shown = world.shown();
    assert_eq!((shown.page, shown.version.as_str()), (third.page.clone(), "1"));
    put(&world.cloud, &format!("releases/{SYSTEM}/00000001.json"), &whole);
    world.back(&["--to", "3"]);
}

fn what_is_gone_is_told_before_anything_moves(world: &World, first: &Shown) {
    let (before, style) = (world.shown(), style_of(first));
    world.delete(&style);
    let gone = world.cloud.xtask(&[&ROLLBACK[..], &["--to", "1"]].concat());
    let file = format!("file {style} of site PortfolioSite no longer exists; no traffic was shifted");
    refused(&gone, 1, &["failed to return to release 1", &file]);
    assert_eq!(world.shown(), before);
}

fn what_no_kept_release_names_is_pruned(world: &World) {
    // Named by the releases that users got last, and by those before.
    world.back(&["--to", "2"]);
    let (second, styles) = (world.shown(), world.styles());
    assert_eq!(styles.len(), 2, "{styles:?}");
    let prune = ["prune", "--stage", "local", "--system", SYSTEM, "--keep", "1"];
    let dry = text(&world.cloud.success(&[&prune[..], &["--dry-run"]].concat()));
    let third = styles.iter().find(|style| **style != style_of(&second)).expect("the third");
    assert!(dry.contains(&format!("PortfolioSite {third}: deleted, no kept release needs it")), "{dry}");
    assert!(dry.contains("PortfolioSite index.html: kept"), "{dry}");
    assert_eq!(world.styles(), styles, "a dry run deleted something");
    assert_eq!(world.keys("artifacts-", "sites/portfolio/manifests/").len(), 3);

    world.cloud.success(&prune);
    assert_eq!(world.styles(), [style_of(&second)]);
    assert_eq!(world.shown(), second);
    assert_eq!(world.keys("artifacts-", "sites/portfolio/").len(), 2, "one manifest and one page");
    let gone = world.cloud.xtask(&[&ROLLBACK[..], &["--to", "3"]].concat());
    refused(&gone, 1, &["failed to return to release 3", "the manifest of site PortfolioSite no longer exists"]);
    // And the next deploy puts there what the workspace says.
    world.succeed(&[]);
    assert_eq!(world.styles().len(), 2);
}
