//! Creating, reading and changing posts, projects and certifications.

use serde_json::{Value, json};

use super::{CERTIFICATION, POST, PROJECT, certification, is_invalid, is_not_found, post, project, send};
use crate::{
    store::attempts::MOST,
    testing::{
        ID, Request, STAMP,
        script::{Script, attribute, found, item},
    },
};

fn new_post() -> Value {
    json!({"title": "My First Post!", "excerpt": "Short", "content": "One two three", "category": "Backend",
        "tags": ["rust", "aws"]})
}

fn new_project() -> Value {
    json!({"name": "Project", "description": "Short", "longDescription": "Long", "tech": ["Rust"], "company": "Own"})
}

fn new_certification() -> Value {
    json!({"name": "Certificate", "issuer": "AWS", "icon": "☁", "type": "course", "description": "Text",
        "dateEarned": "2023-06-15"})
}

#[tokio::test(flavor = "current_thread")]
async fn a_new_post_is_a_draft_and_is_counted_in_its_category() {
    let script = Script::new()
        .on("TransactWriteItems", json!({}))
        .with("/TransactItems/0/Put/ConditionExpression", "attribute_not_exists(PK)")
        .with("/TransactItems/0/Put/Item/GSI1PK/S", "BLOG#STATUS#DRAFT")
        .with("/TransactItems/0/Put/Item/GSI1SK/S", format!("BLOG#{STAMP}"))
        .with("/TransactItems/0/Put/Item/Status/S", "DRAFT")
        .with("/TransactItems/0/Put/Item/EntityType/S", "BLOG")
        .with("/TransactItems/0/Put/Item/Data/M/readTime/N", "1")
        .with("/TransactItems/0/Put/Item/Data/M/publishedAt/NULL", true)
        .with("/TransactItems/1/Put/Item/ViewCount/N", "0")
        .with("/TransactItems/2/Update/Key/PK/S", "BLOG#CATEGORY#Backend")
        .with("/TransactItems/2/Update/ExpressionAttributeValues/:change/N", "1");
    let created = send(script.clone(), Request::new("POST", "/v1/blog/posts").owner().json(new_post())).await.ok(201);
    let id = created["id"].as_str().expect("an id");
    assert_eq!(uuid::Uuid::parse_str(id).expect("a UUID").get_version_num(), 4);
    let request = &script.requests()[0].1;
    assert_eq!(request.pointer("/TransactItems/0/Put/Item/PK/S"), Some(&json!(format!("BLOG#{id}"))));
    assert_eq!(request.pointer("/TransactItems/1/Put/Item/PK/S"), Some(&json!(format!("ANALYTICS#blog#{id}"))));
    // Content without views is not in the index of views, and a lost response causes no second transaction.
    assert_eq!(request.pointer("/TransactItems/1/Put/Item/GSI1PK"), None);
    assert!(request["ClientRequestToken"].is_string(), "{request:#}");
    assert_eq!(
        created,
        json!({
            "id": id, "slug": "my-first-post", "title": "My First Post!", "excerpt": "Short",
            "content": "One two three", "category": "Backend", "readTime": "1 min read", "publishedAt": "",
            "tags": ["rust", "aws"], "status": "draft", "createdAt": STAMP, "updatedAt": STAMP,
        })
    );
}

#[tokio::test(flavor = "current_thread")]
async fn a_slug_can_be_set_and_is_never_empty() {
    let created = async |changes: Value| {
        let mut body = new_post();
        body.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
        let script = Script::new().on("TransactWriteItems", json!({}));
        send(script, Request::new("POST", "/v1/blog/posts").owner().json(body)).await.ok(201)
    };
    assert_eq!(created(json!({"slug": "my-own"})).await["slug"], "my-own");
    let without_letters = created(json!({"title": "日本語"})).await;
    assert_eq!(without_letters["slug"], without_letters["id"]);
}

#[tokio::test(flavor = "current_thread")]
async fn invalid_fields_of_a_post_are_named() {
    for (field, wrong) in [
        ("title", json!("")),
        ("title", json!("a".repeat(201))),
        ("title", json!(null)),
        ("excerpt", json!("a".repeat(501))),
        ("content", json!("")),
        ("content", json!("a".repeat(300 * 1024 + 1))),
        ("category", json!("a".repeat(101))),
        ("tags", json!([])),
        ("tags", json!(vec!["a"; 21])),
        ("tags", json!([""])),
        ("tags", json!(["a".repeat(51)])),
        ("tags", json!("rust")),
        ("slug", json!("My Slug")),
        ("slug", json!("")),
        ("slug", json!(null)),
    ] {
        let mut body = new_post();
        body[field] = wrong.clone();
        is_invalid(&send(Script::new(), Request::new("POST", "/v1/blog/posts").owner().json(body)).await, field);
        let change = Request::new("PUT", POST).owner().json(json!({field: wrong}));
        is_invalid(&send(Script::new(), change).await, field);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn invalid_fields_of_projects_and_certifications_are_named() {
    for (field, wrong) in [
        ("name", json!("")),
        ("tech", json!([])),
        ("company", json!("a".repeat(201))),
        ("featured", json!("yes")),
        ("githubUrl", json!("javascript:alert(1)")),
        ("liveUrl", json!(format!("https://example.com/{}", "a".repeat(2048)))),
        ("imageUrl", json!(7)),
    ] {
        let mut body = new_project();
        body[field] = wrong.clone();
        is_invalid(&send(Script::new(), Request::new("POST", "/v1/projects").owner().json(body)).await, field);
        is_invalid(&send(Script::new(), Request::new("PUT", PROJECT).owner().json(json!({field: wrong}))).await, field);
    }
    for (field, wrong) in [
        ("issuer", json!("")),
        ("icon", json!("12345678901")),
        ("type", json!("diploma")),
        ("dateEarned", json!("2023-02-30")),
        ("dateEarned", json!("June 2023")),
        ("credentialUrl", json!("example.com")),
        ("featured", json!(1)),
    ] {
        let mut body = new_certification();
        body[field] = wrong.clone();
        is_invalid(&send(Script::new(), Request::new("POST", "/v1/certifications").owner().json(body)).await, field);
        let change = Request::new("PUT", CERTIFICATION).owner().json(json!({field: wrong}));
        is_invalid(&send(Script::new(), change).await, field);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn projects_and_certifications_are_created_as_drafts() {
    let script = Script::new()
        .on("TransactWriteItems", json!({}))
        .with("/TransactItems/0/Put/ConditionExpression", "attribute_not_exists(PK)")
        .with("/TransactItems/0/Put/Item/GSI1PK/S", "PROJECT#STATUS#DRAFT")
        .with("/TransactItems/1/Put/Item/ViewCount/N", "0");
    let created = send(script, Request::new("POST", "/v1/projects").owner().json(new_project())).await.ok(201);
    assert_eq!(
        (&created["status"], &created["featured"], &created["githubUrl"]),
        (&json!("draft"), &json!(false), &Value::Null)
    );

    let script = Script::new()
        .on("TransactWriteItems", json!({}))
        .with("/TransactItems/0/Put/Item/GSI1PK/S", "CERT#STATUS#DRAFT#course")
        .with("/TransactItems/0/Put/Item/GSI1SK/S", "CERT#2023-06-15");
    let request = Request::new("POST", "/v1/certifications").owner().json(new_certification());
    let created = send(script, request).await.ok(201);
    assert_eq!((&created["type"], &created["status"]), (&json!("course"), &json!("draft")));
}

#[tokio::test(flavor = "current_thread")]
async fn creating_is_retried_after_contention_and_a_lost_response() {
    let create = async |script| send(script, Request::new("POST", "/v1/blog/posts").owner().json(new_post())).await;
    // Another post in the same category was written first: the item does not exist, so the write is retried.
    let others = Script::new()
        .cancel(&["None", "None", "TransactionConflict"])
        .on("GetItem", json!({}))
        .on("TransactWriteItems", json!({}));
    assert_eq!(create(others).await.ok(201)["status"], "draft");
    // An earlier attempt succeeded, so the item exists.
    let lost = Script::new()
        .cancel(&["ConditionalCheckFailed", "None", "None"])
        .on("GetItem", found(&post("DRAFT", &json!({}))));
    assert_eq!(create(lost).await.ok(201)["title"], "My First Post!");
    let busy = (0..MOST).fold(Script::new(), |script, _| {
        script.cancel(&["None", "None", "TransactionConflict"]).on("GetItem", json!({}))
    });
    assert_eq!(create(busy).await.error(), (429, "TooManyRequests".to_owned(), Value::Null));
}

#[tokio::test(flavor = "current_thread")]
async fn drafts_are_visible_to_the_owner_and_published_content_to_everyone() {
    for (path, draft, published) in [
        (POST, post("DRAFT", &json!({})), post("PUBLISHED", &json!({}))),
        (PROJECT, project("DRAFT", &json!({})), project("PUBLISHED", &json!({}))),
        (CERTIFICATION, certification("DRAFT", &json!({})), certification("PUBLISHED", &json!({}))),
    ] {
        let get = async |item: &Value, request| send(Script::new().on("GetItem", found(item)), request).await;
        is_not_found(&get(&draft, Request::new("GET", path)).await);
        is_not_found(&get(&draft, Request::new("GET", path).token("nonsense".to_owned())).await);
        let seen = get(&draft, Request::new("GET", path).owner()).await.ok(200);
        assert_eq!((&seen["status"], &seen["id"]), (&json!("draft"), &json!(ID)));
        assert_eq!(get(&published, Request::new("GET", path)).await.ok(200)["status"], "published");
    }
    let published = Script::new().on("GetItem", found(&post("PUBLISHED", &json!({}))));
    assert_eq!(send(published, Request::new("GET", POST)).await.ok(200)["publishedAt"], "2024-03-15");
}

#[tokio::test(flavor = "current_thread")]
async fn unknown_content_is_not_found() {
    for path in [POST, PROJECT, CERTIFICATION] {
        let missing = || Script::new().on("GetItem", json!({}));
        is_not_found(&send(missing(), Request::new("GET", path).owner()).await);
        is_not_found(
            &send(missing(), Request::new("PUT", path).owner().json(json!({"description": "x", "title": "x"}))).await,
        );
        is_not_found(&send(missing(), Request::new("DELETE", path).owner()).await);
        for verb in ["publish", "unpublish"] {
            is_not_found(&send(missing(), Request::new("POST", &format!("{path}/{verb}")).owner()).await);
        }
    }
    // Invalid IDs are not looked up.
    for id in ["CATEGORY%23Cloud", "%20", &"a".repeat(200)] {
        is_not_found(&send(Script::new(), Request::new("GET", &format!("/v1/blog/posts/{id}"))).await);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_change_sets_only_the_sent_fields() {
    let draft = post("DRAFT", &json!({"updatedAt": "2024-01-01T00:00:00.000Z"}));
    let script = Script::new()
        .on("GetItem", found(&draft))
        .on("UpdateItem", json!({}))
        .with("/UpdateExpression", "SET #UpdatedAt = :UpdatedAt, #data.#title = :title, #data.#updatedAt = :updatedAt")
        .with("/ConditionExpression", "attribute_exists(PK) AND GSI1PK = :partition AND #data.#category = :counted")
        .with("/ExpressionAttributeValues/:partition/S", "BLOG#STATUS#DRAFT")
        .with("/ExpressionAttributeValues/:counted/S", "Backend")
        .with("/ExpressionAttributeValues/:title/S", "New title");
    let draft_was_current = script;
    let answer = send(
        draft_was_current,
        Request::new("PUT", POST).owner().json(json!({"title": "New title", "id": "other", "status": "published"})),
    )
    .await;
    let changed = answer.ok(200);
    assert_eq!(
        (&changed["title"], &changed["slug"], &changed["id"]),
        (&json!("New title"), &json!("first-post"), &json!(ID))
    );
    assert_eq!((&changed["status"], &changed["updatedAt"]), (&json!("draft"), &json!(STAMP)));
}

#[tokio::test(flavor = "current_thread")]
async fn another_category_moves_the_post_between_counts() {
    let script = Script::new()
        .on("GetItem", found(&post("DRAFT", &json!({}))))
        .on("TransactWriteItems", json!({}))
        .with("/TransactItems/0/Update/ExpressionAttributeValues/:category/S", "Cloud")
        .with("/TransactItems/1/Update/Key/PK/S", "BLOG#CATEGORY#Cloud")
        .with("/TransactItems/1/Update/ExpressionAttributeValues/:change/N", "1")
        .with("/TransactItems/2/Update/Key/PK/S", "BLOG#CATEGORY#Backend")
        .with("/TransactItems/2/Update/ExpressionAttributeValues/:change/N", "-1")
        .with("/TransactItems/2/Update/ConditionExpression", "CategoryCount > :none");
    let changed = send(script, Request::new("PUT", POST).owner().json(json!({"category": "Cloud"}))).await.ok(200);
    assert_eq!(changed["category"], "Cloud");
}

#[tokio::test(flavor = "current_thread")]
async fn a_change_that_lost_a_race_is_retried() {
    let draft = found(&post("DRAFT", &json!({})));
    let published = found(&post("PUBLISHED", &json!({"category": "Cloud"})));
    let failed = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
    let script = Script::new()
        .on("GetItem", draft.clone())
        .fail("UpdateItem", failed, "The conditional request failed")
        .on("GetItem", published)
        .on("UpdateItem", json!({}))
        .with("/ExpressionAttributeValues/:counted/S", "Cloud")
        .with("/ExpressionAttributeValues/:partition/S", "BLOG#STATUS#PUBLISHED");
    let request = || Request::new("PUT", POST).owner().json(json!({"title": "x"}));
    assert_eq!(send(script, request()).await.ok(200)["status"], "published");

    let hopeless = (0..MOST).fold(Script::new(), |script, _| {
        script.on("GetItem", draft.clone()).fail("UpdateItem", failed, "The conditional request failed")
    });
    assert_eq!(send(hopeless, request()).await.error(), (429, "TooManyRequests".to_owned(), Value::Null));
}

#[tokio::test(flavor = "current_thread")]
async fn a_change_that_conflicts_with_a_transaction_is_retried() {
    let draft = found(&post("DRAFT", &json!({})));
    let conflict = "com.amazonaws.dynamodb.v20120810#TransactionConflictException";
    let script = Script::new()
        .on("GetItem", draft.clone())
        .fail("UpdateItem", conflict, "Transaction is ongoing for the item")
        .on("GetItem", draft.clone())
        .on("UpdateItem", json!({}));
    send(script, Request::new("PUT", POST).owner().json(json!({"title": "x"}))).await.ok(200);

    for code in ["TransactionConflict", "ThrottlingError"] {
        let script = Script::new()
            .on("GetItem", draft.clone())
            .cancel(&["None", code, "None"])
            .on("GetItem", draft.clone())
            .on("TransactWriteItems", json!({}));
        send(script, Request::new("PUT", POST).owner().json(json!({"category": "Cloud"}))).await.ok(200);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_changed_type_or_date_moves_a_certification_in_the_index() {
    let script = Script::new()
        .on("GetItem", found(&certification("PUBLISHED", &json!({}))))
        .on("UpdateItem", json!({}))
        .with("/ExpressionAttributeValues/:GSI1PK/S", "CERT#STATUS#PUBLISHED#course")
        .with("/ExpressionAttributeValues/:partition/S", "CERT#STATUS#PUBLISHED#certification")
        .with("/ExpressionAttributeValues/:GSI1SK/S", "CERT#2024-01-02");
    let body = json!({"type": "course", "dateEarned": "2024-01-02"});
    let changed = send(script, Request::new("PUT", CERTIFICATION).owner().json(body)).await.ok(200);
    assert_eq!((&changed["type"], &changed["dateEarned"]), (&json!("course"), &json!("2024-01-02")));
}

#[tokio::test(flavor = "current_thread")]
async fn null_clears_a_url() {
    let script = Script::new()
        .on("GetItem", found(&project("DRAFT", &json!({}))))
        .on("UpdateItem", json!({}))
        .with("/ExpressionAttributeValues/:githubUrl/NULL", true);
    let changed = send(script, Request::new("PUT", PROJECT).owner().json(json!({"githubUrl": null}))).await.ok(200);
    assert_eq!(changed["githubUrl"], Value::Null);
}

#[tokio::test(flavor = "current_thread")]
async fn an_empty_change_is_rejected() {
    for path in [POST, PROJECT, CERTIFICATION] {
        for body in [json!({}), json!({"unknown": 1, "createdAt": "x"})] {
            let answer = send(Script::new(), Request::new("PUT", path).owner().json(body)).await;
            is_invalid(&answer, "body");
            assert_eq!(answer.body()["message"], "No fields to update");
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn longer_content_has_a_longer_reading_time() {
    let script = Script::new()
        .on("GetItem", found(&post("DRAFT", &json!({}))))
        .on("UpdateItem", json!({}))
        .with("/ExpressionAttributeValues/:readTime/N", "3");
    let body = json!({"content": "word ".repeat(700)});
    assert_eq!(send(script, Request::new("PUT", POST).owner().json(body)).await.ok(200)["readTime"], "3 min read");
}

#[tokio::test(flavor = "current_thread")]
async fn a_corrupt_item_is_a_server_error() {
    let mut broken = item(&post("PUBLISHED", &json!({})));
    broken["Data"] = attribute(&json!({"id": ID}));
    let answer = send(Script::new().on("GetItem", json!({"Item": broken})), Request::new("GET", POST)).await;
    assert_eq!(answer.error(), (500, "InternalError".to_owned(), Value::Null));
}
