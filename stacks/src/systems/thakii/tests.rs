//! The requirements of the specification and its acceptance list on templates, and settings that are not allowed.

use contract::Routes;
use model::rendered::RenderedSystem;
use serde_json::{Value, json};
use thakii_contract::{limits, routes::ApiRoute, tables};

use super::{
    settings::{Domain, Firebase},
    *,
};
use crate::systems::testing::{
    STAGES, actions_on, alarm, allowed, assert_names_no_account, assert_retained, of_type, properties, rendered, stack,
    stage,
};

const STACKS: [&str; 6] = ["storage", "data", "auth", "worker", "api", "alarms"];

fn environment(system: &RenderedSystem, name: &str, function: &str) -> Value {
    properties(stack(system, name), function)["Environment"]["Variables"].clone()
}

#[test]
fn every_stage_has_six_stacks_in_the_order_of_the_specification() {
    for name in STAGES {
        let system = rendered(SYSTEM, name);
        let names: Vec<_> = system.stacks.iter().map(|stack| stack.stack.as_str()).collect();
        assert_eq!(names, STACKS, "{name}");
        let needs = |name: &str| stack(&system, name).depends_on.iter().map(String::as_str).collect::<Vec<_>>();
        for first in ["storage", "data", "auth"] {
            assert!(needs(first).is_empty(), "{first}");
        }
        assert_eq!(needs("worker"), ["auth", "data"]);
        assert_eq!(needs("api"), ["auth", "data", "worker"]);
    }
}

#[test]
fn row_23_every_stage_is_least_privileged_and_calls_aliases() {
    assert_names_no_account(SYSTEM);
    let prod = rendered(SYSTEM, "prod");
    for (name, function) in [("api", "ApiFunction"), ("worker", "StatusFunction"), ("worker", "MaintenanceFunction")] {
        let stack = stack(&prod, name);
        let properties_of = properties(stack, function);
        assert_eq!((&properties_of["MemorySize"], &properties_of["Timeout"]), (&json!(1024), &json!(30)));
        assert_eq!(properties(stack, &format!("{function}LogGroup"))["RetentionInDays"], 30);
    }
    let target = properties(stack(&prod, "worker"), "MaintenanceSchedule")["Targets"][0]["Arn"].clone();
    assert_eq!(target, json!({ "Ref": "MaintenanceFunctionAlias" }));
}

#[test]
fn the_bucket_expires_chunks_and_keeps_deleted_objects_for_a_month() {
    let prod = rendered(SYSTEM, "prod");
    let bucket = properties(stack(&prod, "storage"), "VideoBucket");
    let rules = bucket["LifecycleConfiguration"]["Rules"].as_array().expect("rules");
    let rule = |id: &str| rules.iter().find(|rule| rule["Id"] == id).unwrap_or_else(|| panic!("no {id}: {rules:?}"));
    assert_eq!(rule("ExpireChunks")["ExpirationInDays"], 1);
    assert_eq!(rule("ExpireChunks")["Prefix"], "chunks/");
    assert_eq!(rule("AbortUploads")["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"], 1);
    assert_eq!(rule("ExpireNoncurrent")["NoncurrentVersionExpiration"]["NoncurrentDays"], 30);
    assert_eq!(rule("CoolVideos")["Transitions"][0], json!({ "StorageClass": "STANDARD_IA", "TransitionInDays": 30 }));
    let cors = &bucket["CorsConfiguration"]["CorsRules"][0];
    assert_eq!(cors["AllowedOrigins"], json!(["https://app.example.com"]));
    assert_eq!(cors["AllowedMethods"], json!(["GET", "PUT", "POST", "HEAD"]));
    assert_eq!(cors["MaxAge"], limits::CORS_MAX_AGE);
    let stateful = ["AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::Cognito::UserPool", "AWS::SecretsManager::Secret"];
    assert_retained(&prod, &stateful);
}

#[test]
fn six_tables_have_the_contracts_keys_and_the_stages_protection() {
    for (name, protected) in [("local", Value::Null), ("dev", Value::Null), ("prod", json!(true))] {
        let system = rendered(SYSTEM, name);
        let data = stack(&system, "data");
        assert_eq!(of_type(data, "AWS::DynamoDB::Table").len(), tables::ALL.len());
        for (id, table) in of_type(data, "AWS::DynamoDB::Table") {
            let properties = &table["Properties"];
            assert_eq!(properties["DeletionProtectionEnabled"], protected, "{id}");
            let recovery = &properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"];
            assert_eq!(*recovery, protected, "{id}");
            assert_eq!(properties["BillingMode"], "PAY_PER_REQUEST");
        }
        let tasks = properties(data, "VideoTasksTable");
        assert_eq!(tasks["TableName"], format!("thakii-video-tasks-{name}"));
        let indexes: Vec<_> = tasks["GlobalSecondaryIndexes"].as_array().expect("indexes").iter().collect();
        assert_eq!(indexes.iter().map(|index| &index["IndexName"]).collect::<Vec<_>>(), ["by-user", "by-status"]);
        for (id, table) in of_type(data, "AWS::DynamoDB::Table") {
            let expiry = match id {
                "NotificationsTable" | "SystemTable" | "UploadsTable" => {
                    json!({ "AttributeName": "expires_at", "Enabled": true })
                }
                _ => Value::Null,
            };
            assert_eq!(table["Properties"]["TimeToLiveSpecification"], expiry, "{id}");
        }
    }
}

#[test]
fn users_sign_up_themselves_and_send_passwords_only_outside_production() {
    for name in STAGES {
        let system = rendered(SYSTEM, name);
        let auth = stack(&system, "auth");
        let pool = properties(auth, "UserPool");
        assert_eq!(pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"], false);
        assert_eq!(pool["DeletionProtection"] == "ACTIVE", ["staging", "prod"].contains(&name));
        let flows = properties(auth, "WebClient")["ExplicitAuthFlows"].as_array().expect("flows").clone();
        assert_eq!(flows.contains(&json!("ALLOW_USER_PASSWORD_AUTH")), name != "prod", "{name}");
        assert!(flows.contains(&json!("ALLOW_USER_SRP_AUTH")));
        for (id, precedence) in [("SuperAdminsGroup", 1), ("AdminsGroup", 10), ("UsersGroup", 100)] {
            assert_eq!(properties(auth, id)["Precedence"], precedence);
        }
        assert_eq!(properties(auth, "BackendTokenSecret")["GenerateSecretString"]["PasswordLength"], 64);
    }
}

#[test]
fn queues_have_the_contracts_number_of_receives() {
    let prod = rendered(SYSTEM, "prod");
    let worker = stack(&prod, "worker");
    for (queue, visibility, receives) in [("TasksQueue", 900, 3), ("TaskEventsQueue", 180, 5)] {
        let properties = properties(worker, queue);
        assert_eq!(properties["VisibilityTimeout"], visibility);
        assert_eq!(properties["RedrivePolicy"]["maxReceiveCount"], receives);
        assert_eq!(properties["MessageRetentionPeriod"], 14 * 24 * 3600);
        assert_eq!(properties["ReceiveMessageWaitTimeSeconds"], 20);
    }
    assert_eq!(of_type(worker, "AWS::SQS::QueuePolicy").len(), 4);
    let mapping = properties(worker, "TaskEventsMapping");
    assert_eq!(mapping["BatchSize"], 10);
    assert_eq!(mapping["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    assert_eq!(properties(worker, "DeadTasksMapping")["FunctionName"], json!({ "Ref": "StatusFunctionAlias" }));
    assert_eq!(properties(worker, "MaintenanceSchedule")["ScheduleExpression"], "rate(15 minutes)");
    let local = rendered(SYSTEM, "local");
    assert!(of_type(stack(&local, "worker"), "AWS::SQS::QueuePolicy").is_empty());
}

#[test]
fn roles_have_least_privilege() {
    let prod = rendered(SYSTEM, "prod");
    let (api, worker) = (stack(&prod, "api"), stack(&prod, "worker"));
    let on_tasks = actions_on(api, "ApiFunctionRole", r#""Ref":"VideoTasksTableArn""#);
    let six = ["ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"];
    assert_eq!(on_tasks, six.map(|action| format!("dynamodb:{action}")));
    assert_eq!(actions_on(api, "ApiFunctionRole", "subtitles/*"), ["s3:DeleteObject", "s3:GetObject"]);
    assert_eq!(actions_on(api, "ApiFunctionRole", "TasksDlqArn"), ["sqs:GetQueueAttributes"]);
    let listing = properties(api, "ApiFunctionRole")["Policies"][0]["PolicyDocument"]["Statement"]
        .as_array()
        .and_then(|statements| statements.iter().find(|statement| statement["Action"] == json!(["s3:ListBucket"])))
        .expect("listing")
        .clone();
    let prefixes = json!(["videos/*", "subtitles/*", "pdfs/*", "chunks/*"]);
    assert_eq!(listing["Condition"]["StringLike"]["s3:prefix"], prefixes);

    // The status function has no access to admins, the maintenance function none to objects, the worker none to tables.
    let reaches = |role: &str, part: &str| allowed(worker, role).iter().any(|(_, resource)| resource.contains(part));
    assert!(!reaches("StatusFunctionRole", "AdminUsers") && !reaches("StatusFunctionRole", "videos/*"));
    assert!(!reaches("MaintenanceFunctionRole", "AdminUsers") && !reaches("MaintenanceFunctionRole", ":s3:"));
    assert!(allowed(worker, "WorkerRole").iter().all(|(action, _)| !action.starts_with("dynamodb:")));
    assert_eq!(actions_on(worker, "WorkerRole", "videos/*"), ["s3:GetObject"]);
    assert_eq!(actions_on(worker, "WorkerRole", "pdfs/*"), ["s3:PutObject"]);
    let index = actions_on(worker, "MaintenanceFunctionRole", "index/by-status");
    assert_eq!(index, ["dynamodb:Query"]);
    let on_dead_events = actions_on(worker, "StatusFunctionRole", r#""TaskEventsDlq","Arn""#);
    assert_eq!(on_dead_events, ["sqs:SendMessage"]);
}

#[test]
fn the_api_declares_every_route_and_passes_other_requests_to_the_function() {
    let prod = rendered(SYSTEM, "prod");
    let api = stack(&prod, "api");
    let methods = of_type(api, "AWS::ApiGateway::Method");
    let verbs = |verb: &str| methods.iter().filter(|(_, it)| it["Properties"]["HttpMethod"] == verb).count();
    assert_eq!((methods.len(), verbs("ANY"), verbs("OPTIONS")), (ApiRoute::ALL.len() + 2, 2, 0));
    assert!(methods.iter().all(|(_, method)| method["Properties"]["AuthorizationType"] == "NONE"));
    assert_eq!(properties(api, "ThakiiApi")["BinaryMediaTypes"], json!(["multipart/form-data"]));
    assert_eq!(properties(api, "ThakiiApiProxyResource")["PathPart"], "{proxy+}");
    let settings = properties(api, "ThakiiApiStageResource")["MethodSettings"].as_array().expect("settings").clone();
    let of = |path: &str| {
        let found = settings.iter().find(|it| it["ResourcePath"] == path).unwrap_or_else(|| panic!("no {path}"));
        (found["ThrottlingRateLimit"].as_i64(), found["ThrottlingBurstLimit"].as_i64())
    };
    for (path, rate, burst) in [("/*", 100, 200), ("/~1upload", 20, 40), ("/~1admin~1servers~1health-check", 1, 2)] {
        assert_eq!(of(path), (Some(rate), Some(burst)), "{path}");
    }
    // A low throttle of sign-in routes would be shared by all clients.
    for path in ["/~1auth~1login", "/~1auth~1exchange-token"] {
        let own = settings.iter().find(|it| it["ResourcePath"] == path);
        assert!(own.is_none_or(|own| own["ThrottlingRateLimit"].is_null()), "{path}");
    }
    assert_eq!(properties(api, "ApiFunctionEventInvokeConfig")["MaximumRetryAttempts"], 0);
    assert_eq!(of_type(api, "AWS::WAFv2::WebACLAssociation").len(), 1);
}

#[test]
fn sign_in_is_limited_per_address_by_function_and_web_acl() {
    let prod = rendered(SYSTEM, "prod");
    assert_eq!(environment(&prod, "api", "ApiFunction")["SIGN_IN_PER_MINUTE"], "60");
    assert_eq!(environment(&rendered(SYSTEM, "local"), "api", "ApiFunction")["SIGN_IN_PER_MINUTE"], "1000");
    let rules = properties(stack(&prod, "api"), "ApiWaf")["Rules"].as_array().expect("rules").clone();
    let sign_in = &rules[0]["Statement"]["RateBasedStatement"];
    assert_eq!((&sign_in["Limit"], &sign_in["EvaluationWindowSec"]), (&json!(300), &json!(300)));
    assert_eq!(sign_in["AggregateKeyType"], "IP");
    let scopes = sign_in["ScopeDownStatement"]["AndStatement"]["Statements"].as_array().expect("scopes");
    let path = &scopes[0]["ByteMatchStatement"];
    assert_eq!(path["SearchString"], "/auth/");
    // An encoded path selects the same route.
    assert_eq!(path["TextTransformations"][0]["Type"], "URL_DECODE");
    assert_eq!(scopes[1]["ByteMatchStatement"]["SearchString"], "POST");
}

#[test]
fn the_maintenance_function_rotates_the_token_secret_without_reading_it() {
    let prod = rendered(SYSTEM, "prod");
    let on_secret = |name: &str, role: &str| actions_on(stack(&prod, name), role, "BackendTokenSecret");
    let rotates = ["secretsmanager:ListSecretVersionIds", "secretsmanager:PutSecretValue"];
    assert_eq!(on_secret("worker", "MaintenanceFunctionRole"), rotates);
    assert_eq!(on_secret("api", "ApiFunctionRole"), ["secretsmanager:GetSecretValue"]);
    assert!(on_secret("worker", "StatusFunctionRole").is_empty());
}

#[test]
fn the_gateways_own_errors_match_the_contract() {
    let prod = rendered(SYSTEM, "prod");
    let api = stack(&prod, "api");
    for (id, status, body) in [
        ("ThakiiApiThrottledResponse", "429", limits::TOO_MANY_REQUESTS),
        ("ThakiiApiRequestTooLargeResponse", "413", limits::DIRECT_BODY_TOO_LARGE),
        ("ThakiiApiIntegrationTimeoutResponse", "504", limits::TIMEOUT),
    ] {
        let response = properties(api, id);
        assert_eq!(response["StatusCode"], status);
        assert_eq!(response["ResponseTemplates"]["application/json"], body);
        let origin = &response["ResponseParameters"]["gatewayresponse.header.Access-Control-Allow-Origin"];
        assert_eq!(*origin, "'https://app.example.com'");
    }
    let retry =
        &properties(api, "ThakiiApiThrottledResponse")["ResponseParameters"]["gatewayresponse.header.Retry-After"];
    assert_eq!(*retry, "'1'");
}

#[test]
fn environments_fit_into_lambda_and_issuers_are_json() {
    let prod = rendered(SYSTEM, "prod");
    let variables = environment(&prod, "api", "ApiFunction");
    // Lambda developer guide, "Lambda quotas": 4 KB for all variables.
    assert!(variables.to_string().len() < 4096);
    assert_eq!(variables["WORKER_SERVICE_URL"], "https://worker.example.com");
    assert_eq!(variables["MAX_VIDEO_BYTES"], "5368709120");
    assert_eq!(variables["BACKEND_TOKEN_HOURS"], "72");
    let issuers = variables["AUTH_ISSUERS"]["Fn::Sub"].as_str().expect("a text with variables");
    let issuers: Value = serde_json::from_str(issuers).expect("JSON");
    assert_eq!(issuers[0]["issuer"], "https://cognito-idp.${AWS::Region}.amazonaws.com/${UserPoolId}");
    assert_eq!(issuers[0]["audience"], "${WebClientId}");
    assert!(environment(&rendered(SYSTEM, "local"), "api", "ApiFunction")["WORKER_SERVICE_URL"].is_null());
}

#[test]
fn alarms_have_the_specified_thresholds() {
    const ABOVE: &str = "GreaterThanThreshold";
    const AT_LEAST: &str = "GreaterThanOrEqualToThreshold";
    let prod = rendered(SYSTEM, "prod");
    let alarms = stack(&prod, "alarms");
    for (id, comparison, threshold, period, periods) in [
        ("ApiErrorsAlarm", AT_LEAST, 5.0, 300, 1),
        ("ApiErrorRateAlarm", ABOVE, 5.0, 300, 1),
        ("FastRoutesP95Alarm", ABOVE, 1000.0, 300, 3),
        ("FastRoutesMaximumAlarm", ABOVE, 5000.0, 300, 3),
        ("ApiThrottlesAlarm", AT_LEAST, 1.0, 300, 1),
        ("StatusThrottlesAlarm", AT_LEAST, 1.0, 300, 1),
        ("MaintenanceThrottlesAlarm", AT_LEAST, 1.0, 300, 1),
        ("StatusErrorsAlarm", AT_LEAST, 1.0, 300, 1),
        ("MaintenanceErrorsAlarm", AT_LEAST, 1.0, 300, 1),
        ("Api5xxAlarm", ABOVE, 0.01, 300, 1),
        ("Api4xxAlarm", ABOVE, 25.0, 900, 1),
        ("AuthFailuresAlarm", ABOVE, 50.0, 300, 1),
        ("ListDegradedAlarm", AT_LEAST, 1.0, 300, 1),
        ("TasksWaitingAlarm", ABOVE, 1800.0, 300, 1),
        ("DeadTasksAlarm", AT_LEAST, 1.0, 300, 1),
        ("DeadEventsAlarm", AT_LEAST, 1.0, 300, 1),
        ("HealthyServersAlarm", "LessThanThreshold", 1.0, 900, 2),
        ("VideoTasksThrottlesAlarm", AT_LEAST, 1.0, 300, 1),
        ("UploadsSystemErrorsAlarm", AT_LEAST, 1.0, 300, 1),
    ] {
        assert_eq!(alarm(alarms, id), (comparison.to_owned(), threshold, period, periods), "{id}");
        assert_eq!(properties(alarms, id)["TreatMissingData"], "notBreaching");
    }
    let all = of_type(alarms, "AWS::CloudWatch::Alarm");
    assert_eq!(all.len(), 17 + 2 * tables::ALL.len());
    for (id, alarm) in all {
        // CloudWatch user guide, "CloudWatch service quotas".
        assert!(alarm["Properties"]["Metrics"].as_array().is_none_or(|metrics| metrics.len() <= 10), "{id}");
    }
    assert_eq!(properties(alarms, "AlarmTopicEmail")["Endpoint"], "ops@example.com");
    assert!(of_type(stack(&rendered(SYSTEM, "dev"), "alarms"), "AWS::SNS::Subscription").is_empty());
}

#[test]
fn a_second_issuer_is_added_by_settings() {
    let stage = stage("dev");
    let text = "{ kind: firebase, audience: demo, issuer: 'https://issuer.example', jwks_url: 'https://keys.example' }";
    let firebase: settings::Issuer = serde_yaml::from_str(text).expect("an issuer");
    let mut settings = stage.settings::<Settings>(SYSTEM).expect("read").expect("settings");
    settings.auth_issuers.push(firebase);
    let system = system(&stage, &settings).expect("sound").render(&stage).expect("rendered");
    let issuers = environment(&system, "api", "ApiFunction")["AUTH_ISSUERS"]["Fn::Sub"].clone();
    let issuers: Value = serde_json::from_str(issuers.as_str().expect("a text")).expect("JSON");
    let expected = json!({
        "kind": "firebase", "primary": false, "audience": "demo",
        "issuer": "https://issuer.example", "jwks_url": "https://keys.example",
    });
    assert_eq!(issuers[1], expected);
}

fn domain(name: &str, certificate_arn: Option<String>, hosted_zone_id: Option<String>) -> Domain {
    Domain { name: name.to_owned(), certificate_arn, hosted_zone_id }
}

#[test]
fn invalid_settings_are_reported_with_file_and_key() {
    let stage = stage("staging");
    let good = stage.settings::<Settings>(SYSTEM).expect("read").expect("settings");
    let refused = |change: fn(&mut Settings)| {
        let mut settings = good.clone();
        change(&mut settings);
        let error = system(&stage, &settings).expect_err("refused").to_string();
        assert!(error.contains("stacks/stages/staging.yaml"), "{error}");
        error
    };
    for (key, value, change) in [
        ("allowed_origins", "*", (|it, value| it.allowed_origins = vec![value]) as fn(&mut Settings, String)),
        ("allowed_origins", "https://app.example.com/", |it, value| it.allowed_origins.push(value)),
        ("super_admins", "a@b.c,evil@x.y", |it, value| it.super_admins.push(value)),
        ("worker_service_url", "ftp://x", |it, value| it.worker_service_url = Some(value)),
        ("public_s3_endpoint", "127.0.0.1:4566", |it, value| it.public_s3_endpoint = Some(value)),
        ("alarm_email", "nope", |it, value| it.alarm_email = Some(value)),
        ("domain.hosted_zone_id", "", |it, value| it.domain = Some(domain("api.example.com", None, Some(value)))),
        ("domain.certificate_arn", "x", |it, value| it.domain = Some(domain("api.example.com", Some(value), None))),
        ("domain.name", "api", |it, value| it.domain = Some(domain(&value, None, Some("Z0123".to_owned())))),
        ("auth_issuers.jwks_url", "keys", |it, value| {
            let firebase =
                Firebase { primary: false, audience: "demo".to_owned(), issuer: None, jwks_url: Some(value) };
            it.auth_issuers.push(settings::Issuer::Firebase(firebase));
        }),
    ] {
        let mut settings = good.clone();
        change(&mut settings, value.to_owned());
        let error = system(&stage, &settings).expect_err(key).to_string();
        let named = format!("thakii: stacks/stages/staging.yaml: `{key}` is `{value}`, but must be ");
        assert!(error.starts_with(&named), "{error}");
    }
    assert!(refused(|it| it.auth_issuers.clear()).contains("`primary: true`"));
    assert!(
        refused(|it| it.auth_issuers.push(settings::Issuer::Cognito { primary: true })).contains("several entries")
    );
    assert!(refused(|it| it.super_admins.clear()).contains("super_admins"));
    assert!(refused(|it| it.log_retention_days = 31).contains("`log_retention_days` is 31"));
    let nameless = Firebase { primary: false, audience: " ".to_owned(), issuer: None, jwks_url: None };
    let mut settings = good.clone();
    settings.auth_issuers.push(settings::Issuer::Firebase(nameless));
    assert!(system(&stage, &settings).expect_err("refused").to_string().contains("`audience`"));

    let text = include_str!("../../../stages/staging.yaml");
    for (wrong, named) in
        [("{ kind: auth0, primary: true }", "auth0"), ("{ kind: firebase, primary: true }", "audience")]
    {
        let text = text.replace("{ kind: cognito, primary: true }", wrong);
        let stage = Stage::parse("staging", &text, "stacks/stages/staging.yaml").expect("a stage");
        let error = stage.settings::<Settings>(SYSTEM).expect_err("refused");
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        assert!(source.contains(named), "{error}: {source}");
    }
}
