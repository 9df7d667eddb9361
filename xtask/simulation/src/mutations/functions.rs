//! Breakages of versions, probes, pruning and sites.

use super::Mutation;

/// The breakages.
pub(super) const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "no-wait-for-update",
        breaks: "A function counts as ready while `LastUpdateStatus` is `InProgress`.",
        file: "aws/lambda/version.rs",
        find: "(Some(State::Pending), _) | (_, Some(LastUpdateStatus::InProgress)) => Readiness::Pending,",
        replace: "(Some(State::Pending), _) => Readiness::Pending,",
    },
    Mutation {
        name: "skips-probe",
        breaks: "New versions are released without a probe.",
        file: "release/mod.rs",
        find: "    probe_all(context, &candidates).await?;
",
        replace: "",
    },
    Mutation {
        name: "failed-probe-is-a-warning",
        breaks: "A version that fails its probe counts as ready.",
        file: "release/candidate.rs",
        find: "    ready?.map_err(probe_failed)?;
",
        replace: "    if let Err(cause) = ready? {
        context.ui.warn(cause);
    }
",
    },
    Mutation {
        name: "accepts-another-binary",
        breaks: "A version that contains the code of another function passes its probe.",
        file: "release/candidate.rs",
        find: "Ok(ready) if ready.ready && ready.function == binary => Ok(()),",
        replace: "Ok(ready) if ready.ready => Ok(()),",
    },
    Mutation {
        name: "prunes-by-position",
        breaks: "Only the newest versions stay, regardless of aliases and releases.",
        file: "prune/versions.rs",
        find: "match (alias_of(number), release_of(number), number.parse()) {",
        replace: "match (alias_of(\"\"), release_of(\"\"), number.parse()) {",
    },
    Mutation {
        name: "prunes-open-releases",
        breaks: "The versions and files of an open release are deleted.",
        file: "prune/versions.rs",
        find: "completed.chain(entries.iter().filter(|entry| entry.is_open()))",
        replace: "completed",
    },
    Mutation {
        name: "prunes-artifacts-of-releases",
        breaks: "Zips that only kept releases need are deleted.",
        file: "prune/mod.rs",
        find: "        references.add_versions(kept);
",
        replace: "        drop(kept);
",
    },
    Mutation {
        name: "prunes-pages",
        breaks: "The files of a site that keep their names are deleted instead of the outdated ones.",
        file: "prune/sites.rs",
        find: "Some(_) if !is_hashed(key) => (true,",
        replace: "Some(_) if is_hashed(key) => (true,",
    },
    Mutation {
        name: "prunes-published-manifests",
        breaks: "The manifest of the published site is deleted when no release is to be kept.",
        file: "prune/sites.rs",
        find: "present_release(entries).into_iter().chain(completed_and_open(entries, keep, content))",
        replace: "completed_and_open(entries, keep, content)",
    },
    Mutation {
        name: "publishes-page-first",
        breaks: "A site's page is uploaded before the files that it refers to, and before its release begins.",
        file: "site/pages.rs",
        find: "let assets: Vec<_> = changed.into_iter().filter(|object| object.hashed).collect();",
        replace: "let assets: Vec<_> = changed.into_iter().rev().collect();",
    },
];
