//! `POST /reports/generate`: a report of an account as an object, and a link to it.

mod csv;
mod file;
mod rows;

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::{Router, extract::State, http::StatusCode, routing::on};
use common::{bus::Bus, telemetry};
use jiff::Timestamp;
use listbackup_contract::{
    analytics::{GenerateReport, GenerateReportRoute},
    events::REPORT_GENERATED,
    limits::PRESIGN_SECONDS,
    storage::REPORTS,
};
use serde_json::{Value, json};
use tables::{Change, Database, to_item};

use self::{
    file::{File, Files},
    rows::{Kind, Rows},
};
use super::{
    buckets::Buckets,
    range::{Range, date},
};
use crate::{
    api::call::{Call, database, router as api_router},
    requests::{Fields, Reply, invalid},
    shared::{
        audit::Happening,
        envelope::Problem,
        ids::{self, bare},
        rows::{Report, report::KEPT_SECONDS},
        time,
    },
};

struct App {
    database: Database,
    rows: Rows,
    reports: String,
    files: Files,
    bus: Bus,
}

/// The format of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
}

/// What is reported.
struct Request {
    kind: Kind,
    range: Range,
    format: Format,
}

pub(super) fn router(environment: GenerateReport, aws: &SdkConfig) -> Router {
    let database = database(aws);
    let app = Arc::new(App {
        rows: Rows {
            buckets: Buckets { database: database.clone(), table: environment.analytics_aggregates_table },
            sources: environment.sources_table,
            runs: environment.runs_table,
            activity: environment.activity_table,
        },
        database,
        reports: environment.reports_table,
        files: Files::new(aws, environment.data_bucket, environment.public_s3_endpoint),
        bus: Bus::new(aws, environment.event_bus_name),
    });
    api_router::<GenerateReport, _, _>(app, |route, method| match route {
        GenerateReportRoute::Generate => {
            on(method, async |State(app): State<Arc<App>>, call: Call| call.respond(generate(&app, &call).await))
        }
    })
}

async fn generate(app: &App, call: &Call) -> Result<Reply, Problem> {
    let caller = call.reader()?;
    let now = Timestamp::now();
    let request = parse(&call.fields()?, now)?;
    let rows = app.rows.read(request.kind, &caller.account_id, &request.range).await?;
    let report = report(&request, &caller.account_id, &caller.user_id, rows.len());
    let name = format!("{}-{}.{}", request.kind.name(), date(now), request.format.name());
    let content = match request.format {
        Format::Csv => csv::write(request.kind.columns(), &rows),
        Format::Json => document(&report, &rows)?,
    };
    let file = File { key: &report.s3_key, name: &name, content_type: request.format.content_type() };
    app.files.put(&file, content).await?;
    app.database.put(&app.reports, to_item(&report)?, Change::new()).await?;
    let happening = Happening::new(caller, ("report", &report.report_id), "generated", "A report was generated");
    let kind = REPORT_GENERATED;
    if let Err(error) = app.bus.put(kind.source, kind.detail_type, &happening.detail()).await {
        tracing::error!(error = telemetry::chain(&error), report = report.report_id, "an event was lost");
    }
    let data = json!({
        "reportId": report.report_id,
        "status": "completed",
        "type": report.report_type,
        "timeRange": report.time_range,
        "format": report.format,
        "rowCount": report.row_count,
        "downloadUrl": app.files.link(&file).await?,
        "expiresIn": PRESIGN_SECONDS,
        "createdAt": report.created_at,
    });
    Ok(Reply { status: StatusCode::CREATED, data })
}

fn parse(fields: &Fields, now: Timestamp) -> Result<Request, Problem> {
    let kind = Kind::parse(fields.text("type")?)
        .ok_or_else(|| invalid("type", "must be backup-summary, storage or activity"))?;
    let range = if fields.has("timeRange") { Some(fields.text("timeRange")?) } else { None };
    let format = match if fields.has("format") { fields.text("format")? } else { "json" } {
        "json" => Format::Json,
        "csv" => Format::Csv,
        _ => return Err(invalid("format", "must be json or csv")),
    };
    Ok(Request { kind, range: Range::parse(range, now)?, format })
}

fn report(request: &Request, account_id: &str, user_id: &str, rows: usize) -> Report {
    let report_id = ids::Kind::Report.generate();
    let s3_key = format!("{REPORTS}{}/{}.{}", bare(account_id), bare(&report_id), request.format.name());
    Report {
        report_id,
        account_id: account_id.to_owned(),
        report_type: request.kind.name().to_owned(),
        time_range: request.range.name.to_owned(),
        format: request.format.name().to_owned(),
        s3_key,
        row_count: u64::try_from(rows).unwrap_or(u64::MAX),
        user_id: user_id.to_owned(),
        created_at: time::now(),
        ttl: time::ttl(KEPT_SECONDS),
    }
}

/// The content of a report in JSON.
fn document(report: &Report, rows: &[Value]) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&json!({
        "reportId": report.report_id,
        "type": report.report_type,
        "timeRange": report.time_range,
        "createdAt": report.created_at,
        "rowCount": report.row_count,
        "rows": rows,
    }))
}

impl Format {
    const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }
}
