//! Parses IAM policy statements and compares what they cover.
//!
//! The rules are those of the IAM user guide, "IAM JSON policy elements": a condition is met when all of its operators and keys
//! match; one of a key's values is enough, and none of a negated operator's may match. A statement counts as wider unless it is
//! known to be as narrow.

mod condition;
mod request;

use std::fmt;

use serde_json::Value;

pub use self::request::{Decision, Request, closest, decide};

/// Stands for the principal or resource that a statement leaves out: the one that its policy is attached to.
pub const ITSELF: &str = "itself";
/// Operators that are met by one value of a list (IAM user guide, "Conditions with multiple context keys or values").
const ANY_OF: [&str; 4] = ["ArnEquals", "ArnLike", "StringEquals", "StringLike"];

/// The effect of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It allows.
    Allow,
    /// It denies.
    Deny,
    /// A template expression decides.
    Unknown,
}

/// A parsed statement. The order of its lists does not affect equality.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyStatement {
    effect: Effect,
    principals: Patterns,
    actions: Patterns,
    resources: Patterns,
    condition: Value,
}

/// The principals, actions or resources of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Patterns {
    /// Those that match one of these patterns.
    Only(Vec<String>),
    /// Those that match none of these patterns.
    AllExcept(Vec<String>),
}

/// One principal, action or resource of a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern<'a> {
    /// Those that match this pattern.
    Text(&'a str),
    /// Those that match none of these patterns.
    AllExcept(&'a [String]),
}

/// A principal's action on a resource: one combination out of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission<'a> {
    principal: Pattern<'a>,
    action: Pattern<'a>,
    resource: Pattern<'a>,
}

/// Returns the items of a list, or a single value as a list of one: policies are written either way.
#[must_use]
pub fn list(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        Value::Null => &[],
        single => std::slice::from_ref(single),
    }
}

impl PolicyStatement {
    /// Parses a statement of a policy document.
    #[must_use]
    pub fn parse(statement: &Value) -> Self {
        let effect = match statement["Effect"].as_str() {
            Some("Allow") => Effect::Allow,
            Some("Deny") => Effect::Deny,
            _ => Effect::Unknown,
        };
        Self {
            effect,
            principals: Patterns::parse(statement, "Principal", principals),
            actions: Patterns::parse(statement, "Action", texts),
            resources: Patterns::parse(statement, "Resource", texts),
            condition: statement["Condition"].clone(),
        }
    }

    /// The statement's effect.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// The statement's principals; those of a federation or an account carry its kind, as in `Service sns.amazonaws.com`.
    #[must_use]
    pub fn principals(&self) -> &Patterns {
        &self.principals
    }

    /// The statement's actions.
    #[must_use]
    pub fn actions(&self) -> &Patterns {
        &self.actions
    }

    /// The statement's resources.
    #[must_use]
    pub fn resources(&self) -> &Patterns {
        &self.resources
    }

    /// Returns every combination of the statement's principals, actions and resources.
    #[must_use]
    pub fn permissions(&self) -> Vec<Permission<'_>> {
        let mut permissions = Vec::new();
        for principal in self.principals.each() {
            for action in self.actions.each() {
                for resource in self.resources.each() {
                    permissions.push(Permission { principal, action, resource });
                }
            }
        }
        permissions
    }

    /// Is the permission among the statement's, regardless of its condition?
    #[must_use]
    pub fn covers(&self, permission: &Permission<'_>) -> bool {
        // Actions have no case.
        let is_action = |pattern: &str, text: &str| matches(&pattern.to_lowercase(), &text.to_lowercase());
        self.principals.cover(permission.principal, matches)
            && self.actions.cover(permission.action, is_action)
            && self.resources.cover(permission.resource, matches)
    }

    /// Does the statement always apply?
    #[must_use]
    pub fn is_unconditional(&self) -> bool {
        fields(&self.condition).is_empty()
    }

    /// Is the statement's condition met whenever the other's is?
    #[must_use]
    pub fn applies_whenever(&self, other: &Self) -> bool {
        fields(&self.condition).into_iter().all(|(operator, keys)| {
            fields(keys).into_iter().all(|(key, values)| {
                // `…IfExists` is met more often than the operator without it.
                let names = [operator, operator.strip_suffix("IfExists").unwrap_or(operator)];
                names.iter().any(|name| {
                    let keys = fields(&other.condition[*name]).into_iter();
                    let mut same = keys.filter(|(other, _)| other.eq_ignore_ascii_case(key));
                    same.any(|(_, narrow)| is_within(operator, &texts(narrow), &texts(values)))
                })
            })
        })
    }

    /// Splits the condition into conditions of which one must be met: one per value, where one value of a list is enough.
    #[must_use]
    pub fn condition_alternatives(&self) -> Vec<Value> {
        let mut alternatives = vec![self.condition.clone()];
        for (operator, keys) in fields(&self.condition) {
            if !ANY_OF.contains(&operator.strip_suffix("IfExists").unwrap_or(operator)) {
                continue;
            }
            for (key, values) in fields(keys) {
                let with = |value: &Value| {
                    let mut alternatives = alternatives.clone();
                    alternatives.iter_mut().for_each(|condition| condition[operator][key] = value.clone());
                    alternatives
                };
                alternatives = list(values).iter().flat_map(with).collect();
            }
        }
        alternatives
    }
}

impl Patterns {
    /// Reads `<name>` or `Not<name>`. Policies of identities name no principal, and trust policies no resource.
    fn parse(statement: &Value, name: &str, read: fn(&Value) -> Vec<String>) -> Self {
        let sorted = |value: &Value| {
            let mut patterns = read(value);
            patterns.sort_unstable();
            patterns
        };
        if let Some(excepted) = statement.get(format!("Not{name}")) {
            return Self::AllExcept(sorted(excepted));
        }
        match statement.get(name).map(sorted).unwrap_or_default() {
            none if none.is_empty() => Self::Only(vec![ITSELF.to_owned()]),
            patterns => Self::Only(patterns),
        }
    }

    /// Returns the patterns one by one; what an exception leaves cannot be divided.
    fn each(&self) -> Vec<Pattern<'_>> {
        match self {
            Self::Only(patterns) => patterns.iter().map(|pattern| Pattern::Text(pattern)).collect(),
            Self::AllExcept(excepted) => vec![Pattern::AllExcept(excepted)],
        }
    }

    fn cover(&self, pattern: Pattern<'_>, matches: fn(&str, &str) -> bool) -> bool {
        match (self, pattern) {
            (Self::Only(patterns), Pattern::Text(text)) => patterns.iter().any(|pattern| matches(pattern, text)),
            (Self::Only(patterns), Pattern::AllExcept(_)) => patterns.iter().any(|pattern| pattern == "*"),
            // A pattern may match something that is excepted.
            (Self::AllExcept(excepted), Pattern::Text(text)) => {
                !text.contains(['*', '?']) && !excepted.iter().any(|pattern| matches(pattern, text))
            }
            (Self::AllExcept(excepted), Pattern::AllExcept(others)) => {
                excepted.iter().all(|excepted| others.iter().any(|pattern| matches(pattern, excepted)))
            }
        }
    }
}

impl fmt::Display for Pattern<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(formatter, "`{text}`"),
            Self::AllExcept(excepted) => write!(formatter, "all except `{}`", excepted.join("`, `")),
        }
    }
}

impl fmt::Display for Permission<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} on {}", self.action, self.resource)?;
        if self.principal == Pattern::Text(ITSELF) { Ok(()) } else { write!(formatter, " for {}", self.principal) }
    }
}

fn principals(principal: &Value) -> Vec<String> {
    let Value::Object(kinds) = principal else { return texts(principal) };
    let of_kind =
        |(kind, value): (&String, &Value)| texts(value).into_iter().map(|text| format!("{kind} {text}")).collect();
    kinds.iter().flat_map(|kind| -> Vec<String> { of_kind(kind) }).collect()
}

fn texts(value: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    list(value).iter().map(text).collect()
}

fn fields(value: &Value) -> Vec<(&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value)).collect()
}

/// Does a key match the wide values whenever it matches the narrow ones?
fn is_within(operator: &str, narrow: &[String], wide: &[String]) -> bool {
    let has_patterns = operator.contains("Like") || operator.contains("Arn");
    let reaches = |wide: &String, narrow: &String| wide == narrow || has_patterns && matches(wide, narrow);
    if operator.contains("Not") {
        // None of the values may match, so more values are narrower.
        wide.iter().all(|wide| narrow.iter().any(|narrow| reaches(narrow, wide)))
    } else {
        narrow.iter().all(|narrow| wide.iter().any(|wide| reaches(wide, narrow)))
    }
}

/// Does a pattern with `*` and `?` match all of a text? A `*` in the text stands for anything.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    compare(pattern, text, |letter| letter != '*')
}

/// Does a pattern with `*` and `?` match all of a text, which is no pattern itself?
fn fits(pattern: &str, text: &str) -> bool {
    compare(pattern, text, |_| true)
}

/// Compares a text with a pattern whose `?` matches the letters that `is_one` accepts.
fn compare(pattern: &str, text: &str, is_one: fn(char) -> bool) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut read, mut star) = (0, 0, None);
    while read < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(letter) if *letter == text[read] || *letter == '?' && is_one(text[read]) => {
                at += 1;
                read += 1;
            }
            _ => match star {
                Some((back, from)) => {
                    (at, read) = (back + 1, from + 1);
                    star = Some((back, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pattern_matches_texts_and_narrower_patterns() {
        for (pattern, text) in [
            ("*", ""),
            ("s3:*", "s3:get*"),
            ("a*c*e", "abcde"),
            ("a?c", "abc"),
            ("a*", "a*"),
            ("a-*-z", "a-b-z"),
            ("a/*", "a/b/*"),
            ("a", "a"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("s3:get*", "s3:*"),
            ("a?c", "a*c"),
            ("a", "ab"),
            ("a*c", "ab"),
            ("", "a"),
            ("a-*-z", "a-b-y"),
            ("a", "a/b"),
            ("a*c*e", "abde"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn lists_are_compared_as_sets_and_single_values_as_lists() {
        let parse =
            |actions: Value| PolicyStatement::parse(&json!({ "Effect": "Allow", "Action": actions, "Resource": "x" }));
        assert_eq!(parse(json!(["a:B", "a:C"])), parse(json!(["a:C", "a:B"])));
        assert_eq!(parse(json!("a:B")), parse(json!(["a:B"])));
        assert_ne!(parse(json!("a:B")), parse(json!("a:C")));
    }

    #[test]
    fn a_statement_covers_its_own_permissions_and_narrower_ones() {
        let parse = |statement: Value| PolicyStatement::parse(&statement);
        let wide = parse(json!({ "Effect": "Allow", "Action": "s3:*", "Resource": "*" }));
        let narrow = parse(json!({ "Effect": "Allow", "Action": ["S3:GetObject"], "Resource": "arn:x" }));
        let except = parse(json!({ "Effect": "Allow", "NotAction": "iam:*", "Resource": "*" }));
        let covers =
            |one: &PolicyStatement, other: &PolicyStatement| other.permissions().iter().all(|other| one.covers(other));
        for statement in [&wide, &narrow, &except] {
            assert!(covers(statement, statement), "{statement:?}");
        }
        assert!(covers(&wide, &narrow) && !covers(&narrow, &wide));
        assert!(covers(&except, &narrow) && !covers(&wide, &except));
    }
}
