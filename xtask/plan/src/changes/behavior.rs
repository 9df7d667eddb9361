//! The effect of a property's change on its resource, according to AWS's resource schemas.

use std::{collections::HashMap, sync::OnceLock};

use serde_json::Value;

/// Written by `cargo xtask schema`.
const TABLE: &str = include_str!("replacement.tsv");

/// The certainty of a change, in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// The type has no schema, so the resource may be updated or replaced.
    Unknown,
    /// It depends on conditions that the schema does not specify.
    Conditional,
    /// The schema is unambiguous.
    Certain,
}

/// The properties of a resource type whose change replaces the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Behavior {
    certain: &'static str,
    conditional: &'static str,
}

impl Behavior {
    /// Looks up a type; `None` for a type without a schema.
    pub(crate) fn of(resource_type: &str) -> Option<Self> {
        static ALL: OnceLock<HashMap<&'static str, Behavior>> = OnceLock::new();
        let all = ALL.get_or_init(|| TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(parse).collect());
        all.get(resource_type).copied()
    }

    /// The paths whose change replaces, or may replace, the resource.
    pub(crate) fn paths(self) -> impl Iterator<Item = (&'static str, Certainty)> {
        let list = |text: &'static str| text.split(',').filter(|path| !path.is_empty());
        let certain = list(self.certain).map(|path| (path, Certainty::Certain));
        certain.chain(list(self.conditional).map(|path| (path, Certainty::Conditional)))
    }

    /// Does a change at this path of the properties replace the resource? Steps are separated by `/`; items are numbers.
    pub(crate) fn replaced_at(self, path: &str) -> Option<Certainty> {
        self.paths().filter(|(pattern, _)| overlaps(pattern, path)).map(|(_, certainty)| certainty).max()
    }

    /// The differing paths whose change replaces the resource.
    pub(crate) fn replaced_by(self, old: &Value, new: &Value) -> Vec<(&'static str, Certainty)> {
        self.paths().filter(|(pattern, _)| values(old, pattern) != values(new, pattern)).collect()
    }
}

fn parse(line: &'static str) -> Option<(&'static str, Behavior)> {
    let mut columns = line.split('\t');
    Some((columns.next()?, Behavior { certain: columns.next()?, conditional: columns.next()? }))
}

/// Is one path within the other? A change of a whole object may change each of its properties.
fn overlaps(pattern: &str, path: &str) -> bool {
    let mut steps = path.split('/').filter(|step| step.parse::<usize>().is_err());
    let mut wanted = pattern.split('/').filter(|step| *step != "*");
    loop {
        match (wanted.next(), steps.next()) {
            (Some(wanted), Some(step)) if wanted == step => {}
            (Some(_), Some(_)) => return false,
            _ => return true,
        }
    }
}

/// Returns the values at a path, those of all items of lists on the way.
fn values<'a>(properties: &'a Value, pattern: &str) -> Vec<&'a Value> {
    let mut found = vec![properties];
    for step in pattern.split('/').filter(|step| *step != "*") {
        let items = found.into_iter().flat_map(|value| match value {
            Value::Array(items) => items.iter().collect(),
            other => vec![other],
        });
        found = items.filter_map(|value| value.get(step)).collect();
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_table_matches_the_documentation() {
        let table = Behavior::of("AWS::DynamoDB::Table").expect("a known type");
        assert_eq!(table.replaced_at("TableName"), Some(Certainty::Certain));
        assert_eq!(table.replaced_at("KeySchema/0/AttributeName"), Some(Certainty::Conditional));
        assert_eq!(table.replaced_at("BillingMode"), None);
        assert_eq!(Behavior::of("Custom::Thing"), None);
    }

    #[test]
    fn values_are_found_within_lists() {
        let old = json!({ "Rules": [{ "Name": "a", "Size": 1 }] });
        let new = json!({ "Rules": [{ "Name": "b", "Size": 1 }] });
        assert_ne!(values(&old, "Rules/*/Name"), values(&new, "Rules/*/Name"));
        assert_eq!(values(&old, "Rules/*/Size"), values(&new, "Rules/*/Size"));
    }

    #[test]
    fn an_object_overlaps_with_its_properties() {
        assert!(overlaps("Code/S3Key", "Code"));
        assert!(overlaps("Code", "Code/S3Key"));
        assert!(!overlaps("Code/S3Key", "Code/S3Bucket"));
        assert!(overlaps("Rules/*/Name", "Rules/3/Name"));
    }
}
