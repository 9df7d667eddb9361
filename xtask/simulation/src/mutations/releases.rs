//! Breakages of releases: the order of ledger and aliases, reversals, canaries.

use super::Mutation;

/// The breakages.
pub(super) const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "shifts-before-recording",
        breaks: "Aliases move to new versions before the release is recorded.",
        file: "release/mod.rs",
        find: "    let mut entry = context.metadata.entry(ReleaseKind::Deploy, changes);
",
        replace: "    for candidate in candidates {
        let name = &candidate.function.function_name;
        let shifted = context.clients.lambda().point(name, \"live\", &candidate.version).await;
        shifted.map_err(context::failed(name))?;
    }
    let mut entry = context.metadata.entry(ReleaseKind::Deploy, changes);
",
    },
    Mutation {
        name: "closes-before-shift",
        breaks: "A release is closed before its aliases move.",
        file: "release/shift.rs",
        find: "    if !is_recorded {
        context.ledger.record_step(&mut open, ALL_STEP.to_owned()).await?;
    }
",
        replace: "    let _ = is_recorded;
    context.ledger.close(&mut open, Outcome::Released).await?;
",
    },
    Mutation {
        name: "leaves-release-open",
        breaks: "A completed release is not closed.",
        file: "release/shift.rs",
        find: "close(context, &mut open, Outcome::Released).await?;",
        replace: "context.ledger.record_step(&mut open, \"the end\".to_owned()).await?;",
    },
    Mutation {
        name: "ignores-open-release",
        breaks: "A release begins beside one that was interrupted.",
        file: "release/mod.rs",
        find: ".filter(|open| open.entry.is_open())",
        replace: ".filter(|_| false)",
    },
    Mutation {
        name: "reverts-ledger-only",
        breaks: "A release is closed as reverted, and its aliases stay.",
        file: "release/revert.rs",
        find: "let stuck = shift_back(context, &open.entry).await;",
        replace: "let stuck: Vec<String> = Vec::new();",
    },
    Mutation {
        name: "no-revert-after-failed-check",
        breaks: "A release whose smoke check fails keeps all of the traffic.",
        file: "release/shift.rs",
        find: "            let aborted = abort(context, open, &why).await?;
            return Err(reverted(&aborted, why));
",
        replace: "            return Err(ReleaseError::Reverted { number: open.entry.number, why });
",
    },
    Mutation {
        name: "no-revert-after-failed-canary",
        breaks: "A canary that fails keeps its share of the traffic.",
        file: "release/shift.rs",
        find: "            let aborted = abort(context, live.open, &why).await?;
            Err(reverted(&aborted, why))
",
        replace: "            Err(ReleaseError::Reverted { number: live.open.entry.number, why })
",
    },
    Mutation {
        name: "no-revert-after-failed-probe",
        breaks: "An open release whose versions fail their probe stays open when it is resumed.",
        file: "release/mod.rs",
        find: "    if let Err(error) = parallel::each(probes).await {
        return Err(revert_after(context, open, error).await);
",
        replace: "    if let Err(error) = parallel::each(probes).await {
        return Err(error);
",
    },
    Mutation {
        name: "canary-ignores-errors",
        breaks: "A new version that fails often is not worse than the old one.",
        file: "release/canary/comparison.rs",
        find: "self.hits < 3.0 || self.share() <= tolerated",
        replace: "self.hits < 3.0 || self.share() >= tolerated",
    },
    Mutation {
        name: "canary-without-samples",
        breaks: "A canary reaches all of the traffic at once, before it has received a request.",
        file: "release/canary/mod.rs",
        find: "            target.pause(plan.bake / CHECKS_PER_STEP).await;
",
        replace: "",
    },
    Mutation {
        name: "canary-shifts-without-step",
        breaks: "A canary takes its share of the traffic without a write to the ledger that another run could refuse.",
        file: "release/canary/live.rs",
        find: "        self.context.ledger.record_step(&mut self.open, format!(\"{percent} % of the traffic\")).await?;
",
        replace: "",
    },
    Mutation {
        name: "error-without-next-step",
        breaks: "An error has no hint.",
        file: "commands/release.rs",
        find: "nothing was touched\")]
    #[diagnostic(help(\"list the releases with `cargo xtask release list --stage {stage}`\"))]
",
        replace: "nothing was touched\")]
",
    },
];
