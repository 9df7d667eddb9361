//! Settings in stage files: old spellings and mistakes are reported when a stage is read.

use std::error::Error;

use model::{project::Project as _, rendered::RenderedSystem, requirements::violations, stage::Stage};
use serde_json::Value;

use super::testing::{STAGES, all_rendered, of_type, properties, stage, stage_file, stage_text};
use crate::Project;

fn read(name: &str, text: &str) -> Result<Stage, String> {
    Project.stage(name, text, &stage_file(name)).map_err(|error| {
        let source = error.source().map(|source| format!(": {source}"));
        format!("{error}{}", source.unwrap_or_default())
    })
}

/// Reads a stage in whose file `wrong` stands instead of the first `right`.
fn error_of(name: &str, right: &str, wrong: &str) -> String {
    let text = stage_text(name);
    assert!(text.contains(right), "{right}");
    read(name, &text.replacen(right, wrong, 1)).expect_err(wrong)
}

#[test]
fn every_stage_is_read() {
    for name in STAGES {
        assert_eq!(read(name, stage_text(name)).map(|stage| stage.name), Ok(name.to_owned()));
    }
}

#[test]
fn old_spellings_of_settings_are_answered_with_the_new_ones() {
    for (right, wrong, place, old, new) in [
        (
            "name: media.example.com\n      hosted_zone_id",
            "name: media.example.com\n      root_hosted_zone",
            "media-uploader.domain",
            "root_hosted_zone",
            "hosted_zone_id",
        ),
        ("owner: {", "origins: []\n    owner: {", "portfolio", "origins", "allowed_origins"),
        (
            "{ name: api.example.com, hosted_zone_id",
            "{ name: api.example.com, hosted_zone",
            "portfolio.domain",
            "hosted_zone",
            "hosted_zone_id",
        ),
        (
            "{ name: api.example.com",
            "{ certificate: x, name: api.example.com",
            "portfolio.domain",
            "certificate",
            "certificate_arn",
        ),
        (
            "{ name: example.com, hosted_zone_id",
            "{ name: example.com, hosted_zone",
            "portfolio.site",
            "hosted_zone",
            "hosted_zone_id",
        ),
        (
            "{ name: example.com",
            "{ certificate: x, name: example.com",
            "portfolio.site",
            "certificate",
            "certificate_arn",
        ),
    ] {
        let error = error_of("prod", right, wrong);
        let expected = format!(
            "failed to parse stacks/stages/prod.yaml: systems.{place}: unknown field `{old}`; it is called `{new}`, at line "
        );
        assert!(error.starts_with(&expected), "{error}");
    }
}

#[test]
fn mistakes_in_the_settings_of_any_system_are_found_when_the_stage_is_read() {
    for (right, wrong, key) in [
        (
            "  media-uploader:\n    allowed_origins",
            "  media-uploader:\n    alowed_origins",
            "media-uploader: unknown field `alowed_origins`",
        ),
        ("alarm_email: ops", "alarm_mail: ops", "media-uploader: unknown field `alarm_mail`"),
        ("protect_data: true", "protect_data: sure", "thakii.protect_data: invalid type"),
    ] {
        let error = error_of("prod", right, wrong);
        assert!(
            error.contains(key) && error.contains("stacks/stages/prod.yaml") && error.contains(" at line "),
            "{error}"
        );
    }
    let error = error_of("prod", "  thakii:", "  thaki:");
    assert!(error.contains("there is no system `thaki`; did you mean `thakii`?"), "{error}");
    assert!(error.contains("; `NAMES` in stacks/src/systems/mod.rs lists the systems"), "{error}");
}

#[test]
fn every_system_fulfils_the_requirements_in_every_stage() {
    for name in STAGES {
        assert_eq!(violations(&stage(name), &all_rendered(name)), [], "{name}");
    }
}

/// An event that Lambda gives up on is lost for good unless a destination receives it: S3 does not send it again.
#[test]
fn events_of_buckets_and_between_functions_have_a_failure_destination() {
    for name in STAGES.into_iter().filter(|name| *name != "local") {
        let systems = all_rendered(name);
        for stack in systems.iter().flat_map(|system| &system.stacks) {
            let configurations = of_type(stack, "AWS::Lambda::EventInvokeConfig");
            // An event that is not retried is one that nothing sends.
            let is_retried = |configuration: &Value| configuration["Properties"]["MaximumRetryAttempts"] != 0;
            for (id, configuration) in configurations.iter().filter(|(_, one)| is_retried(one)) {
                let destination = &configuration["Properties"]["DestinationConfig"]["OnFailure"]["Destination"];
                assert!(destination.is_object(), "{name}: {id} has none");
            }
            for (id, bucket) in of_type(stack, "AWS::S3::Bucket") {
                let notified = &bucket["Properties"]["NotificationConfiguration"]["LambdaConfigurations"];
                for notified in notified.as_array().into_iter().flatten() {
                    let alias = notified["Function"]["Ref"].as_str().expect("an alias of the same stack");
                    let function = &properties(stack, alias)["FunctionName"];
                    let is_its = |one: &Value| is_retried(one) && one["Properties"]["FunctionName"] == *function;
                    let has_one = configurations.iter().any(|(_, one)| is_its(one));
                    assert!(has_one, "{name}: the events of {id} may be lost");
                }
            }
        }
    }
}

#[test]
fn every_rendered_system_survives_a_round_trip_through_json() {
    for name in STAGES {
        for system in all_rendered(name) {
            let text = serde_json::to_string(&system).expect("JSON");
            let back: RenderedSystem = serde_json::from_str(&text).expect("a rendered system");
            assert_eq!(back, system, "{name}");
            assert_eq!(serde_json::to_string(&back).expect("JSON"), text, "{name}: {}", system.name);
        }
    }
}
