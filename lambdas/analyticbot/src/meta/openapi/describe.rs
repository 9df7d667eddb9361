//! Requests and responses of each route.

use analyticbot_contract::routes::{AdminBotRoute, AuthRoute, MetaRoute, UserBotRoute};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use crate::{
    domain::bot::BotStatus,
    http::schema::Shape,
    wire::{
        AccessedBot, ActionList, BotList, ChangeLimits, ChangedLimits, CreateBot, CreatedBot, Health, ListActions,
        ListBots, LoggedIn, Login, Success, SuspendBot, VerifiedBot, VerifyBot,
    },
};

const AUTH: &str = "Authentication";
const USER_BOT: &str = "User Bot Management";
const ADMIN_BOT: &str = "Admin Bot Management";
const SERVICE: &str = "Service";
/// The operation whose error has the form of its success.
pub(super) const HEALTH: &str = "getHealth";
/// The tags of all routes.
pub(super) const TAGS: [&str; 4] = [AUTH, USER_BOT, ADMIN_BOT, SERVICE];

/// A successful response.
pub(super) enum Answer {
    Json(Value),
    /// HTML.
    Page,
}

/// The callers that a route accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    Any,
    /// An active user, and for some routes an administrator.
    User,
}

/// Request and response of a route.
pub(super) struct Description {
    pub(super) id: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    /// On success.
    pub(super) status: u16,
    pub(super) answer: Answer,
    pub(super) body: Option<Value>,
    pub(super) query: Vec<Value>,
    /// The statuses of the route's own errors.
    pub(super) errors: &'static [u16],
    pub(super) caller: Caller,
}

impl Description {
    fn new<T: JsonSchema>(g: &mut SchemaGenerator, tag: &'static str, id: &'static str, summary: &'static str) -> Self {
        let caller = if tag == USER_BOT || tag == ADMIN_BOT { Caller::User } else { Caller::Any };
        let answer = Answer::Json(schema::<T>(g));
        Self { id, tag, summary, status: 200, answer, body: None, query: Vec::new(), errors: &[], caller }
    }

    fn takes<T: JsonSchema>(mut self, generator: &mut SchemaGenerator) -> Self {
        self.body = Some(schema::<T>(generator));
        self
    }

    fn asks<T: JsonSchema>(mut self) -> Self {
        self.query = parameters::<T>();
        self
    }

    fn fails(mut self, errors: &'static [u16]) -> Self {
        self.errors = errors;
        self
    }
}

pub(super) fn auth(route: AuthRoute, g: &mut SchemaGenerator) -> Description {
    match route {
        AuthRoute::Login => {
            Description::new::<LoggedIn>(g, AUTH, "login", "Sign in with a username or an e-mail address")
                .takes::<Login>(g)
                .fails(&[401, 403])
        }
    }
}

pub(super) fn user_bot(route: UserBotRoute, g: &mut SchemaGenerator) -> Description {
    match route {
        UserBotRoute::Create => {
            let mut create = Description::new::<CreatedBot>(g, USER_BOT, "createBot", "Register a bot");
            create.status = 201;
            create.takes::<CreateBot>(g).fails(&[400, 409, 503, 504])
        }
        UserBotRoute::Status => {
            Description::new::<BotStatus>(g, USER_BOT, "getBotStatus", "Get the caller's bot").fails(&[404])
        }
        UserBotRoute::Verify => {
            Description::new::<VerifiedBot>(g, USER_BOT, "verifyBot", "Verify the caller's bot with Telegram")
                .takes::<VerifyBot>(g)
                .fails(&[400, 404, 409, 503, 504])
        }
        UserBotRoute::Remove => {
            Description::new::<Success>(g, USER_BOT, "removeBot", "Remove the caller's bot").fails(&[404])
        }
        UserBotRoute::PatchRateLimits => own_limits(g, "updateRateLimits", "Change the limits of the caller's bot"),
        UserBotRoute::PutRateLimits => own_limits(
            g,
            "replaceRateLimits",
            "Change the limits of the caller's bot: the same as PATCH, for older clients",
        ),
    }
}

fn own_limits(g: &mut SchemaGenerator, id: &'static str, summary: &'static str) -> Description {
    Description::new::<ChangedLimits>(g, USER_BOT, id, summary).takes::<ChangeLimits>(g).fails(&[404])
}

pub(super) fn admin_bot(route: AdminBotRoute, g: &mut SchemaGenerator) -> Description {
    match route {
        AdminBotRoute::List => {
            Description::new::<BotList>(g, ADMIN_BOT, "listBots", "List bots, newest first").asks::<ListBots>()
        }
        AdminBotRoute::Access => {
            Description::new::<AccessedBot>(g, ADMIN_BOT, "accessBot", "Call Telegram with a user's bot")
                .fails(&[400, 404, 503, 504])
        }
        AdminBotRoute::Suspend => Description::new::<BotStatus>(g, ADMIN_BOT, "suspendBot", "Suspend a user's bot")
            .takes::<SuspendBot>(g)
            .fails(&[404]),
        AdminBotRoute::Activate => {
            Description::new::<BotStatus>(g, ADMIN_BOT, "activateBot", "Activate a user's bot").fails(&[400, 404])
        }
        AdminBotRoute::RateLimit => {
            Description::new::<ChangedLimits>(g, ADMIN_BOT, "updateBotRateLimit", "Change the limits of a user's bot")
                .takes::<ChangeLimits>(g)
                .fails(&[404])
        }
        AdminBotRoute::Status => {
            Description::new::<BotStatus>(g, ADMIN_BOT, "getUserBotStatus", "Get a user's bot").fails(&[404])
        }
        AdminBotRoute::Actions => {
            Description::new::<ActionList>(g, ADMIN_BOT, "listActions", "List actions on a user's bot, newest first")
                .asks::<ListActions>()
        }
    }
}

pub(super) fn meta(route: MetaRoute, g: &mut SchemaGenerator) -> Description {
    match route {
        MetaRoute::Health => Description::new::<Health>(g, SERVICE, HEALTH, "Check the system"),
        MetaRoute::OpenApi => {
            let mut document = Description::new::<Value>(g, SERVICE, "getDescription", "Get this document");
            document.answer = Answer::Json(json!({"type": "object"}));
            document
        }
        MetaRoute::Docs => {
            let mut page = Description::new::<Value>(g, SERVICE, "getDocumentation", "Read this document as a page");
            page.answer = Answer::Page;
            page
        }
    }
}

/// Reduces a schema to its reference, because OpenAPI 3.0 allows no other keywords beside it.
pub(super) fn reference(schema: Value) -> Value {
    schema.get("$ref").map_or(schema.clone(), |reference| json!({"$ref": reference}))
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    reference(generator.subschema_for::<T>().to_value())
}

/// Converts the fields of `T` to query parameters.
fn parameters<T: JsonSchema>() -> Vec<Value> {
    let shape = Shape::of::<T>();
    let parameter = |(name, schema): (&String, &Value)| {
        let mut schema = schema.clone();
        let fields = schema.as_object_mut();
        let description = fields.and_then(|fields| {
            // A parameter without a value is left out of a query.
            fields.remove("nullable");
            fields.remove("description")
        });
        let required = shape.requires(name);
        json!({"name": name, "in": "query", "required": required, "description": description, "schema": schema})
    };
    shape.properties().map(parameter).collect()
}

/// Returns the description of a status.
pub(super) const fn reason(status: u16) -> &'static str {
    match status {
        400 => "Telegram rejected the token, or the request does not fit the bot's state",
        401 => "The access token is missing or not valid; in a sign-in, the name or the password is wrong",
        403 => "The account is not active, the caller is not an administrator, or the bot is suspended",
        404 => "The user has no bot",
        409 => "Another user has registered the bot, or a bot with the same username",
        413 => "The body is larger than 64 KiB",
        415 => "The content type is not application/json",
        422 => "Fields, parameters or the body are invalid; `detail` lists each fault",
        429 => "Too many requests",
        503 => "Telegram or a part of the system is not available",
        504 => "Telegram did not respond in time",
        _ => "Internal server error",
    }
}
