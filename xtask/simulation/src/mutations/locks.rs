//! Breakages of locks, and of the conditional writes of documents.

use super::Mutation;

/// The breakages.
pub(super) const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "skips-lock-check",
        breaks: "A change no longer reads the lock before it.",
        file: "lock/held.rs",
        find: "Some(held) => held.lock.ensure_held().await,",
        replace: "Some(_) => Ok(()),",
    },
    Mutation {
        name: "takes-over-held-locks",
        breaks: "A lock that was renewed a moment ago counts as stale, and one that expired counts as held.",
        file: "lock/mod.rs",
        find: "Some(silence) if silence > EXPIRY => {",
        replace: "Some(silence) if silence < EXPIRY => {",
    },
    Mutation {
        name: "renews-too-late",
        breaks: "A lock expires long before its first renewal.",
        file: "lock/held.rs",
        find: "const RENEWAL: Duration = Duration::from_secs(30);",
        replace: "const RENEWAL: Duration = Duration::from_secs(300);",
    },
    Mutation {
        name: "releases-locks-of-others",
        breaks: "The end of a run releases a lock that another run has taken over.",
        file: "lock/held.rs",
        find: "            if !self.adopt_own_write(&mut tag).await {
                break;
            }
",
        replace: "            let Some(document) = self.store.read(&key).await? else { break };
            tag = document.tag;
",
    },
    Mutation {
        name: "records-without-lock-check",
        breaks: "A release is recorded without a look at the lock.",
        file: "ledger/entries.rs",
        find: "            locks.ensure_held(&self.system).await?;
",
        replace: "",
    },
    Mutation {
        name: "overwrites-new-documents",
        breaks: "A document is created without `If-None-Match`, so that two runs create the same lock or release.",
        file: "aws/documents.rs",
        find: "Condition::IsNew => request.if_none_match(\"*\"),",
        replace: "Condition::IsNew => request,",
    },
    Mutation {
        name: "overwrites-changed-documents",
        breaks: "A document is replaced without `If-Match`, so that the write of another run is lost.",
        file: "aws/documents.rs",
        find: "Condition::HasTag(tag) => request.if_match(&tag.0),",
        replace: "Condition::HasTag(_) => request,",
    },
    Mutation {
        name: "repeats-own-writes",
        breaks: "A write whose response was lost counts as the write of another run, and is made again under the next number.",
        file: "aws/documents.rs",
        find: "Ok(found.filter(|document| document.text == text).map(|document| document.tag))",
        replace: "drop(found);
                Ok(None)",
    },
    Mutation {
        name: "ignores-changed-entries",
        breaks: "A run whose release was taken over by another run continues it.",
        file: "ledger/entries.rs",
        find: "open.tag = written.ok_or_else(changed)?;",
        replace: "let _ = changed;
        open.tag = written.unwrap_or_else(|| open.tag.clone());",
    },
    Mutation {
        name: "reads-first-page-only",
        breaks: "A list of objects ends after its first page.",
        file: "aws/s3.rs",
        find: "while let Some(page) = pages.next().await {",
        replace: "if let Some(page) = pages.next().await {",
    },
];
