//! `GET /data/files`: the newest first.

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::{Router, extract::State, routing::on};
use listbackup_contract::{
    api::{ListFiles, ListFilesRoute},
    tables::{FILES, FILES_BY_ACCOUNT, FILES_BY_SOURCE},
};
use serde_json::{Value, json};
use tables::{Database, Item, Query};

use super::{
    call::{Call, database, router as api_router},
    listing, sources,
};
use crate::{
    requests::{Reply, invalid},
    shared::{
        category::Category,
        cursor::{Scope, invalid_cursor},
        envelope::Problem,
        identity::Identity,
        ids::Kind,
        rows::FileRow,
        store::index,
        time,
    },
};

struct App {
    database: Database,
    files_table: String,
    sources_table: String,
}

pub(super) fn router(environment: ListFiles, aws: &SdkConfig) -> Router {
    let app = Arc::new(App {
        database: database(aws),
        files_table: environment.files_table,
        sources_table: environment.sources_table,
    });
    api_router::<ListFiles, _, _>(app, |route, method| match route {
        ListFilesRoute::List => {
            on(method, async |State(app): State<Arc<App>>, call: Call| call.respond(list(&app, &call).await))
        }
    })
}

async fn list(app: &App, call: &Call) -> Result<Reply, Problem> {
    let caller = call.reader()?;
    let limit = listing::limit(call)?;
    let file_type = call.query("fileType")?.map(category).transpose()?;
    let dates = Dates::new(call.query("dateFrom")?, call.query("dateTo")?)?;
    let source_id = call.query("sourceId")?.map(source_id).transpose()?;
    let scope = scope(caller, source_id.as_deref());
    // The cursor is checked before anything is read.
    let start = dates.start(&scope, call.query("lastKey")?)?;
    if let Some(source_id) = &source_id {
        sources::check_source(&app.database, &app.sources_table, source_id, caller).await?;
    }
    let query = dates.select(query(&app.files_table, &scope));
    let page = match file_type {
        None => listing::plain_page::<FileRow>(&app.database, &query, &scope, limit, start).await?,
        Some(file_type) => {
            let query = query.filter(|at| at.compare("fileType", "=", file_type));
            listing::page::<FileRow>(&app.database, &query, &scope, limit, start).await?
        }
    };
    let files = page.rows.iter().map(view).collect::<Result<Vec<Value>, Problem>>()?;
    let has_more = page.last_key.is_some();
    Ok(Reply::ok(json!({ "count": files.len(), "files": files, "lastKey": page.last_key, "hasMore": has_more })))
}

/// The index that lists the files of a source, or of the whole account.
pub(super) fn scope<'a>(caller: &'a Identity, source_id: Option<&'a str>) -> Scope<'a> {
    let account_id = caller.account_id.as_str();
    match source_id {
        Some(partition) => Scope { account_id, table: FILES, index: FILES_BY_SOURCE, partition },
        None => Scope { account_id, table: FILES, index: FILES_BY_ACCOUNT, partition: account_id },
    }
}

/// Returns the query of a scope's files, the newest first. The files of a source that was deleted are still of one account only.
pub(super) fn query(table: &str, scope: &Scope<'_>) -> Query {
    let query = Query::index(table, index(scope.index), scope.partition).descending();
    if scope.partition == scope.account_id {
        return query;
    }
    query.filter(|at| at.compare("accountId", "=", scope.account_id))
}

/// Reads the ID of a source in a filter.
pub(super) fn source_id(text: &str) -> Result<String, Problem> {
    Kind::Source.parse(text).ok_or_else(|| Problem::not_found(Kind::Source))
}

/// Reads a category in a filter.
pub(super) fn category(text: &str) -> Result<Category, Problem> {
    let known = Category::ALL.into_iter().find(|category| category.as_str() == text);
    let names = Category::ALL.map(Category::as_str).join(", ");
    known.ok_or_else(|| invalid("fileType", &format!("must be one of {names}")))
}

/// A range of the times at which paths were backed up first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Dates {
    from: Option<String>,
    to: Option<String>,
}

impl Dates {
    /// Reads two times or days; the last day is included.
    pub(super) fn new(from: Option<&str>, to: Option<&str>) -> Result<Self, Problem> {
        let parse = |field: &str, text: Option<&str>, end: &str| -> Result<Option<String>, Problem> {
            let Some(text) = text else { return Ok(None) };
            let full = if text.len() == "2026-01-31".len() { format!("{text}T{end}Z") } else { text.to_owned() };
            let time = full.parse().map_err(|_| invalid(field, "must be a day or a time, such as 2026-01-31"))?;
            Ok(Some(time::text(time)))
        };
        let dates = Self { from: parse("dateFrom", from, "00:00:00.000")?, to: parse("dateTo", to, "23:59:59.999")? };
        let is_ordered = dates.from.is_none() || dates.to.is_none() || dates.from <= dates.to;
        if is_ordered { Ok(dates) } else { Err(invalid("dateTo", "must not be before dateFrom")) }
    }

    /// Decodes a cursor. DynamoDB refuses one outside of the query's range, so it is a cursor of another list.
    pub(super) fn start(&self, scope: &Scope<'_>, cursor: Option<&str>) -> Result<Option<Item>, Problem> {
        let Some(cursor) = cursor else { return Ok(None) };
        let key = scope.decode(cursor)?;
        let time = key.get("createdAt").and_then(|time| time.as_s().ok());
        let is_within = |time: &String| {
            self.from.as_ref().is_none_or(|from| from <= time) && self.to.as_ref().is_none_or(|to| time <= to)
        };
        if time.is_some_and(is_within) { Ok(Some(key)) } else { Err(invalid_cursor()) }
    }

    /// Limits a query of an index whose sort key is the time.
    pub(super) fn select(&self, query: Query) -> Query {
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => query.between("createdAt", from, to),
            (from, None) => query.sorted("createdAt", ">=", from.as_deref()),
            (None, to) => query.sorted("createdAt", "<=", to.as_deref()),
        }
    }
}

/// Returns a file as clients see it.
pub(super) fn view(file: &FileRow) -> Result<Value, Problem> {
    let mut view = serde_json::to_value(file)?;
    if let Some(fields) = view.as_object_mut() {
        for internal in ["nameLower", "pathLower"] {
            fields.remove(internal);
        }
    }
    Ok(view)
}
