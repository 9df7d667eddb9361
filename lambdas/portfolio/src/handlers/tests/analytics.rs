//! Views of content.

use serde_json::{Value, json};

use super::{is_not_found, post, project, send};
use crate::testing::{
    ID, Request,
    script::{Script, found, item, listed},
};

const TRACK: &str = "/v1/analytics/track";
const FAILED: &str = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";

fn view() -> Value {
    json!({"contentId": ID, "contentType": "blog", "sessionId": "s1"})
}

fn counter(kind: &str, id: &str, views: u64) -> Value {
    json!({"PK": format!("ANALYTICS#{kind}#{id}"), "SK": "VIEWS", "ViewCount": views})
}

#[tokio::test(flavor = "current_thread")]
async fn a_view_is_counted_for_its_content_and_in_total_and_ranked() {
    let script = Script::new()
        .on("GetItem", found(&post("PUBLISHED", &json!({}))))
        .on("PutItem", json!({}))
        .with("/Item/PK/S", "ANALYTICS#SESSION#s1")
        .with("/Item/SK/S", format!("blog#{ID}"))
        .with("/Item/ExpiresAt/N", "1710585000")
        .with("/ConditionExpression", "attribute_not_exists(PK) OR ExpiresAt <= :now")
        .with("/ExpressionAttributeValues/:now/N", "1710498600")
        .on("UpdateItem", json!({"Attributes": item(&json!({"ViewCount": 10}))}))
        .with("/Key/PK/S", format!("ANALYTICS#blog#{ID}"))
        .with("/ConditionExpression", "attribute_exists(PK)")
        .with("/ExpressionAttributeValues/:partition/S", "ANALYTICS#blog")
        .on("UpdateItem", json!({"Attributes": item(&json!({"TotalViews": 99}))}))
        .with("/Key/PK/S", "ANALYTICS#TOTAL")
        .on("UpdateItem", json!({}))
        .with("/UpdateExpression", "SET GSI1SK = :new")
        .with("/ExpressionAttributeValues/:new/S", "ANALYTICS#VIEWS#0000000010");
    let answer = send(script, Request::new("POST", TRACK).json(view())).await;
    assert_eq!(answer.ok(200), json!({"views": 10, "tracked": true, "sessionId": "s1"}));
}

#[tokio::test(flavor = "current_thread")]
async fn a_slow_writer_does_not_lower_the_rank() {
    let script = Script::new()
        .on("GetItem", found(&post("PUBLISHED", &json!({}))))
        .on("PutItem", json!({}))
        .on("UpdateItem", json!({"Attributes": item(&json!({"ViewCount": 1}))}))
        .on("UpdateItem", json!({"Attributes": item(&json!({"TotalViews": 1}))}))
        .fail("UpdateItem", FAILED, "The conditional request failed");
    assert_eq!(send(script, Request::new("POST", TRACK).json(view())).await.ok(200)["tracked"], true);
}

#[tokio::test(flavor = "current_thread")]
async fn a_view_is_counted_in_total_even_if_its_rank_cannot_be_written() {
    let throttled = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException";
    let script = Script::new()
        .on("GetItem", found(&post("PUBLISHED", &json!({}))))
        .on("PutItem", json!({}))
        .on("UpdateItem", json!({"Attributes": item(&json!({"ViewCount": 2}))}))
        .fail("UpdateItem", throttled, "slow down")
        .with("/Key/PK/S", "ANALYTICS#TOTAL")
        .on("UpdateItem", json!({"Attributes": item(&json!({"TotalViews": 9}))}))
        .with("/Key/PK/S", "ANALYTICS#TOTAL")
        .fail("UpdateItem", "com.amazon.coral.validate#ValidationException", "no such index key")
        .with("/UpdateExpression", "SET GSI1SK = :new");
    let answer = send(script, Request::new("POST", TRACK).json(view())).await;
    assert_eq!(answer.error().0, 500);
}

#[tokio::test(flavor = "current_thread")]
async fn views_of_deleted_content_are_not_counted_and_do_not_recreate_its_counter() {
    // Neither the total nor the rank is written.
    let script = Script::new()
        .on("GetItem", found(&post("PUBLISHED", &json!({}))))
        .on("PutItem", json!({}))
        .fail("UpdateItem", FAILED, "The conditional request failed")
        .with("/Key/PK/S", format!("ANALYTICS#blog#{ID}"));
    is_not_found(&send(script, Request::new("POST", TRACK).json(view())).await);
}

#[tokio::test(flavor = "current_thread")]
async fn the_same_view_again_is_not_counted() {
    let script = Script::new()
        .on("GetItem", found(&post("PUBLISHED", &json!({}))))
        .fail("PutItem", FAILED, "The conditional request failed")
        .on("GetItem", found(&counter("blog", ID, 4)));
    let answer = send(script, Request::new("POST", TRACK).json(view())).await;
    assert_eq!(answer.ok(200), json!({"views": 4, "tracked": false, "sessionId": "s1"}));
}

#[tokio::test(flavor = "current_thread")]
async fn only_published_content_is_viewed() {
    for answer in [json!({}), found(&post("DRAFT", &json!({})))] {
        is_not_found(&send(Script::new().on("GetItem", answer), Request::new("POST", TRACK).json(view())).await);
    }
    let mut odd = view();
    odd["contentId"] = json!("a#b");
    is_not_found(&send(Script::new(), Request::new("POST", TRACK).json(odd)).await);
}

#[tokio::test(flavor = "current_thread")]
async fn wrong_views_are_named() {
    for (field, wrong) in [
        ("contentType", json!("x")),
        ("contentType", json!("Blog")),
        ("contentType", json!(null)),
        ("contentId", json!(1)),
        ("sessionId", json!("a b")),
    ] {
        let mut body = view();
        body[field] = wrong;
        let answer = send(Script::new(), Request::new("POST", TRACK).json(body)).await;
        assert_eq!(answer.error(), (400, "InvalidRequest".to_owned(), json!(field)));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn views_of_published_content_are_public() {
    let path = format!("/v1/analytics/views/project/{ID}");
    let published = found(&project("PUBLISHED", &json!({})));
    let script = Script::new().on("GetItem", published.clone()).on("GetItem", found(&counter("project", ID, 4)));
    let views = send(script, Request::new("GET", &path)).await.ok(200);
    assert_eq!(views, json!({"contentId": ID, "contentType": "project", "views": 4}));
    let never = Script::new().on("GetItem", published).on("GetItem", json!({}));
    assert_eq!(send(never, Request::new("GET", &path)).await.ok(200)["views"], 0);
    for answer in [json!({}), found(&project("DRAFT", &json!({})))] {
        is_not_found(&send(Script::new().on("GetItem", answer), Request::new("GET", &path)).await);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn unknown_kinds_are_named() {
    for path in ["/v1/analytics/views/x/1", "/v1/analytics/views/x", "/v1/analytics/views/Blog"] {
        let answer = send(Script::new(), Request::new("GET", path).owner()).await;
        assert_eq!(answer.error(), (400, "InvalidRequest".to_owned(), json!("contentType")), "{path}");
    }
    for path in ["/v1/analytics/pages", "/v1/analytics/pages?contentType=x"] {
        let answer = send(Script::new(), Request::new("GET", path).owner()).await;
        assert_eq!(answer.error(), (400, "InvalidRequest".to_owned(), json!("contentType")), "{path}");
    }
}

fn ranked(kind: &str, counters: &[(&str, u64)]) -> Script {
    let items: Vec<_> = counters.iter().map(|(id, views)| counter(kind, id, *views)).collect();
    Script::new()
        .on("Query", listed(&items))
        .with("/ExpressionAttributeValues/:partition/S", format!("ANALYTICS#{kind}"))
        .with("/ScanIndexForward", false)
}

#[tokio::test(flavor = "current_thread")]
async fn views_of_a_kind_are_listed_by_id_and_by_page() {
    let counters = [("b", 10), ("a", 9)];
    let stats = send(ranked("blog", &counters), Request::new("GET", "/v1/analytics/views/blog").owner()).await.ok(200);
    assert_eq!(stats, json!({"contentType": "blog", "stats": {"a": 9, "b": 10}}));
    let request = Request::new("GET", "/v1/analytics/pages?contentType=blog").owner();
    let pages = send(ranked("blog", &counters), request).await.ok(200);
    assert_eq!(pages, json!([{"pagePath": "/blog/b", "viewCount": 10}, {"pagePath": "/blog/a", "viewCount": 9}]));
}

fn top(limit: i64) -> Script {
    let query = |script: Script, kind: &str, counters: &[(&str, u64)]| {
        let items: Vec<_> = counters.iter().map(|(id, views)| counter(kind, id, *views)).collect();
        script
            .on("Query", listed(&items))
            .with("/ExpressionAttributeValues/:partition/S", format!("ANALYTICS#{kind}"))
            .with("/Limit", limit)
    };
    let script = query(Script::new(), "blog", &[("a", 10), ("b", 9)]);
    query(query(script, "project", &[("c", 20)]), "certification", &[])
}

#[tokio::test(flavor = "current_thread")]
async fn top_content_is_ranked_by_kind() {
    let answer = send(top(2), Request::new("GET", "/v1/analytics/top-content?limit=2").owner()).await;
    assert_eq!(
        answer.ok(200),
        json!({
            "blogs": [{"contentId": "a", "views": 10}, {"contentId": "b", "views": 9}],
            "projects": [{"contentId": "c", "views": 20}],
            "certifications": [],
        })
    );
    assert_eq!(send(top(5), Request::new("GET", "/v1/analytics/top-content").owner()).await.status(), 200);
    for limit in ["0", "21", "abc"] {
        let path = format!("/v1/analytics/top-content?limit={limit}");
        let answer = send(Script::new(), Request::new("GET", &path).owner()).await;
        assert_eq!(answer.error(), (400, "InvalidRequest".to_owned(), json!("limit")));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn total_views_are_one_counter() {
    let script = Script::new()
        .on("GetItem", found(&json!({"PK": "ANALYTICS#TOTAL", "TotalViews": 30})))
        .with("/Key/PK/S", "ANALYTICS#TOTAL");
    let total = send(script, Request::new("GET", "/v1/analytics/total-views").owner()).await;
    assert_eq!(total.ok(200), json!({"totalViews": 30}));
}

#[tokio::test(flavor = "current_thread")]
async fn an_overview_has_views_visitors_and_pages() {
    let days = json!({"Responses": {"portfolio": [
        item(&json!({"PK": "VISITOR#DAILY#2024-03-14", "VisitorCount": 4})),
        item(&json!({"PK": "VISITOR#DAILY#2024-03-15", "VisitorCount": 3})),
    ]}});
    let script = Script::new()
        .on("GetItem", found(&json!({"PK": "ANALYTICS#TOTAL", "TotalViews": 39})))
        .on("BatchGetItem", days);
    let script = [
        ("blog", vec![counter("blog", "a", 10), counter("blog", "b", 9)]),
        ("project", vec![counter("project", "c", 20)]),
        ("certification", vec![]),
    ]
    .into_iter()
    .fold(script, |script, (_, items)| script.on("Query", listed(&items)).with("/Limit", 10));
    let overview = send(script, Request::new("GET", "/v1/analytics/overview?days=2").owner()).await.ok(200);
    assert_eq!(
        overview,
        json!({
            "totalViews": 39,
            "uniqueVisitors": 7,
            "topPages": [
                {"pagePath": "/projects/c", "viewCount": 20},
                {"pagePath": "/blog/a", "viewCount": 10},
                {"pagePath": "/blog/b", "viewCount": 9},
            ],
            "recentActivity": [{"isoDate": "2024-03-14", "visitors": 4}, {"isoDate": "2024-03-15", "visitors": 3}],
        })
    );
}

#[tokio::test(flavor = "current_thread")]
async fn an_overview_of_a_year_is_read_in_batches() {
    let batch = json!({"Responses": {"portfolio": []}});
    let script = Script::new().on("GetItem", json!({}));
    let script = (0..4).fold(script, |script, _| script.on("BatchGetItem", batch.clone()));
    let script = (0..3).fold(script, |script, _| script.on("Query", listed(&[])));
    let overview = send(script, Request::new("GET", "/v1/analytics/overview?days=365").owner()).await.ok(200);
    assert_eq!(overview["recentActivity"].as_array().map(Vec::len), Some(365));
    for days in ["0", "366"] {
        let path = format!("/v1/analytics/overview?days={days}");
        let answer = send(Script::new(), Request::new("GET", &path).owner()).await;
        assert_eq!(answer.error(), (400, "InvalidRequest".to_owned(), json!("days")));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn statistics_of_a_post_have_its_title() {
    let path = format!("/v1/analytics/blog/{ID}/stats");
    let script = Script::new().on("GetItem", found(&post("DRAFT", &json!({})))).on("GetItem", json!({}));
    let stats = send(script, Request::new("GET", &path).owner()).await.ok(200);
    assert_eq!(stats, json!({"postId": ID, "title": "First post", "viewCount": 0}));
    is_not_found(&send(Script::new().on("GetItem", json!({})), Request::new("GET", &path).owner()).await);
}
