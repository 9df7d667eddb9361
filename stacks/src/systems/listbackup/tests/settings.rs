//! Settings that are not allowed, and the ones that add resources.

use model::parts::{gateway_endpoints::VpcRoutes, vpc::Vpc};

use super::*;
use crate::systems::listbackup::settings::{Network, Settings};

fn good(stage: &Stage) -> Settings {
    stage.settings::<Settings>(SYSTEM).expect("read").expect("settings")
}

#[test]
fn invalid_settings_are_reported_with_file_and_key() {
    let stage = stage("staging");
    for (expected, change) in [
        ("`allowed_origins` is empty", (|it| it.allowed_origins.clear()) as fn(&mut Settings)),
        ("`allowed_origins` is `*`", |it| it.allowed_origins = vec!["*".to_owned()]),
        ("`ses_from_email` is `nope`", |it| it.ses_from_email = "nope".to_owned()),
        ("`alarm_email` is `nope`", |it| it.alarm_email = Some("nope".to_owned())),
        ("`llm_url` is `ftp://x`", |it| it.llm_url = Some("ftp://x".to_owned())),
        ("`public_s3_endpoint` is `x`", |it| it.public_s3_endpoint = Some("x".to_owned())),
        ("`sign_in_per_minute` is 0", |it| it.sign_in_per_minute = 0),
        ("`processing.orchestrator_timeout` is 901", |it| it.processing.orchestrator_timeout = 901),
        ("`processing.file_timeout` is 0", |it| it.processing.file_timeout = 0),
        ("`processing.data_visibility` is 299", |it| it.processing.data_visibility = 299),
        ("`processing.job_visibility` is 43201", |it| it.processing.job_visibility = 43_201),
        ("`allow_private_sources` is true", |it| it.allow_private_sources = true),
        ("`source_buckets` has `*`", |it| it.source_buckets = vec!["*".to_owned()]),
        ("`source_buckets` has `photos`", |it| it.source_buckets = vec!["photos".to_owned()]),
        ("`source_buckets` has `a*:account:1`", |it| it.source_buckets = vec!["a*:account:1".to_owned()]),
    ] {
        let mut settings = good(&stage);
        change(&mut settings);
        let error = system(&stage, &settings).expect_err(expected).to_string();
        assert!(error.starts_with(&format!("listbackup: stacks/stages/staging.yaml: {expected}")), "{error}");
    }
}

#[test]
fn misspelled_settings_are_refused() {
    let text = stage_text("staging").replace("ses_from_email", "ses_from_mail");
    let stage = Stage::parse("staging", &text, "stacks/stages/staging.yaml").expect("a stage");
    let error = stage.settings::<Settings>(SYSTEM).expect_err("refused");
    let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    assert!(source.contains("ses_from_mail"), "{error}: {source}");
}

#[test]
fn a_network_holds_the_functions_that_read_sources_and_has_gateway_endpoints() {
    let stage = stage("dev");
    let mut settings = good(&stage);
    settings.vpc = Some(Network {
        network: Vpc { subnets: vec!["subnet-0a1b2c3d".to_owned()], security_groups: vec!["sg-0a1b2c3d".to_owned()] },
        routes: VpcRoutes { vpc_id: "vpc-0a1b2c3d".to_owned(), route_tables: vec!["rtb-0a1b2c3d".to_owned()] },
    });
    let system = system(&stage, &settings).expect("sound").render(&stage).expect("rendered");
    assert_eq!(of_type(stack(&system, "core"), "AWS::EC2::VPCEndpoint").len(), 2);
    for (stack_name, functions) in functions::BY_STACK {
        for function in functions {
            let config = &properties(stack(&system, stack_name), function.logical_id)["VpcConfig"];
            let is_inside = ["backup-processors", "data-analysis"].contains(&stack_name);
            assert_eq!(config.is_object(), is_inside, "{}", function.function);
        }
    }
    assert_eq!(model::requirements::violations(&stage, &[system]), []);
}

#[test]
fn another_name_of_the_bucket_reaches_roles_and_functions() {
    let stage = stage("dev");
    let mut settings = good(&stage);
    settings.data_bucket_name = Some("listbackup-data-dev-${AWS::AccountId}".to_owned());
    let system = system(&stage, &settings).expect("sound").render(&stage).expect("rendered");
    let name = json!({ "Fn::Sub": "listbackup-data-dev-${AWS::AccountId}" });
    assert_eq!(properties(stack(&system, "core"), "DataBucket")["BucketName"], name);
    assert_eq!(environment(&system, "api", "DownloadFileFunction")["DATA_BUCKET"], name);
    let files = "listbackup-data-dev-${AWS::AccountId}/data/*";
    assert_eq!(
        actions_on(stack(&system, "api"), "DownloadFileFunctionRole", files),
        ["s3:GetObject", "s3:GetObjectVersion"]
    );
}

#[test]
fn the_key_of_a_language_model_is_read_only_where_one_is_used() {
    let stage = stage("dev");
    let actions = |settings: &Settings| {
        let system = system(&stage, settings).expect("sound").render(&stage).expect("rendered");
        actions_on(stack(&system, "data-analysis"), "DataInsightsFunctionRole", "openai-api-key")
    };
    let mut settings = good(&stage);
    assert!(actions(&settings).is_empty());
    settings.llm_url = Some("https://llm.example.com/v1".to_owned());
    assert_eq!(actions(&settings), ["ssm:GetParameter"]);
}
