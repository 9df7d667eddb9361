//! `GET /runs/{id}`.

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::{Router, extract::State, routing::on};
use jiff::Timestamp;
use listbackup_contract::{
    api::{GetRun, GetRunRoute},
    tables::RUNS,
};
use serde_json::{Value, json};
use tables::{Database, from_item};

use super::call::{Call, database, router as api_router};
use crate::{
    requests::Reply,
    runs::figures::Figures,
    shared::{envelope::Problem, ids::Kind, rows::Run, store::key},
};

/// The steps of a backup.
const STEPS: u32 = 8;
/// Fields of the row that clients do not see, or see as part of `progress`.
const INTERNAL: [&str; 6] = ["currentStep", "filesProcessed", "bytesProcessed", "leaseUntil", "result", "typeDeltas"];

struct App {
    database: Database,
    runs_table: String,
}

pub(super) fn router(environment: GetRun, aws: &SdkConfig) -> Router {
    let app = Arc::new(App { database: database(aws), runs_table: environment.runs_table });
    api_router::<GetRun, _, _>(app, |route, method| match route {
        GetRunRoute::Get => {
            on(method, async |State(app): State<Arc<App>>, call: Call| call.respond(get(&app, &call).await))
        }
    })
}

async fn get(app: &App, call: &Call) -> Result<Reply, Problem> {
    let caller = call.reader()?;
    let run_id = call.object(Kind::Run)?;
    let item = app.database.get(&app.runs_table, key(RUNS, &run_id)).await?;
    let run: Run = from_item(item.ok_or_else(|| Problem::not_found(Kind::Run))?)?;
    caller.check_account(&run.account_id)?;
    Ok(Reply::ok(json!({ "run": view(&run, Timestamp::now())? })))
}

/// Returns a run as clients see it, with the figures that are computed from its counters.
fn view(run: &Run, now: Timestamp) -> Result<Value, Problem> {
    let figures = Figures::new(run, now);
    let mut view = serde_json::to_value(run)?;
    if let Some(fields) = view.as_object_mut() {
        for internal in INTERNAL {
            fields.remove(internal);
        }
    }
    view["progress"] = json!({
        "percentage": figures.percentage,
        "currentStep": run.current_step,
        "totalSteps": STEPS,
        "filesProcessed": run.files_processed,
        "totalFiles": run.files_total,
        "bytesProcessed": run.bytes_processed,
    });
    view["stats"]["compressionRatio"] = json!(figures.compression_ratio);
    view["stats"]["transferRateBytesPerSecond"] = json!(figures.transfer_rate);
    Ok(view)
}
