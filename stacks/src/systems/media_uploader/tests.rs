//! The rows of the acceptance list about templates, and settings that are not allowed.

use model::rendered::RenderedSystem;
use serde_json::json;

use super::*;
use crate::systems::testing::{
    actions_on, alarm, all_rendered, allowed, of_type, properties, rendered as rendered_system, stack, stage,
};

fn rendered(name: &str) -> RenderedSystem {
    rendered_system(SYSTEM, name)
}

#[test]
fn row_1_local_has_two_stacks_and_prod_three_with_the_specified_outputs() {
    let names = |system: &RenderedSystem| system.stacks.iter().map(|stack| stack.stack.clone()).collect::<Vec<_>>();
    assert_eq!(names(&rendered("local")), ["cognito", "api"]);
    let prod = rendered("prod");
    assert_eq!(names(&prod), ["cognito", "api", "cloudfront"]);
    assert_eq!(stack(&prod, "cloudfront").region.as_deref(), Some("us-east-1"));
    for (name, outputs) in
        [("cognito", ["MainUserPoolId", "MainUserPoolArn"]), ("api", ["MediaApiId", "MediaApiStage"])]
    {
        for output in outputs {
            assert!(stack(&prod, name).template["Outputs"][output]["Value"].is_object(), "{output}");
        }
    }
}

#[test]
fn row_3_prod_signs_in_by_srp_only_and_both_roles_are_attached() {
    let prod = rendered("prod");
    let cognito = stack(&prod, "cognito");
    let flows = &properties(cognito, "MainUserPoolClient")["ExplicitAuthFlows"];
    assert_eq!(*flows, json!(["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]));
    let sms = &properties(cognito, "MainUserPool")["SmsConfiguration"]["SnsCallerArn"];
    assert_eq!(*sms, json!({ "Fn::GetAtt": ["SMSRole", "Arn"] }));
    let roles = &properties(cognito, "MainIdentityPoolRoleAttachment")["Roles"];
    assert_eq!(roles["authenticated"], json!({ "Fn::GetAtt": ["AuthenticatedRole", "Arn"] }));
    assert_eq!(roles["unauthenticated"], json!({ "Fn::GetAtt": ["UnauthenticatedRole", "Arn"] }));
}

#[test]
fn row_4_roles_have_least_privilege() {
    let prod = rendered("prod");
    let anonymous = allowed(stack(&prod, "cognito"), "UnauthenticatedRole");
    let [(action, resource)] = anonymous.as_slice() else { panic!("{anonymous:?}") };
    assert_eq!(action, "s3:GetObject");
    assert!(resource.contains("media-processed"), "{resource}");
    let signed_in = allowed(stack(&prod, "cognito"), "AuthenticatedRole");
    let put = signed_in.iter().find(|(action, _)| action == "s3:PutObject").expect("may put");
    assert!(put.1.contains("${!cognito-identity.amazonaws.com:sub}/*"), "{put:?}");
    // Parts of multipart uploads that are never completed would be invisible to the dispatcher.
    let statements = &properties(stack(&prod, "cognito"), "AuthenticatedRole")["Policies"][0]["PolicyDocument"];
    let put = &statements["Statement"][0];
    assert_eq!(put["Action"], json!(["s3:PutObject"]));
    assert_eq!(put["Condition"], json!({ "Bool": { "s3:ObjectCreationOperation": "true" } }));

    let api = stack(&prod, "api");
    let reaches = |role: &str, bucket: &str| allowed(api, role).iter().any(|(_, resource)| resource.contains(bucket));
    assert!(!reaches("RetrieveMediaFunctionRole", "media-raw"));
    assert!(reaches("RetrieveMediaFunctionRole", "media-processed"));
    assert!(!reaches("UploadMediaFunctionRole", "media-processed"));
    assert!(reaches("UploadMediaFunctionRole", "media-raw"));
    for role in ["ImageProcessingFunctionRole", "VideoProcessingFunctionRole"] {
        assert_eq!(actions_on(api, role, "media-raw"), ["s3:GetObject", "s3:ListBucket"], "{role}");
    }
    // It counts what a user stores, and deletes what exceeds the quota.
    let counts = ["s3:DeleteObjectVersion", "s3:GetObject", "s3:ListBucket", "s3:ListBucketVersions"];
    assert_eq!(actions_on(api, "MediaProcessingDispatcherRole", "media-raw"), counts);
}

#[test]
fn row_5_cloudfront_forwards_only_what_the_api_needs() {
    let prod = rendered("prod");
    let cloudfront = stack(&prod, "cloudfront");
    let config = &properties(cloudfront, "MediaCloudFrontDistribution")["DistributionConfig"];
    let behavior = &config["DefaultCacheBehavior"];
    assert_eq!(behavior["ViewerProtocolPolicy"], "redirect-to-https");
    assert_eq!(config["HttpVersion"], "http2");
    assert_eq!(behavior["AllowedMethods"], json!(["GET", "HEAD", "OPTIONS"]));
    assert_eq!(behavior["ForwardedValues"]["QueryString"], true);
    assert_eq!(behavior["ForwardedValues"]["Cookies"]["Forward"], "none");
    assert!(behavior["ForwardedValues"]["Headers"].as_array().expect("headers").contains(&json!("Authorization")));
    assert_eq!(properties(cloudfront, "MediaCertificate")["ValidationMethod"], "DNS");
    assert!(properties(cloudfront, "MediaApiRecordSet")["AliasTarget"].is_object());
    assert_eq!(cloudfront.depends_on.iter().collect::<Vec<_>>(), ["api"]);
}

#[test]
fn all_callers_use_the_alias_and_no_template_contains_code() {
    let prod = rendered("prod");
    let api = stack(&prod, "api");
    let text = api.template.to_string();
    assert!(!text.contains("ZipFile"));
    assert_eq!(api.functions.len(), 5);
    for function in &api.functions {
        let id = &function.id.logical_id;
        assert_eq!(properties(api, id)["Code"]["S3Key"], json!({ "Ref": format!("{id}CodeKey") }));
        assert_eq!(properties(api, id)["TracingConfig"]["Mode"], "Active");
    }
    let notification = &properties(api, "RawMediaBucket")["NotificationConfiguration"]["LambdaConfigurations"][0];
    assert_eq!(notification["Function"], json!({ "Ref": "MediaProcessingDispatcherAlias" }));
    let uri = properties(api, "MediaApiMediaPost")["Integration"]["Uri"].to_string();
    assert!(uri.contains("${UploadMediaFunctionAlias}"), "{uri}");
    assert_eq!(properties(api, "MediaApiMediaOptions")["AuthorizationType"], "NONE");
}

/// The records of owners are empty objects, which outlive all media.
#[test]
fn media_expires_and_the_owner_of_its_name_does_not() {
    for name in ["local", "prod"] {
        let rendered = rendered(name);
        let processed = properties(stack(&rendered, "api"), "ProcessedMediaBucket");
        let rules = processed["LifecycleConfiguration"]["Rules"].as_array().expect("rules");
        let expiring: Vec<_> = rules.iter().filter(|rule| rule.get("ExpirationInDays").is_some()).collect();
        let [rule] = expiring.as_slice() else { panic!("{rules:?}") };
        assert_eq!((&rule["ExpirationInDays"], &rule["ObjectSizeGreaterThan"]), (&json!(30), &json!("1")));
    }
}

#[test]
fn uploads_have_previous_versions_for_a_week_and_parts_for_a_day() {
    let prod = rendered("prod");
    let raw = properties(stack(&prod, "api"), "RawMediaBucket");
    assert_eq!(raw["VersioningConfiguration"]["Status"], "Enabled");
    let rules = raw["LifecycleConfiguration"]["Rules"].as_array().expect("rules");
    let of = |name: &str| &rules.iter().find(|rule| rule.get(name).is_some()).expect("a rule")[name];
    assert_eq!(of("NoncurrentVersionExpiration")["NoncurrentDays"], 7);
    assert_eq!(of("AbortIncompleteMultipartUpload")["DaysAfterInitiation"], 1);
}

#[test]
fn every_kind_of_failure_has_an_alarm_that_is_sent() {
    let prod = rendered("prod");
    let api = stack(&prod, "api");
    assert_eq!(prod.alarm_topic.as_ref().map(|topic| topic.stack.as_str()), Some("api"));
    assert_eq!(properties(api, "AlarmTopicEmail")["Endpoint"], "ops@example.com");
    for function in ["Upload", "Retrieve", "Dispatcher", "Image", "Video"] {
        assert!(properties(api, &format!("{function}ErrorsAlarm"))["AlarmActions"].is_array());
    }
    for function in ["Dispatcher", "Image", "Video"] {
        assert_eq!(
            alarm(api, &format!("{function}WaitingAlarm")),
            ("GreaterThanThreshold".to_owned(), 900_000.0, 300, 1)
        );
    }
    assert_eq!(alarm(api, "SmsSpendAlarm").1, 5.0);
    let failures = &properties(api, "FailedEventsAlarm")["Dimensions"][0];
    assert_eq!(failures["Value"], json!({ "Fn::GetAtt": ["FailedEvents", "QueueName"] }));
    for (_, alarm) in of_type(api, "AWS::CloudWatch::Alarm") {
        assert_eq!(alarm["Properties"]["AlarmActions"], json!([{ "Ref": "AlarmTopic" }]));
    }
}

#[test]
fn a_protected_stage_protects_its_users_and_limits_the_cost_of_processing() {
    for (name, protection, concurrency) in [("prod", "ACTIVE", json!(10)), ("staging", "INACTIVE", json!(null))] {
        let rendered = rendered(name);
        assert_eq!(properties(stack(&rendered, "cognito"), "MainUserPool")["DeletionProtection"], protection, "{name}");
        for function in ["ImageProcessingFunction", "VideoProcessingFunction", "MediaProcessingDispatcher"] {
            assert_eq!(properties(stack(&rendered, "api"), function)["ReservedConcurrentExecutions"], concurrency);
        }
    }
    let prod = stage("prod");
    let good = prod.settings::<Settings>(SYSTEM).expect("read").expect("settings");
    let error = system(&prod, &Settings { processing_concurrency: Some(0), ..good }).expect_err("nothing would run");
    assert!(error.to_string().contains("`processing_concurrency` is 0"), "{error}");
}

#[test]
fn invalid_bucket_names_are_reported() {
    let stage = stage("local");
    let good = stage.settings::<Settings>(SYSTEM).expect("read").expect("settings");
    for (raw, processed, named) in [
        (Some("Upper"), None, "raw_media_bucket"),
        (None, Some("a"), "processed_media_bucket"),
        (Some("same-name"), Some("same-name"), "two buckets"),
    ] {
        let settings = Settings {
            raw_media_bucket: raw.map(str::to_owned),
            processed_media_bucket: processed.map(str::to_owned),
            ..good.clone()
        };
        let error = system(&stage, &settings).expect_err("refused").to_string();
        assert!(error.contains(named), "{error}");
    }
    let settings = Settings { allowed_origins: Vec::new(), ..good };
    assert!(system(&stage, &settings).expect_err("refused").to_string().contains("allowed_origins"));
}

#[test]
fn invalid_values_are_reported_with_file_and_key() {
    let stage = stage("prod");
    let good = stage.settings::<Settings>(SYSTEM).expect("read").expect("settings");
    let domain = |name: &str, zone: &str| Some(Domain { name: name.to_owned(), hosted_zone_id: zone.to_owned() });
    for (key, settings) in [
        ("allowed_origins", Settings { allowed_origins: vec!["https://www.example.com/".to_owned()], ..good.clone() }),
        ("alarm_email", Settings { alarm_email: Some("nope".to_owned()), ..good.clone() }),
        ("public_s3_endpoint", Settings { public_s3_endpoint: Some("ftp://x".to_owned()), ..good.clone() }),
        ("domain.name", Settings { domain: domain("media", "Z0123"), ..good.clone() }),
        ("domain.hosted_zone_id", Settings { domain: domain("media.example.com", ""), ..good.clone() }),
    ] {
        let error = system(&stage, &settings).expect_err(key).to_string();
        assert!(error.starts_with(&format!("media-uploader: stacks/stages/prod.yaml: `{key}` is `")), "{error}");
    }
}

/// The types of all resources of the system and foundation in a stage.
fn resource_types(name: &str) -> Vec<String> {
    let mut systems = all_rendered(name);
    systems.retain(|system| [SYSTEM, model::foundation::SYSTEM].contains(&system.name.as_str()));
    let stacks = systems.iter().flat_map(|system| &system.stacks);
    let resources = stacks.flat_map(|stack| stack.template["Resources"].as_object().expect("resources").values());
    resources.map(|resource| resource["Type"].as_str().expect("a type").to_owned()).collect()
}

#[test]
fn local_omits_features_of_the_emulator_only() {
    let (local, prod) = (resource_types("local"), resource_types("prod"));
    let count = |types: &[String], name: &str| types.iter().filter(|other| *other == name).count();
    for (kind, in_prod) in
        [("AWS::ApiGateway::Account", 1), ("AWS::Lambda::EventInvokeConfig", 3), ("AWS::S3::BucketPolicy", 3)]
    {
        assert_eq!((count(&local, kind), count(&prod, kind)), (0, in_prod), "{kind}");
    }
    for stage in ["local", "prod"] {
        let rendered = rendered(stage);
        let logs = &properties(self::stack(&rendered, "api"), "MediaApiStageResource")["AccessLogSetting"];
        assert_eq!(logs.is_object(), stage == "prod");
    }
}

#[test]
fn templates_name_no_account_and_retain_stateful_resources() {
    for name in ["local", "prod"] {
        let stage = stage(name);
        for system in all_rendered(name) {
            for stack in &system.stacks {
                assert!(!stack.template.to_string().contains(&stage.account), "{}", stack.name);
                for (id, resource) in stack.template["Resources"].as_object().expect("resources") {
                    if ["AWS::S3::Bucket", "AWS::Cognito::UserPool"]
                        .contains(&resource["Type"].as_str().expect("a type"))
                    {
                        assert_eq!(resource["DeletionPolicy"], "RetainExceptOnCreate", "{id}");
                        assert_eq!(resource["UpdateReplacePolicy"], "Retain", "{id}");
                    }
                }
            }
        }
    }
}
