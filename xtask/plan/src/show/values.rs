//! Old and new values of a property: short ones in one line, long ones as a line diff.

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::{changes::PropertyChange, policy};

/// The longest value that is printed behind a property's path, in bytes.
const SHORT: usize = 60;
/// Unchanged lines around a changed one.
const CONTEXT: usize = 2;

/// Returns a property's change as lines. Those of a diff start with `+`, `-` or a space.
pub(super) fn lines(change: &PropertyChange) -> Vec<String> {
    let path = &change.path;
    if let Some(target) = &change.follows {
        return vec![format!("{path}: known after the deploy; changes with {target}")];
    }
    if path == "Statement" || path.ends_with("/Statement") {
        return statements(change);
    }
    match (&change.old, &change.new) {
        (Some(old), Some(new)) if is_short(old) && is_short(new) => vec![format!("{path}: {old} → {new}")],
        (None, Some(new)) if is_short(new) => vec![format!("{path}: + {new}")],
        (Some(old), None) if is_short(old) => vec![format!("{path}: - {old}")],
        (old, new) => {
            let (old, new) = (pretty(old.as_ref()), pretty(new.as_ref()));
            let mut lines = vec![format!("{path}:")];
            lines.extend(difference(&old, &new));
            lines
        }
    }
}

fn is_short(value: &Value) -> bool {
    value.to_string().len() <= SHORT
}

fn pretty(value: Option<&Value>) -> String {
    value.and_then(|value| serde_json::to_string_pretty(value).ok()).unwrap_or_default()
}

fn difference(old: &str, new: &str) -> Vec<String> {
    let diff = TextDiff::from_lines(old, new);
    let mut lines = Vec::new();
    for (index, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if index > 0 {
            lines.push("  …".to_owned());
        }
        for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            lines.push(format!("{sign} {}", change.value().trim_end()));
        }
    }
    lines
}

/// Statements are compared as a set: the removed ones, then the added ones.
fn statements(change: &PropertyChange) -> Vec<String> {
    let (removed, added) = policy::difference(change.old.as_ref(), change.new.as_ref());
    let mut lines = vec![format!("{}:", change.path)];
    if removed.is_empty() && added.is_empty() {
        lines.push("  the same statements in another order".to_owned());
    }
    let all = removed.iter().map(|statement| ('-', statement)).chain(added.iter().map(|statement| ('+', statement)));
    for (sign, statement) in all {
        lines.extend(pretty(Some(statement)).lines().map(|line| format!("{sign} {line}")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(path: &str, old: Value, new: Value) -> PropertyChange {
        PropertyChange { path: path.to_owned(), old: Some(old), new: Some(new), follows: None }
    }

    #[test]
    fn short_values_take_one_line_and_long_ones_are_diffed() {
        assert_eq!(lines(&change("MemorySize", json!(128), json!(256))), ["MemorySize: 128 → 256"]);
        let list = |last: &str| json!({ "a": vec!["one"; 20], "b": last });
        let lines = lines(&change("Long", list("x"), list("y")));
        assert!(lines.contains(&r#"-   "b": "x""#.to_owned()), "{lines:?}");
        assert!(lines.contains(&r#"+   "b": "y""#.to_owned()), "{lines:?}");
        assert!(lines.len() < 10, "unchanged lines are left out: {lines:?}");
    }

    #[test]
    fn statements_are_compared_as_a_set() {
        let old = json!([{ "Action": "a" }, { "Action": "b" }]);
        let new = json!([{ "Action": "b" }, { "Action": "c" }]);
        let lines = lines(&change("PolicyDocument/Statement", old, new)).join("\n");
        assert!(
            lines.contains(r#"-     "a""#) && lines.contains(r#"+     "c""#) && !lines.contains(r#""b""#),
            "{lines}"
        );
    }
}
