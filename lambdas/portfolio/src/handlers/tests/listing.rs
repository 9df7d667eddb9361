//! Lists of posts, projects and certifications, and the categories of posts.

use serde_json::{Value, json};

use super::{certification, is_invalid, post, project, send};
use crate::testing::{
    ID, Request,
    script::{Script, listed},
};

/// The queries of a list: partitions and their responses.
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
async fn everyone_can_list_published_content() {
    let published = post("PUBLISHED", &json!({}));
    for query in ["", "?status=published", "?status=draft", "?status=all"] {
        let script = queries(&[("BLOG#STATUS#PUBLISHED", std::slice::from_ref(&published))]);
        let list = send(script, Request::new("GET", &format!("/v1/blog/posts{query}"))).await.ok(200);
        assert_eq!((&list["total"], &list["limit"], &list["offset"]), (&json!(1), &json!(20), &json!(0)));
        assert_eq!(list["posts"][0]["id"], ID);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn the_owner_can_list_drafts() {
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
async fn items_after_the_page_are_only_counted() {
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
async fn invalid_parameters_are_named() {
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
async fn a_response_that_is_too_large_for_lambda_suggests_a_smaller_limit() {
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
