//! The function `api`: serves the notes.

use std::{collections::HashMap, sync::Arc};

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use axum::{
    Json, Router,
    extract::{Path, State},
    routing::on,
};
use common::{ApiError, Caller, cors::Origins};
use notes_contract::{Api, ApiRoute};

/// The table of notes.
#[derive(Debug)]
pub struct Notes {
    /// Calls DynamoDB.
    pub client: Client,
    /// The table's name.
    pub table: String,
}

/// Every route of the function.
pub fn router(notes: Notes) -> Router {
    let origins = Origins::parse("");
    common::http::router::<Api, ApiRoute, _>(origins, Arc::new(notes), |route, method| match route {
        ApiRoute::Get => on(method, get),
    })
}

async fn get(
    State(notes): State<Arc<Notes>>,
    Path(id): Path<String>,
    _: Caller,
) -> Result<Json<HashMap<String, String>>, ApiError> {
    let request = notes.client.get_item().table_name(&notes.table).key("Id", AttributeValue::S(id));
    let note = request.send().await?.item.ok_or_else(|| ApiError::not_found("there is no such note"))?;
    let texts = note.into_iter().filter_map(|(name, value)| Some((name, value.as_s().ok()?.clone())));
    Ok(Json(texts.collect()))
}
