//! Publishing and deleting posts, projects and certifications.

use serde_json::json;

use super::{CERTIFICATION, POST, PROJECT, certification, is_not_found, post, project, send};
use crate::testing::{
    ID, Request, STAMP,
    script::{Script, found},
};

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
async fn unpublishing_removes_the_date() {
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
async fn content_with_the_requested_status_stays_unchanged() {
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
async fn projects_and_certifications_can_be_published() {
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
async fn deleting_removes_the_view_counter_and_updates_the_categorys_count() {
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
async fn a_post_can_be_deleted_despite_a_wrong_count() {
    let script = Script::new()
        .on("GetItem", found(&post("DRAFT", &json!({}))))
        .cancel(&["None", "None", "ConditionalCheckFailed"])
        .on("TransactWriteItems", json!({}));
    assert_eq!(send(script.clone(), Request::new("DELETE", POST).owner()).await.status(), 204);
    assert_eq!(script.requests()[2].1["TransactItems"].as_array().map(Vec::len), Some(2));
}

#[tokio::test(flavor = "current_thread")]
async fn content_that_was_deleted_concurrently_is_not_found() {
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
