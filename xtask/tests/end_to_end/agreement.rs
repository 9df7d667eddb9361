//! The model of AWS and MiniStack side by side. Each behaviour runs against both; the tables of `xtask/docs/aws.md` say whether they agree.
//!
//! A behaviour is an async function of a [`World`]. It returns facts, which are compared one by one.

mod buckets;
mod functions;
mod others;
mod seen;
mod stacks;
#[path = "../structure/assumptions/table.rs"]
mod table;
mod world;

use std::pin::Pin;

use seen::Seen;
use world::World;

use crate::cloud::{Cloud, workspace};

/// A behaviour, by its row, and the function that shows it.
struct Behavior {
    row: &'static str,
    see: fn(World) -> Pin<Box<dyn Future<Output = Seen>>>,
}

/// Lists behaviours: the first cell of the row, and the function. A test of the repository's structure reads this list.
macro_rules! behaviors {
    ($($row:literal => $see:path,)*) => { [$(Behavior { row: $row, see: |world| Box::pin($see(world)) }),*] };
}

#[rustfmt::skip]
const BEHAVIORS: [Behavior; 37] = behaviors! {
    "`If-None-Match: *` refuses a write to an existing object with 412" => buckets::if_none_match,
    "`If-Match` replaces the object with that tag only: another tag is 412, an absent object 404" => buckets::if_match,
    "Deleting an object of a versioned bucket adds a marker, which counts as no object; the versions remain" => buckets::delete_marker,
    "Versions and markers are listed by key, newest first, in pages that continue after two markers" => buckets::version_pages,
    "Objects are listed in the order of their keys' bytes, in pages" => buckets::object_pages,
    "A bucket with objects, versions or markers is not deleted" => buckets::non_empty_bucket,
    "Absent objects are `NoSuchKey` or, for `HEAD`, 404; absent buckets are `NoSuchBucket`" => buckets::absent,
    "`DeleteObjects` deletes absent keys without an error, and a quiet response lists errors only" => buckets::many_deleted,
    "Tags of a bucket are refused to a caller that expects another owner" => buckets::tagging,
    "An absent stack is a `ValidationError` of `DescribeStacks`" => stacks::absent,
    "An update change set of an absent stack is refused, and so is its description" => stacks::change_set_of_absent_stack,
    "A creating change set leaves its stack in `REVIEW_IN_PROGRESS`, with an empty template" => stacks::review,
    "A stack in review is deleted at once" => stacks::review_deleted,
    "A change set without changes ends as `FAILED`, with a reason" => stacks::empty_change_set,
    "`UpdateStack` without changes is refused" => stacks::empty_update,
    "Change sets are named once; deleting one is repeatable while its stack exists" => stacks::change_set_names,
    "A creating change set of an existing stack is refused" => stacks::creation_of_existing,
    "An executed change set is `EXECUTE_COMPLETE`, and the stack's other change sets are deleted" => stacks::executed,
    "A change of a property that its schema lists as create-only is a replacement in the change set" => stacks::replacement,
    "A protected stack is not deleted" => stacks::protected,
    "Events of a stack come newest first" => stacks::events,
    "A deleted stack is described by its ID only, and deleting an absent stack succeeds" => stacks::deleted,
    "Parameters need a value or a default, and must be the template's" => stacks::parameters,
    "Named IAM resources need `CAPABILITY_NAMED_IAM`" => stacks::capabilities,
    "An existing log group fails the creation of another one" => stacks::taken_name,
    "`PublishVersion` without a change returns the last version" => functions::published_twice,
    "`PublishVersion` with another hash is refused, with another revision ID 412" => functions::conditional_publication,
    "An alias points to existing versions only, and its name is unique" => functions::aliases,
    "Routing weights are refused for `$LATEST`, for the alias's own version, above 1, and for two versions" => functions::weights_refused,
    "`UpdateAlias` keeps weights that it does not name, and an outdated revision ID is 412" => functions::alias_updates,
    "A version that an alias points to or routes to is not deleted, nor is `$LATEST`; deleting an absent one succeeds" => functions::deletion,
    "A qualifier names a version or an alias, and the ARN in the response has it" => functions::qualifiers,
    "Versions are listed from `$LATEST` upwards, and code that does not exist is refused" => functions::versions,
    "`DescribeAlarms` returns the existing ones of the alarms that it names, of the types that it names" => others::alarms,
    "Log groups are listed by prefix, and an absent one is not deleted" => others::log_groups,
    "A repeated `PutSecretValue` stores nothing; another value under its token is refused; versions without labels are not listed" => others::secrets,
    "`GetCallerIdentity` returns the account" => others::caller,
};

/// What a behaviour shows in the model, in virtual time.
fn in_the_model(behavior: &Behavior, name: &str) -> Seen {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async { (behavior.see)(World::simulated(name)).await })
}

/// What a behaviour shows in the emulator.
fn in_the_emulator(behavior: &Behavior, name: &str, cloud: &Cloud) -> Seen {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on((behavior.see)(World::emulated(name, cloud)))
}

#[test]
fn the_page_says_where_the_emulator_differs() {
    let cloud = Cloud::new();
    cloud.success(&["local", "up"]);
    let rows = table::rows(&fs_err::read_to_string(workspace().join(table::PAGE)).expect("the page"));
    let mut wrong = Vec::new();
    for (number, behavior) in BEHAVIORS.iter().enumerate() {
        let name = format!("agreement-{number:02}");
        let cell = in_the_emulator(behavior, &name, &cloud).compared_with(&in_the_model(behavior, &name));
        let row = rows.iter().find(|row| row.behavior == behavior.row);
        match row {
            Some(row) if row.emulator == cell => {}
            Some(row) => wrong.push(table::Row { emulator: cell, ..row.clone() }.line()),
            None => wrong.push(format!("(no row) | {} | | | {cell} |", behavior.row)),
        }
    }
    assert!(wrong.is_empty(), "{}: {} rows are to be written:\n{}", table::PAGE, wrong.len(), wrong.join("\n"));
}
