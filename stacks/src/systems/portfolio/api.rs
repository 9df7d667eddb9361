//! Stack `api`: the function, its API, and parameters with their names.

use model::{
    emulator::Feature,
    parts::{
        api::{ApiHandle, GatewayError, LogField, Model, RestApi, RouteSettings, Throttle},
        api_domain::ApiDomain,
        function::{Function, FunctionHandle},
        parameter::Parameter,
        policy::Statement,
        secret::{Alphabet, Secret},
        table::{Access, TableHandle},
        user_pool::UserPoolHandle,
        web_acl::{Scope, WebAcl},
    },
    resources::resource_groups::{Group, group},
    stage::Stage,
    template::{Expression, Resource, Stack, Text, list, set},
};
use portfolio_contract::{Api, ApiRoute, Rate, SYSTEM};

use super::settings::{Settings, Throttles};

/// The stack's name.
pub(super) const NAME: &str = "api";
/// The logical ID of the API.
pub(super) const API: &str = "PortfolioApi";

/// The function's timeout, in seconds.
const TIMEOUT: u32 = 30;

/// The prefix under which Parameter Store offers the secrets of Secrets Manager (Systems Manager user guide,
/// "Referencing AWS Secrets Manager secrets from Parameter Store parameters"). CloudFormation cannot create
/// SecureString parameters, but it can create secrets.
const SECRETS: &str = "/aws/reference/secretsmanager";

/// The window of the web ACL, in seconds.
const WAF_WINDOW: u32 = 60;

const LOG_FIELDS: &[LogField] = &[
    ("requestId", "requestId"),
    ("ip", "identity.sourceIp"),
    ("caller", "identity.caller"),
    ("user", "identity.user"),
    ("requestTime", "requestTime"),
    ("httpMethod", "httpMethod"),
    ("resourcePath", "resourcePath"),
    ("status", "status"),
    ("protocol", "protocol"),
    ("responseLength", "responseLength"),
];

/// The parts that alarms watch.
pub(super) struct Served {
    pub(super) function: FunctionHandle,
    pub(super) api: ApiHandle,
}

/// Builds the stack; also returns its function and API.
pub(super) fn stack(
    stage: &Stage,
    settings: &Settings,
    users: &UserPoolHandle,
    table: &TableHandle,
    origins: &Text,
) -> (Stack, Served) {
    let mut stack = Stack::new(NAME, "Portfolio: the function and the API.");
    let function = add_function(&mut stack, stage, settings, (users, table), origins);
    let api = add_api(&mut stack, stage, settings, users, &function);
    if let Some(domain) = &settings.domain {
        let domain = ApiDomain::new("Api", &domain.name, &api)
            .certificate_arn(domain.certificate_arn.as_deref())
            .hosted_zone_id(Some(&domain.hosted_zone_id));
        stack.add(domain);
    }
    if settings.waf && Feature::WebAcls.is_in(stage) {
        stack.add(web_acl(stage, settings, &api));
    }
    let url = add_outputs(&mut stack, settings, &api, &function);
    let values = [
        ("UserPoolIdParameter", "cognito/user-pool-id", users.pool.id()),
        ("ClientIdParameter", "cognito/client-id", users.client.id()),
        ("TableNameParameter", "table-name", table.name()),
        ("ApiUrlParameter", "api-url", url),
        ("CorsOriginsParameter", "cors-origins", origins.clone()),
    ];
    for (logical_id, name, value) in values {
        let name = format!("/portfolio/{}/{name}", stage.name);
        stack.add(Parameter { logical_id: logical_id.to_owned(), name, value });
    }
    if Feature::ResourceGroups.is_in(stage) {
        add_resource_group(&mut stack, stage);
    }
    (stack, Served { function, api })
}

fn add_function(
    stack: &mut Stack,
    stage: &Stage,
    settings: &Settings,
    (users, table): (&UserPoolHandle, &TableHandle),
    origins: &Text,
) -> FunctionHandle {
    let salt = format!("portfolio/{}/visitor-salt", stage.name);
    let environment = Api {
        dynamodb_table_name: table.name(),
        cognito_user_pool_id: users.pool.id(),
        cognito_client_id: users.client.id(),
        cognito_region: Expression::pseudo("AWS::Region").into(),
        environment: Text::from(&stage.name),
        log_level: settings.log_level.as_str().into(),
        cors_origins: origins.clone(),
        sign_in_per_minute: settings.sign_in_per_minute.to_string().into(),
        visitor_salt_param: format!("{SECRETS}/{salt}").into(),
        dynamodb_endpoint: None,
        cognito_endpoint: None,
        cognito_issuer: None,
        jwks_url: None,
        visitor_salt: settings.visitor_salt.as_ref().map(Text::from),
    };
    let mut function = Function::new(stage, environment)
        .memory(settings.memory)
        .timeout(TIMEOUT)
        .allow(table.allow(&[
            Access::BatchGetItem,
            Access::DeleteItem,
            Access::GetItem,
            Access::PutItem,
            Access::Query,
            Access::UpdateItem,
        ]))
        .allow([Statement::allow(["cognito-idp:AdminUserGlobalSignOut"], [users.pool.attribute("Arn")])])
        .allow([Statement::allow(["ssm:GetParameter"], readable_parameters(stage, &salt))]);
    if Feature::SecretReferences.is_in(stage) {
        let salt = Secret::new("VisitorSalt", &salt, stage)
            .description("Makes visitors' anonymous ids impossible to guess.")
            .alphabet(Alphabet::Hexadecimal);
        function = function.allow(stack.add(salt).read());
    }
    stack.add(function)
}

/// The ARNs of the system's own parameters, and of the one that returns the salt.
fn readable_parameters(stage: &Stage, salt: &str) -> [Text; 2] {
    [format!("/portfolio/{}/*", stage.name), format!("{SECRETS}/{salt}")].map(|name| {
        let arn = format!("arn:${{AWS::Partition}}:ssm:${{AWS::Region}}:${{AWS::AccountId}}:parameter{name}");
        Expression::sub(&arn, []).into()
    })
}

fn add_api(
    stack: &mut Stack,
    stage: &Stage,
    settings: &Settings,
    users: &UserPoolHandle,
    function: &FunctionHandle,
) -> ApiHandle {
    let throttles = settings.throttles;
    let mut api = RestApi::new(API, format!("portfolio-api-{}", stage.name), stage)
        .authorizer("CognitoAuthorizer", users.pool.attribute("Arn"))
        .routes_with(function, |route| route_settings(route, throttles))
        .errors(errors())
        .origin(settings.all_origins().first().map_or("null", String::as_str))
        .throttle(throttles.all.rate, throttles.all.burst)
        .log_fields(LOG_FIELDS)
        .execution_logs();
    // In production, the API is served under its domain only.
    if let Some(domain) = settings.domain.as_ref().filter(|_| stage.name == "prod") {
        api = api.only_by_domain(&domain.name);
    }
    stack.add(api)
}

fn route_settings(route: ApiRoute, throttles: Throttles) -> RouteSettings {
    let throttle: Option<Throttle> = match route.rate() {
        Rate::Default => None,
        Rate::Authentication => Some(throttles.authentication),
        Rate::Tracking => Some(throttles.tracking),
        Rate::Write => Some(throttles.writes),
    };
    let body = route.body_model().map(|model| Model {
        name: model.name.to_owned(),
        required: model.required.iter().map(|&field| field.to_owned()).collect(),
    });
    RouteSettings { open: !route.access().is_guarded(), body, throttle }
}

/// The gateway's own errors in the form of the function's: phrase, message, status and code.
fn errors() -> Vec<GatewayError> {
    const ERRORS: &[(&str, u16, &str, &str)] = &[
        ("UNAUTHORIZED", 401, "Unauthorized", "InvalidToken"),
        ("EXPIRED_TOKEN", 401, "Unauthorized", "TokenExpired"),
        ("ACCESS_DENIED", 403, "Forbidden", "Forbidden"),
        ("MISSING_AUTHENTICATION_TOKEN", 404, "Not Found", "NotFound"),
        ("BAD_REQUEST_BODY", 400, "Bad Request", "InvalidRequest"),
        ("BAD_REQUEST_PARAMETERS", 400, "Bad Request", "InvalidRequest"),
        ("THROTTLED", 429, "Too Many Requests", "TooManyRequests"),
        ("DEFAULT_4XX", 400, "Bad Request", "InvalidRequest"),
        ("DEFAULT_5XX", 500, "Internal Server Error", "InternalError"),
    ];
    let error = |(response_type, status, phrase, code): &(&'static str, u16, &str, &str)| {
        let body = format!(
            r#"{{"error":"{phrase}","message":$context.error.messageString,"statusCode":{status},"details":{{"code":"{code}"}}}}"#
        );
        GatewayError::new(response_type, (!response_type.starts_with("DEFAULT")).then_some(*status), body)
    };
    ERRORS.iter().map(error).collect()
}

/// The limits of each client's requests over one minute, as in the system that this one replaces.
fn web_acl(stage: &Stage, settings: &Settings, api: &ApiHandle) -> WebAcl {
    let not = |scope: Scope| Scope::Not(Box::new(scope));
    let (sign_in, tracking, reads) = (|| Scope::Path("/v1/auth/"), || Scope::Path("/track"), || Scope::Method("GET"));
    let writes = vec![not(reads()), not(Scope::Method("OPTIONS")), not(sign_in()), not(tracking())];
    let sign_ins = WebAcl::requests(settings.sign_in_per_minute, WAF_WINDOW);
    WebAcl::new("ApiWaf", &format!("portfolio-api-{}", stage.name), WAF_WINDOW, api)
        .limit("authentication", sign_ins, Some(sign_in()))
        .limit("tracking", 30, Some(tracking()))
        .limit("writes", 60, Some(Scope::All(writes)))
        .limit("reads", 100, Some(reads()))
}

/// Adds the outputs; returns the URL for clients.
fn add_outputs(stack: &mut Stack, settings: &Settings, api: &ApiHandle, function: &FunctionHandle) -> Text {
    let custom = settings.domain.as_ref().map(|domain| Text::from(format!("https://{}", domain.name)));
    stack.output("ApiUrl", api.url.clone());
    if let Some(custom) = &custom {
        stack.output("CustomDomainUrl", custom.clone());
    }
    stack.output("ApiGatewayId", api.id.clone());
    stack.output("ApiStageName", api.stage_name.clone());
    stack.output("PortfolioApiFunctionName", function.name.clone());
    stack.output("PortfolioApiFunctionArn", function.function.attribute("Arn"));
    stack.output("LambdaLogGroupName", function.log_group());
    stack.output("ApiGatewayLogGroupName", format!("/aws/apigateway/{}", api.name));
    custom.unwrap_or_else(|| api.url.clone())
}

/// Adds a group of the system's resources in this stage: a deploy tags each stack, and CloudFormation tags its resources.
fn add_resource_group(stack: &mut Stack, stage: &Stage) {
    let tag = |key: &str, value: &str| group::TagFilter { key: set(key), values: list([value]) };
    let query = group::Query {
        resource_type_filters: list(["AWS::AllSupported"]),
        tag_filters: Some(vec![tag("system", SYSTEM), tag("stage", &stage.name)]),
        ..group::Query::default()
    };
    let group = Group {
        name: set(format!("portfolio-{}", stage.name)),
        resource_query: Some(group::ResourceQuery { r#type: set("TAG_FILTERS_1_0"), query: Some(query) }),
        ..Group::default()
    };
    stack.resource("ApplicationResourceGroup", Resource::of(group));
}
