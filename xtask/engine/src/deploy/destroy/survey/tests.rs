//! What counts as a stage's own, by the tags that a scripted AWS returns.

use super::*;
use crate::{
    aws::scripted::{Endpoint, Received},
    local::Emulator,
};

/// The system of the only stack.
const OWNERS: [(&str, &str); 1] = [("notes-users-dev", "notes")];

fn stage() -> Stage {
    Stage::parse("dev", "account: '000000000000'\nregion: us-east-1\n", "dev.yaml").expect("a stage")
}

fn surveyor<'a>(clients: &'a Clients, stage: &'a Stage, is_emulated: bool) -> Surveyor<'a> {
    let (owners, found) = (OWNERS.into(), Survey::default());
    Surveyor { clients, stage, delete_data: true, is_emulated, owners, found }
}

fn owner(tags: &[(&str, &str)]) -> Owner {
    let stage = stage();
    let tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let clients =
        runtime.block_on(Clients::new(&stage, Some(Emulator::open("http://127.0.0.1:9".to_owned())))).expect("clients");
    surveyor(&clients, &stage, false).owner(&tags)
}

/// The names of what is the stage's own, and the lines about what is kept.
type Outcome = (Vec<String>, Vec<String>);

fn own(name: &str) -> Outcome {
    (vec![name.to_owned()], Vec::new())
}

fn kept(line: impl Into<String>) -> Outcome {
    (Vec::new(), vec![line.into()])
}

/// Surveys a resource that the stack has given up, which AWS describes with this status and body.
async fn given_up(kind: &str, is_emulated: bool, answer: (u16, &'static str)) -> Outcome {
    let endpoint = Endpoint::serve(move |_: &Received| (answer.0, answer.1.to_owned())).await;
    let (clients, stage) = (endpoint.clients().await, stage());
    let stack = RenderedStack::deployed(
        "notes".to_owned(),
        "users".to_owned(),
        "notes-users-dev".to_owned(),
        None,
        Value::Null,
    );
    let resource = StackResource {
        logical_id: "Resource".to_owned(),
        physical_id: "notes-1".to_owned(),
        resource_type: kind.to_owned(),
    };
    let mut surveyor = surveyor(&clients, &stage, is_emulated);
    surveyor.retained(&stack, &resource).await.expect("surveyed");
    let Survey { resources, foreign, .. } = surveyor.found;
    (resources.into_iter().map(|resource| resource.name).collect(), foreign)
}

const POOL: &str = "AWS::Cognito::UserPool";
const BUCKET: &str = "AWS::S3::Bucket";
const UNTAGGED: (u16, &str) = (404, "<Error><Code>NoSuchTagSet</Code><Message>none</Message></Error>");

#[tokio::test]
async fn what_another_stack_has_imported_since_is_kept() {
    let pool = r#"{"UserPool":{"Name":"users","UserPoolTags":{"aws:cloudformation:stack-name":"billing"}}}"#;
    let expected = kept("user pool users (notes-1): kept; stack billing owns it");
    assert_eq!(given_up(POOL, true, (200, pool)).await, expected);
    let bucket =
        "<Tagging><TagSet><Tag><Key>aws:cloudformation:stack-name</Key><Value>billing</Value></Tag></TagSet></Tagging>";
    assert_eq!(given_up(BUCKET, true, (200, bucket)).await, kept("bucket notes-1: kept; stack billing owns it"));
    let pool = r#"{"UserPool":{"Name":"users","UserPoolTags":{"aws:cloudformation:stack-name":"notes-users-dev"}}}"#;
    assert_eq!(given_up(POOL, false, (200, pool)).await, own("users"));
}

#[tokio::test]
async fn a_bucket_without_tags_is_only_deleted_on_an_emulator() {
    let expected = kept("bucket notes-1: kept; its tags name no stack");
    assert_eq!(given_up(BUCKET, false, UNTAGGED).await, expected);
    assert_eq!(given_up(BUCKET, true, UNTAGGED).await, own("notes-1"));
}

#[tokio::test]
async fn a_bucket_whose_tags_cannot_be_read_is_kept_and_named() {
    let denied = (403, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>");
    assert_eq!(given_up(BUCKET, true, denied).await, kept(format!("bucket notes-1: kept; {UNREADABLE}")));
}

#[test]
fn only_tags_prove_that_a_namesake_is_the_stages_own() {
    let own = || Owner::Own("notes".to_owned());
    assert_eq!(owner(&[(STACK_TAG, "notes-users-dev")]), own());
    assert_eq!(owner(&[("stage", "dev"), ("system", "notes"), ("stack", "users")]), own());
    for other in [
        &[(STACK_TAG, "notes-users-prod")][..],
        &[(STACK_TAG, "billing"), ("stage", "dev"), ("system", "notes"), ("stack", "users")],
        &[("stage", "prod"), ("system", "notes"), ("stack", "users")],
        &[("Name", "notes-users-dev")],
        &[],
    ] {
        assert!(matches!(owner(other), Owner::Other(_)), "{other:?}");
    }
}

#[test]
fn a_secret_is_named_without_the_end_of_its_arn() {
    assert_eq!(secret_name("arn:aws:secretsmanager:eu-west-1:1:secret:notes/prod/salt-a1B2c3"), "notes/prod/salt");
    assert_eq!(secret_name("notes"), "notes");
}
