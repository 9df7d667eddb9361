//! `POST /jobs/{id}/run`.

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::{Router, extract::State, http::StatusCode, routing::on};
use common::bus::Bus;
use listbackup_contract::{
    api::{RunJob, RunJobRoute},
    tables::JOBS,
};
use serde_json::json;
use tables::{Database, from_item};

use crate::{
    api::call::{Call, database, router as api_router},
    requests::Reply,
    runs::{Queue, Runs, StartOutcome, Starter, Tables},
    shared::{
        audit::{Happening, Trail},
        envelope::Problem,
        ids::Kind,
        rows::{
            Job,
            job::JobStatus,
            run::{RunStatus, RunType},
        },
        store::key,
    },
};

struct App {
    database: Database,
    jobs_table: String,
    starter: Starter,
    trail: Trail,
}

pub(in crate::api) fn router(environment: RunJob, aws: &SdkConfig) -> Router {
    let database = database(aws);
    let tables = Tables {
        runs: environment.runs_table,
        jobs: environment.jobs_table.clone(),
        sources: environment.sources_table,
        activity: environment.activity_table.clone(),
    };
    let runs = Runs::new(database.clone(), tables, Bus::new(aws, environment.event_bus_name));
    let app = Arc::new(App {
        starter: Starter::new(runs, environment.accounts_table, Queue::new(aws, environment.job_queue_url)),
        trail: Trail::new(database.clone(), environment.activity_table),
        jobs_table: environment.jobs_table,
        database,
    });
    api_router::<RunJob, _, _>(app, |route, method| match route {
        RunJobRoute::Run => {
            on(method, async |State(app): State<Arc<App>>, call: Call| call.respond(run(&app, &call).await))
        }
    })
}

async fn run(app: &App, call: &Call) -> Result<Reply, Problem> {
    let caller = call.writer()?;
    let job_id = call.object(Kind::Job)?;
    let item = app.database.get(&app.jobs_table, key(JOBS, &job_id)).await?;
    let job: Job = from_item(item.ok_or_else(|| Problem::not_found(Kind::Job))?)?;
    caller.check_account(&job.account_id)?;
    if job.status != JobStatus::Active {
        return Err(not_active());
    }
    match app.starter.start(&job, RunType::Manual, Some(&caller.user_id)).await? {
        StartOutcome::Started(run) => {
            let message = format!("Queued a run of {}", job.name);
            let happening =
                Happening::new(caller, ("job", &job_id), "run.queued", message).with("runId", run.run_id.as_str());
            app.trail.record(&happening.activity()).await;
            let data = json!({
                "message": "The run is queued", "runId": run.run_id, "jobId": job_id, "status": RunStatus::Queued,
            });
            Ok(Reply { status: StatusCode::ACCEPTED, data })
        }
        StartOutcome::AlreadyRunning { existing_run } => {
            let problem =
                Problem::new(StatusCode::BAD_REQUEST, "JOB_ALREADY_RUNNING", "the job has a run that has not ended");
            Err(problem.with("existingRun", existing_run))
        }
        StartOutcome::NotActive => Err(not_active()),
        StartOutcome::Gone => Err(Problem::not_found(Kind::Job)),
    }
}

fn not_active() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "JOB_NOT_ACTIVE", "the job is paused")
}
