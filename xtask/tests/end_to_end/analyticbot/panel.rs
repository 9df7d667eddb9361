//! The panel in a headless Chromium, operated by the keyboard alone. Pictures of its views stay in `target/panel`.

use std::{path::PathBuf, sync::Arc};

use serde_json::json;

use super::{browser::Browser, person::PASSWORD, world::World};

/// Returns the folder of the pictures, beside the build's other results.
fn pictures() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("panel");
    fs_err::create_dir_all(&folder).expect("a folder");
    folder
}

async fn sign_in(browser: &mut Browser, name: &str) {
    browser.fill("#login-name", name).await;
    browser.fill("#login-password", PASSWORD).await;
    browser.press("Enter").await;
    browser.sees("#account", name).await;
}

pub(super) async fn people_register_verify_and_suspend_bots_in_a_browser(world: Arc<World>) {
    world.forget_sign_ins().await;
    let (person, pictures) = (world.user("ines", "user").await, pictures());
    let token = world.token(1060, "VALID");
    let mut browser = Browser::open(&world.panel).await;
    browser.sees("#sign-in", "Sign in").await;
    browser.fill("#login-name", "ines").await;
    browser.fill("#login-password", "Wrong-Horse-7-Battery").await;
    browser.press("Enter").await;
    browser.until("!document.querySelector('#alert').hidden").await;
    browser.sees("#alert", "Incorrect username or password.").await;
    sign_in(&mut browser, "ines").await;

    // The setup wizard: a token of the wrong form, then a good one, limits and verification.
    browser.sees("#dashboard", "You have no bot yet.").await;
    browser.activate("#no-bot a[href='#/setup']").await;
    browser.fill("#bot-token", "abc").await;
    browser.press("Enter").await;
    browser.activate("#step-limits [type=submit]").await;
    browser.until("document.activeElement?.id === 'bot-token'").await;
    browser.picture(&pictures.join("setup.png")).await;
    browser.fill("#bot-token", &token).await;
    browser.press("Enter").await;
    browser.fill("#new-rps", "7").await;
    browser.fill("#new-concurrent", "3").await;
    browser.press("Enter").await;
    browser.sees("#step-verification", "@stub_1060_bot").await;
    assert_eq!(browser.value("document.querySelector('#bot-token').value").await, "", "the page keeps the token");
    browser.activate("#step-verification [type=submit]").await;
    browser.sees("#state", "Active").await;
    browser.picture(&pictures.join("dashboard.png")).await;
    let status = person.status().await.ok(200);
    assert_eq!((&status["status"], &status["max_requests_per_second"]), (&json!("active"), &json!(7)), "{status:#}");
    stores_nothing(&mut browser).await;

    suspend(&world, person.id, &pictures).await;

    // The user sees it without signing in again.
    browser.activate("#refresh").await;
    browser.sees("#suspended", "Policy violation").await;
    browser.until("document.querySelector('#verify').disabled").await;
    browser.picture(&pictures.join("suspended.png")).await;
    browser.activate("#sign-out").await;
    browser.sees("#sign-in", "Sign in").await;
    browser.close().await;
    let activated = world.admin.patch(&person.managed("activate"), json!({})).await.ok(200);
    assert_eq!(activated["status"], "active");
}

/// Suspends a user's bot as an administrator does.
async fn suspend(world: &World, user_id: u64, pictures: &std::path::Path) {
    let mut browser = Browser::open(&world.panel).await;
    sign_in(&mut browser, "adm").await;
    browser.activate("#navigation a[data-view=admin]").await;
    browser.activate(&format!("#bots button[data-user='{user_id}']")).await;
    browser.fill("#reason", "abcd").await;
    browser.activate("#suspend-form [type=submit]").await;
    browser.until("document.querySelector('#reason').getAttribute('aria-invalid') === 'true'").await;
    browser.fill("#reason", "Policy violation").await;
    browser.activate("#suspend-form [type=submit]").await;
    browser.sees("#managed-state", "Suspended").await;
    browser.sees("#audit", "Policy violation").await;
    browser.picture(&pictures.join("administration.png")).await;
    browser.close().await;
}

/// Tokens are in the memory of the page only.
async fn stores_nothing(browser: &mut Browser) {
    let stored = browser.value("[localStorage.length, sessionStorage.length, document.cookie.length]").await;
    assert_eq!(stored, json!([0, 0, 0]));
    let policy = browser.value("document.querySelector('meta[http-equiv=Content-Security-Policy]').content").await;
    let policy = policy.as_str().expect("a policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
}
