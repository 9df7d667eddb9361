//! AnalyticBot's acceptance list and the attacks on it, against one deployed cloud.
//!
//! Row 1 is about templates and is tested beside the system's definition in `stacks`. Rows 2 to 4 begin while the world is deployed.
//! Where a row speaks of exports and SecureStrings, outputs of stacks and secrets of Secrets Manager are compared.

mod administering;
mod attacks;
mod bots;
mod browser;
mod deploying;
mod fuzzing;
mod load;
mod panel;
mod person;
mod secrecy;
mod signing_in;
mod telegram;
mod verifying;
mod world;

use std::sync::Arc;

use self::world::World;
use crate::rows::run_rows;

#[test]
fn analyticbot_does_what_its_specification_asks() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let world = Arc::new(World::deploy(&runtime));
    let mut failures = Vec::new();
    run_rows!(runtime, world, failures: [
        deploying::row_04_health_and_description_are_served,
        deploying::alarms_and_a_dashboard_exist,
        signing_in::row_05_a_name_or_an_address_signs_in,
        signing_in::row_06_a_token_names_its_user_and_its_expiry,
        signing_in::row_07_bad_tokens_are_refused,
        signing_in::passwords_of_more_than_seventy_two_bytes_are_refused,
        signing_in::row_08_the_thirty_first_sign_in_of_a_minute_is_refused,
        bots::row_09_a_bot_is_registered,
        bots::row_10_a_user_has_one_bot_and_a_token_one_user,
        bots::row_11_one_of_ten_parallel_registrations_wins,
        bots::row_12_a_refused_token_stores_nothing,
        bots::row_13_limits_have_bounds,
        bots::row_14_the_table_has_no_readable_token,
        attacks::row_15_credentials_of_another_row_are_not_decrypted,
        attacks::a_data_key_of_another_stage_is_not_unwrapped,
        attacks::a_reissued_token_belongs_to_the_same_bot,
        attacks::large_mistyped_and_ambiguous_bodies_are_refused,
        verifying::row_16_a_verified_bot_is_active,
        verifying::row_17_a_test_message_needs_a_chat,
        verifying::a_rejected_token_and_a_busy_telegram_are_reported,
        verifying::row_18_no_second_has_more_calls_than_the_limit,
        verifying::row_19_a_lease_admits_one_call_and_an_expired_lease_blocks_none,
        load::two_hundred_calls_at_once_keep_to_both_limits,
        administering::row_20_only_administrators_manage_bots,
        administering::row_21_bots_are_listed_newest_first,
        administering::row_22_a_suspension_has_a_reason_and_is_recorded,
        administering::row_23_a_suspended_bot_is_unusable_until_it_is_activated,
        administering::row_24_limits_and_access_are_recorded,
        administering::the_audit_log_has_pages,
        administering::row_25_changes_of_users_take_effect_at_once,
        attacks::cleanup_deletes_only_expired_items,
        panel::people_register_verify_and_suspend_bots_in_a_browser,
        fuzzing::fuzzing_the_description_finds_nothing,
        secrecy::no_output_contains_a_token_of_telegram,
        the_functions_do_only_what_their_roles_allow,
    ]);
    assert!(failures.is_empty(), "failed: {failures:#?}\n{}", world.cloud.log_tail());
}

/// An emulator refuses nothing: each call is compared with the role of stage `prod`.
async fn the_functions_do_only_what_their_roles_allow(world: Arc<World>) {
    world.watch.assert_allowed();
}
