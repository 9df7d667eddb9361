//! The requirements of the specification and its acceptance list on templates, and settings that are not allowed.

use contract::Routes;
use portfolio_contract::ApiRoute;
use serde_json::json;

use super::*;
use crate::systems::testing::{
    actions_on, alarm, allowed, assert_names_no_account, assert_retained, of_type, properties, rendered, stack, stage,
};

const STACKS: [&str; 5] = ["api", "data", "identity", "observability", "web"];

#[test]
fn row_1_every_stage_has_five_stacks_and_forty_one_methods() {
    for name in ["local", "prod"] {
        let system = rendered(SYSTEM, name);
        let mut names: Vec<_> = system.stacks.iter().map(|stack| stack.stack.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, STACKS);
        let api = stack(&system, "api");
        let methods = of_type(api, "AWS::ApiGateway::Method");
        let (preflights, methods): (Vec<_>, Vec<_>) =
            methods.into_iter().partition(|(_, method)| method["Properties"]["HttpMethod"] == "OPTIONS");
        assert_eq!(methods.len(), 41);
        for (id, method) in methods.iter().chain(&preflights) {
            assert_eq!(method["Properties"]["Integration"]["Type"], "AWS_PROXY", "{id}");
        }
        let paths: std::collections::BTreeSet<_> = ApiRoute::ALL.iter().map(|route| route.route().path).collect();
        assert_eq!(preflights.len(), paths.len());
        assert!(!api.template.to_string().contains("AuthorizationScopes"));
    }
    assert_eq!(stack(&rendered(SYSTEM, "prod"), "web").region.as_deref(), Some("us-east-1"));
}

#[test]
fn every_stage_is_least_privileged_and_calls_the_alias() {
    assert_names_no_account(SYSTEM);
}

#[test]
fn the_function_has_the_specified_permissions() {
    let prod = rendered(SYSTEM, "prod");
    let api = stack(&prod, "api");
    let role = "PortfolioApiFunctionRole";
    let on_table = actions_on(api, role, "PortfolioTableArn");
    let expected = ["BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"];
    assert_eq!(on_table, expected.map(|action| format!("dynamodb:{action}")));
    assert_eq!(actions_on(api, role, "index/GSI1"), ["dynamodb:Query"]);
    assert_eq!(actions_on(api, role, "CognitoUserPoolArn"), ["cognito-idp:AdminUserGlobalSignOut"]);
    assert_eq!(actions_on(api, role, "parameter/portfolio/prod/*"), ["ssm:GetParameter"]);
    assert_eq!(actions_on(api, role, "VisitorSalt"), ["secretsmanager:GetSecretValue"]);
    let others = ["dynamodb:", "cognito-idp:", "ssm:", "secretsmanager:", "logs:", "xray:"];
    for (action, _) in allowed(api, role) {
        assert!(others.iter().any(|service| action.starts_with(service)), "{action}");
    }
}

#[test]
fn tokens_are_required_as_the_contract_declares() {
    let prod = rendered(SYSTEM, "prod");
    let methods = of_type(stack(&prod, "api"), "AWS::ApiGateway::Method");
    let guarded = methods.iter().filter(|(_, method)| method["Properties"]["AuthorizationType"] != "NONE").count();
    assert_eq!(guarded, ApiRoute::ALL.iter().filter(|route| route.access().is_guarded()).count());
    let of = |id: &str| properties(stack(&prod, "api"), id).clone();
    let login = of("PortfolioApiV1AuthLoginPost");
    assert_eq!(login["AuthorizationType"], "NONE");
    assert_eq!(login["RequestModels"]["application/json"], json!({ "Ref": "PortfolioApiLoginModel" }));
    assert_eq!(login["RequestValidatorId"], json!({ "Ref": "PortfolioApiBodyValidator" }));
    assert_eq!(of("PortfolioApiLoginModel")["Schema"]["required"], json!(["email", "password"]));
    assert_eq!(of("PortfolioApiV1AuthMeGet")["AuthorizationType"], "COGNITO_USER_POOLS");
    assert_eq!(of("PortfolioApiGet")["ResourceId"], json!({ "Fn::GetAtt": ["PortfolioApi", "RootResourceId"] }));
}

#[test]
fn each_group_of_routes_has_its_throttle() {
    let prod = rendered(SYSTEM, "prod");
    let settings = &properties(stack(&prod, "api"), "PortfolioApiStageResource")["MethodSettings"];
    let settings = settings.as_array().expect("settings");
    let of = |path: &str, verb: &str| {
        let found = settings.iter().find(|it| it["ResourcePath"] == path && it["HttpMethod"] == verb);
        let found = found.unwrap_or_else(|| panic!("no setting for {verb} {path}"));
        assert_eq!(found["DataTraceEnabled"], false, "{path}");
        assert_eq!(found["LoggingLevel"], "INFO", "{path}");
        (found["ThrottlingRateLimit"].as_i64(), found["ThrottlingBurstLimit"].as_i64())
    };
    for (path, verb, rate, burst) in [
        ("/*", "*", 50, 100),
        // As high as that of other routes: it is shared, and each address has a limit of its own.
        ("/~1v1~1auth~1login", "POST", 50, 100),
        ("/~1v1~1auth~1refresh", "POST", 50, 100),
        ("/~1v1~1visitors~1track", "POST", 20, 40),
        ("/~1v1~1blog~1posts~1{postId}", "PUT", 10, 20),
    ] {
        assert_eq!(of(path, verb), (Some(rate), Some(burst)), "{path}");
    }
}

#[test]
fn the_gateways_own_errors_have_the_form_of_the_functions() {
    let prod = rendered(SYSTEM, "prod");
    let api = stack(&prod, "api");
    let missing = properties(api, "PortfolioApiMissingAuthenticationTokenResponse");
    assert_eq!(missing["StatusCode"], "404");
    let body = missing["ResponseTemplates"]["application/json"].as_str().expect("a body");
    let body = body.replace("$context.error.messageString", r#""gone""#);
    let body: serde_json::Value = serde_json::from_str(&body).expect("JSON, once the message is in");
    let expected =
        json!({ "error": "Not Found", "message": "gone", "statusCode": 404, "details": { "code": "NotFound" } });
    assert_eq!(body, expected);
    let origin = &missing["ResponseParameters"]["gatewayresponse.header.Access-Control-Allow-Origin"];
    assert_eq!(*origin, "'https://example.com'");
    assert_eq!(of_type(api, "AWS::ApiGateway::GatewayResponse").len(), 9);
    let throttled = properties(api, "PortfolioApiThrottledResponse");
    assert_eq!(throttled["ResponseParameters"]["gatewayresponse.header.Retry-After"], "'1'");
}

#[test]
fn row_4_one_table_with_its_index() {
    let prod = rendered(SYSTEM, "prod");
    let table = properties(stack(&prod, "data"), "PortfolioTable");
    assert_eq!(table["TableName"], "portfolio-api-table");
    assert_eq!(table["BillingMode"], "PAY_PER_REQUEST");
    assert_eq!(table["GlobalSecondaryIndexes"][0]["Projection"]["ProjectionType"], "ALL");
    assert_eq!(table["TimeToLiveSpecification"], json!({ "AttributeName": "ExpiresAt", "Enabled": true }));
    assert_eq!(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true);
    assert_eq!(table["StreamSpecification"]["StreamViewType"], "NEW_AND_OLD_IMAGES");
    let dev = rendered(SYSTEM, "dev");
    assert_eq!(properties(stack(&dev, "data"), "PortfolioTable")["TableName"], "dev-portfolio-api-table");
}

#[test]
fn only_the_owner_is_created_and_users_cannot_write_their_role() {
    let prod = rendered(SYSTEM, "prod");
    let identity = stack(&prod, "identity");
    let pool = properties(identity, "CognitoUserPool");
    assert_eq!(pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"], true);
    assert_eq!(pool["Policies"]["PasswordPolicy"]["MinimumLength"], 12);
    assert_eq!(pool["DeletionProtection"], "ACTIVE");
    let client = properties(identity, "CognitoUserPoolClient");
    assert_eq!(client["WriteAttributes"], json!(["email", "name"]));
    let attributes = properties(identity, "OwnerUser")["UserAttributes"].as_array().expect("attributes").clone();
    assert!(attributes.contains(&json!({ "Name": "custom:role", "Value": "owner" })), "{attributes:?}");
    let local = rendered(SYSTEM, "local");
    assert!(of_type(stack(&local, "identity"), "AWS::Cognito::UserPoolUser").is_empty());
}

#[test]
fn row_25_prod_has_seven_alarms_with_their_thresholds() {
    let prod = rendered(SYSTEM, "prod");
    let observability = stack(&prod, "observability");
    assert_eq!(of_type(observability, "AWS::CloudWatch::Alarm").len(), 7);
    for (id, threshold) in [
        ("LambdaDurationAlarm", 10_000.0),
        ("LambdaErrorsAlarm", 1.0),
        ("LambdaThrottlesAlarm", 0.0),
        ("Api4xxAlarm", 0.05),
        ("Api5xxAlarm", 0.01),
        ("ApiLatencyAlarm", 2000.0),
        ("DynamoDbThrottlesAlarm", 0.0),
    ] {
        assert_eq!(alarm(observability, id), ("GreaterThanThreshold".to_owned(), threshold, 300, 1), "{id}");
        let alarm = properties(observability, id);
        assert_eq!(alarm["TreatMissingData"], "notBreaching");
        assert_eq!(alarm["AlarmActions"], json!([{ "Ref": "AlarmTopic" }]));
    }
    assert_eq!(properties(observability, "ApiLatencyAlarm")["ExtendedStatistic"], "p95");
    let local = rendered(SYSTEM, "local");
    assert_eq!(of_type(stack(&local, "observability"), "AWS::CloudWatch::Alarm").len(), 5);
}

#[test]
fn the_site_is_read_by_its_distribution_alone() {
    let prod = rendered(SYSTEM, "prod");
    let web = stack(&prod, "web");
    let statements = properties(web, "WebsiteBucketPolicy")["PolicyDocument"]["Statement"].clone();
    assert_eq!(statements[0]["Effect"], "Deny");
    assert_eq!(statements[1]["Action"], "s3:GetObject");
    let source = statements[1]["Condition"]["StringEquals"]["AWS:SourceArn"].to_string();
    assert!(source.contains("distribution/${Distribution}"), "{source}");
    let config = &properties(web, "Distribution")["DistributionConfig"];
    assert_eq!(config["Aliases"], json!(["example.com", "www.example.com"]));
    assert_eq!(config["CustomErrorResponses"].as_array().map(Vec::len), Some(2));
    let code = properties(web, "WwwRedirectFunction")["FunctionCode"].as_str().expect("code");
    assert!(code.contains("'https://example.com'") && !code.contains("APEX"), "{code}");
    assert_eq!(of_type(web, "AWS::Route53::RecordSet").len(), 4);

    let local = rendered(SYSTEM, "local");
    let web = stack(&local, "web");
    let config = &properties(web, "Distribution")["DistributionConfig"];
    assert!(config["Aliases"].is_null());
    assert_eq!(config["ViewerCertificate"]["CloudFrontDefaultCertificate"], true);
    assert!(of_type(web, "AWS::CloudFront::Function").is_empty());
}

#[test]
fn outputs_name_the_sites_bucket_and_the_values_of_its_configuration() {
    for (name, api) in [("local", "PortfolioApiUrl"), ("dev", "PortfolioApiUrl"), ("prod", "CustomDomainUrl")] {
        let system = rendered(SYSTEM, name);
        let [site] = system.sites.as_slice() else { panic!("{:?}", system.sites) };
        assert_eq!(site.config["apiUrl"].output, api, "{name}");
        let web =
            [&site.bucket_output, &site.distribution_output, &site.url_output].map(|output| (&site.stack, output));
        let values = site.config.values().map(|value| (&value.stack, &value.output));
        for (of, output) in web.into_iter().chain(values) {
            assert!(!stack(&system, of).template["Outputs"][output].is_null(), "{name}: {of} has no output {output}");
        }
    }
    let dev = rendered(SYSTEM, "dev");
    let outputs = &stack(&dev, "api").template["Outputs"];
    assert_eq!(outputs["PortfolioApiUrl"], outputs["ApiUrl"]);
}

#[test]
fn the_site_may_use_the_api_also_under_cloudfronts_own_name() {
    let origins = |name: &str| {
        let system = rendered(SYSTEM, name);
        let api = stack(&system, "api");
        let environment = &properties(api, "PortfolioApiFunction")["Environment"]["Variables"]["CORS_ORIGINS"];
        assert_eq!(*environment, properties(api, "CorsOriginsParameter")["Value"], "{name}");
        (environment.clone(), api.depends_on.contains("web"))
    };
    // The origins are known from the settings, so the API does not wait for the distribution.
    assert_eq!(origins("prod"), (json!("https://example.com,https://www.example.com"), false));
    let dev = json!({ "Fn::Sub": "https://dev.example.com,http://localhost:3000,https://${DistributionDomainName}" });
    assert_eq!(origins("dev"), (dev, true));
}

#[test]
fn domains_follow_the_settings_and_stateful_resources_are_retained() {
    let prod = rendered(SYSTEM, "prod");
    let api = stack(&prod, "api");
    assert_eq!(properties(api, "ApiDomain")["DomainNameConfigurations"][0]["SecurityPolicy"], "TLS_1_2");
    assert_eq!(properties(api, "PortfolioApi")["DisableExecuteApiEndpoint"], true);
    assert_eq!(api.template["Outputs"]["PortfolioApiUrl"]["Value"], "https://api.example.com");
    let dev = rendered(SYSTEM, "dev");
    let api = stack(&dev, "api");
    assert!(of_type(api, "AWS::ApiGatewayV2::DomainName").is_empty());
    assert!(properties(api, "PortfolioApi")["DisableExecuteApiEndpoint"].is_null());
    let data = ["AWS::DynamoDB::Table", "AWS::Cognito::UserPool", "AWS::S3::Bucket", "AWS::SecretsManager::Secret"];
    assert_retained(&prod, &data);
    assert_retained(&dev, &data);
}

#[test]
fn a_web_acl_limits_each_group_of_requests() {
    let mut stage = stage("dev");
    let mut settings = stage.settings::<Settings>(SYSTEM).expect("read").expect("settings");
    settings.waf = true;
    let render = |stage: &Stage| system(stage, &settings).expect("sound").render(stage).expect("rendered");
    let dev = render(&stage);
    let rules = properties(stack(&dev, "api"), "ApiWaf")["Rules"].as_array().expect("rules").clone();
    let limits: Vec<_> = rules.iter().map(|rule| &rule["Statement"]["RateBasedStatement"]["Limit"]).collect();
    assert_eq!(limits, [10, 30, 60, 100]);
    let variables = &properties(stack(&dev, "api"), "PortfolioApiFunction")["Environment"]["Variables"];
    assert_eq!(variables["SIGN_IN_PER_MINUTE"], "10");
    let sign_in = &rules[0]["Statement"]["RateBasedStatement"]["ScopeDownStatement"]["ByteMatchStatement"];
    // An encoded path selects the same route.
    assert_eq!(sign_in["TextTransformations"][0]["Type"], "URL_DECODE");
    assert_eq!(rules[0]["Action"]["Block"]["CustomResponse"]["ResponseCode"], 429);
    "local".clone_into(&mut stage.name);
    settings.visitor_salt = Some("salt".to_owned());
    let local = system(&stage, &settings).expect("sound").render(&stage).expect("rendered");
    assert!(of_type(stack(&local, "api"), "AWS::WAFv2::WebACL").is_empty());
}

#[test]
fn invalid_settings_are_reported() {
    let stage = stage("dev");
    let good = stage.settings::<Settings>(SYSTEM).expect("read").expect("settings");
    let refused = |settings: Settings| system(&stage, &settings).expect_err("refused").to_string();
    let origins = |origin: &str| Settings { allowed_origins: vec![origin.to_owned()], ..good.clone() };
    assert!(refused(Settings { allowed_origins: Vec::new(), ..good.clone() }).contains("`allowed_origins` is empty"));
    for wrong in ["*", "https://example.com/"] {
        let error = refused(origins(wrong));
        let named = format!("portfolio: stacks/stages/dev.yaml: `allowed_origins` is `{wrong}`, but must be ");
        assert!(error.starts_with(&named), "{error}");
    }
    let text = include_str!("../../../stages/prod.yaml");
    for (key, good, wrong) in [
        ("owner.email", "owner: { email: owner@example.com }", "owner: { email: x }"),
        ("alarm_email", "alarm_email: ops@example.com", "alarm_email: nope"),
        ("domain.name", "domain: { name: api.example.com,", "domain: { name: 'https://api.example.com',"),
        (
            "domain.hosted_zone_id",
            "api.example.com, hosted_zone_id: Z0123456789EXAMPLE",
            "api.example.com, hosted_zone_id: ''",
        ),
        ("site.name", "site: { name: example.com,", "site: { name: Example.com,"),
        (
            "site.hosted_zone_id",
            "{ name: example.com, hosted_zone_id: Z0123456789EXAMPLE",
            "{ name: example.com, hosted_zone_id: z",
        ),
        ("site.certificate_arn", "site: { name", "site: { certificate_arn: mine, name"),
        ("ses_identity", "owner: {", "ses_identity: mail\n    owner: {"),
    ] {
        let (before, own) = text.split_once("  portfolio:").expect("its settings");
        assert!(own.contains(good), "{good}");
        let text = format!("{before}  portfolio:{}", own.replacen(good, wrong, 1));
        let stage = Stage::parse("prod", &text, "stacks/stages/prod.yaml").expect("a stage");
        let settings = &stage.settings::<Settings>(SYSTEM).expect("read").expect("settings");
        let error = system(&stage, settings).expect_err(key).to_string();
        assert!(error.contains(&format!("stacks/stages/prod.yaml: `{key}` is `")), "{error}");
    }
    assert!(refused(Settings { sign_in_per_minute: 0, ..good.clone() }).contains("`sign_in_per_minute` is 0"));
    assert!(refused(Settings { visitor_salt: Some("known".to_owned()), ..good }).ends_with("generates it; remove it"));
    let text = text.replacen("protected: true", "protected: true\nemulated: true", 1);
    let rehearsal = Stage::parse("prod", &text, "elsewhere/prod.yaml").expect("a stage");
    let settings = &rehearsal.settings::<Settings>(SYSTEM).expect("read").expect("settings");
    let error = system(&rehearsal, settings).expect_err("no salt").to_string();
    assert!(error.starts_with("portfolio: elsewhere/prod.yaml: `visitor_salt` is missing"), "{error}");
}
