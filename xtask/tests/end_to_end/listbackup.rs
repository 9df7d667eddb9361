//! ListBackup's acceptance list and the attacks on it, against one deployed cloud.
//!
//! Row 1 is about templates and is tested beside the system's definition in `stacks`. Rows 2 to 4 begin while the world is deployed.
//! Where a row speaks of exports and SecureStrings, outputs of stacks and secrets of Secrets Manager are compared.

mod accounts;
mod backups;
mod browsing;
mod deploying;
mod live;
mod person;
mod reporting;
mod sources;
mod stub;
mod totp;
mod world;

use std::sync::Arc;

use self::world::World;
use crate::rows::run_rows;

#[test]
fn listbackup_does_what_its_specification_asks() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let world = Arc::new(World::deploy(&runtime));
    let mut failures = Vec::new();
    run_rows!(runtime, world, failures: [
        deploying::row_04_parameters_equal_settings_pool_and_client,
        deploying::row_05_four_families_of_alarms_and_two_dashboards_exist,
        accounts::row_06_a_user_is_registered_once,
        accounts::row_07_a_refused_registration_creates_nothing,
        accounts::row_08_the_right_password_signs_in,
        accounts::row_09_a_replayed_refresh_token_revokes_its_family,
        accounts::two_refreshes_of_one_token_at_once_give_one_session_at_most,
        accounts::row_10_a_logout_takes_effect_at_once,
        accounts::row_11_the_gateway_refuses_missing_and_bad_tokens,
        accounts::tokens_of_another_kind_stage_key_or_age_are_refused,
        accounts::row_12_a_second_factor_is_required_and_each_code_works_once,
        sources::row_13_sources_are_checked_when_they_are_created,
        sources::row_14_a_free_account_has_three_sources,
        backups::row_15_a_backup_stores_three_files,
        backups::row_16_a_job_runs_once_at_a_time,
        backups::row_17_messages_of_an_ended_run_change_nothing,
        backups::row_17_two_hundred_duplicates_at_random_positions_count_once,
        backups::row_18_later_backups_store_only_what_changed,
        browsing::row_19_files_have_pages_whose_cursors_are_the_account_s,
        browsing::row_20_files_are_found_by_name_and_path,
        browsing::row_21_downloads_return_the_stored_content,
        browsing::a_stored_page_is_never_shown_by_a_browser_and_large_files_are_not_inlined,
        sources::row_22_another_account_s_objects_are_denied,
        sources::row_23_a_missing_file_is_an_error_and_private_addresses_are_refused,
        sources::secrets_of_a_source_reach_its_own_host_only,
        sources::endless_and_false_sources_end_in_errors,
        backups::a_source_deleted_during_its_backup_stays_deleted,
        backups::the_scheduler_starts_due_jobs_and_sends_lost_runs_again,
        reporting::row_24_figures_are_the_sums_of_runs,
        reporting::formulas_in_reports_are_quoted,
        reporting::health_and_activity_are_served,
        reporting::row_25_poison_messages_busy_sources_and_scopes_are_refused,
        reporting::a_deleted_key_is_not_revived_by_its_use,
        reporting::oauth_states_work_once_and_return_to_the_application,
        live::progress_reaches_connections_of_the_same_account_only,
        the_functions_do_only_what_their_roles_allow,
    ]);
    assert!(failures.is_empty(), "failed: {failures:#?}\n{}", world.cloud.log_tail());
}

/// An emulator refuses nothing: each call is compared with the role of stage `prod`.
async fn the_functions_do_only_what_their_roles_allow(world: Arc<World>) {
    world.watch.assert_allowed();
}
