//! The requirements of the specification on templates, and settings that are not allowed.

use std::collections::BTreeSet;

use analyticbot_contract::tables::LISTED;
use model::{
    rendered::RenderedSystem,
    statements::{Decision, PolicyStatement, Request, decide},
};
use serde_json::{Value, json};

use super::*;
use crate::systems::testing::{
    STAGES, actions_on, alarm, allowed, assert_names_no_account, assert_retained, of_type, properties, rendered, stack,
    stage,
};

/// The routes of every stage.
const ROUTES: [&str; 17] = [
    "DELETE /api/user-bot/remove",
    "GET /api/admin/bots/list",
    "GET /api/admin/bots/{user_id}/actions",
    "GET /api/admin/bots/{user_id}/status",
    "GET /api/user-bot/status",
    "GET /docs",
    "GET /health",
    "GET /openapi.json",
    "PATCH /api/admin/bots/{user_id}/activate",
    "PATCH /api/admin/bots/{user_id}/rate-limit",
    "PATCH /api/admin/bots/{user_id}/suspend",
    "PATCH /api/user-bot/rate-limits",
    "POST /api/admin/bots/{user_id}/access",
    "POST /api/auth/login",
    "POST /api/user-bot/create",
    "POST /api/user-bot/verify",
    "PUT /api/user-bot/rate-limits",
];

fn route_keys(system: &RenderedSystem) -> BTreeSet<String> {
    let routes = of_type(stack(system, "api"), "AWS::ApiGatewayV2::Route");
    routes.iter().map(|(_, route)| route["Properties"]["RouteKey"].as_str().expect("a key").to_owned()).collect()
}

fn statements(system: &RenderedSystem, stack_name: &str, role: &str) -> Vec<Value> {
    let statements = &properties(stack(system, stack_name), role)["Policies"][0]["PolicyDocument"]["Statement"];
    statements.as_array().expect("statements").clone()
}

#[test]
fn row_01_a_stage_with_real_bots_has_seventeen_routes_three_tables_and_no_fake_server() {
    assert_names_no_account(SYSTEM);
    for name in ["staging", "prod"] {
        let system = rendered(SYSTEM, name);
        let names: Vec<_> = system.stacks.iter().map(|stack| stack.stack.as_str()).collect();
        assert_eq!(names, ["data", "web", "api", "ops"], "{name}");
        assert_eq!(of_type(stack(&system, "data"), "AWS::DynamoDB::Table").len(), 3);
        assert_eq!(properties(stack(&system, "data"), "CredentialsKey")["EnableKeyRotation"], true);
        assert_eq!(route_keys(&system), ROUTES.map(str::to_owned).into(), "{name}");
        for stack in &system.stacks {
            assert!(!stack.template.to_string().to_lowercase().contains("stub"), "{name}: {}", stack.name);
        }
        for function in ["UserBotFunction", "AdminBotFunction"] {
            let variables = &properties(stack(&system, "api"), function)["Environment"]["Variables"];
            assert_eq!(variables["TELEGRAM_API_BASE"], "https://api.telegram.org");
        }
    }
}

#[test]
fn development_stages_call_their_own_fake_server() {
    for (name, start) in
        [("local", "http://127.0.0.1:${Port}/_aws/execute-api/${AnalyticBotApi}/$default"), ("dev", "https://")]
    {
        let system = rendered(SYSTEM, name);
        let expected: BTreeSet<_> = ROUTES
            .iter()
            .copied()
            .chain(["GET /telegram-stub/{bot}/{method}", "POST /telegram-stub/{bot}/{method}"])
            .map(str::to_owned)
            .collect();
        assert_eq!(route_keys(&system), expected, "{name}");
        let base =
            &properties(stack(&system, "api"), "UserBotFunction")["Environment"]["Variables"]["TELEGRAM_API_BASE"];
        let text = base["Fn::Sub"][0].as_str().expect("a URL");
        assert!(base.to_string().contains(start) && text.ends_with("/telegram-stub"), "{name}: {base}");
        // The fake server calls nothing: it may only write logs and traces.
        let services: BTreeSet<_> = allowed(stack(&system, "api"), "TelegramStubFunctionRole")
            .into_iter()
            .filter_map(|(action, _)| action.split_once(':').map(|(service, _)| service.to_owned()))
            .collect();
        assert_eq!(services, BTreeSet::from(["logs", "xray"].map(str::to_owned)));
    }
}

#[test]
fn tables_have_the_specified_keys_and_indexes_and_no_secret_is_in_an_index() {
    let prod = rendered(SYSTEM, "prod");
    let data = stack(&prod, "data");
    for (id, name, has_ttl) in [
        ("UsersTable", "analyticbot-prod-users", true),
        ("UserBotCredentialsTable", "analyticbot-prod-user_bot_credentials", true),
        ("AdminBotActionsTable", "analyticbot-prod-admin_bot_actions", false),
    ] {
        let table = properties(data, id);
        assert_eq!((&table["TableName"], &table["BillingMode"]), (&json!(name), &json!("PAY_PER_REQUEST")));
        assert_eq!(table["TimeToLiveSpecification"]["AttributeName"] == "ttl", has_ttl, "{id}");
        assert_eq!(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true, "{id}");
        assert_eq!(table["DeletionProtectionEnabled"], true, "{id}");
    }
    let number = |name: &str| json!({ "AttributeName": name, "AttributeType": "N" });
    let actions = properties(data, "AdminBotActionsTable");
    let types = actions["AttributeDefinitions"].as_array().expect("definitions");
    assert!(types.contains(&number("target_user_id")) && types.contains(&number("admin_user_id")), "{types:?}");
    let keys = |table: &Value| -> Vec<(String, String, String)> {
        let indexes = table["GlobalSecondaryIndexes"].as_array().expect("indexes").iter();
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let keys = |index: &Value, at: usize| text(&index["KeySchema"][at]["AttributeName"]);
        indexes.map(|index| (text(&index["IndexName"]), keys(index, 0), keys(index, 1))).collect()
    };
    let index = |name: &str, hash: &str, range: &str| (name.to_owned(), hash.to_owned(), range.to_owned());
    assert_eq!(
        keys(actions),
        [
            index("AdminIndex", "admin_user_id", "action_sk"),
            index("ActionIndex", "action", "action_sk"),
            index("DayIndex", "day", "action_sk"),
        ]
    );
    let credentials = properties(data, "UserBotCredentialsTable");
    let expected = [index("ListIndex", "list_pk", "list_sk"), index("StatusIndex", "status", "list_sk")];
    assert_eq!(keys(credentials), expected);
    for index in credentials["GlobalSecondaryIndexes"].as_array().expect("indexes") {
        let projection = &index["Projection"];
        assert_eq!(projection["ProjectionType"], "INCLUDE");
        let included: BTreeSet<_> =
            projection["NonKeyAttributes"].as_array().expect("attributes").iter().filter_map(Value::as_str).collect();
        let others: Vec<_> = included.iter().filter(|name| !LISTED.contains(name)).collect();
        assert!(others.is_empty() || others == [&"status"], "{others:?}");
    }
    // Both indexes contain the same attributes; the status is a key of one of them.
    let all = |at: usize| credentials["GlobalSecondaryIndexes"][at]["Projection"]["NonKeyAttributes"].clone();
    assert_eq!(all(0).as_array().map(Vec::len), Some(LISTED.len() + 1));
    assert_eq!(all(1), json!(LISTED));
}

#[test]
fn stateful_resources_are_retained_and_secrets_have_sixty_four_hexadecimal_digits() {
    for name in ["dev", "staging", "prod"] {
        let types = ["AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::SecretsManager::Secret", "AWS::S3::Bucket"];
        assert_retained(&rendered(SYSTEM, name), &types);
    }
    let prod = rendered(SYSTEM, "prod");
    let secrets = of_type(stack(&prod, "data"), "AWS::SecretsManager::Secret");
    let names: Vec<_> =
        secrets.iter().map(|(_, secret)| secret["Properties"]["Name"].as_str().unwrap_or_default()).collect();
    assert_eq!(names, ["analyticbot/prod/token-fingerprint-key", "analyticbot/prod/jwt-secret-key"]);
    for (id, secret) in secrets {
        let generated = &secret["Properties"]["GenerateSecretString"];
        assert_eq!((&generated["PasswordLength"], &generated["ExcludeUppercase"]), (&json!(64), &json!(true)), "{id}");
    }
    let alias = properties(stack(&prod, "data"), "CredentialsKeyAlias");
    assert_eq!(alias["AliasName"], "alias/analyticbot-prod-credentials");
    assert_eq!(properties(stack(&prod, "data"), "CredentialsKey")["PendingWindowInDays"], 30);
}

/// Returns whether IAM would allow a function's role to use the key.
fn is_allowed(statements: &[Value], action: &str, context: &[(&str, &str)]) -> bool {
    let of_key = statements
        .iter()
        .filter(|statement| statement["Action"].as_array().is_some_and(|actions| actions.contains(&json!(action))));
    let parsed: Vec<_> = of_key
        .map(|statement| {
            let mut statement = statement.clone();
            statement["Resource"] = json!("key");
            PolicyStatement::parse(&statement)
        })
        .collect();
    let request = context.iter().fold(Request::new(action, "key"), |request, (name, value)| {
        request.with(&format!("kms:EncryptionContext:{name}"), *value).with("kms:EncryptionContextKeys", *name)
    });
    matches!(decide(&parsed, &request), Decision::Allowed)
}

#[test]
fn the_key_is_usable_only_with_the_context_of_the_stage_and_a_user() {
    let prod = rendered(SYSTEM, "prod");
    let own = [("app", "analyticbot"), ("stage", "prod"), ("user_id", "7")];
    let user_bot = statements(&prod, "api", "UserBotFunctionRole");
    let admin_bot = statements(&prod, "api", "AdminBotFunctionRole");
    for action in ["kms:GenerateDataKey", "kms:Decrypt"] {
        assert!(is_allowed(&user_bot, action, &own), "{action}");
        for wrong in [
            vec![],
            vec![("app", "analyticbot"), ("stage", "prod")],
            vec![("stage", "prod"), ("user_id", "7")],
            vec![("app", "analyticbot"), ("user_id", "7")],
            vec![("app", "analyticbot"), ("stage", "dev"), ("user_id", "7")],
            vec![("app", "other"), ("stage", "prod"), ("user_id", "7")],
            vec![("app", "analyticbot"), ("stage", "prod"), ("user_id", "7"), ("more", "x")],
        ] {
            assert!(!is_allowed(&user_bot, action, &wrong), "{action} with {wrong:?}");
        }
    }
    assert!(is_allowed(&admin_bot, "kms:Decrypt", &own) && !is_allowed(&admin_bot, "kms:GenerateDataKey", &own));
    for (stack_name, role) in [
        ("api", "AuthFunctionRole"),
        ("api", "MetaFunctionRole"),
        ("ops", "CleanupFunctionRole"),
        ("ops", "UserAdminFunctionRole"),
    ] {
        let kms: Vec<_> = allowed(stack(&prod, stack_name), role)
            .into_iter()
            .map(|(action, _)| action)
            .filter(|action| action.starts_with("kms:"))
            .collect();
        let expected: &[&str] = if role == "MetaFunctionRole" { &["kms:DescribeKey"] } else { &[] };
        assert_eq!(kms, expected, "{role}");
    }
}

#[test]
fn actions_are_append_only_and_no_function_has_more_than_the_specification() {
    for name in STAGES {
        let system = rendered(SYSTEM, name);
        for (stack_name, role, table, expected) in [
            ("api", "AuthFunctionRole", "UsersTable", &["GetItem", "UpdateItem"][..]),
            ("api", "AuthFunctionRole", "UserBotCredentialsTable", &[]),
            ("api", "AuthFunctionRole", "AdminBotActionsTable", &[]),
            ("api", "UserBotFunctionRole", "UsersTable", &["GetItem"]),
            (
                "api",
                "UserBotFunctionRole",
                "UserBotCredentialsTable",
                &["DeleteItem", "GetItem", "PutItem", "UpdateItem"],
            ),
            ("api", "UserBotFunctionRole", "AdminBotActionsTable", &[]),
            ("api", "AdminBotFunctionRole", "UsersTable", &["GetItem"]),
            ("api", "AdminBotFunctionRole", "UserBotCredentialsTable", &["GetItem", "Query", "UpdateItem"]),
            ("api", "AdminBotFunctionRole", "AdminBotActionsTable", &["PutItem", "Query"]),
            ("api", "MetaFunctionRole", "UsersTable", &["DescribeTable"]),
            ("api", "MetaFunctionRole", "UserBotCredentialsTable", &["DescribeTable"]),
            ("api", "MetaFunctionRole", "AdminBotActionsTable", &["DescribeTable"]),
            ("ops", "CleanupFunctionRole", "UsersTable", &["DeleteItem", "Scan"]),
            ("ops", "CleanupFunctionRole", "UserBotCredentialsTable", &["DeleteItem", "Scan", "UpdateItem"]),
            ("ops", "CleanupFunctionRole", "AdminBotActionsTable", &[]),
            ("ops", "UserAdminFunctionRole", "UsersTable", &["GetItem", "PutItem", "UpdateItem"]),
            ("ops", "UserAdminFunctionRole", "UserBotCredentialsTable", &[]),
            ("ops", "UserAdminFunctionRole", "AdminBotActionsTable", &["Query"]),
        ] {
            let found = actions_on(stack(&system, stack_name), role, table);
            let expected: Vec<_> = expected.iter().map(|action| format!("dynamodb:{action}")).collect();
            assert_eq!(found, expected, "{name}: {role} on {table}");
        }
        // Queries of bots use the indexes, which have no secret.
        let queries = allowed(stack(&system, "api"), "AdminBotFunctionRole");
        let on_credentials = queries
            .iter()
            .filter(|(action, resource)| action == "dynamodb:Query" && resource.contains("UserBotCredentialsTable"));
        for (_, resource) in on_credentials {
            assert!(resource.contains("/index/ListIndex") || resource.contains("/index/StatusIndex"), "{resource}");
        }
    }
}

#[test]
fn cleanup_reads_keys_and_times_only() {
    let prod = rendered(SYSTEM, "prod");
    let scans: Vec<_> = statements(&prod, "ops", "CleanupFunctionRole")
        .into_iter()
        .filter(|statement| statement["Action"] == json!(["dynamodb:Scan"]))
        .map(|statement| statement["Condition"]["ForAllValues:StringEquals"]["dynamodb:Attributes"].clone())
        .collect();
    assert_eq!(scans, [json!(["pk", "ttl", "leases"]), json!(["pk", "ttl"])]);
    let ops = stack(&prod, "ops");
    assert_eq!(properties(ops, "CleanupSchedule")["ScheduleExpression"], "rate(5 minutes)");
    // Operators invoke it; no service may.
    let permissions = of_type(ops, "AWS::Lambda::Permission");
    let functions: Vec<_> = permissions.iter().map(|(_, one)| one["Properties"]["FunctionName"].clone()).collect();
    assert_eq!(functions, [json!({ "Ref": "CleanupFunctionAlias" })]);
    let password = actions_on(ops, "UserAdminFunctionRole", "parameter/analyticbot/prod/bootstrap-password");
    assert_eq!(password, ["ssm:DeleteParameter", "ssm:GetParameter"]);
}

#[test]
fn functions_have_the_specified_names_sizes_and_log_retention() {
    for name in STAGES {
        let system = rendered(SYSTEM, name);
        for (stack_name, id, function, memory, timeout) in [
            ("api", "AuthFunction", "auth", 1024, 29),
            ("api", "UserBotFunction", "user-bot", 512, 29),
            ("api", "AdminBotFunction", "admin-bot", 512, 29),
            ("api", "MetaFunction", "meta", 512, 29),
            ("ops", "CleanupFunction", "cleanup", 256, 60),
            ("ops", "UserAdminFunction", "user-admin", 1024, 29),
        ] {
            let stack = stack(&system, stack_name);
            let found = properties(stack, id);
            assert_eq!(found["FunctionName"], format!("analyticbot-{name}-{function}"));
            assert_eq!((&found["MemorySize"], &found["Timeout"]), (&json!(memory), &json!(timeout)), "{id}");
            assert_eq!(properties(stack, &format!("{id}LogGroup"))["RetentionInDays"], 30, "{id}");
        }
    }
}

#[test]
fn all_functions_that_issue_or_verify_tokens_know_their_lifetime() {
    let staging = stage("staging");
    let settings = staging.settings::<Settings>(SYSTEM).expect("read").expect("settings");
    let settings = Settings { access_token_minutes: 120, ..settings };
    let rendered = system(&staging, &settings).expect("a system").render(&staging).expect("rendered");
    for id in ["AuthFunction", "UserBotFunction", "AdminBotFunction"] {
        let variables = &properties(stack(&rendered, "api"), id)["Environment"]["Variables"];
        assert_eq!(variables["ACCESS_TOKEN_MINUTES"], "120", "{id}");
    }
}

#[test]
fn alarms_watch_failures_throttles_and_sign_ins() {
    let prod = rendered(SYSTEM, "prod");
    let ops = stack(&prod, "ops");
    let names: BTreeSet<_> = of_type(ops, "AWS::CloudWatch::Alarm")
        .iter()
        .map(|(_, alarm)| alarm["Properties"]["AlarmName"].as_str().expect("a name").to_owned())
        .collect();
    let functions = ["auth", "user-bot", "admin-bot", "meta", "cleanup", "user-admin"];
    let mut expected: BTreeSet<_> = functions
        .iter()
        .flat_map(|function| ["errors", "throttles"].map(|kind| format!("analyticbot-prod-{kind}-{function}")))
        .collect();
    for table in ["users", "user_bot_credentials", "admin_bot_actions"] {
        expected.extend(["read", "write"].map(|kind| format!("analyticbot-prod-db-throttle-{table}-{kind}")));
    }
    expected.extend(["analyticbot-prod-api-5xx", "analyticbot-prod-login-failures"].map(str::to_owned));
    assert_eq!(names, expected);
    let above = |threshold: f64, periods: i64| ("GreaterThanThreshold".to_owned(), threshold, 300, periods);
    assert_eq!(alarm(ops, "Api5xxAlarm"), above(0.05, 2));
    assert_eq!(alarm(ops, "ErrorsUserBotAlarm"), above(0.05, 2));
    assert_eq!(alarm(ops, "LoginFailuresAlarm"), above(100.0, 1));
    assert_eq!(properties(ops, "LoginFailuresAlarm")["Namespace"], "ab/prod");
    for (id, alarm) in of_type(ops, "AWS::CloudWatch::Alarm") {
        assert_eq!(alarm["Properties"]["TreatMissingData"], "notBreaching", "{id}");
    }
    assert_eq!(properties(ops, "Dashboard")["DashboardName"], "analyticbot-prod");
}

#[test]
fn the_panels_origin_may_use_the_api() {
    let origins = |name: &str| {
        let system = rendered(SYSTEM, name);
        let apis = of_type(stack(&system, "api"), "AWS::ApiGatewayV2::Api");
        apis[0].1["Properties"]["CorsConfiguration"].clone()
    };
    let prod = origins("prod");
    assert_eq!(prod["AllowOrigins"], json!(["https://bots.example.com", "https://www.bots.example.com"]));
    assert_eq!(prod["AllowMethods"], json!(["GET", "POST", "PUT", "PATCH", "DELETE"]));
    let staging = origins("staging");
    assert_eq!(staging["AllowOrigins"][0], "https://staging.example.com");
    assert!(staging["AllowOrigins"][1].to_string().contains("DistributionDomainName"), "{staging}");
    for name in STAGES {
        let system = rendered(SYSTEM, name);
        let [site] = system.sites.as_slice() else { panic!("{:?}", system.sites) };
        let api = &site.config["apiUrl"];
        assert!(!stack(&system, &api.stack).template["Outputs"][&api.output].is_null(), "{name}");
    }
}

#[test]
fn settings_that_are_not_allowed_are_reported() {
    let prod = stage("prod");
    let good = prod.settings::<Settings>(SYSTEM).expect("read").expect("settings");
    let refused = |stage: &Stage, settings: Settings| system(stage, &settings).expect_err("refused").to_string();
    let error = |settings: Settings| refused(&prod, settings);
    let message = error(Settings { telegram_stub: true, ..good.clone() });
    assert!(message.starts_with("analyticbot: stacks/stages/prod.yaml: `telegram_stub` is true"), "{message}");
    let staging = stage("staging");
    assert!(refused(&staging, Settings { telegram_stub: true, ..good.clone() }).contains("`telegram_stub` is true"));
    let plain = Some("http://127.0.0.1:8081".to_owned());
    assert!(error(Settings { telegram_api_base: plain, ..good.clone() }).contains("without TLS"));
    assert!(error(Settings { login_per_minute_ip: 0, ..good.clone() }).contains("`login_per_minute_ip` is 0"));
    for minutes in [0, 1441] {
        let message = error(Settings { access_token_minutes: minutes, ..good.clone() });
        assert!(message.contains("`access_token_minutes`"), "{message}");
    }
    assert!(error(Settings { allowed_origins: vec!["*".to_owned()], ..good.clone() }).contains("`allowed_origins`"));
    assert!(error(Settings { alarm_email: Some("nope".to_owned()), ..good }).contains("`alarm_email`"));
    let dev = stage("dev");
    let good = dev.settings::<Settings>(SYSTEM).expect("read").expect("settings");
    let both = Settings { telegram_api_base: Some("https://bots.example.com".to_owned()), ..good };
    assert!(refused(&dev, both).contains("remove one of them"));
}
