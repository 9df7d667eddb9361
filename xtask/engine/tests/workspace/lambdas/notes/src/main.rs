use std::process::ExitCode;

use axum::{Json, extract::State, routing::on};
use common::{cors::Origins, http};
use notes_contract::{List, ListRoute};
use serde_json::{Value, json};

const WORD: &str = "first";

fn main() -> ExitCode {
    common::start::<List>(async |started| {
        let table = started.environment.table_name;
        let router = http::router::<List, ListRoute, _>(Origins::parse(""), table, |route, method| match route {
            ListRoute::Get => on(method, list),
        });
        http::serve::<List>(router).await
    })
}

async fn list(State(table): State<String>) -> Json<Value> {
    Json(json!({ "word": WORD, "table": table }))
}
