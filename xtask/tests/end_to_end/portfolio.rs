//! The Portfolio's acceptance list: every row the emulator can show, against one deployed cloud.
//!
//! Rows 1 and 25's second half are about templates and are tested beside the system's definition in `stacks`.

mod access;
mod contents;
mod counting;
mod flow;
mod fuzzing;
mod sessions;
mod site;
mod world;

use std::sync::Arc;

use self::world::World;
use crate::rows::run_rows;

#[test]
fn the_portfolio_does_what_its_specification_asks() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let world = Arc::new(World::deploy(&runtime));
    let mut failures = Vec::new();
    run_rows!(runtime, world, failures: [access::row_02_nothing_is_left_to_deploy, site::a_second_deploy_uploads_nothing]);
    runtime.block_on(world.start_watch());
    run_rows!(runtime, world, failures: [
        access::row_03_the_service_is_up,
        access::row_04_the_table_is_as_the_data_model_wants_it,
        sessions::row_05_the_right_password_signs_in,
        sessions::row_06_wrong_password_and_unknown_address_look_the_same,
        sessions::row_07_a_missing_password_is_named,
        sessions::row_08_a_refresh_token_is_exchanged,
        sessions::row_09_one_is_told_who_one_is,
        sessions::signing_out_ends_the_refresh_token,
        sessions::a_temporary_password_is_replaced_through_the_challenge,
        sessions::a_disabled_account_is_told_so,
        sessions::guessing_a_password_leads_to_a_pause,
        access::guarded_routes_are_refused_before_the_function,
        access::expired_tokens_are_refused_before_the_function,
        access::every_guarded_route_wants_its_token,
        access::unknown_routes_are_not_found,
        access::row_25_listed_origins_get_headers_and_others_none,
        access::the_description_is_served,
        contents::row_10_and_11_a_new_post_is_the_owners_draft,
        contents::row_12_publishing_twice_changes_nothing,
        contents::row_13_only_the_owner_lists_drafts,
        contents::row_14_a_changed_category_moves_its_counts,
        contents::row_15_a_change_of_nothing_is_refused,
        contents::row_16_lists_have_pages,
        contents::row_17_wrong_limits_are_refused,
        contents::row_18_a_deleted_post_is_gone,
        contents::row_19_courses_are_listed_by_date,
        contents::row_20_featured_projects_are_listed_alone,
        contents::wrong_fields_are_named_through_the_gateway,
        contents::the_owner_can_do_it_all_at_once,
        contents::one_post_changed_by_twenty_at_once_is_changed_by_all,
        counting::row_21_a_session_counts_once,
        counting::row_22_a_hundred_visitors_at_once_count_exactly,
        counting::one_session_at_once_counts_once,
        counting::row_23_a_view_counts_once,
        counting::views_of_what_is_being_deleted_are_counted_or_refused,
        counting::row_24_ten_views_rank_above_nine,
        counting::visitors_without_a_session_get_one,
        counting::trends_and_overview_show_today,
        fuzzing::fuzzing_the_contract_finds_nothing,
        flow::the_front_end_signs_in_publishes_and_is_counted,
        the_functions_do_only_what_their_roles_allow,
    ]);
    runtime.block_on(world.end_watch().stop());
    run_rows!(runtime, world, failures: [
        site::the_page_is_served_with_its_headers_and_finds_the_api,
        site::a_change_of_one_asset_uploads_it_and_the_page,
    ]);
    assert!(failures.is_empty(), "failed: {failures:#?}\n{}", world.cloud.log_tail());
}

/// What AWS would have refused. An emulator refuses nothing.
async fn the_functions_do_only_what_their_roles_allow(world: Arc<World>) {
    world.assert_allowed();
}
