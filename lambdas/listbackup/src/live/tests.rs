//! Two accounts with connections, behind a gateway that knows which of them are open.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use common::{
    token::{SecretSource, sign_hs256},
    web_socket::{ConnectRequest, Decision, Event, Kind},
};
use jiff::{SignedDuration, Timestamp};
use listbackup_contract::live::{ACCOUNT, CONNECTIONS_OF_ACCOUNT, USER};
use serde_json::{Value, json};
use tables::testing::{Request, Script, json_reply};

use super::{connect::Connect, push::Push};
use crate::{
    memory::Memory,
    shared::identity::Role,
    tokens::{Access, issue_access},
};

const CONNECTIONS: &str = "listbackup-dev-ws-connections";
const USERS: &str = "listbackup-dev-users";
const RUNS: &str = "listbackup-dev-runs";
const ENDPOINT: &str = "/_aws/execute-api/a1b2c3d4/dev";
const SECRET: &str = "the secret of access tokens, which is long enough";
const ANA: &str = "account:ana";
const BEN: &str = "account:ben";

struct World {
    memory: Memory,
    script: Script,
    open: Arc<Mutex<BTreeSet<String>>>,
}

impl World {
    fn new() -> Self {
        let (memory, open) = (Memory::default(), Arc::<Mutex<BTreeSet<String>>>::default());
        let (tables, sockets) = (memory.clone(), Arc::clone(&open));
        let script = Script::new(move |request| {
            if request.action.starts_with("secretsmanager.") {
                return json_reply(json!({ "SecretString": SECRET, "CreatedDate": 1 }));
            }
            let Some((_, id)) = request.path.split_once("/@connections/") else { return tables.answer(request) };
            let status = if sockets.lock().expect("no panic").contains(id) { 200 } else { 410 };
            Some((status, String::new()))
        });
        Self { memory, script, open }
    }

    fn connect(&self) -> Connect {
        let environment = listbackup_contract::live::Connect {
            stage: "dev".to_owned(),
            connections_table: CONNECTIONS.to_owned(),
            users_table: USERS.to_owned(),
            access_secret_arn: "secret".to_owned(),
        };
        Connect::new(environment, &self.script.aws())
    }

    /// Connects a client of an account, in the table and at the gateway; returns the status.
    async fn connected(&self, id: &str, account: &str, now: Timestamp) -> u16 {
        let status = self.connect().accept(&event(id, Some(account)), now).await.expect("a status");
        self.open.lock().expect("no panic").insert(id.to_owned());
        status
    }

    fn connections(&self) -> Vec<String> {
        let rows = self.memory.all(CONNECTIONS);
        rows.iter().map(|row| row["connectionId"].as_str().expect("an ID").to_owned()).collect()
    }

    async fn push(&self, event: Value, now: Timestamp) {
        let environment = listbackup_contract::live::Push {
            connections_table: CONNECTIONS.to_owned(),
            runs_table: RUNS.to_owned(),
            connections_endpoint: ENDPOINT.to_owned(),
        };
        let event = serde_json::from_value(event).expect("an event");
        Push::new(environment, &self.script.aws()).push(&event, now).await.expect("pushed");
    }

    /// The messages by connection.
    fn sent(&self) -> Vec<(String, Value)> {
        let of_connection = |request: &Request| {
            let (_, id) = request.path.split_once("/@connections/")?;
            Some((id.to_owned(), request.body.clone()))
        };
        self.script.requests().iter().filter(|request| request.action == "S3.POST").filter_map(of_connection).collect()
    }

    fn insert_run(&self, account: &str) {
        self.memory.insert(
            RUNS,
            json!({
                "runId": "run:1", "jobId": "job:1", "accountId": account, "sourceId": "source:1", "type": "manual",
                "status": "running", "listingDone": true, "filesTotal": 4, "filesProcessed": 1, "bytesProcessed": 10,
                "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z",
            }),
        );
    }

    fn insert_user(&self) {
        self.memory.insert(
            USERS,
            json!({
                "userId": "user:1", "email": "ana@example.com", "name": "Ana", "accountId": ANA, "role": "owner",
                "status": "active", "cognitoUserId": "1", "families": { "f": { "jti": "j", "exp": i64::MAX } },
                "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z",
            }),
        );
    }

    async fn token(&self, issued: Timestamp) -> String {
        let access = Access {
            user_id: "user:1".to_owned(),
            account_id: ANA.to_owned(),
            role: Role::Owner,
            email: "ana@example.com".to_owned(),
            family: "f".to_owned(),
        };
        let secret = SecretSource::new(self.script.aws(), "secret".to_owned());
        issue_access(&secret, "dev", &access, issued).await.expect("a token")
    }

    async fn decide(&self, token: Option<&str>, now: Timestamp) -> Decision {
        let query = token.map(|token| ("token".to_owned(), token.to_owned())).into_iter().collect();
        let request =
            ConnectRequest { connection_id: "c".to_owned(), query, headers: std::collections::BTreeMap::new() };
        self.connect().decide(&request, now).await.expect("a decision")
    }
}

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("a time")
}

fn event(id: &str, account: Option<&str>) -> Event {
    let context = account.map(|account| json!({ ACCOUNT: account, USER: "user:1" }));
    Event {
        kind: Kind::Connect,
        route: "$connect".to_owned(),
        connection_id: id.to_owned(),
        domain: String::new(),
        stage: "dev".to_owned(),
        authorizer: context.and_then(|context| context.as_object().cloned()).unwrap_or_default(),
        query: std::collections::BTreeMap::new(),
        body: String::new(),
    }
}

fn progress(account: &str) -> Value {
    json!({
        "source": "listbackup.jobs", "detail-type": "Job Started",
        "detail": { "eventId": "run:1:started", "accountId": account, "resourceId": "run:1", "at": "t", "runId": "run:1" },
    })
}

#[tokio::test]
async fn progress_reaches_the_connections_of_its_account_and_no_other() {
    let world = World::new();
    world.insert_run(ANA);
    for (id, account) in [("a1", ANA), ("a2", ANA), ("b1", BEN)] {
        assert_eq!(world.connected(id, account, now()).await, 200);
    }
    world.push(progress(ANA), now()).await;
    let mut sent = world.sent();
    sent.sort_by(|one, other| one.0.cmp(&other.0));
    let ids: Vec<_> = sent.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["a1", "a2"]);
    let update = &sent[0].1;
    assert_eq!(
        (&update["type"], &update["event"], &update["runId"]),
        (&json!("run"), &json!("Job Started"), &json!("run:1"))
    );
    assert_eq!((&update["status"], &update["progress"]["percentage"]), (&json!("running"), &json!(25)));
}

#[tokio::test]
async fn the_end_of_a_run_is_reported_before_its_row_says_so() {
    let world = World::new();
    world.insert_run(ANA);
    assert_eq!(world.connected("a1", ANA, now()).await, 200);
    let mut ended = progress(ANA);
    ended["detail-type"] = json!("Job Completed");
    world.push(ended, now()).await;
    let (_, update) = &world.sent()[0];
    assert_eq!((&update["status"], &update["progress"]["percentage"]), (&json!("completed"), &json!(100)));
}

#[tokio::test]
async fn an_event_that_names_another_account_than_its_run_is_not_sent() {
    let world = World::new();
    world.insert_run(ANA);
    assert_eq!(world.connected("b1", BEN, now()).await, 200);
    world.push(progress(BEN), now()).await;
    assert_eq!(world.sent(), []);
}

#[tokio::test]
async fn other_events_are_not_sent() {
    let world = World::new();
    world.insert_run(ANA);
    assert_eq!(world.connected("a1", ANA, now()).await, 200);
    for (field, value) in [("source", "listbackup.auth"), ("detail-type", "Job Created")] {
        let mut other = progress(ANA);
        other[field] = json!(value);
        world.push(other, now()).await;
    }
    assert_eq!(world.sent(), []);
}

#[tokio::test]
async fn a_connection_that_is_gone_is_forgotten_and_the_others_receive_the_message() {
    let world = World::new();
    world.insert_run(ANA);
    for id in ["a1", "a2"] {
        assert_eq!(world.connected(id, ANA, now()).await, 200);
    }
    world.open.lock().expect("no panic").remove("a1");
    world.push(progress(ANA), now()).await;
    assert_eq!(world.sent().len(), 2);
    assert_eq!(world.connections(), ["a2"]);
}

#[tokio::test]
async fn a_connection_ends_with_the_longest_lifetime_of_its_token() {
    let world = World::new();
    world.insert_run(ANA);
    assert_eq!(world.connected("a1", ANA, now()).await, 200);
    let later = now() + SignedDuration::from_secs(3600);
    world.push(progress(ANA), later - SignedDuration::from_secs(1)).await;
    assert_eq!(world.sent().len(), 1);
    world.push(progress(ANA), later).await;
    assert_eq!(world.sent().len(), 1, "no more messages");
    let closed = world.script.requests().into_iter().filter(|request| request.action == "S3.DELETE");
    let closed: Vec<_> = closed.map(|request| request.path).collect();
    assert_eq!(closed, [format!("{ENDPOINT}/@connections/a1")]);
    assert_eq!(world.connections(), Vec::<String>::new());
}

#[tokio::test]
async fn an_account_has_a_limited_number_of_connections_and_those_that_are_over_do_not_count() {
    let world = World::new();
    let most = usize::try_from(CONNECTIONS_OF_ACCOUNT).expect("a small number");
    for number in 0..most {
        assert_eq!(world.connected(&format!("a{number}"), ANA, now()).await, 200);
    }
    assert_eq!(world.connected("more", ANA, now()).await, 429);
    assert!(!world.connections().contains(&"more".to_owned()));
    assert_eq!(world.connected("b1", BEN, now()).await, 200, "another account's limit is its own");
    let later = now() + SignedDuration::from_secs(3600);
    assert_eq!(world.connected("later", ANA, later).await, 200);
}

#[tokio::test]
async fn a_connection_without_an_authorized_account_is_refused() {
    let world = World::new();
    let status = world.connect().accept(&event("x", None), now()).await.expect("a status");
    assert_eq!((status, world.connections().len()), (403, 0));
}

#[tokio::test]
async fn only_a_current_access_token_of_this_stage_connects() {
    let world = World::new();
    world.insert_user();
    let token = world.token(now()).await;
    let Decision::Allow { principal, context } = world.decide(Some(&token), now()).await else { panic!("allowed") };
    assert_eq!((principal.as_str(), context[ACCOUNT].as_str(), context[USER].as_str()), ("user:1", ANA, "user:1"));
    assert_eq!(world.decide(None, now()).await, Decision::Deny);
    let expired = now() + SignedDuration::from_secs(3601);
    assert_eq!(world.decide(Some(&token), expired).await, Decision::Deny);
    let claims = |kind: &str, audience: &str| {
        let second = now().as_second();
        json!({ "sub": "user:1", "accountId": ANA, "role": "owner", "email": "ana@example.com", "fid": "f", "jti": "j",
                "typ": kind, "aud": audience, "iat": second, "exp": second + 3600 })
    };
    for (kind, audience) in [("refresh", "dev"), ("access", "prod")] {
        let other = sign_hs256(SECRET.as_bytes(), &claims(kind, audience));
        assert_eq!(world.decide(Some(&other), now()).await, Decision::Deny, "{kind} {audience}");
    }
}

#[tokio::test]
async fn a_token_of_an_ended_session_or_a_suspended_user_does_not_connect() {
    for change in [json!({ "families": {} }), json!({ "status": "suspended" }), json!({ "accountId": BEN })] {
        let world = World::new();
        world.insert_user();
        let token = world.token(now()).await;
        let mut user = world.memory.get(USERS, &["user:1"]).expect("the user");
        for (name, value) in change.as_object().expect("an object") {
            user[name] = value.clone();
        }
        world.memory.insert(USERS, user);
        assert_eq!(world.decide(Some(&token), now()).await, Decision::Deny, "{change}");
    }
}
