//! The owner of each filename, recorded once and kept without end: a filename is never used by another user, also after its
//! media has expired.
//!
//! The record is an empty object in the processed bucket with the owner's hash in its metadata. The bucket's lifecycle
//! expires larger objects only.

use aws_sdk_s3::{error::ProvideErrorMetadata, primitives::ByteStream};

use crate::{
    keys::{self, Filename},
    storage::{StorageError, Store},
};

/// The name of the metadata with the owner's hash.
pub(crate) const OWNER: &str = "owner";

/// Records the owner of a filename unless it has one. Returns whether the filename belongs to this owner.
///
/// S3 decides between simultaneous claims (Amazon S3 User Guide, "How to prevent object overwrites with conditional writes").
pub(crate) async fn claim(processed: &Store, filename: &Filename, owner_hash: &str) -> Result<bool, StorageError> {
    let key = keys::ownership(filename);
    let request = processed.client().put_object().bucket(processed.bucket()).key(&key).if_none_match("*");
    let request = request.metadata(OWNER, owner_hash).body(ByteStream::from_static(&[]));
    match request.send().await {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some("PreconditionFailed") => {
            let head = processed.client().head_object().bucket(processed.bucket()).key(&key).send().await;
            let head = head.map_err(|error| processed.failed("inspect", &key, error))?;
            Ok(head.metadata().and_then(|metadata| metadata.get(OWNER)).is_some_and(|owner| owner == owner_hash))
        }
        Err(error) => Err(processed.failed("write", &key, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{
        FILENAME,
        scripted::{Reply, Rule, ScriptedAws},
    };

    async fn claimed(rules: &[Rule]) -> Result<bool, StorageError> {
        let store = Store::new(ScriptedAws::new(rules.iter().cloned()).s3(), "processed");
        claim(&store, &Filename::parse(FILENAME).expect("a filename"), "hash").await
    }

    fn key() -> String {
        format!("/processed/owners/{FILENAME}")
    }

    #[tokio::test(flavor = "current_thread")]
    async fn the_first_claim_is_recorded() {
        let put = Rule::put_object(&key()).header("if-none-match", "*").header("x-amz-meta-owner", "hash");
        assert!(claimed(std::slice::from_ref(&put)).await.expect("written"));
        assert!(put.requests()[0].body.is_empty(), "the lifecycle expires larger objects");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_claimed_filename_stays_with_its_owner() {
        for (owner, is_own) in [("hash", true), ("other", false)] {
            let put = Rule::put_object_answered(&key(), Reply::precondition_failed()).header("if-none-match", "*");
            let head = Rule::head_object(&key(), Reply::object([]).header("x-amz-meta-owner", owner));
            assert_eq!(claimed(&[put, head]).await.expect("read"), is_own, "{owner}");
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_record_without_an_owner_belongs_to_none() {
        let put = Rule::put_object_answered(&key(), Reply::precondition_failed());
        assert!(!claimed(&[put, Rule::head_object(&key(), Reply::object([]))]).await.expect("read"));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_conflict_is_an_error_and_not_a_claim() {
        let conflict = Reply::s3_error(409, "ConditionalRequestConflict", "Please retry.");
        let error = claimed(&[Rule::put_object_answered(&key(), conflict)]).await.expect_err("undecided");
        assert_eq!(error.to_string(), format!("failed to write s3://processed/owners/{FILENAME}"));
    }
}
