//! `POST /data/search`: files whose name or path contains a text, the best matches of a page first.

use std::{cmp::Reverse, sync::Arc};

use aws_config::SdkConfig;
use axum::{Router, extract::State, routing::on};
use listbackup_contract::api::{SearchFiles, SearchFilesRoute};
use serde_json::{Value, json};
use tables::{Database, Query};

use super::{
    call::{Call, database, router as api_router},
    files::{self, Dates},
    listing, sources,
};
use crate::{
    requests::{Fields, Reply, invalid},
    shared::{category::Category, envelope::Problem, rows::FileRow},
};

/// The longest text, in characters.
const LONGEST_QUERY: usize = 256;

struct App {
    database: Database,
    files_table: String,
    sources_table: String,
}

/// A search.
struct Search {
    /// In lower case.
    text: String,
    filters: Filters,
    limit: usize,
    last_key: Option<String>,
}

#[derive(Default)]
struct Filters {
    source_id: Option<String>,
    file_type: Option<Category>,
    size_min: Option<u64>,
    size_max: Option<u64>,
    dates: Dates,
}

pub(super) fn router(environment: SearchFiles, aws: &SdkConfig) -> Router {
    let app = Arc::new(App {
        database: database(aws),
        files_table: environment.files_table,
        sources_table: environment.sources_table,
    });
    api_router::<SearchFiles, _, _>(app, |route, method| match route {
        SearchFilesRoute::Search => {
            on(method, async |State(app): State<Arc<App>>, call: Call| call.respond(search(&app, &call).await))
        }
    })
}

async fn search(app: &App, call: &Call) -> Result<Reply, Problem> {
    let caller = call.reader()?;
    let fields = call.fields()?;
    let search = Search::parse(&fields)?;
    let scope = files::scope(caller, search.filters.source_id.as_deref());
    // The cursor is checked before anything is read.
    let start = search.filters.dates.start(&scope, search.last_key.as_deref())?;
    if let Some(source_id) = &search.filters.source_id {
        sources::check_source(&app.database, &app.sources_table, source_id, caller).await?;
    }
    let query = search.select(files::query(&app.files_table, &scope));
    let mut page = listing::page::<FileRow>(&app.database, &query, &scope, search.limit, start).await?;
    // A stable sort: equal matches stay in the order of time.
    page.rows.sort_by_key(|file| Reverse(score(file, &search.text)));
    let found = page.rows.iter().map(files::view).collect::<Result<Vec<Value>, Problem>>()?;
    Ok(Reply::ok(json!({
        "count": found.len(),
        "files": found,
        "query": fields.0.get("query"),
        "filters": fields.0.get("filters").unwrap_or(&json!({})),
        "hasMore": page.last_key.is_some(),
        "lastKey": page.last_key,
    })))
}

/// Rates a match: the beginning of the name, anywhere in the name, or in the path.
fn score(file: &FileRow, text: &str) -> u32 {
    if file.name_lower.starts_with(text) {
        10
    } else if file.name_lower.contains(text) {
        5
    } else {
        3
    }
}

impl Search {
    fn parse(fields: &Fields) -> Result<Self, Problem> {
        let text = fields.text("query")?.trim().to_lowercase();
        if text.is_empty() || text.chars().count() > LONGEST_QUERY {
            return Err(invalid("query", &format!("must be a text of 1 to {LONGEST_QUERY} characters")));
        }
        let filters = match fields.object("filters")? {
            None => Filters::default(),
            Some(filters) => Filters::parse(&Fields(filters.clone()))?,
        };
        let limit = fields.0.get("limit").filter(|limit| !limit.is_null());
        let limit = limit.map_or(Ok(listing::DEFAULT_LIMIT), |limit| listing::check_limit(limit.as_u64()))?;
        let last_key = fields.0.get("lastKey").filter(|cursor| !cursor.is_null());
        // Any value but a text is no cursor.
        let last_key = last_key.map(|cursor| cursor.as_str().unwrap_or_default().to_owned());
        Ok(Self { text, filters, limit, last_key })
    }

    fn select(&self, query: Query) -> Query {
        let Filters { file_type, size_min, size_max, dates, .. } = &self.filters;
        let mut query = dates.select(query);
        // The name is the end of the path.
        query = query.filter(|at| format!("contains({}, {})", at.name("pathLower"), at.value(&self.text)));
        if let Some(file_type) = file_type {
            query = query.filter(|at| at.compare("fileType", "=", file_type));
        }
        if let Some(size) = size_min {
            query = query.filter(|at| at.compare("sizeBytes", ">=", size));
        }
        if let Some(size) = size_max {
            query = query.filter(|at| at.compare("sizeBytes", "<=", size));
        }
        query
    }
}

impl Filters {
    fn parse(fields: &Fields) -> Result<Self, Problem> {
        const KNOWN: [&str; 6] = ["sourceId", "fileType", "sizeMin", "sizeMax", "dateFrom", "dateTo"];
        if let Some(unknown) = fields.0.keys().find(|name| !KNOWN.contains(&name.as_str())) {
            return Err(invalid(&format!("filters.{unknown}"), "is unknown"));
        }
        let size = |name: &str| match fields.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                value.as_u64().map(Some).ok_or_else(|| invalid(&format!("filters.{name}"), "must be a number of bytes"))
            }
        };
        let text = |name: &str| Ok::<_, Problem>(fields.optional_text(name)?.filter(|text| !text.is_empty()));
        let (from, to) = (text("dateFrom")?, text("dateTo")?);
        Ok(Self {
            source_id: text("sourceId")?.map(files::source_id).transpose()?,
            file_type: text("fileType")?.map(files::category).transpose()?,
            size_min: size("sizeMin")?,
            size_max: size("sizeMax")?,
            dates: Dates::new(from, to)?,
        })
    }
}
