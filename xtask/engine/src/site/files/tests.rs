//! Names, references, headers, and what is uploaded when something, or nothing, has changed.

use super::*;

const HTML: &str = r##"<link rel="stylesheet" href="style.css"><a href="#main"></a><a href="https://example.com/style.css"></a>
<img src="./images/me.png"><script type="module" src="app.js"></script>"##;

fn files(changes: &[(&str, &str)]) -> Files {
    let files = [("index.html", HTML), ("style.css", "body {}"), ("images/me.png", "png"), ("app.js", "run()")];
    files.iter().chain(changes).map(|(path, body)| ((*path).to_owned(), body.as_bytes().to_vec())).collect()
}

fn config(url: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("apiUrl".to_owned(), url.to_owned())])
}

fn made(changes: &[(&str, &str)]) -> Vec<Object> {
    objects(&files(changes), &config("https://api.example.com"), "/").expect("a site")
}

fn refused(changes: &[(&str, &str)]) -> FilesError {
    objects(&files(changes), &config(""), "/").expect_err("refused")
}

/// What is in the bucket once everything is uploaded.
fn uploaded(objects: &[Object]) -> BTreeMap<String, ObjectHeaders> {
    objects.iter().map(|object| (object.key.clone(), object.served.clone())).collect()
}

fn keys<'a>(objects: impl IntoIterator<Item = &'a Object>) -> Vec<&'a str> {
    objects.into_iter().map(|object| object.key.as_str()).collect()
}

#[test]
fn assets_are_named_by_their_content_and_come_before_the_page() {
    let objects = made(&[]);
    // SHA-256 of `run()`, `png` and `body {}`.
    assert_eq!(
        keys(&objects),
        [
            "app-02fcae88bd120f59.js",
            "images/me-8f8cbb7dcf46e0bc.png",
            "style-62368a1a29259b30.css",
            "config.json",
            "index.html"
        ]
    );
}

#[test]
fn references_lead_to_the_names_and_all_else_stays() {
    let objects = made(&[]);
    let page = String::from_utf8(objects.last().expect("the page").body.clone()).expect("text");
    let [app, image, style] = &keys(&objects)[..3] else { panic!("{objects:?}") };
    let expected = HTML
        .replace("\"style.css\"", &format!("\"/{style}\""))
        .replace("\"./images/me.png\"", &format!("\"/{image}\""))
        .replace("\"app.js\"", &format!("\"/{app}\""));
    assert_eq!(page, expected);
    assert!(page.contains("\"#main\"") && page.contains("\"https://example.com/style.css\""), "{page}");
}

#[test]
fn names_that_tell_their_content_are_known_again() {
    for object in made(&[]) {
        assert_eq!(is_hashed(&object.key), object.hashed, "{}", object.key);
    }
    for key in [
        "style.css",
        "style-.css",
        "02fcae88bd120f59.js",
        "app-02fcae88bd120f5.js",
        "app-02FCAE88BD120F59.js",
        "app-02fcae88bd120f59",
    ] {
        assert!(!is_hashed(key), "{key}");
    }
}

#[test]
fn what_keeps_its_name_is_never_kept_by_a_cache() {
    for object in made(&[]) {
        let expected = match object.key.as_str() {
            "index.html" => ("text/html; charset=utf-8", "no-cache, no-store, must-revalidate"),
            "config.json" => ("application/json", "no-cache, no-store, must-revalidate"),
            key if key.starts_with("app-") => ("text/javascript; charset=utf-8", "public, max-age=31536000, immutable"),
            key if key.starts_with("style-") => ("text/css; charset=utf-8", "public, max-age=31536000, immutable"),
            _ => ("image/png", "public, max-age=31536000, immutable"),
        };
        let served = &object.served;
        assert_eq!((served.content_type.as_str(), served.cache_control.as_str()), expected, "{}", object.key);
    }
}

#[test]
fn the_configuration_is_json() {
    let objects = made(&[]);
    let config = objects.iter().find(|object| object.key == CONFIG).expect("config.json");
    let config: serde_json::Value = serde_json::from_slice(&config.body).expect("JSON");
    assert_eq!(config, serde_json::json!({ "apiUrl": "https://api.example.com" }));
}

#[test]
fn nothing_is_uploaded_twice() {
    let objects = made(&[]);
    assert_eq!(changed(&objects, &BTreeMap::new()).len(), 5);
    assert_eq!(changed(&objects, &uploaded(&objects)), [&objects[0]; 0]);
    assert_eq!(invalidated(&[]), [""; 0]);
}

#[test]
fn a_changed_asset_is_uploaded_with_the_page_that_refers_to_it() {
    let there = uploaded(&made(&[]));
    let objects = made(&[("style.css", "body { color: red }")]);
    let changed = changed(&objects, &there);
    assert_eq!(keys(changed.iter().copied()), [objects[2].key.as_str(), "index.html"]);
    assert!(!there.contains_key(&objects[2].key));
    assert_eq!(invalidated(&changed), ["/index.html", "/", "/config.json"]);
}

#[test]
fn another_api_changes_the_configuration_alone() {
    let there = uploaded(&made(&[]));
    let objects = objects(&files(&[]), &config("https://other.example.com"), "/").expect("a site");
    let changed = changed(&objects, &there);
    assert_eq!(keys(changed.iter().copied()), ["config.json"]);
    assert_eq!(invalidated(&changed).len(), 3);
}

#[test]
fn other_headers_are_a_change_and_a_new_asset_alone_invalidates_nothing() {
    let objects = made(&[]);
    let mut there = uploaded(&objects);
    there.get_mut(&objects[0].key).expect("app.js").cache_control = "no-cache".to_owned();
    let changed = changed(&objects, &there);
    assert_eq!(keys(changed.iter().copied()), [objects[0].key.as_str()]);
    assert_eq!(invalidated(&changed), [""; 0]);
}

#[test]
fn what_cannot_be_published_is_named() {
    let mut without = files(&[]);
    without.remove("index.html");
    assert_eq!(objects(&without, &config(""), "/"), Err(FilesError::NoPage));
    let named = |name: &str| name.to_owned();
    assert_eq!(refused(&[("config.json", "{}")]), FilesError::Config);
    assert_eq!(refused(&[("about.html", "")]), FilesError::OtherPage(named("about.html")));
    assert_eq!(refused(&[("notes.doc", "")]), FilesError::Type(named("notes.doc")));
    assert_eq!(refused(&[("LICENSE", "")]), FilesError::Type(named("LICENSE")));
    assert_eq!(refused(&[("other.css", "")]), FilesError::Unused(named("other.css")));
    let lost = format!("{HTML}<img src=\"lost.png\">");
    assert_eq!(refused(&[("index.html", &lost)]), FilesError::Missing(named("lost.png")));
    // Where the files will be is not the page's to say.
    let absolute = HTML.replace("style.css", "/style.css");
    assert_eq!(refused(&[("index.html", &absolute)]), FilesError::Missing(named("/style.css")));
}
