//! Sequences and races of changes, on tables in memory: bots and guards always belong together.

use std::{collections::BTreeMap, sync::Arc};

use analyticbot_contract::tables::{ACTION_SK, PK, TARGET_USER_ID};
use proptest::{collection::vec, prelude::*};
use tables::testing::{Memory, Schema, Script};
use tokio::task::JoinSet;

use super::*;

const BOTS: &str = "bots";
const ACTIONS: &str = "actions";
const NOW: Timestamp = Timestamp::UNIX_EPOCH;

struct Tables {
    memory: Memory,
    bots: Bots,
    actions: Actions,
}

fn tables() -> Tables {
    let schema = |table, partition, sort| Schema { table, partition, sort, indexes: Vec::new() };
    let memory = Memory::new([schema(BOTS, PK, None), schema(ACTIONS, TARGET_USER_ID, Some(ACTION_SK))]);
    let answers = memory.clone();
    let database =
        Database::new(aws_sdk_dynamodb::Client::new(&Script::new(move |request| answers.answer(request)).aws()));
    let actions = Actions::new(database.clone(), ACTIONS.to_owned());
    Tables { memory, bots: Bots::new(database, BOTS.to_owned()), actions }
}

/// A change of one of three users' bots. Bots, tokens and names are few, so that they collide.
#[derive(Debug, Clone)]
enum Operation {
    Create { bot_id: i64, issue: u8, name: u8 },
    Remove,
    Verify { name: u8 },
    Reject,
    Suspend,
    Activate,
    Limit,
}

fn operation() -> impl Strategy<Value = (u64, Operation)> {
    let change = prop_oneof![
        3 => (1_i64..4, 1_u8..3, 0_u8..4).prop_map(|(bot_id, issue, name)| Operation::Create { bot_id, issue, name }),
        2 => Just(Operation::Remove),
        2 => (0_u8..4).prop_map(|name| Operation::Verify { name }),
        1 => Just(Operation::Reject),
        1 => Just(Operation::Suspend),
        1 => Just(Operation::Activate),
        1 => Just(Operation::Limit),
    ];
    (1_u64..4, change)
}

/// A name, of which number 0 is none.
fn name(number: u8) -> Option<String> {
    (number > 0).then(|| format!("Bot_{number}"))
}

fn new_bot(user_id: u64, bot_id: i64, issue: u8, number: u8) -> NewBot {
    NewBot {
        id: user_id,
        user_id,
        identity: Identity { bot_id, username: name(number) },
        api_id: None,
        limits: Limits::default(),
        fingerprint: format!("{bot_id}-{issue}"),
        sealed: Sealed { dek: vec![1], bot_token: vec![2], ..Sealed::default() },
    }
}

impl Tables {
    async fn apply(&self, user_id: u64, operation: Operation) -> Result<(), AwsError> {
        let audit = Audit { actions: &self.actions, admin_user_id: 9 };
        let of = self.bots.get(user_id).await?;
        match (operation, of) {
            (Operation::Create { bot_id, issue, name }, _) => {
                self.bots.create(new_bot(user_id, bot_id, issue, name), NOW).await.map(|_| ())
            }
            (Operation::Remove, _) => self.bots.remove(user_id).await.map(|_| ()),
            (Operation::Verify { name: number }, Some(of)) => {
                let identity = Identity { bot_id: of.status.bot_id.unwrap_or(1), username: name(number) };
                self.bots.verified(&of, &identity, NOW).await.map(|_| ())
            }
            (Operation::Reject, Some(of)) => self.bots.rejected(&of, NOW).await.map(|_| ()),
            (Operation::Suspend, _) => self.bots.suspend(user_id, "reason", audit, NOW).await.map(|_| ()),
            (Operation::Activate, _) => self.bots.activate(user_id, audit, NOW).await.map(|_| ()),
            (Operation::Limit, _) => self.bots.set_limits(user_id, (Some(1), None), audit, NOW).await.map(|_| ()),
            (Operation::Verify { .. } | Operation::Reject, None) => Ok(()),
        }
    }

    /// The guards that are stored, and those that the stored bots have, each with its user.
    fn guards(&self) -> [BTreeMap<String, u64>; 2] {
        let (mut stored, mut expected) = (BTreeMap::new(), BTreeMap::new());
        for item in self.memory.all(BOTS) {
            let (pk, user_id) = (item[PK].as_str().expect("a key"), item["user_id"].as_u64().expect("a user"));
            if !pk.starts_with("USER#") {
                stored.insert(pk.to_owned(), user_id);
                continue;
            }
            let mut add = |guard: String| assert_eq!(expected.insert(guard, user_id), None, "two bots have one guard");
            add(format!("TOKEN#{}", item["fingerprint"].as_str().expect("a fingerprint")));
            add(format!("BOTID#{}", item["bot_id"]));
            if let Some(name) = item["bot_username"].as_str() {
                add(format!("NAME#{}", name.to_lowercase()));
            }
        }
        [stored, expected]
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_guards_are_always_those_of_the_stored_bots(operations in vec(operation(), 1..16)) {
        block_on(async {
            let tables = tables();
            for (user_id, operation) in operations {
                let recorded = tables.memory.all(ACTIONS).len();
                let is_recorded = matches!(operation, Operation::Suspend | Operation::Activate | Operation::Limit);
                let existed = tables.bots.get(user_id).await.expect("read").is_some();
                tables.apply(user_id, operation).await.expect("no failure");
                let [stored, expected] = tables.guards();
                assert_eq!(stored, expected);
                let more = usize::from(is_recorded && existed);
                assert_eq!(tables.memory.all(ACTIONS).len(), recorded + more, "one record for each administrative change");
            }
        });
    }
}

#[tokio::test(flavor = "current_thread")]
async fn one_of_parallel_creations_and_one_of_parallel_removals_succeed() {
    let tables = Arc::new(tables());
    let mut creations = JoinSet::new();
    for issue in 0..10 {
        let tables = Arc::clone(&tables);
        creations.spawn(async move { tables.bots.create(new_bot(1, 1001, issue, 1), NOW).await.expect("no failure") });
    }
    let created = creations.join_all().await;
    assert_eq!(created.iter().filter(|created| matches!(created, Created::Bot(_))).count(), 1);
    assert_eq!(created.iter().filter(|created| **created == Created::AlreadyExists).count(), 9);
    let mut removals = JoinSet::new();
    for _ in 0..10 {
        let tables = Arc::clone(&tables);
        removals.spawn(async move { tables.bots.remove(1).await.expect("no failure") });
    }
    let removed = removals.join_all().await;
    assert_eq!(removed.iter().filter(|removed| **removed == Removed::Removed).count(), 1);
    assert_eq!(removed.iter().filter(|removed| **removed == Removed::NotFound).count(), 9);
    assert!(tables.memory.all(BOTS).is_empty(), "no guard stays");
}

#[tokio::test(flavor = "current_thread")]
async fn a_suspension_during_a_removal_wins_or_finds_no_bot() {
    for _ in 0..20 {
        let tables = Arc::new(tables());
        tables.bots.create(new_bot(1, 1001, 1, 1), NOW).await.expect("created");
        let (one, two) = (Arc::clone(&tables), Arc::clone(&tables));
        let removal = tokio::spawn(async move { one.bots.remove(1).await.expect("no failure") });
        let suspension = tokio::spawn(async move {
            let audit = Audit { actions: &two.actions, admin_user_id: 9 };
            two.bots.suspend(1, "reason", audit, NOW).await.expect("no failure")
        });
        let (removed, suspended) = (removal.await.expect("no panic"), suspension.await.expect("no panic"));
        match removed {
            Removed::Removed => assert_eq!(suspended, Changed::NotFound),
            Removed::Suspended => assert!(matches!(suspended, Changed::Bot(_))),
            Removed::NotFound => panic!("the bot existed"),
        }
        let recorded = tables.memory.all(ACTIONS).len();
        assert_eq!(recorded, usize::from(removed == Removed::Suspended), "no record without its change");
    }
}
