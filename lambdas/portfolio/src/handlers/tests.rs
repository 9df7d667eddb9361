//! Every route, called with API Gateway's events and a scripted AWS.

mod access;
mod analytics;
mod auth;
mod contents;
mod cors;
mod listing;
mod publishing;
mod visitors;

use serde_json::{Value, json};

use crate::testing::{Answer, Function, ID, Request, STAMP, script::Script};

/// A post's item.
fn post(status: &str, changes: &Value) -> Value {
    let published = status == "PUBLISHED";
    let data = json!({
        "id": ID, "slug": "first-post", "title": "First post", "excerpt": "Short", "content": "Long",
        "category": "Backend", "readTime": 1, "publishedAt": if published { json!(STAMP) } else { Value::Null },
        "tags": ["rust"], "createdAt": STAMP, "updatedAt": STAMP,
    });
    content("BLOG", "BLOG", &format!("BLOG#STATUS#{status}"), status, data, changes)
}

/// A project's item.
fn project(status: &str, changes: &Value) -> Value {
    let data = json!({
        "id": ID, "name": "Project", "description": "Short", "longDescription": "Long", "tech": ["Rust"],
        "company": "Own", "featured": true, "githubUrl": "https://example.com/a", "liveUrl": null, "imageUrl": null,
        "createdAt": STAMP, "updatedAt": STAMP,
    });
    content("PROJECT", "PROJECT", &format!("PROJECT#STATUS#{status}"), status, data, changes)
}

/// A certification's item.
fn certification(status: &str, changes: &Value) -> Value {
    let data = json!({
        "id": ID, "name": "Certificate", "issuer": "AWS", "icon": "☁", "type": "certification", "featured": false,
        "description": "Text", "credentialUrl": null, "dateEarned": "2023-06-15", "createdAt": STAMP,
        "updatedAt": STAMP,
    });
    content("CERT", "CERTIFICATION", &format!("CERT#STATUS#{status}#certification"), status, data, changes)
}

fn content(prefix: &str, entity: &str, partition: &str, status: &str, mut data: Value, changes: &Value) -> Value {
    let fields = data.as_object_mut().expect("an object");
    fields.extend(changes.as_object().expect("an object").clone());
    json!({
        "PK": format!("{prefix}#{}", data["id"].as_str().expect("an id")), "SK": "METADATA", "EntityType": entity,
        "Status": status, "GSI1PK": partition, "GSI1SK": format!("{prefix}#{STAMP}"), "CreatedAt": STAMP,
        "UpdatedAt": STAMP, "Data": data,
    })
}

const POST: &str = "/v1/blog/posts/7f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b";
const PROJECT: &str = "/v1/projects/7f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b";
const CERTIFICATION: &str = "/v1/certifications/7f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b";

async fn send(script: Script, request: Request<'_>) -> Answer {
    Function::new(script).send(request).await
}

fn is_not_found(answer: &Answer) {
    assert_eq!(answer.error(), (404, "NotFound".to_owned(), Value::Null));
}

fn is_invalid(answer: &Answer, field: &str) {
    assert_eq!(answer.error(), (400, "InvalidRequest".to_owned(), json!(field)));
}
