//! Which refused findings pass, because whoever runs the command named them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    findings::{Finding, FindingKind},
    preview::Preview,
};

/// What was named on the command line, each as `<stack>/<logical ID>`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowances {
    /// Let this resource that holds data be replaced by an empty one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replace: Vec<String>,
    /// Let this resource that holds data be deleted, or leave its stack.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delete: Vec<String>,
    /// Let this resource do what the stage file refuses: widen IAM, open to the public, drop an alarm.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other: Vec<String>,
}

impl Allowances {
    /// Was this resource named for this kind of finding?
    #[must_use]
    pub fn has(&self, kind: FindingKind, stack: &str, logical_id: &str) -> bool {
        let named = match kind {
            FindingKind::ReplacesData => &self.replace,
            FindingKind::DeletesData => &self.delete,
            FindingKind::WidensIam | FindingKind::OpensToPublic | FindingKind::DropsAlarm => &self.other,
            FindingKind::Impossible | FindingKind::Quota => return false,
        };
        named.contains(&format!("{stack}/{logical_id}"))
    }

    /// Lets pass what was named; returns the names that no finding has, which are most likely mistyped.
    #[must_use]
    pub fn apply(&self, preview: &mut Preview) -> Vec<String> {
        let passes = |finding: &Finding| self.has(finding.kind, &finding.stack, &finding.logical_id);
        let mut met = BTreeSet::new();
        for finding in preview.findings.iter_mut().filter(|finding| passes(finding)) {
            finding.refused = false;
            met.insert((finding.kind.option(), format!("{}/{}", finding.stack, finding.logical_id)));
        }
        let named = |option: &'static str, names: &[String]| {
            names.iter().map(move |name| (option, name.clone())).collect::<Vec<_>>()
        };
        let all = [
            named("--allow-replace", &self.replace),
            named("--allow-delete", &self.delete),
            named("--allow", &self.other),
        ];
        let unmet = all.into_iter().flatten().filter(|(option, name)| !met.contains(&(Some(*option), name.clone())));
        unmet.map(|(option, name)| format!("{option} {name}")).collect()
    }
}
