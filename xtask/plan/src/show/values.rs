//! Old and new values of a property: short ones in one line, long ones as a line diff.

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::{changes::PropertyChange, policy};

/// The longest value that is printed behind a property's path, in bytes.
const SHORT: usize = 60;
/// Unchanged lines around a changed one.
const CONTEXT: usize = 2;
/// The longest line of a diff, in characters.
const LONG: usize = 160;
/// The characters around the differing part of a long line.
const AROUND: usize = 40;

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
    value.and_then(|value| serde_json::to_string_pretty(&expanded(value)).ok()).unwrap_or_default()
}

/// The value with long texts that hold JSON, such as the body of a dashboard, as JSON.
fn expanded(value: &Value) -> Value {
    match value {
        Value::String(text) if text.len() > SHORT => {
            let parsed = serde_json::from_str::<Value>(text).ok().filter(|value| value.is_object() || value.is_array());
            parsed.unwrap_or_else(|| value.clone())
        }
        Value::Array(items) => items.iter().map(expanded).collect(),
        Value::Object(object) => object.iter().map(|(key, value)| (key.clone(), expanded(value))).collect(),
        plain => plain.clone(),
    }
}

fn difference(old: &str, new: &str) -> Vec<String> {
    let diff = TextDiff::from_lines(old, new);
    let mut lines = Vec::new();
    for (index, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if index > 0 {
            lines.push("  …".to_owned());
        }
        for operation in group {
            let with = |tag: ChangeTag| {
                let changes = diff.iter_changes(operation).filter(move |change| change.tag() == tag);
                changes.map(|change| change.value().trim_end().to_owned()).collect::<Vec<_>>()
            };
            lines.extend(with(ChangeTag::Equal).iter().map(|line| format!("  {}", cut(line))));
            let (removed, added) = shortened(with(ChangeTag::Delete), with(ChangeTag::Insert));
            lines.extend(removed.iter().map(|line| format!("- {line}")));
            lines.extend(added.iter().map(|line| format!("+ {line}")));
        }
    }
    lines
}

/// Shortens long lines to what differs between a removed line and the added one in its place.
fn shortened(removed: Vec<String>, added: Vec<String>) -> (Vec<String>, Vec<String>) {
    if removed.len() != added.len() {
        return (removed.iter().map(|line| cut(line)).collect(), added.iter().map(|line| cut(line)).collect());
    }
    let shorten = |(old, new): (&String, &String)| {
        if old.chars().count().max(new.chars().count()) <= LONG { (old.clone(), new.clone()) } else { within(old, new) }
    };
    removed.iter().zip(&added).map(shorten).unzip()
}

/// The differing parts of two lines, each with some of the text around it.
fn within(old: &str, new: &str) -> (String, String) {
    let (old, new): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
    let same = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let rest = old.len().min(new.len()) - same;
    let same_end = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(old, new)| old == new).count();
    let part = |line: &[char]| {
        let start = same.saturating_sub(AROUND);
        let end = (line.len() - same_end + AROUND).min(line.len());
        let before = if start > 0 { "…" } else { "" };
        let after = if end < line.len() { "…" } else { "" };
        format!("{before}{}{after}", cut(&line[start..end].iter().collect::<String>()))
    };
    (part(&old), part(&new))
}

/// The start of a line that is too long to read.
fn cut(line: &str) -> String {
    match line.char_indices().nth(LONG) {
        Some((end, _)) => format!("{}… ({} characters)", &line[..end], line.chars().count()),
        None => line.to_owned(),
    }
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
    fn json_in_a_text_is_diffed_line_by_line() {
        let widget =
            |alarm: &str| json!({ "type": "alarm", "properties": { "alarms": [format!("arn:aws:x:{alarm}")] } });
        let body = |last: &str| {
            let mut widgets: Vec<_> = (0..50).map(|number| widget(&format!("alarm-{number}"))).collect();
            widgets.push(widget(last));
            json!({ "Fn::Sub": json!({ "widgets": widgets }).to_string() })
        };
        let lines = lines(&change("DashboardBody", body("old-name"), body("new-name")));
        assert!(lines.len() < 12 && lines.iter().all(|line| line.len() < 100), "{lines:#?}");
        assert!(
            lines.iter().any(|line| line.starts_with('-') && line.ends_with(r#""arn:aws:x:old-name""#)),
            "{lines:#?}"
        );
        assert!(
            lines.iter().any(|line| line.starts_with('+') && line.ends_with(r#""arn:aws:x:new-name""#)),
            "{lines:#?}"
        );
    }

    #[test]
    fn a_long_line_shows_what_differs_in_it() {
        let text = |word: &str| json!(format!("{}{word}{}", "a ".repeat(1000), "b ".repeat(1000)));
        let lines = lines(&change("Text", text("OLD"), text("NEW")));
        let [_, old, new] = lines.as_slice() else { panic!("{lines:?}") };
        assert!(old.starts_with("- …a a") && old.contains("a OLDb") && old.ends_with("b …"), "{old}");
        assert!(new.contains("a NEWb") && new.chars().count() < 100, "{new}");
        let only = super::lines(&PropertyChange { old: None, ..change("Text", json!(""), text("NEW")) });
        assert!(
            only.iter().all(|line| line.chars().count() < 200) && only[1].ends_with("(4005 characters)"),
            "{only:?}"
        );
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
