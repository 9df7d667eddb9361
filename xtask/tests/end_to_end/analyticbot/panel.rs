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
    drops_late_responses(&mut browser).await;

    suspend(&world, [person.id, world.ana.id], &pictures).await;
    let others = world.ana.status().await.ok(200);
    assert_ne!(others["status"], "suspended", "the bot of another user was suspended: {others:#}");

    // The user sees it without signing in again.
    browser.activate("#refresh").await;
    browser.sees("#suspended", "Policy violation").await;
    browser.until("document.querySelector('#verify').disabled").await;
    browser.picture(&pictures.join("suspended.png")).await;
    browser.activate("#sign-out").await;
    browser.sees("#sign-in", "Sign in").await;
    let page = browser.value("document.body.textContent").await;
    let page = page.as_str().expect("a text");
    assert!(!page.contains("stub_1060_bot") && !page.contains("Policy violation"), "the page keeps the bot: {page}");
    browser.close().await;
    let activated = world.admin.patch(&person.managed("activate"), json!({})).await.ok(200);
    assert_eq!(activated["status"], "active");
}

/// Suspends a user's bot as an administrator does, after the bot of another user could not be shown.
async fn suspend(world: &World, [user_id, other]: [u64; 2], pictures: &std::path::Path) {
    let mut browser = Browser::open(&world.panel).await;
    sign_in(&mut browser, "adm").await;
    browser.activate("#navigation a[data-view=admin]").await;
    browser.activate(&format!("#bots button[data-user='{user_id}']")).await;
    browser.sees("#managed-title", &format!("Bot of user {user_id}")).await;
    let without = format!(
        "void (window.fetch = ((real) => (url, options) => String(url).includes('/bots/{other}/status') \
         ? Promise.reject(new Error('lost')) : real(url, options))(window.fetch))"
    );
    browser.value(&without).await;
    browser.activate(&format!("#bots button[data-user='{other}']")).await;
    browser.until("!document.querySelector('#alert').hidden").await;
    browser.sees("#managed-title", &format!("Bot of user {user_id}")).await;
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

/// A response to a request of an ended session is neither shown nor the end of the next session.
async fn drops_late_responses(browser: &mut Browser) {
    let outcomes = browser
        .value(
            r#"(async () => {
                const { connect } = await import(document.querySelector('link[data-module="api"]').href);
                const real = window.fetch;
                const waiting = [];
                window.fetch = () => new Promise((resolve) => waiting.push(resolve));
                const answer = (resolve, status, body) => resolve(new Response(JSON.stringify(body), { status }));
                try {
                    let ended = 0;
                    const api = connect("https://api.example.com", () => (ended += 1));
                    const signIn = async (name) => {
                        const signedIn = api.signIn(name, "a password");
                        answer(waiting.shift(), 200, { access_token: name, user: {} });
                        await signedIn;
                    };
                    const outcome = (call) => call.then(() => "shown", (error) => error.status);
                    await signIn("one");
                    const calls = [outcome(api.get("/a")), outcome(api.get("/b"))];
                    const late = waiting.splice(0);
                    api.signOut();
                    await signIn("two");
                    answer(late[0], 200, {});
                    answer(late[1], 401, {});
                    const dropped = await Promise.all(calls);
                    const call = outcome(api.get("/c"));
                    answer(waiting.shift(), 200, {});
                    return [...dropped, await call, ended];
                } finally {
                    window.fetch = real;
                }
            })()"#,
        )
        .await;
    assert_eq!(outcomes, json!([401, 401, "shown", 0]));
}
