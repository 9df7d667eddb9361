//! `POST /jobs`.

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::{Router, extract::State, http::StatusCode, routing::on};
use common::bus::Bus;
use jiff::Timestamp;
use listbackup_contract::{
    api::{CreateJob, CreateJobRoute},
    events,
    tables::{ACCOUNTS, SOURCES},
};
use serde_json::json;
use tables::{AwsError, Change, Database, TransactionOutcome, Write, to_item};

use super::list::view;
use crate::{
    api::{
        call::{Call, database, router as api_router},
        sources,
    },
    requests::{Fields, Reply, invalid},
    runs::schedule,
    shared::{
        audit::{Audit, Happening},
        envelope::Problem,
        identity::Identity,
        ids::Kind,
        rows::{
            Job, Source,
            job::{Interval, JobStatus, JobType, Schedule},
        },
        store::key,
        time,
    },
};

struct App {
    database: Database,
    jobs_table: String,
    accounts_table: String,
    sources_table: String,
    audit: Audit,
}

pub(in crate::api) fn router(environment: CreateJob, aws: &SdkConfig) -> Router {
    let database = database(aws);
    let app = Arc::new(App {
        jobs_table: environment.jobs_table,
        accounts_table: environment.accounts_table,
        sources_table: environment.sources_table,
        audit: Audit::new(database.clone(), environment.activity_table, Bus::new(aws, environment.event_bus_name)),
        database,
    });
    api_router::<CreateJob, _, _>(app, |route, method| match route {
        CreateJobRoute::Create => {
            on(method, async |State(app): State<Arc<App>>, call: Call| call.respond(create(&app, &call).await))
        }
    })
}

async fn create(app: &App, call: &Call) -> Result<Reply, Problem> {
    let caller = call.writer()?;
    let (mut job, source_id) = parse(caller, &call.fields()?)?;
    let source = match source_id {
        Some(source_id) => sources::read(&app.database, &app.sources_table, &source_id).await?,
        None => None,
    };
    let source = source.ok_or_else(no_source)?;
    caller.check_account(&source.account_id)?;
    job.source_id.clone_from(&source.source_id);
    store(app, caller, &job, &source).await?;
    Ok(Reply { status: StatusCode::CREATED, data: json!({ "job": view(&job, Some(&source))? }) })
}

/// Reads a job, and the ID of its source: `None` for a text that is no ID.
fn parse(caller: &Identity, fields: &Fields) -> Result<(Job, Option<String>), Problem> {
    let name = fields.name("name")?.to_owned();
    let source_id = fields.reference("sourceId", Kind::Source)?.ok_or_else(|| invalid("sourceId", "is missing"))?;
    let schedule = schedule_of(fields)?;
    let now = Timestamp::now();
    let created_at = time::text(now);
    let job = Job {
        job_id: Kind::Job.generate(),
        account_id: caller.account_id.clone(),
        user_id: caller.user_id.clone(),
        source_id: String::new(),
        name,
        description: fields.optional_text("description")?.map(str::to_owned),
        schedule,
        job_type: job_type(fields)?,
        config: fields.object("config")?.cloned().unwrap_or_default(),
        status: fields.parsed("status", "must be active or paused")?.unwrap_or(JobStatus::Active),
        last_run: None,
        next_run: schedule::next(&schedule, now),
        run_count: 0,
        active_run_id: None,
        last_error: None,
        created_at: created_at.clone(),
        updated_at: created_at,
    };
    Ok((job, source_id))
}

fn job_type(fields: &Fields) -> Result<JobType, Problem> {
    if fields.optional_text("type")? == Some("differential") {
        let message = "differential jobs are not supported; use full or incremental";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "UNSUPPORTED_JOB_TYPE", message));
    }
    Ok(fields.parsed("type", "must be full or incremental")?.unwrap_or(JobType::Incremental))
}

fn schedule_of(fields: &Fields) -> Result<Schedule, Problem> {
    let expected = "must have a type (manual, hourly, daily, weekly or monthly), and may have hour, minute and day";
    let schedule: Schedule = fields.parsed("schedule", expected)?.ok_or_else(|| invalid("schedule", "is missing"))?;
    let days = match schedule.interval {
        Interval::Monthly => 1..=31,
        _ => 0..=6,
    };
    let checks = [
        ("schedule.hour", schedule.hour, 0..=23),
        ("schedule.minute", schedule.minute, 0..=59),
        ("schedule.day", schedule.day, days),
    ];
    for (field, value, range) in checks {
        if value.is_some_and(|value| !range.contains(&value)) {
            return Err(invalid(field, &format!("must be from {} to {}", range.start(), range.end())));
        }
    }
    Ok(schedule)
}

/// Writes the job and counts it, if its source still exists and the account may have another job.
async fn store(app: &App, caller: &Identity, job: &Job, source: &Source) -> Result<(), Problem> {
    let happening = Happening::new(caller, ("job", &job.job_id), "created", format!("Created {}", job.name))
        .with("sourceId", source.source_id.as_str());
    let absent = Change::new().when(|at| at.absent("jobId"));
    let count = Change::new()
        .add("usage.backupJobs", 1)
        .when(|at| format!("{} < {}", at.name("usage.backupJobs"), at.name("settings.maxBackupJobs")));
    let own = Change::new().when(|at| at.compare("accountId", "=", &caller.account_id));
    let writes = vec![
        Write::Put(app.jobs_table.clone(), to_item(job)?, absent),
        Write::Change(app.accounts_table.clone(), key(ACCOUNTS, &caller.account_id), count),
        Write::Check(app.sources_table.clone(), key(SOURCES, &source.source_id), own),
        app.audit.trail.write(&happening.activity())?,
    ];
    match app.database.transact(writes).await? {
        TransactionOutcome::Committed => {
            app.audit.announce(events::JOB_CREATED, &happening).await;
            Ok(())
        }
        TransactionOutcome::ConditionsFailed(failed) if failed.contains(&2) => Err(no_source()),
        TransactionOutcome::ConditionsFailed(failed) if failed.contains(&1) => {
            let message = "the account has as many jobs as its plan allows";
            Err(Problem::new(StatusCode::FORBIDDEN, "LIMIT_EXCEEDED", message))
        }
        TransactionOutcome::ConditionsFailed(_) => {
            Err(AwsError::unexpected("create a job", "its random ID exists already").into())
        }
    }
}

/// The response about a source that a new job names. The source is a field, so the status is 400.
fn no_source() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, Kind::Source.not_found(), "Source not found")
        .with("details", json!({ "field": "sourceId" }))
}
