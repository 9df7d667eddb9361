//! Keys, references, headers, and the objects that differ after a change.

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

fn built(changes: &[(&str, &str)]) -> Vec<SiteObject> {
    objects(&files(changes), &config("https://api.example.com"), "/").expect("a site")
}

fn refused(changes: &[(&str, &str)]) -> FilesError {
    objects(&files(changes), &config(""), "/").expect_err("refused")
}

/// The bucket's objects after an upload of everything.
fn uploaded(objects: &[SiteObject]) -> BTreeMap<String, ObjectHeaders> {
    objects.iter().map(|object| (object.key.clone(), object.headers.clone())).collect()
}

fn keys<'a>(objects: impl IntoIterator<Item = &'a SiteObject>) -> Vec<&'a str> {
    objects.into_iter().map(|object| object.key.as_str()).collect()
}

#[test]
fn assets_have_their_hash_in_the_key_and_precede_the_page() {
    let objects = built(&[]);
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
fn references_become_hashed_keys_and_other_text_stays() {
    let objects = built(&[]);
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
fn hashed_keys_are_recognized() {
    for object in built(&[]) {
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
fn files_that_keep_their_names_are_not_cached() {
    for object in built(&[]) {
        let expected = match object.key.as_str() {
            "index.html" => ("text/html; charset=utf-8", "no-cache, no-store, must-revalidate"),
            "config.json" => ("application/json", "no-cache, no-store, must-revalidate"),
            key if key.starts_with("app-") => ("text/javascript; charset=utf-8", "public, max-age=31536000, immutable"),
            key if key.starts_with("style-") => ("text/css; charset=utf-8", "public, max-age=31536000, immutable"),
            _ => ("image/png", "public, max-age=31536000, immutable"),
        };
        let headers = &object.headers;
        assert_eq!((headers.content_type.as_str(), headers.cache_control.as_str()), expected, "{}", object.key);
    }
}

#[test]
fn the_configuration_is_json() {
    let objects = built(&[]);
    let config = objects.iter().find(|object| object.key == CONFIG).expect("config.json");
    let config: serde_json::Value = serde_json::from_slice(&config.body).expect("JSON");
    assert_eq!(config, serde_json::json!({ "apiUrl": "https://api.example.com" }));
}

#[test]
fn unchanged_objects_are_not_uploaded() {
    let objects = built(&[]);
    assert_eq!(changed(&objects, &BTreeMap::new()).len(), 5);
    assert_eq!(changed(&objects, &uploaded(&objects)), [&objects[0]; 0]);
    assert_eq!(invalidation_paths(&[]), [""; 0]);
}

#[test]
fn a_changed_asset_is_uploaded_with_the_page_that_refers_to_it() {
    let existing = uploaded(&built(&[]));
    let objects = built(&[("style.css", "body { color: red }")]);
    let changed = changed(&objects, &existing);
    assert_eq!(keys(changed.iter().copied()), [objects[2].key.as_str(), "index.html"]);
    assert!(!existing.contains_key(&objects[2].key));
    assert_eq!(invalidation_paths(&changed), ["/index.html", "/", "/config.json"]);
}

#[test]
fn another_api_url_changes_only_the_configuration() {
    let existing = uploaded(&built(&[]));
    let objects = objects(&files(&[]), &config("https://other.example.com"), "/").expect("a site");
    let changed = changed(&objects, &existing);
    assert_eq!(keys(changed.iter().copied()), ["config.json"]);
    assert_eq!(invalidation_paths(&changed).len(), 3);
}

#[test]
fn other_headers_are_a_change_and_a_new_asset_invalidates_no_path() {
    let objects = built(&[]);
    let mut existing = uploaded(&objects);
    existing.get_mut(&objects[0].key).expect("app.js").cache_control = "no-cache".to_owned();
    let changed = changed(&objects, &existing);
    assert_eq!(keys(changed.iter().copied()), [objects[0].key.as_str()]);
    assert_eq!(invalidation_paths(&changed), [""; 0]);
}

#[test]
fn each_wrong_file_is_named() {
    let mut without = files(&[]);
    without.remove("index.html");
    assert_eq!(objects(&without, &config(""), "/"), Err(FilesError::NoPage));
    let named = |name: &str| name.to_owned();
    assert_eq!(refused(&[("config.json", "{}")]), FilesError::ConfigExists);
    assert_eq!(refused(&[("about.html", "")]), FilesError::OtherPage(named("about.html")));
    assert_eq!(refused(&[("notes.doc", "")]), FilesError::UnknownType(named("notes.doc")));
    assert_eq!(refused(&[("LICENSE", "")]), FilesError::UnknownType(named("LICENSE")));
    assert_eq!(refused(&[("other.css", "")]), FilesError::Unused(named("other.css")));
    let lost = format!("{HTML}<img src=\"lost.png\">");
    assert_eq!(refused(&[("index.html", &lost)]), FilesError::MissingFile(named("lost.png")));
    // An absolute path is not a path below the site's folder.
    let absolute = HTML.replace("style.css", "/style.css");
    assert_eq!(refused(&[("index.html", &absolute)]), FilesError::MissingFile(named("/style.css")));
}
