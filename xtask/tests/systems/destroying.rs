//! Stateful resources that `destroy` names, in this repository's stages.

use engine::deploy::destroy::stateful_resources;

use crate::{rendered, stage};

fn data_of(name: &str) -> Vec<String> {
    let stage = stage(name);
    stateful_resources(&rendered(&stage), &stage.account, &stage.region).iter().map(ToString::to_string).collect()
}

#[test]
fn every_stateful_resource_of_local_is_listed_by_name() {
    assert_eq!(
        data_of("local"),
        [
            "bucket analyticbot-web-local-000000000000",
            "bucket listbackup-data-local",
            "user pool listbackup-user-pool-local",
            "bucket thakii-video-storage-local-000000000000",
            "user pool thakii-users-local",
            "user pool local-portfolio-api-user-pool",
            "bucket portfolio-web-local-000000000000",
            "user pool local-media-users",
            "bucket local-media-processed-000000000000",
            "bucket local-media-raw-000000000000",
            "bucket artifacts-local-000000000000-us-east-1",
        ]
    );
}

#[test]
fn tables_and_secrets_of_prod_are_listed() {
    let names = data_of("prod");
    for kept in [
        "table portfolio-api-table",
        "table thakii-uploads-prod",
        "secret thakii/prod/backend-token",
        "table listbackup-prod-files",
        "secret listbackup/prod/jwt-secret",
        "table analyticbot-prod-user_bot_credentials",
        "secret analyticbot/prod/token-fingerprint-key",
    ] {
        assert!(names.iter().any(|name| name == kept), "{kept} is not in {names:?}");
    }
}
