//! Lists of posts, projects and certifications, and the categories of posts.

use serde_json::{Value, json};

use super::{certification, is_invalid, post, project, send};
use crate::testing::{
    Function, ID, Request,
    script::{Script, item, listed},
};

/// The calls of a list: queries of partitions with their responses, and the reading of the content.
fn queries(partitions: &[(&str, &[Value])]) -> Script {
    let script = queried(partitions);
    let items: Vec<_> = partitions.iter().flat_map(|(_, items)| items.iter()).map(item).collect();
    if items.is_empty() { script } else { script.on("BatchGetItem", json!({"Responses": {"portfolio": items}})) }
}

/// The queries of partitions, with their responses.
fn queried(partitions: &[(&str, &[Value])]) -> Script {
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

    let featured = project("PUBLISHED", &json!({}));
    let script = queried(&[("PROJECT#STATUS#PUBLISHED", std::slice::from_ref(&featured))])
        .with("/FilterExpression", "#data.#featured = :featured")
        .with("/ExpressionAttributeValues/:featured/BOOL", true)
        .on("BatchGetItem", json!({"Responses": {"portfolio": [item(&featured)]}}));
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

fn posts(count: usize) -> Vec<Value> {
    (0..count).map(|number| post("PUBLISHED", &json!({"id": format!("post-{number:02}")}))).collect()
}

#[tokio::test(flavor = "current_thread")]
async fn bodies_are_read_for_the_page_only_and_later_items_are_only_counted() {
    let more = json!({"PK": {"S": "a"}});
    let posts = posts(3);
    let mut first = listed(&posts);
    first["LastEvaluatedKey"] = more.clone();
    let script = Script::new()
        .on("Query", first)
        .with("/ProjectionExpression", "PK, GSI1SK")
        .on("Query", json!({"Count": 40, "LastEvaluatedKey": more}))
        .with("/Select", "COUNT")
        .with("/ExclusiveStartKey/PK/S", "a")
        .on("Query", json!({"Count": 2}))
        .with("/Select", "COUNT")
        .on("BatchGetItem", json!({"Responses": {"portfolio": posts.iter().map(item).collect::<Vec<_>>()}}))
        .with("/RequestItems/portfolio/Keys/0/PK/S", "BLOG#post-02")
        .with("/RequestItems/portfolio/Keys/1/PK/S", "BLOG#post-01");
    let function = Function::new(script.clone());
    let list = function.send(Request::new("GET", "/v1/blog/posts?limit=2")).await.ok(200);
    assert_eq!((list["posts"].as_array().map(Vec::len), &list["total"]), (Some(2), &json!(45)));
    let (_, batch) = script.requests().pop().expect("the batch");
    assert_eq!(batch["RequestItems"]["portfolio"]["Keys"].as_array().map(Vec::len), Some(2));
}

#[tokio::test(flavor = "current_thread")]
async fn content_that_became_a_draft_meanwhile_is_left_out() {
    let published = post("PUBLISHED", &json!({}));
    let draft = item(&post("DRAFT", &json!({})));
    let script = queried(&[("BLOG#STATUS#PUBLISHED", &[published])])
        .on("BatchGetItem", json!({"Responses": {"portfolio": [draft]}}));
    let list = send(script, Request::new("GET", "/v1/blog/posts")).await.ok(200);
    assert_eq!(list["posts"], json!([]));
}

/// A partition of a page more than a stranger's list reads, each with one item.
fn long_list(pages: usize) -> Script {
    (0..pages).fold(Script::new(), |script, page| {
        let mut answer = listed(&posts(1));
        if page < 16 {
            answer["LastEvaluatedKey"] = json!({"PK": {"S": "a"}});
        }
        script.on("Query", answer)
    })
}

#[tokio::test(flavor = "current_thread")]
async fn strangers_read_a_bounded_part_of_a_list_and_the_owner_all_of_it() {
    let batch = json!({"Responses": {"portfolio": [item(&posts(1)[0])]}});
    let stranger = Request::new("GET", "/v1/blog/posts?limit=1");
    let list = send(long_list(16).on("BatchGetItem", batch.clone()), stranger.clone()).await.ok(200);
    assert_eq!(list["total"], 16);
    let list = send(long_list(17).on("BatchGetItem", batch), stranger.owner()).await.ok(200);
    assert_eq!(list["total"], 17);
    // A part that the bound cuts off is an error, not an empty list.
    is_invalid(&send(long_list(16), Request::new("GET", "/v1/blog/posts?limit=1&offset=16")).await, "offset");
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
    let long = |number: usize| {
        let changes = json!({"id": format!("post-{number}"), "content": "\"".repeat(300 * 1024)});
        post("PUBLISHED", &changes)
    };
    let long: Vec<_> = (0..20).map(long).collect();
    let script = queries(&[("BLOG#STATUS#PUBLISHED", &long)]);
    is_invalid(&send(script, Request::new("GET", "/v1/blog/posts")).await, "limit");
}

#[tokio::test(flavor = "current_thread")]
async fn categories_without_posts_are_left_out() {
    let category = |name: &str, count: i64| json!({"PK": format!("BLOG#CATEGORY#{name}"), "SK": "COUNT", "CategoryCount": count, "Data": {"name": name}});
    let items = [category("Zoo", 1), category("Empty", 0), category("Below", -1), category("Cloud", 3)];
    let script = queried(&[("BLOG#CATEGORY", &items)]);
    let categories = send(script, Request::new("GET", "/v1/blog/categories")).await.ok(200);
    assert_eq!(categories, json!({"categories": ["Cloud", "Zoo"], "counts": {"Cloud": 3, "Zoo": 1}}));
}
