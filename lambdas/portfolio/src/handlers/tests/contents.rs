//! Posts, projects and certifications.

use serde_json::{Value, json};

use super::{certification, post, project};
use crate::testing::{
    Answer, Function, ID, Request, STAMP,
    script::{Script, attribute, found, item, listed},
};

const POST: &str = "/v1/blog/posts/7f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b";
const PROJECT: &str = "/v1/projects/7f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b";
const CERTIFICATION: &str = "/v1/certifications/7f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b";

async fn send(script: Script, request: Request<'_>) -> Answer {
    Function::new(script).send(request).await
}

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

fn is_not_found(answer: &Answer) {
    assert_eq!(answer.error(), (404, "NotFound".to_owned(), Value::Null));
}

fn is_invalid(answer: &Answer, field: &str) {
    assert_eq!(answer.error(), (400, "InvalidRequest".to_owned(), json!(field)));
}

#[tokio::test(flavor = "current_thread")]
async fn a_new_post_is_a_draft_and_counts_in_its_category() {
    let script = Script::new()
        .on("TransactWriteItems", json!({}))
        .with("/TransactItems/0/Put/ConditionExpression", "attribute_not_exists(PK)")
        .with("/TransactItems/0/Put/Item/GSI1PK/S", "BLOG#STATUS#DRAFT")
        .with("/TransactItems/0/Put/Item/GSI1SK/S", format!("BLOG#{STAMP}"))
        .with("/TransactItems/0/Put/Item/Status/S", "DRAFT")
        .with("/TransactItems/0/Put/Item/EntityType/S", "BLOG")
        .with("/TransactItems/0/Put/Item/Data/M/readTime/N", "1")
        .with("/TransactItems/0/Put/Item/Data/M/publishedAt/NULL", true)
        .with("/TransactItems/1/Update/Key/PK/S", "BLOG#CATEGORY#Backend")
        .with("/TransactItems/1/Update/ExpressionAttributeValues/:change/N", "1");
    let created = send(script.clone(), Request::new("POST", "/v1/blog/posts").owner().json(new_post())).await.ok(201);
    let id = created["id"].as_str().expect("an id");
    assert_eq!(uuid::Uuid::parse_str(id).expect("a UUID").get_version_num(), 4);
    assert_eq!(script.requests()[0].1.pointer("/TransactItems/0/Put/Item/PK/S"), Some(&json!(format!("BLOG#{id}"))));
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
async fn a_slug_may_be_sent_and_is_never_empty() {
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
async fn wrong_fields_of_a_post_are_named() {
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
async fn wrong_fields_of_projects_and_certifications_are_named() {
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
        .on("PutItem", json!({}))
        .with("/ConditionExpression", "attribute_not_exists(PK)")
        .with("/Item/GSI1PK/S", "PROJECT#STATUS#DRAFT");
    let created = send(script, Request::new("POST", "/v1/projects").owner().json(new_project())).await.ok(201);
    assert_eq!(
        (&created["status"], &created["featured"], &created["githubUrl"]),
        (&json!("draft"), &json!(false), &Value::Null)
    );

    let script = Script::new()
        .on("PutItem", json!({}))
        .with("/Item/GSI1PK/S", "CERT#STATUS#DRAFT#course")
        .with("/Item/GSI1SK/S", "CERT#2023-06-15");
    let request = Request::new("POST", "/v1/certifications").owner().json(new_certification());
    let created = send(script, request).await.ok(201);
    assert_eq!((&created["type"], &created["status"]), (&json!("course"), &json!("draft")));
}

#[tokio::test(flavor = "current_thread")]
async fn drafts_are_the_owners_and_published_content_everybodys() {
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
    // What cannot be an id is not even looked for.
    for id in ["CATEGORY%23Cloud", "%20", &"a".repeat(200)] {
        is_not_found(&send(Script::new(), Request::new("GET", &format!("/v1/blog/posts/{id}"))).await);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_change_sets_what_was_sent_and_nothing_else() {
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
async fn a_change_that_others_got_before_is_tried_again() {
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

    let hopeless = (0..4).fold(Script::new(), |script, _| {
        script.on("GetItem", draft.clone()).fail("UpdateItem", failed, "The conditional request failed")
    });
    assert_eq!(send(hopeless, request()).await.error().0, 500);
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
async fn a_change_of_nothing_is_refused() {
    for path in [POST, PROJECT, CERTIFICATION] {
        for body in [json!({}), json!({"unknown": 1, "createdAt": "x"})] {
            let answer = send(Script::new(), Request::new("PUT", path).owner().json(body)).await;
            is_invalid(&answer, "body");
            assert_eq!(answer.body()["message"], "No fields to update");
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn longer_content_takes_longer_to_read() {
    let script = Script::new()
        .on("GetItem", found(&post("DRAFT", &json!({}))))
        .on("UpdateItem", json!({}))
        .with("/ExpressionAttributeValues/:readTime/N", "3");
    let body = json!({"content": "word ".repeat(700)});
    assert_eq!(send(script, Request::new("PUT", POST).owner().json(body)).await.ok(200)["readTime"], "3 min read");
}

#[tokio::test(flavor = "current_thread")]
async fn publishing_dates_a_post_and_moves_it_in_the_index() {
    let old = json!({"createdAt": "2024-01-01T00:00:00.000Z", "updatedAt": "2024-01-01T00:00:00.000Z"});
    let script = Script::new()
        .on("GetItem", found(&post("DRAFT", &old)))
        .on("UpdateItem", json!({}))
        .with("/ExpressionAttributeValues/:Status/S", "PUBLISHED")
        .with("/ExpressionAttributeValues/:GSI1PK/S", "BLOG#STATUS#PUBLISHED")
        .with("/ExpressionAttributeValues/:GSI1SK/S", format!("BLOG#{STAMP}"))
        .with("/ExpressionAttributeValues/:publishedAt/S", STAMP)
        .with("/ExpressionAttributeValues/:partition/S", "BLOG#STATUS#DRAFT");
    let published = send(script, Request::new("POST", &format!("{POST}/publish")).owner()).await.ok(200);
    assert_eq!(
        (&published["status"], &published["publishedAt"], &published["updatedAt"]),
        (&json!("published"), &json!("2024-03-15"), &json!(STAMP))
    );
}

#[tokio::test(flavor = "current_thread")]
async fn unpublishing_takes_the_date_back() {
    let old = json!({"createdAt": "2024-01-01T00:00:00.000Z"});
    let script = Script::new()
        .on("GetItem", found(&post("PUBLISHED", &old)))
        .on("UpdateItem", json!({}))
        .with("/ExpressionAttributeValues/:GSI1SK/S", "BLOG#2024-01-01T00:00:00.000Z")
        .with("/ExpressionAttributeValues/:publishedAt/NULL", true);
    let draft = send(script, Request::new("POST", &format!("{POST}/unpublish")).owner()).await.ok(200);
    assert_eq!((&draft["status"], &draft["publishedAt"]), (&json!("draft"), &json!("")));
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_so_already_stays_as_it_is() {
    for (path, item, verb) in [
        (POST, post("PUBLISHED", &json!({})), "publish"),
        (POST, post("DRAFT", &json!({})), "unpublish"),
        (PROJECT, project("PUBLISHED", &json!({})), "publish"),
        (CERTIFICATION, certification("DRAFT", &json!({})), "unpublish"),
    ] {
        let script = Script::new().on("GetItem", found(&item));
        let same = send(script, Request::new("POST", &format!("{path}/{verb}")).owner()).await.ok(200);
        assert_eq!(same["updatedAt"], STAMP);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn projects_and_certifications_are_published_too() {
    for (path, item, partition) in [
        (PROJECT, project("DRAFT", &json!({})), "PROJECT#STATUS#PUBLISHED"),
        (CERTIFICATION, certification("DRAFT", &json!({})), "CERT#STATUS#PUBLISHED#certification"),
    ] {
        let script = Script::new()
            .on("GetItem", found(&item))
            .on("UpdateItem", json!({}))
            .with("/ExpressionAttributeValues/:GSI1PK/S", partition);
        let published = send(script, Request::new("POST", &format!("{path}/publish")).owner()).await.ok(200);
        assert_eq!(published["status"], "published");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn deleting_takes_the_view_counter_and_the_categorys_count_along() {
    let script = Script::new()
        .on("GetItem", found(&post("PUBLISHED", &json!({}))))
        .on("TransactWriteItems", json!({}))
        .with("/TransactItems/0/Delete/ConditionExpression", "attribute_exists(PK) AND #data.#category = :counted")
        .with("/TransactItems/1/Delete/Key/PK/S", format!("ANALYTICS#blog#{ID}"))
        .with("/TransactItems/2/Update/Key/PK/S", "BLOG#CATEGORY#Backend");
    let answer = send(script, Request::new("DELETE", POST).owner()).await;
    assert_eq!((answer.status(), answer.text()), (204, ""));
    for (path, item, counter) in [
        (PROJECT, project("DRAFT", &json!({})), format!("ANALYTICS#project#{ID}")),
        (CERTIFICATION, certification("DRAFT", &json!({})), format!("ANALYTICS#certification#{ID}")),
    ] {
        let script = Script::new()
            .on("GetItem", found(&item))
            .on("TransactWriteItems", json!({}))
            .with("/TransactItems/1/Delete/Key/PK/S", counter);
        assert_eq!(send(script.clone(), Request::new("DELETE", path).owner()).await.status(), 204);
        assert_eq!(script.requests()[1].1["TransactItems"].as_array().map(Vec::len), Some(2));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_wrong_count_does_not_keep_a_post_from_being_deleted() {
    let script = Script::new()
        .on("GetItem", found(&post("DRAFT", &json!({}))))
        .cancel(&["None", "None", "ConditionalCheckFailed"])
        .on("TransactWriteItems", json!({}));
    assert_eq!(send(script.clone(), Request::new("DELETE", POST).owner()).await.status(), 204);
    assert_eq!(script.requests()[2].1["TransactItems"].as_array().map(Vec::len), Some(2));
}

#[tokio::test(flavor = "current_thread")]
async fn content_that_others_delete_first_is_not_found() {
    let script = Script::new()
        .on("GetItem", found(&post("DRAFT", &json!({}))))
        .cancel(&["ConditionalCheckFailed", "None", "None"])
        .on("GetItem", json!({}));
    is_not_found(&send(script, Request::new("DELETE", POST).owner()).await);
    let script = Script::new()
        .on("GetItem", found(&post("DRAFT", &json!({}))))
        .cancel(&["TransactionConflict", "None", "None"])
        .on("GetItem", found(&post("DRAFT", &json!({}))))
        .on("TransactWriteItems", json!({}));
    assert_eq!(send(script, Request::new("DELETE", POST).owner()).await.status(), 204);
}

/// A list's request with these partitions, each with an answer.
fn queries(partitions: &[(&str, &[Value])]) -> Script {
    partitions.iter().fold(Script::new(), |script, (partition, items)| {
        script
            .on("Query", listed(items))
            .with("/IndexName", "GSI1")
            .with("/ScanIndexForward", false)
            .with("/ExpressionAttributeValues/:partition/S", *partition)
    })
}

#[tokio::test(flavor = "current_thread")]
async fn everybody_lists_what_is_published() {
    let published = post("PUBLISHED", &json!({}));
    for query in ["", "?status=published", "?status=draft", "?status=all"] {
        let script = queries(&[("BLOG#STATUS#PUBLISHED", std::slice::from_ref(&published))]);
        let list = send(script, Request::new("GET", &format!("/v1/blog/posts{query}"))).await.ok(200);
        assert_eq!((&list["total"], &list["limit"], &list["offset"]), (&json!(1), &json!(20), &json!(0)));
        assert_eq!(list["posts"][0]["id"], ID);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn the_owner_lists_drafts_too() {
    let drafts = queries(&[("BLOG#STATUS#DRAFT", &[])]);
    let list = send(drafts, Request::new("GET", "/v1/blog/posts?status=draft").owner()).await.ok(200);
    assert_eq!(list, json!({"posts": [], "total": 0, "limit": 20, "offset": 0}));

    let at = |id: &str, status: &str, time: &str| {
        let mut item = post(status, &json!({"id": id}));
        item["GSI1SK"] = json!(format!("BLOG#{time}"));
        item
    };
    let script = queries(&[
        ("BLOG#STATUS#PUBLISHED", &[at("4", "PUBLISHED", "2024-04"), at("1", "PUBLISHED", "2024-01")]),
        ("BLOG#STATUS#DRAFT", &[at("3", "DRAFT", "2024-03"), at("2", "DRAFT", "2024-02")]),
    ]);
    let list = send(script, Request::new("GET", "/v1/blog/posts?status=all&limit=2&offset=1").owner()).await.ok(200);
    let ids: Vec<_> = list["posts"].as_array().expect("posts").iter().map(|post| post["id"].clone()).collect();
    assert_eq!((ids, &list["total"]), (vec![json!("3"), json!("2")], &json!(4)));
}

#[tokio::test(flavor = "current_thread")]
async fn lists_can_be_filtered() {
    let script = queries(&[("BLOG#STATUS#PUBLISHED", &[])])
        .with("/FilterExpression", "#data.#category = :category AND contains(#data.#tags, :tags)")
        .with("/ExpressionAttributeValues/:category/S", "Backend")
        .with("/ExpressionAttributeValues/:tags/S", "rust");
    send(script, Request::new("GET", "/v1/blog/posts?category=Backend&tag=rust")).await.ok(200);

    let script = queries(&[("PROJECT#STATUS#PUBLISHED", &[project("PUBLISHED", &json!({}))])])
        .with("/FilterExpression", "#data.#featured = :featured")
        .with("/ExpressionAttributeValues/:featured/BOOL", true);
    let list = send(script, Request::new("GET", "/v1/projects?featured=true")).await.ok(200);
    assert_eq!(list["projects"][0]["id"], ID);

    let script =
        queries(&[("CERT#STATUS#PUBLISHED#course", &[])]).with("/ExpressionAttributeValues/:featured/BOOL", false);
    let list = send(script, Request::new("GET", "/v1/certifications?type=course&featured=false")).await.ok(200);
    assert_eq!(list["certifications"], json!([]));
}

#[tokio::test(flavor = "current_thread")]
async fn certifications_and_courses_are_merged_by_date() {
    let at = |id: &str, kind: &str, date: &str| {
        let mut item = certification("PUBLISHED", &json!({"id": id, "type": kind, "dateEarned": date}));
        item["GSI1SK"] = json!(format!("CERT#{date}"));
        item
    };
    let script = queries(&[
        ("CERT#STATUS#PUBLISHED#certification", &[at("2", "certification", "2022-01-01")]),
        ("CERT#STATUS#PUBLISHED#course", &[at("3", "course", "2023-01-01"), at("1", "course", "2021-01-01")]),
    ]);
    let list = send(script, Request::new("GET", "/v1/certifications")).await.ok(200);
    let ids: Vec<_> = list["certifications"].as_array().expect("a list").iter().map(|one| one["id"].clone()).collect();
    assert_eq!(ids, [json!("3"), json!("2"), json!("1")]);
}

#[tokio::test(flavor = "current_thread")]
async fn what_comes_after_the_page_is_only_counted() {
    let more = json!({"PK": {"S": "a"}});
    let mut first = listed(&[post("PUBLISHED", &json!({})), post("PUBLISHED", &json!({}))]);
    first["LastEvaluatedKey"] = more.clone();
    let script = Script::new()
        .on("Query", first)
        .with("/Select", "ALL_ATTRIBUTES")
        .on("Query", json!({"Count": 40, "LastEvaluatedKey": more}))
        .with("/Select", "COUNT")
        .with("/ExclusiveStartKey/PK/S", "a")
        .on("Query", json!({"Count": 2}))
        .with("/Select", "COUNT");
    let list = send(script, Request::new("GET", "/v1/blog/posts?limit=2")).await.ok(200);
    assert_eq!((list["posts"].as_array().map(Vec::len), &list["total"]), (Some(2), &json!(44)));
}

#[tokio::test(flavor = "current_thread")]
async fn wrong_queries_are_named() {
    for (path, field) in [
        ("/v1/blog/posts?limit=0", "limit"),
        ("/v1/blog/posts?limit=101", "limit"),
        ("/v1/blog/posts?limit=abc", "limit"),
        ("/v1/blog/posts?limit=", "limit"),
        ("/v1/blog/posts?limit=1.5", "limit"),
        ("/v1/blog/posts?offset=-1", "offset"),
        ("/v1/blog/posts?offset=99999999999999999999", "offset"),
        ("/v1/blog/posts?status=DRAFT", "status"),
        ("/v1/blog/posts?status=", "status"),
        ("/v1/projects?featured=yes", "featured"),
        ("/v1/projects?limit=0", "limit"),
        ("/v1/certifications?type=diploma", "type"),
        ("/v1/certifications?featured=1", "featured"),
        ("/v1/certifications?status=published,draft", "status"),
    ] {
        is_invalid(&send(Script::new(), Request::new("GET", path)).await, field);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn an_answer_too_large_for_lambda_asks_for_less() {
    let long = post("PUBLISHED", &json!({"content": "\"".repeat(300 * 1024)}));
    let script = queries(&[("BLOG#STATUS#PUBLISHED", &vec![long; 20])]);
    is_invalid(&send(script, Request::new("GET", "/v1/blog/posts")).await, "limit");
}

#[tokio::test(flavor = "current_thread")]
async fn categories_without_posts_are_left_out() {
    let category = |name: &str, count: i64| json!({"PK": format!("BLOG#CATEGORY#{name}"), "SK": "COUNT", "CategoryCount": count, "Data": {"name": name}});
    let items = [category("Zoo", 1), category("Empty", 0), category("Below", -1), category("Cloud", 3)];
    let script = queries(&[("BLOG#CATEGORY", &items)]);
    let categories = send(script, Request::new("GET", "/v1/blog/categories")).await.ok(200);
    assert_eq!(categories, json!({"categories": ["Cloud", "Zoo"], "counts": {"Cloud": 3, "Zoo": 1}}));
}

#[tokio::test(flavor = "current_thread")]
async fn a_broken_item_is_our_fault() {
    let mut broken = item(&post("PUBLISHED", &json!({})));
    broken["Data"] = attribute(&json!({"id": ID}));
    let answer = send(Script::new().on("GetItem", json!({"Item": broken})), Request::new("GET", POST)).await;
    assert_eq!(answer.error(), (500, "InternalError".to_owned(), Value::Null));
}
