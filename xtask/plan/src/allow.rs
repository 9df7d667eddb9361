//! Allowances: the refused findings that the command line allows by name.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::findings::{Finding, FindingKind};

/// The allowed resources, each as `<stack>/<logical ID>`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowances {
    /// Stateful resources that may be replaced by empty ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replace: Vec<String>,
    /// Stateful resources that may be deleted, or removed from their stack.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delete: Vec<String>,
    /// Resources that may do what the stage file refuses: widen permissions, become public, drop an alarm, break clients.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other: Vec<String>,
}

impl Allowances {
    /// Is this kind of finding allowed for the resource?
    pub(crate) fn includes(&self, kind: FindingKind, stack: &str, logical_id: &str) -> bool {
        let named = match kind {
            FindingKind::ReplacesData => &self.replace,
            FindingKind::DeletesData => &self.delete,
            FindingKind::WidensIam
            | FindingKind::OpensToPublic
            | FindingKind::DropsAlarm
            | FindingKind::BreaksClients => &self.other,
            FindingKind::Impossible | FindingKind::Orphaned | FindingKind::Api | FindingKind::Quota => return false,
        };
        named.contains(&format!("{stack}/{logical_id}"))
    }

    /// Allows the named findings; returns the names that match no finding, which are most likely mistyped.
    #[must_use]
    pub fn apply(&self, findings: &mut [Finding]) -> Vec<String> {
        let is_allowed = |finding: &Finding| self.includes(finding.kind, &finding.stack, &finding.logical_id);
        let mut matched = BTreeSet::new();
        for finding in findings.iter_mut().filter(|finding| is_allowed(finding)) {
            finding.refused = false;
            matched.insert((finding.kind.option(), format!("{}/{}", finding.stack, finding.logical_id)));
        }
        let named = |option: &'static str, names: &[String]| {
            names.iter().map(move |name| (option, name.clone())).collect::<Vec<_>>()
        };
        let all = [
            named("--allow-replace", &self.replace),
            named("--allow-delete", &self.delete),
            named("--allow", &self.other),
        ];
        let unmatched =
            all.into_iter().flatten().filter(|(option, name)| !matched.contains(&(Some(*option), name.clone())));
        unmatched.map(|(option, name)| format!("{option} {name}")).collect()
    }
}
