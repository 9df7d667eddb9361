//! What a change of a property does to a resource, as AWS's schemas say.

use std::{collections::HashMap, sync::OnceLock};

use serde_json::Value;

/// Written by `cargo xtask schema`.
const TABLE: &str = include_str!("replacement.tsv");

/// How sure a replacement is. Ordered: the surest is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// No schema is known for the type, so anything may happen.
    Unknown,
    /// The schema says that it depends.
    Conditional,
    /// The schema says so.
    Certain,
}

/// A type's properties whose change replaces the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behavior {
    certain: &'static str,
    conditional: &'static str,
}

impl Behavior {
    /// What the schemas say about a type; `None` for a type they do not know.
    #[must_use]
    pub fn of(resource_type: &str) -> Option<Self> {
        static ALL: OnceLock<HashMap<&'static str, Behavior>> = OnceLock::new();
        let all = ALL.get_or_init(|| TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(parse).collect());
        all.get(resource_type).copied()
    }

    /// Every path whose change replaces the resource, or may.
    pub fn paths(self) -> impl Iterator<Item = (&'static str, Certainty)> {
        let list = |text: &'static str| text.split(',').filter(|path| !path.is_empty());
        let certain = list(self.certain).map(|path| (path, Certainty::Certain));
        certain.chain(list(self.conditional).map(|path| (path, Certainty::Conditional)))
    }

    /// Does a change at this path of a template's properties (`/` between steps, numbers for items) replace the resource?
    #[must_use]
    pub fn requires(self, path: &str) -> Option<Certainty> {
        self.paths().filter(|(pattern, _)| touches(pattern, path)).map(|(_, certainty)| certainty).max()
    }

    /// Paths whose values differ and whose change replaces the resource.
    #[must_use]
    pub fn replaced_by(self, old: &Value, new: &Value) -> Vec<(&'static str, Certainty)> {
        self.paths().filter(|(pattern, _)| values(old, pattern) != values(new, pattern)).collect()
    }
}

fn parse(line: &'static str) -> Option<(&'static str, Behavior)> {
    let mut columns = line.split('\t');
    Some((columns.next()?, Behavior { certain: columns.next()?, conditional: columns.next()? }))
}

/// Is one path within the other? A whole object that changes may change what is in it.
fn touches(pattern: &str, path: &str) -> bool {
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

/// Every value at a path; lists on the way are looked into.
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
    fn the_table_knows_what_the_documentation_says() {
        let table = Behavior::of("AWS::DynamoDB::Table").expect("a known type");
        assert_eq!(table.requires("TableName"), Some(Certainty::Certain));
        assert_eq!(table.requires("KeySchema/0/AttributeName"), Some(Certainty::Conditional));
        assert_eq!(table.requires("BillingMode"), None);
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
    fn a_whole_object_touches_what_is_in_it() {
        assert!(touches("Code/S3Key", "Code"));
        assert!(touches("Code", "Code/S3Key"));
        assert!(!touches("Code/S3Key", "Code/S3Bucket"));
        assert!(touches("Rules/*/Name", "Rules/3/Name"));
    }
}
