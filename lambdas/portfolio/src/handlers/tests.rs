//! Every route as API Gateway calls it, with AWS as a script.

mod access;
mod analytics;
mod auth;
mod contents;
mod cors;
mod visitors;

use serde_json::{Value, json};

use crate::testing::{ID, STAMP};

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
