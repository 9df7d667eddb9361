//! The description of the API as a page: HTML with one inline style and nothing else, so it works without any other file.

use std::{fmt::Write, sync::OnceLock};

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::digest;
use serde_json::{Map, Value};

use super::openapi;

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
h2{margin-top:2.5rem}article{border-top:1px solid #888;padding:.5rem 0}code{font-family:ui-monospace,monospace}\
table{border-collapse:collapse}th,td{text-align:left;padding:.1rem 1rem .1rem 0;vertical-align:top}";

/// Returns the page and its content security policy, which allows that style and nothing else.
pub(super) fn page() -> (&'static str, &'static str) {
    static PAGE: OnceLock<(String, String)> = OnceLock::new();
    let (page, policy) = PAGE.get_or_init(|| {
        let hash = BASE64_STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        (render(openapi::document()), policy)
    });
    (page, policy)
}

fn render(document: &Value) -> String {
    let title = text(&document["info"]["title"]);
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><style>{STYLE}</style></head>\
         <body><main><h1>{title}</h1><p>{} Version {}. <a href=\"openapi.json\">OpenAPI document</a></p>",
        text(&document["info"]["description"]),
        text(&document["info"]["version"]),
    );
    for tag in document["tags"].as_array().into_iter().flatten() {
        add(&mut page, format_args!("<h2>{}</h2>", text(&tag["name"])));
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                if operation["tags"][0] == tag["name"] {
                    operation_section(&mut page, document, &format!("{} {path}", method.to_uppercase()), operation);
                }
            }
        }
    }
    page + "</main></body></html>"
}

fn operation_section(page: &mut String, document: &Value, name: &str, operation: &Value) {
    let summary = text(&operation["summary"]);
    add(page, format_args!("<article><h3><code>{}</code></h3><p>{summary}", escaped(name)));
    let needs_token = !operation["security"].is_null();
    page.push_str(if needs_token { ". Needs an access token.</p>" } else { ".</p>" });
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let parameters: Map<_, _> = parameters
        .filter_map(|parameter| Some((parameter["name"].as_str()?.to_owned(), parameter["schema"].clone())))
        .collect();
    fields(page, "Parameters", &parameters);
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    if let Some(properties) = resolved(document, schema)["properties"].as_object() {
        fields(page, "Body", properties);
    }
    page.push_str("<h4>Responses</h4><table>");
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let description = text(&response["description"]);
        add(page, format_args!("<tr><th scope=\"row\">{}</th><td>{description}</td></tr>", escaped(status)));
    }
    page.push_str("</table></article>");
}

fn fields(page: &mut String, title: &str, fields: &Map<String, Value>) {
    if fields.is_empty() {
        return;
    }
    add(page, format_args!("<h4>{title}</h4><table>"));
    for (name, schema) in fields {
        let (kind, about) = (text(&schema["type"]), text(&schema["description"]));
        let name = escaped(name);
        add(page, format_args!("<tr><th scope=\"row\"><code>{name}</code></th><td>{kind}</td><td>{about}</td></tr>"));
    }
    page.push_str("</table>");
}

/// Follows a reference to a definition.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let reference = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    reference.and_then(|pointer| document.pointer(pointer)).unwrap_or(schema)
}

fn add(page: &mut String, part: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = page.write_fmt(part);
}

fn text(value: &Value) -> String {
    escaped(value.as_str().unwrap_or_default())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_lists_every_route_and_loads_nothing() {
        let (page, policy) = page();
        for (path, item) in openapi::document()["paths"].as_object().expect("paths") {
            for method in item.as_object().expect("methods").keys() {
                let name = format!("<code>{} {path}</code>", method.to_uppercase());
                assert_eq!(page.matches(&name).count(), 1, "{name}");
            }
        }
        for loaded in ["<script", "<link", "<img", "src=", "url(", "http://", "https://", " style="] {
            assert!(!page.contains(loaded), "{loaded}");
        }
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"));
        assert!(page.contains("<code>bot_token</code>"), "the fields of bodies are listed");
    }

    #[test]
    fn texts_are_escaped() {
        assert_eq!(escaped("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
    }
}
