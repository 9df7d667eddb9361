//! Stack `api`: the function that responds to all routes, and its API.

use model::{
    emulator::Feature,
    parts::{
        api::{ApiHandle, GatewayError, RestApi, RouteSettings, Throttle},
        api_domain::ApiDomain,
        function::{Function, FunctionHandle},
        policy::Statement,
        table::Access,
        web_acl::{Scope, WebAcl},
    },
    template::{Expression, Stack, Text},
};
use thakii_contract::{
    Api, limits,
    routes::{ApiRoute, CATCH_ALL},
    storage::{CHUNKS, PREFIXES, VIDEOS},
};

use super::{
    Shared,
    auth::{self, Identity},
    settings::Issuer,
    worker::Work,
};

/// The logical ID of the API.
pub(super) const API: &str = "ThakiiApi";
/// The age in seconds at which an asynchronous event is dropped: the minimum, because none is expected.
const EVENT_AGE: u32 = 60;
/// The maximum number of an address's requests in [`WAF_WINDOW`] seconds.
const WAF_REQUESTS: u32 = 2000;
const WAF_WINDOW: u32 = 300;

/// The parts that alarms watch.
pub(super) struct Served {
    pub(super) function: FunctionHandle,
    pub(super) api: ApiHandle,
}

/// Builds the stack; also returns its function and API.
pub(super) fn stack(shared: &Shared, identity: &Identity, work: &Work) -> (Stack, Served) {
    let mut stack = Stack::new("api", "Thakii: the function and the API.");
    let function = stack.add(function(shared, identity, work));
    let api = stack.add(api(shared, &function));
    let (stage, settings) = (shared.stage, shared.settings);
    if let Some(domain) = &settings.domain {
        let domain = ApiDomain::new("Api", &domain.name, &api)
            .certificate_arn(domain.certificate_arn.as_deref())
            .hosted_zone_id(domain.hosted_zone_id.as_deref());
        stack.add(domain);
    }
    if settings.waf && Feature::WebAcls.is_in(stage) {
        let acl = WebAcl::new("ApiWaf", &format!("thakii-{}", stage.name), WAF_WINDOW, &api);
        let sign_in = WebAcl::requests(settings.sign_in_per_minute, WAF_WINDOW);
        let sign_in_routes = Scope::All(vec![Scope::Path("/auth/"), Scope::Method("POST")]);
        stack.add(acl.limit("sign-in", sign_in, Some(sign_in_routes)).limit("requests", WAF_REQUESTS, None));
    }
    let url = match &settings.domain {
        Some(domain) => Text::from(format!("https://{}", domain.name)),
        None => api.url.clone(),
    };
    stack.add(auth::parameter(stage, "ApiUrlParameter", "api-url", url.clone()));
    stack.output("ApiUrl", url);
    stack.output("RestApiId", api.id.clone());
    stack.output("ApiFunctionName", function.name.clone());
    stack.output("ApiAliasArn", function.alias.clone());
    (stack, Served { function, api })
}

fn function(shared: &Shared, identity: &Identity, work: &Work) -> Function {
    let Shared { stage, settings, bucket, tables } = shared;
    let environment = Api {
        stage: Text::from(&stage.name),
        s3_bucket_name: bucket.0.clone(),
        allowed_origins: settings.allowed_origins.join(",").into(),
        worker_service_url: settings.worker_service_url.as_ref().map(Text::from),
        table_video_tasks: tables.video_tasks.name(),
        table_admin_users: tables.admin_users.name(),
        table_processing_servers: tables.processing_servers.name(),
        table_notifications: tables.notifications.name(),
        table_uploads: tables.uploads.name(),
        table_system: tables.system.name(),
        tasks_queue_url: work.tasks.main.url(),
        tasks_dlq_url: work.tasks.dead_letters.url(),
        notifications_topic_arn: work.topic.arn(),
        backend_token_secret_arn: identity.secret.arn(),
        auth_issuers: issuers(&settings.auth_issuers, identity),
        user_pool_id: identity.users.pool.id(),
        super_admins: settings.super_admins.join(",").into(),
        backend_token_hours: limits::BACKEND_TOKEN_HOURS.to_string().into(),
        sign_in_per_minute: settings.sign_in_per_minute.to_string().into(),
        max_video_bytes: limits::MAX_VIDEO_BYTES.to_string().into(),
        s3_public_endpoint: settings.public_s3_endpoint.as_ref().map(Text::from),
    };
    let function = Function::new(stage, environment)
        .memory(limits::MEMORY)
        .timeout(limits::TIMEOUT_SECONDS)
        .log_retention(settings.log_retention_days)
        .asynchronous(0, EVENT_AGE);
    with_permissions(function, shared, identity, work)
}

/// Adds the function's permissions.
fn with_permissions(mut function: Function, shared: &Shared, identity: &Identity, work: &Work) -> Function {
    let Shared { bucket, tables, .. } = shared;
    let everywhere = PREFIXES.map(|prefix| format!("{prefix}*"));
    let everywhere = || everywhere.iter().map(String::as_str);
    let (videos, chunks) = (format!("{VIDEOS}*"), format!("{CHUNKS}*"));
    for (_, table) in tables.all() {
        function = function.allow(table.allow(&[
            Access::ConditionCheckItem,
            Access::DeleteItem,
            Access::GetItem,
            Access::PutItem,
            Access::Query,
            Access::UpdateItem,
        ]));
    }
    let groups = ["cognito-idp:ListUsers", "cognito-idp:AdminAddUserToGroup", "cognito-idp:AdminRemoveUserFromGroup"];
    function
        // Notifications to all users are written in batches of 25.
        .allow(tables.notifications.allow(&[Access::BatchWriteItem]))
        .allow([
            bucket.allow(&["s3:GetObject", "s3:DeleteObject"], everywhere()),
            bucket.allow(&["s3:PutObject"], [videos.as_str(), chunks.as_str()]),
            bucket.allow(&["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"], [videos.as_str()]),
            bucket.list_under(&PREFIXES),
            Statement::allow(groups, [identity.users.pool.attribute("Arn")]),
        ])
        .allow(work.tasks.main.send())
        .allow(work.tasks.main.inspect())
        .allow(work.tasks.dead_letters.inspect())
        .allow(work.topic.publish())
        .allow(identity.secret.read())
}

/// The issuers whose tokens are accepted, as JSON.
fn issuers(issuers: &[Issuer], identity: &Identity) -> Text {
    let issuers: Vec<_> = issuers.iter().map(Issuer::to_contract).collect();
    let json = serde_json::json!(issuers);
    let json = model::template::json::sorted(json).to_string();
    if !json.contains("${") {
        return json.into();
    }
    let users = &identity.users;
    Expression::sub(&json, [("Pool", users.pool.id()), ("Client", users.client.id())]).into()
}

/// The API has no authorizer: the function verifies tokens itself, because it issues some of them and the specification
/// defines the bodies of its errors.
fn api(shared: &Shared, function: &FunctionHandle) -> RestApi {
    let Shared { stage, settings, .. } = shared;
    let origin = settings.allowed_origins.first().map_or("null", String::as_str);
    RestApi::new(API, format!("thakii-{}", stage.name), stage)
        .routes_with(function, |route: ApiRoute| RouteSettings {
            open: true,
            body: None,
            throttle: route.throttle().map(|(rate, burst)| Throttle { rate, burst }),
        })
        .catch_all(CATCH_ALL, function)
        .binary("multipart/form-data")
        .errors(errors())
        .origin(origin)
        .throttle(settings.throttle.rate, settings.throttle.burst)
        .log_retention(settings.log_retention_days)
}

/// The gateway's own errors with the messages of the function's.
fn errors() -> Vec<GatewayError> {
    let other = r#"{"error":$context.error.messageString}"#;
    vec![
        GatewayError::new("THROTTLED", Some(429), limits::TOO_MANY_REQUESTS),
        GatewayError::new("REQUEST_TOO_LARGE", Some(413), limits::DIRECT_BODY_TOO_LARGE),
        GatewayError::new("INTEGRATION_TIMEOUT", Some(504), limits::TIMEOUT),
        GatewayError::new("DEFAULT_4XX", None, other),
        GatewayError::new("DEFAULT_5XX", None, other),
    ]
}
