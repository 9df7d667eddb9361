//! The Media Uploader's acceptance list: every row the emulator can show, against one deployed cloud.
//!
//! Rows 1, 3, 4, 5 and 6 are about templates and are tested beside the system's definition in `stacks` (the emulator
//! drops lifecycle rules); row 2 is in `deploying`; of row 25's second half, which needs IAM
//! enforcement, `rights` shows that roles allow what functions do.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;
use tokio::runtime::Runtime;

use crate::{client::Client, cloud::Cloud, events, images, requests, rights::Watch, rows::run_rows, videos};

/// What the rows need: the deployed cloud and a signed-in user.
pub(crate) struct World {
    pub(crate) cloud: Cloud,
    pub(crate) user: Client,
    pub(crate) anonymous: Client,
    pub(crate) forged: Client,
    pub(crate) username: String,
    pub(crate) outputs: BTreeMap<String, String>,
    /// What the functions are seen to do.
    pub(crate) watch: Watch,
}

#[test]
fn the_media_uploader_does_what_its_specification_asks() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let world = Arc::new(World::deploy(&runtime));
    let mut failures = Vec::new();
    run_rows!(runtime, world, failures: [
        events::row_07_the_raw_bucket_notifies_the_dispatcher,
        requests::row_08_no_token_or_a_bad_one_is_refused,
        requests::row_09_an_upload_link_names_the_owner_and_expires,
        requests::cors_answers_listed_origins_only,
        requests::row_15_unknown_sizes_extensions_and_filenames_are_refused,
        requests::row_16_an_unknown_filename_is_not_found,
        requests::row_17_other_types_are_refused,
        requests::row_18_files_that_are_too_large_are_refused,
        requests::missing_and_malformed_fields_are_named,
        images::row_10_to_12_a_photo_is_processed_and_served,
        images::row_13_orientation_is_applied_and_metadata_dropped,
        images::row_14_transparency_is_kept_beside_the_jpegs,
        images::row_19_text_declared_as_an_image_fails,
        images::row_20_a_header_that_claims_too_many_pixels_fails,
        images::a_small_file_is_stored_in_one_call_and_deleted,
        videos::row_21_a_video_is_made_ready_to_stream,
        videos::row_22_and_23_a_multipart_video_gets_a_poster,
        videos::a_video_of_a_million_tracks_fails,
        videos::uploads_that_stay_open_are_limited,
        events::an_expired_filename_stays_with_its_owner,
        events::row_24_an_event_twice_is_skipped_and_every_record_counts,
        events::row_25_anyone_may_read_processed_media,
        the_functions_do_only_what_their_roles_allow,
    ]);
    assert!(failures.is_empty(), "failed: {failures:#?}\n{}", world.cloud.log_tail());
}

/// What AWS would have refused. An emulator refuses nothing.
async fn the_functions_do_only_what_their_roles_allow(world: Arc<World>) {
    world.watch.assert_allowed();
}

impl World {
    fn deploy(runtime: &Runtime) -> Self {
        let cloud = Cloud::new();
        cloud.deploy();
        let status = cloud.json(&["status", "--stage", "local", "--format", "json"]);
        let outputs = outputs(&status);
        let signed_in = cloud.json(&["local", "sign-in", "--system", "media-uploader", "--format", "json"]);
        let token = signed_in["idToken"].as_str().expect("an ID token").to_owned();
        let username = signed_in["username"].as_str().expect("a username").to_owned();
        let api = status["urls"]["MediaApi"].as_str().expect("the API's URL");
        // The same token with its signature's last characters changed.
        let forged = format!("{}AAAA", &token[..token.len() - 4]);
        Self {
            user: Client::new(api, Some(token)),
            anonymous: Client::new(api, None),
            forged: Client::new(api, Some(forged)),
            username,
            watch: runtime.block_on(Watch::start(&cloud, "media-uploader")),
            cloud,
            outputs,
        }
    }
}

/// The outputs of every stack, as `status` reports them.
fn outputs(status: &Value) -> BTreeMap<String, String> {
    let systems = status["systems"].as_array().expect("systems").iter();
    systems
        .flat_map(|system| system["stacks"].as_array().expect("stacks"))
        .flat_map(|stack| stack["outputs"].as_object().expect("outputs"))
        .map(|(name, value)| (name.clone(), value.as_str().expect("a value").to_owned()))
        .collect()
}
