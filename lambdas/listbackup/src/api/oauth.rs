//! OAuth requests of integrations. They start and their states are consumed; the exchange for tokens is not available.

use std::sync::Arc;

use aws_call::{Call as AwsCall, services::SYSTEMS_MANAGER};
use aws_config::SdkConfig;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use axum::{Router, extract::State, http::StatusCode, routing::on};
use listbackup_contract::{
    api::{OauthCallback, OauthCallbackRoute, OauthInitiate, OauthInitiateRoute},
    tables::OAUTH_STATES,
};
use serde::Deserialize;
use serde_json::json;
use tables::{AwsError, Change, Database, from_item, to_item};

use super::call::{Call, database, router as api_router};
use crate::{
    requests::{Fields, Reply, invalid},
    shared::{
        envelope::Problem,
        ids::Kind,
        rows::{OauthState, oauth_state::VALID_SECONDS},
        store::key,
        time,
    },
};

/// The integrations, and where their users grant access.
const INTEGRATIONS: [(&str, &str); 6] = [
    ("google-drive", "https://accounts.google.com/o/oauth2/v2/auth"),
    ("dropbox", "https://www.dropbox.com/oauth2/authorize"),
    ("slack", "https://slack.com/oauth/v2/authorize"),
    ("onedrive", "https://login.microsoftonline.com/common/oauth2/v2.0/authorize"),
    ("notion", "https://api.notion.com/v1/oauth/authorize"),
    ("github", "https://github.com/login/oauth/authorize"),
];
/// The random bytes of a state.
const STATE_BYTES: usize = 32;

struct Initiate {
    database: Database,
    states_table: String,
    aws: SdkConfig,
    ssm_prefix: String,
    allowed_origins: Vec<String>,
}

pub(super) fn initiate_router(environment: OauthInitiate, aws: &SdkConfig) -> Router {
    let origins = environment.allowed_origins.split(',').map(str::trim).filter(|origin| !origin.is_empty());
    let app = Arc::new(Initiate {
        database: database(aws),
        states_table: environment.oauth_states_table,
        aws: aws.clone(),
        ssm_prefix: environment.ssm_prefix,
        allowed_origins: origins.map(str::to_owned).collect(),
    });
    api_router::<OauthInitiate, _, _>(app, |route, method| match route {
        OauthInitiateRoute::Initiate => {
            on(method, async |State(app): State<Arc<Initiate>>, call: Call| call.respond(initiate(&app, &call).await))
        }
    })
}

struct Callback {
    database: Database,
    states_table: String,
}

pub(super) fn callback_router(environment: OauthCallback, aws: &SdkConfig) -> Router {
    let app = Arc::new(Callback { database: database(aws), states_table: environment.oauth_states_table });
    api_router::<OauthCallback, _, _>(app, |route, method| match route {
        OauthCallbackRoute::Callback => {
            on(method, async |State(app): State<Arc<Callback>>, call: Call| call.respond(callback(&app, &call).await))
        }
    })
}

async fn initiate(app: &Initiate, call: &Call) -> Result<Reply, Problem> {
    let caller = call.writer()?;
    let (integration, page) = integration(call)?;
    let fields = call.optional_fields()?;
    let return_url = return_url(&fields, &app.allowed_origins)?;
    let source_id = match fields.reference("sourceId", Kind::Source)? {
        Some(None) => return Err(invalid("sourceId", "must be the ID of a source")),
        found => found.flatten(),
    };
    let Some(client_id) = app.client_id(integration).await? else { return Err(not_configured(integration)) };
    let state = random_state()?;
    let row = OauthState {
        state: state.clone(),
        integration_type: integration.to_owned(),
        user_id: caller.user_id.clone(),
        account_id: caller.account_id.clone(),
        source_id,
        return_url,
        ttl: time::ttl(VALID_SECONDS),
    };
    app.database.put(&app.states_table, to_item(&row)?, Change::new()).await?;
    let callback = format!("https://{}/integrations/{integration}/oauth/callback", call.domain().unwrap_or_default());
    let parameters = [
        ("response_type", "code"),
        ("client_id", client_id.as_str()),
        ("redirect_uri", callback.as_str()),
        ("state", state.as_str()),
    ];
    let query: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    Ok(Reply::ok(json!({
        "authUrl": format!("{page}?{}", query.join("&")), "state": state, "expiresIn": VALID_SECONDS,
    })))
}

/// Consumes the state: of two calls with one state, the first deletes it.
async fn callback(app: &Callback, call: &Call) -> Result<Reply, Problem> {
    let (integration, _) = integration(call)?;
    let invalid_state =
        || Problem::new(StatusCode::BAD_REQUEST, "INVALID_STATE", "the state is unknown, used or expired");
    call.query("code")?.ok_or_else(|| invalid("code", "is missing"))?;
    let state = call.query("state")?.ok_or_else(invalid_state)?;
    if state.len() != STATE_BYTES * 2 {
        return Err(invalid_state());
    }
    let deleted = app.database.delete(&app.states_table, key(OAUTH_STATES, state), Change::new()).await?;
    let row: OauthState = from_item(deleted.ok_or_else(invalid_state)?)?;
    if row.ttl <= time::ttl(0) || row.integration_type != integration {
        return Err(invalid_state());
    }
    Err(not_configured(integration))
}

/// A response of `GetParameter` (Systems Manager API reference).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    parameter: Parameter,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameter {
    value: String,
}

impl Initiate {
    /// Reads the ID of this system at an integration, if an operator has entered it.
    async fn client_id(&self, integration: &str) -> Result<Option<String>, AwsError> {
        let name = format!("{}/oauth/{integration}-client-id", self.ssm_prefix);
        let call = AwsCall::json(SYSTEMS_MANAGER, "GetParameter", &json!({ "Name": name }));
        match call.receive::<Answer>(&self.aws).await {
            Ok(Answer { parameter }) => Ok(Some(parameter.value).filter(|value| !value.is_empty())),
            Err(error) => match error.as_service_error().and_then(ProvideErrorMetadata::code) {
                Some("ParameterNotFound") => Ok(None),
                _ => Err(AwsError::new(format!("read {name}"), &error)),
            },
        }
    }
}

fn integration(call: &Call) -> Result<(&'static str, &'static str), Problem> {
    let name = call.path("type")?;
    let known = INTEGRATIONS.into_iter().find(|(known, _)| *known == name);
    known.ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "UNKNOWN_INTEGRATION", "there is no such integration"))
}

fn not_configured(integration: &str) -> Problem {
    let message = format!("the integration {integration} is not configured");
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "INTEGRATION_NOT_CONFIGURED", message)
}

/// Reads `returnUrl`, whose origin must be one of the stage's. Comparing the text before the path leaves nothing to the differences of
/// URL parsers.
fn return_url(fields: &Fields, origins: &[String]) -> Result<Option<String>, Problem> {
    let Some(url) = fields.optional_text("returnUrl")? else { return Ok(None) };
    let is_allowed = origins.iter().any(|origin| {
        let rest = url.strip_prefix(origin.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    let is_plain = url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_allowed && is_plain {
        Ok(Some(url.to_owned()))
    } else {
        Err(invalid("returnUrl", "must be an address of the application"))
    }
}

fn random_state() -> Result<String, Problem> {
    let mut random = [0; STATE_BYTES];
    getrandom::fill(&mut random)?;
    Ok(hex::encode(random))
}

/// Encodes a value of a query or a header.
pub(super) fn encoded(value: &str) -> String {
    value.bytes().fold(String::new(), |mut text, byte| {
        match byte {
            b'-' | b'.' | b'_' | b'~' => text.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
        text
    })
}
