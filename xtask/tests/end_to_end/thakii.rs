//! Thakii's acceptance list: every row the emulator can show, against one deployed cloud.
//!
//! Row 23 is about templates and is tested beside the system's definition in `stacks`; row 24 is the same for every
//! system and is in `releasing`.

mod access;
mod load;
mod management;
mod roles;
mod uploads;
mod videos;
mod work;
mod world;

use std::sync::Arc;

use world::World;

use crate::rows::run_rows;

#[test]
fn thakii_does_what_its_specification_asks() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let world = Arc::new(World::deploy(&runtime));
    let mut failures = Vec::new();
    run_rows!(runtime, world, failures: [
        access::row_01_health_tells_what_the_service_is,
        access::row_02_without_a_token_nothing_is_told,
        access::row_03_bad_tokens_are_refused_alike,
        access::row_04_a_token_is_exchanged_once,
        access::row_05_a_login_lasts_three_days,
        access::row_22_origins_verbs_and_paths_are_the_functions,
        roles::row_07_statistics_are_for_admins,
        roles::row_08_admins_are_added_by_super_admins,
        roles::row_09_a_removed_admin_is_a_user_at_once,
        uploads::row_10_a_small_video_is_stored_and_queued,
        uploads::row_11_unfit_uploads_are_refused,
        uploads::row_12_a_video_in_one_piece_is_assembled_once_it_is_there,
        uploads::row_13_a_large_video_goes_in_parts,
        uploads::row_14_chunks_are_joined_in_their_order,
        uploads::chunks_of_the_clients_size_go_to_s3,
        videos::row_15_videos_are_their_owners_and_lists_have_pages,
        videos::row_16_there_is_nothing_to_download_yet,
        work::row_17_a_finished_video_can_be_downloaded,
        work::row_18_what_goes_wrong_ends_in_failed,
        work::row_19_a_deleted_video_leaves_nothing,
        work::a_servers_load_follows_its_tasks,
        work::lost_and_stuck_tasks_are_taken_care_of,
        management::row_20_servers_are_registered_and_checked,
        management::row_21_everybody_gets_the_test_notification,
        management::row_06_and_20_a_second_issuer_and_a_worker_need_no_code,
        access::a_rotated_secret_verifies_old_tokens_until_it_is_revoked,
        access::an_address_signs_in_so_often_a_minute,
        load::row_25_many_callers_are_served,
        the_functions_do_only_what_their_roles_allow,
    ]);
    assert!(failures.is_empty(), "failed: {failures:#?}\n{}", world.cloud.log_tail());
}

/// What AWS would have refused. An emulator refuses nothing.
async fn the_functions_do_only_what_their_roles_allow(world: Arc<World>) {
    world.watch.assert_allowed();
}
