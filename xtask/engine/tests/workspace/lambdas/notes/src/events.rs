//! The functions that pass notes on, and count how often each is stored.

use std::process::ExitCode;

use aws_call::{
    Call,
    services::{DYNAMODB, QUEUES},
};
use aws_config::SdkConfig;
use axum::{Json, extract::State, http::StatusCode, routing::on};
use common::{
    Error,
    bus::Bus,
    cors::Origins,
    events::{self, BusEvent},
    http,
    queue::{QueueMessage, serve_queue},
};
use notes_contract::events::{ADDED, Add, AddRoute, Added, Forward, NOTE, Note, SOURCE, Store};
use serde_json::{Map, Value, json};

/// The state of the API.
#[derive(Clone)]
struct App {
    aws: SdkConfig,
    table: String,
    bus: Bus,
}

fn main() -> ExitCode {
    common::functions()
        .function::<Add>(async |started| {
            let bus = Bus::new(&started.aws, started.environment.bus_name);
            let app = App { aws: started.aws, table: started.environment.table_name, bus };
            let router = http::router::<Add, AddRoute, _>(Origins::parse(""), app, |route, method| match route {
                AddRoute::Add => on(method, add),
                AddRoute::Counts => on(method, counts),
            });
            http::serve::<Add>(router).await
        })
        .function::<Forward>(async |started| {
            let (aws, queue) = (started.aws, started.environment.queue_url);
            events::serve::<Forward, BusEvent<Added>, ()>(async |event| forward(&aws, &queue, event).await).await
        })
        .function::<Store>(async |started| {
            let (aws, table) = (started.aws, started.environment.table_name);
            serve_queue::<Store, Note>(async |message| store(&aws, &table, message).await).await
        })
        .run()
}

/// Sends the names of notes as an event.
async fn add(State(app): State<App>, Json(added): Json<Added>) -> StatusCode {
    match app.bus.put(SOURCE, ADDED, &added).await {
        Ok(()) => StatusCode::ACCEPTED,
        Err(_) => StatusCode::BAD_GATEWAY,
    }
}

async fn counts(State(app): State<App>) -> Result<Json<Value>, StatusCode> {
    let input = json!({ "TableName": app.table, "Key": { "PK": { "S": "counts" } }, "ConsistentRead": true });
    let output: Result<Value, _> = Call::json(DYNAMODB, "GetItem", &input).receive(&app.aws).await;
    let output = output.map_err(|_| StatusCode::BAD_GATEWAY)?;
    let attributes = output["Item"].as_object().into_iter().flatten().filter(|(name, _)| *name != "PK");
    Ok(Json(attributes.map(|(name, value)| (name.clone(), value["N"].clone())).collect::<Map<_, _>>().into()))
}

/// Puts one message for each note into the queue, and one of another kind, all at once.
async fn forward(aws: &SdkConfig, queue: &str, event: BusEvent<Added>) -> Result<(), Error> {
    let note = |name: String| Note { kind: NOTE.to_owned(), name };
    let other = Note { kind: "other".to_owned(), name: "other".to_owned() };
    let notes: Vec<_> = event.detail.names.into_iter().map(note).chain([other]).collect();
    let mut entries = Vec::new();
    for (index, note) in notes.iter().enumerate() {
        entries.push(json!({ "Id": index.to_string(), "MessageBody": serde_json::to_string(note)? }));
    }
    let input = json!({ "QueueUrl": queue, "Entries": entries });
    Call::json(QUEUES, "SendMessageBatch", &input).send(aws).await?;
    Ok(())
}

/// Counts a note. The first delivery of a note that is called `flaky` fails.
async fn store(aws: &SdkConfig, table: &str, message: QueueMessage<Note>) -> Result<(), Error> {
    let name = message.body.name;
    if name == "flaky" && message.receive_count == 1 {
        return Err("the first delivery fails".into());
    }
    let input = json!({
        "TableName": table,
        "Key": { "PK": { "S": "counts" } },
        "UpdateExpression": "ADD #name :one",
        "ExpressionAttributeNames": { "#name": name },
        "ExpressionAttributeValues": { ":one": { "N": "1" } },
    });
    Call::json(DYNAMODB, "UpdateItem", &input).send(aws).await?;
    Ok(())
}
