//! Stack `api`: the HTTP API, and the functions that serve it.
//!
//! Functions verify access tokens themselves, because API Gateway cannot verify HS256 and answers 403 where a function's authorizer
//! refuses a token; so every route is open at the gateway.

use analyticbot_contract::{
    AdminBot, Auth, Meta, SYSTEM, TelegramStub, UserBot, limits,
    routes::{AdminBotRoute, AuthRoute, MetaRoute, TelegramStubRoute, UserBotRoute},
    tables::{LIST_INDEX, STATUS_INDEX},
};
use contract::{Function as Contract, Method, Routes};
use model::{
    parts::{
        function::{Function, FunctionHandle},
        http_api::{Cors, HttpApi, HttpApiHandle, HttpRouteSettings, HttpRoutes},
        table::Access,
    },
    stage::Stage,
    template::{Expression, Stack, Text},
};
use serde::Serialize;

use super::{Shared, data};

/// The stack's name.
pub(super) const NAME: &str = "api";
/// The logical ID of the API.
pub(super) const API: &str = "AnalyticBotApi";
/// The time for which browsers may cache preflights, in seconds.
const CORS_MAX_AGE: u32 = 3600;
/// The path of the fake Telegram server: the beginning of [`TelegramStubRoute`].
const STUB_PATH: &str = "/telegram-stub";

/// The parts that alarms and the dashboard watch.
pub(super) struct Served {
    pub(super) api: HttpApiHandle,
    pub(super) functions: Vec<FunctionHandle>,
}

/// Builds the stack; also returns its API and functions.
pub(super) fn stack(shared: &Shared<'_>, origins: &[Text]) -> (Stack, Served) {
    let Shared { stage, settings, .. } = shared;
    let mut stack = Stack::new(NAME, "AnalyticBot: the HTTP API and the functions behind it.");
    let auth = stack.add(shared.auth());
    let meta = stack.add(shared.meta());
    let mut functions = vec![auth.clone(), meta.clone()];
    let mut api = HttpApi::new(API, format!("{SYSTEM}-{}", stage.name), stage)
        .cors(cors(origins))
        .routes_with(&auth, |_: AuthRoute| open())
        .routes_with(&meta, |_: MetaRoute| open())
        .throttle(limits::THROTTLE_RATE, limits::THROTTLE_BURST)
        .log_retention(limits::LOG_DAYS);
    if settings.telegram_stub {
        let stub = stack.add(function(stage, TelegramStub { stage: Text::from(&stage.name) }).memory(limits::MEMORY));
        api = api.routes_with(&stub, |_: TelegramStubRoute| open());
        functions.push(stub);
    }
    let api = stack.add(api);
    // The functions that call the fake server need the API's ID, so their routes follow.
    let telegram = shared.telegram(&api);
    let user_bot = stack.add(shared.user_bot(&telegram));
    let admin_bot = stack.add(shared.admin_bot(&telegram));
    let routes = HttpRoutes::new(&api)
        .routes_with(&user_bot, |_: UserBotRoute| open())
        .routes_with(&admin_bot, |_: AdminBotRoute| open());
    stack.add(routes);
    functions.extend([user_bot, admin_bot]);
    stack.output("HttpApiId", api.id.clone());
    stack.output("HttpApiEndpoint", api.endpoint.clone());
    for handle in &functions {
        stack.output(&format!("{}Name", handle.logical_id()), handle.function.id());
    }
    (stack, Served { api, functions })
}

/// Starts a function with the name, timeout and log retention of the system.
pub(super) fn function<C: Contract + Serialize>(stage: &Stage, environment: C) -> Function {
    Function::new(stage, environment)
        .named(&format!("{SYSTEM}-{}-{}", stage.name, C::NAME.function))
        .timeout(limits::TIMEOUT_SECONDS)
        .log_retention(limits::LOG_DAYS)
}

/// The settings of every route.
fn open() -> HttpRouteSettings {
    HttpRouteSettings { open: true, ..HttpRouteSettings::default() }
}

fn cors(origins: &[Text]) -> Cors {
    Cors {
        origins: origins.to_vec(),
        methods: vec![Method::Get, Method::Post, Method::Put, Method::Patch, Method::Delete],
        headers: ["authorization", "content-type"].map(str::to_owned).into(),
        // Tokens are sent in a header, never as cookies.
        credentials: false,
        max_age: CORS_MAX_AGE,
    }
}

impl Shared<'_> {
    /// Returns the address of the Bot API.
    fn telegram(&self, api: &HttpApiHandle) -> Text {
        debug_assert!(TelegramStubRoute::ALL.iter().all(|route| route.route().path.starts_with(STUB_PATH)));
        if self.settings.telegram_stub {
            let base = format!("${{Api}}{STUB_PATH}");
            Expression::sub(&base, [("Api", api.url_for_functions.clone())]).into()
        } else {
            self.settings.telegram().into()
        }
    }

    fn auth(&self) -> Function {
        let (data, settings) = (self.data, self.settings);
        let environment = Auth {
            stage: Text::from(&self.stage.name),
            users_table: data.users.name(),
            jwt_secret_arn: data.jwt_secret.arn(),
            access_token_minutes: settings.access_token_minutes.to_string().into(),
            login_per_minute_ip: settings.login_per_minute_ip.to_string().into(),
        };
        function(self.stage, environment)
            .memory(limits::AUTH_MEMORY)
            .allow(data.users.allow(&[Access::GetItem, Access::UpdateItem]))
            .allow(data.jwt_secret.read())
    }

    fn user_bot(&self, telegram: &Text) -> Function {
        let data = self.data;
        let environment = UserBot {
            stage: Text::from(&self.stage.name),
            users_table: data.users.name(),
            user_bot_credentials_table: data.credentials.name(),
            jwt_secret_arn: data.jwt_secret.arn(),
            access_token_minutes: self.settings.access_token_minutes.to_string().into(),
            fingerprint_secret_arn: data.fingerprint_secret.arn(),
            kms_key_id: data.key.arn(),
            telegram_api_base: telegram.clone(),
            telegram_timeout_s: limits::TELEGRAM_TIMEOUT_SECONDS.to_string().into(),
        };
        let access = [Access::DeleteItem, Access::GetItem, Access::PutItem, Access::UpdateItem];
        function(self.stage, environment)
            .memory(limits::MEMORY)
            .allow(data.users.allow(&[Access::GetItem]))
            .allow(data.credentials.allow(&access))
            .allow(data.jwt_secret.read())
            .allow(data.fingerprint_secret.read())
            .allow(data.key.encrypt_decrypt(&data::encryption_context(self.stage)))
    }

    fn admin_bot(&self, telegram: &Text) -> Function {
        let data = self.data;
        let environment = AdminBot {
            stage: Text::from(&self.stage.name),
            users_table: data.users.name(),
            user_bot_credentials_table: data.credentials.name(),
            admin_bot_actions_table: data.actions.name(),
            jwt_secret_arn: data.jwt_secret.arn(),
            access_token_minutes: self.settings.access_token_minutes.to_string().into(),
            kms_key_id: data.key.arn(),
            telegram_api_base: telegram.clone(),
            telegram_timeout_s: limits::TELEGRAM_TIMEOUT_SECONDS.to_string().into(),
        };
        function(self.stage, environment)
            .memory(limits::MEMORY)
            .allow(data.users.allow(&[Access::GetItem]))
            .allow(data.credentials.allow(&[Access::GetItem, Access::UpdateItem]))
            .allow([LIST_INDEX, STATUS_INDEX].into_iter().flat_map(|index| data.credentials.query_index(index)))
            // Actions are written once and read; no function changes or deletes one.
            .allow(data.actions.allow_on_items(&[Access::PutItem, Access::Query]))
            .allow(data.jwt_secret.read())
            .allow(data.key.decrypt(&data::encryption_context(self.stage)))
    }

    fn meta(&self) -> Function {
        let data = self.data;
        let environment = Meta {
            stage: Text::from(&self.stage.name),
            users_table: data.users.name(),
            user_bot_credentials_table: data.credentials.name(),
            admin_bot_actions_table: data.actions.name(),
            kms_key_id: data.key.arn(),
        };
        function(self.stage, environment)
            .memory(limits::MEMORY)
            .allow(data.tables().into_iter().flat_map(|(_, table)| table.describe()))
            .allow(data.key.describe())
    }
}
