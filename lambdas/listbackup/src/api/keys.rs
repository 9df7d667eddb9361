//! `/api-keys`: list, create, delete. A key's secret is in one response only; its hash is stored.

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::{Router, extract::State, http::StatusCode, routing::on};
use jiff::Timestamp;
use listbackup_contract::{
    api::{ManageApiKeys, ManageApiKeysRoute},
    tables::{API_KEYS, API_KEYS_BY_ACCOUNT},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tables::{AwsError, Change, Database, Query, from_item, from_items, to_item};

use super::call::{Call, database, router as api_router};
use crate::{
    requests::{Fields, Reply, invalid},
    shared::{
        envelope::Problem,
        identity::Identity,
        ids::{Kind, bare},
        rows::{ApiKey, api_key::Scope},
        store::{index, key},
        time,
    },
};

/// The random bytes of a secret.
const SECRET_BYTES: usize = 32;

struct App {
    database: Database,
    table: String,
}

pub(super) fn router(environment: ManageApiKeys, aws: &SdkConfig) -> Router {
    let app = Arc::new(App { database: database(aws), table: environment.api_keys_table });
    api_router::<ManageApiKeys, _, _>(app, |route, method| match route {
        ManageApiKeysRoute::List => {
            on(method, async |State(app): State<Arc<App>>, call: Call| call.respond(list(&app, &call).await))
        }
        ManageApiKeysRoute::Create => {
            on(method, async |State(app): State<Arc<App>>, call: Call| call.respond(create(&app, &call).await))
        }
        ManageApiKeysRoute::Delete => {
            on(method, async |State(app): State<Arc<App>>, call: Call| call.respond(delete(&app, &call).await))
        }
    })
}

async fn list(app: &App, call: &Call) -> Result<Reply, Problem> {
    let caller = call.writer()?;
    let query = Query::index(&app.table, index(API_KEYS_BY_ACCOUNT), &caller.account_id);
    let mut keys: Vec<ApiKey> = from_items(app.database.query_all(&query).await?)?;
    keys.sort_by(|one, other| other.created_at.cmp(&one.created_at));
    let views = keys.iter().map(view).collect::<Result<Vec<Value>, Problem>>()?;
    Ok(Reply::ok(json!({ "count": views.len(), "apiKeys": views })))
}

async fn create(app: &App, call: &Call) -> Result<Reply, Problem> {
    let (api_key, text) = generate(call.writer()?, &call.fields()?)?;
    let absent = Change::new().when(|at| at.absent("keyId"));
    if !app.database.put(&app.table, to_item(&api_key)?, absent).await? {
        return Err(AwsError::unexpected("create an API key", "its random ID exists already").into());
    }
    let mut data = view(&api_key)?;
    data["key"] = json!(text);
    Ok(Reply { status: StatusCode::CREATED, data })
}

async fn delete(app: &App, call: &Call) -> Result<Reply, Problem> {
    let caller = call.writer()?;
    let key_id = call.object(Kind::Key)?;
    let item = app.database.get(&app.table, key(API_KEYS, &key_id)).await?;
    let api_key: ApiKey = from_item(item.ok_or_else(|| Problem::not_found(Kind::Key))?)?;
    caller.check_account(&api_key.account_id)?;
    let own = Change::new().when(|at| at.compare("accountId", "=", &caller.account_id));
    let deleted = app.database.delete(&app.table, key(API_KEYS, &key_id), own).await?;
    deleted.ok_or_else(|| Problem::not_found(Kind::Key))?;
    Ok(Reply { status: StatusCode::NO_CONTENT, data: Value::Null })
}

/// Returns a key and its text, `lbk_<uuid>_<secret>`.
fn generate(caller: &Identity, fields: &Fields) -> Result<(ApiKey, String), Problem> {
    let name = fields.name("name")?.to_owned();
    let scopes: Option<Vec<Scope>> = fields.parsed("scopes", "must be a list of read and write")?;
    let scopes = scopes.filter(|scopes| !scopes.is_empty()).ok_or_else(|| invalid("scopes", "is missing"))?;
    let expires_at = expiry(fields)?;
    let mut secret = [0; SECRET_BYTES];
    getrandom::fill(&mut secret)?;
    let secret = hex::encode(secret);
    let key_id = Kind::Key.generate();
    let text = format!("lbk_{}_{secret}", bare(&key_id));
    let api_key = ApiKey {
        key_id,
        account_id: caller.account_id.clone(),
        secret_hash: hex::encode(Sha256::digest(&secret)),
        scopes,
        name,
        created_by: caller.user_id.clone(),
        last_used_at: None,
        expires_at,
        created_at: time::now(),
    };
    Ok((api_key, text))
}

fn expiry(fields: &Fields) -> Result<Option<String>, Problem> {
    let expiry: Option<Timestamp> = fields.parsed("expiresAt", "must be a time, such as 2026-01-31T12:00:00Z")?;
    match expiry {
        Some(expiry) if expiry <= Timestamp::now() => Err(invalid("expiresAt", "must be in the future")),
        expiry => Ok(expiry.map(time::text)),
    }
}

/// Returns a key as clients see it: without its hash.
fn view(api_key: &ApiKey) -> Result<Value, Problem> {
    let mut view = serde_json::to_value(api_key)?;
    if let Some(fields) = view.as_object_mut() {
        fields.remove("secretHash");
        fields.remove("accountId");
    }
    Ok(view)
}
