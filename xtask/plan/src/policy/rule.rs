//! A statement taken apart, to tell whether another is at least as wide.
//!
//! The rules are those of the IAM user guide, "IAM JSON policy elements": of a condition's operators and keys all must hold, of
//! a key's values one must, of a negated operator's none may. What is not known to be as narrow counts as wider.

use std::fmt;

use serde_json::Value;

use super::{principals, texts};

/// What a statement says of principals, actions or resources.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Set {
    /// These, each a pattern.
    Of(Vec<String>),
    /// All but these.
    But(Vec<String>),
}

/// One principal, action or resource of a statement, or all that it leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Element<'a> {
    One(&'a str),
    AllBut(&'a [String]),
}

/// A statement that allows or denies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    principals: Set,
    actions: Set,
    resources: Set,
    condition: Value,
}

/// One of the calls that a statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call<'a> {
    principal: Element<'a>,
    action: Element<'a>,
    resource: Element<'a>,
}

impl Set {
    /// Statements of identities name no principal, those of some resources no resource: both mean the policy's own.
    fn read(statement: &Value, name: &str, read: fn(&Value) -> Vec<String>) -> Self {
        match statement.get(format!("Not{name}")) {
            Some(but) => Self::But(read(but)),
            None => match statement.get(name).map(read).unwrap_or_default() {
                none if none.is_empty() => Self::Of(vec!["itself".to_owned()]),
                some => Self::Of(some),
            },
        }
    }

    fn elements(&self) -> Vec<Element<'_>> {
        match self {
            Self::Of(patterns) => patterns.iter().map(|pattern| Element::One(pattern)).collect(),
            Self::But(left) => vec![Element::AllBut(left)],
        }
    }

    fn covers(&self, element: &Element<'_>, like: fn(&str, &str) -> bool) -> bool {
        match (self, element) {
            (Self::Of(patterns), Element::One(text)) => patterns.iter().any(|pattern| like(pattern, text)),
            (Self::Of(patterns), Element::AllBut(_)) => patterns.iter().any(|pattern| pattern == "*"),
            // A pattern may reach into what is left out.
            (Self::But(left), Element::One(text)) => {
                !text.contains(['*', '?']) && !left.iter().any(|pattern| like(pattern, text))
            }
            (Self::But(left), Element::AllBut(without)) => {
                left.iter().all(|left| without.iter().any(|pattern| like(pattern, left)))
            }
        }
    }
}

impl Rule {
    /// The statements that have this effect.
    #[must_use]
    pub fn all(statements: &[Value], effect: &str) -> Vec<Self> {
        let having = statements.iter().filter(|statement| statement["Effect"] == effect);
        having.map(Self::of).collect()
    }

    fn of(statement: &Value) -> Self {
        Self {
            principals: Set::read(statement, "Principal", principals),
            actions: Set::read(statement, "Action", texts),
            resources: Set::read(statement, "Resource", texts),
            condition: statement["Condition"].clone(),
        }
    }

    /// The calls it is about.
    #[must_use]
    pub fn calls(&self) -> Vec<Call<'_>> {
        let mut calls = Vec::new();
        for principal in self.principals.elements() {
            for action in self.actions.elements() {
                for resource in self.resources.elements() {
                    calls.push(Call { principal: principal.clone(), action: action.clone(), resource });
                }
            }
        }
        calls
    }

    /// Is the call one of those it is about, whatever its condition?
    #[must_use]
    pub fn covers(&self, call: &Call<'_>) -> bool {
        // The case of an action means nothing.
        let action = |pattern: &str, text: &str| like(&pattern.to_lowercase(), &text.to_lowercase());
        self.principals.covers(&call.principal, like)
            && self.actions.covers(&call.action, action)
            && self.resources.covers(&call.resource, like)
    }

    /// Has it no condition?
    #[must_use]
    pub fn is_free(&self) -> bool {
        fields(&self.condition).is_empty()
    }

    /// Does its condition hold whenever the other's does?
    #[must_use]
    pub fn holds_whenever(&self, other: &Self) -> bool {
        let every = fields(&self.condition);
        every.into_iter().all(|(operator, keys)| {
            fields(keys).into_iter().all(|(key, values)| {
                // `…IfExists` holds more often than the operator without it.
                let names = [operator, operator.strip_suffix("IfExists").unwrap_or(operator)];
                names.iter().any(|name| {
                    let keys = fields(&other.condition[*name]).into_iter();
                    let mut same = keys.filter(|(other, _)| other.eq_ignore_ascii_case(key));
                    same.any(|(_, narrow)| is_within(operator, &texts(narrow), &texts(values)))
                })
            })
        })
    }
}

fn fields(value: &Value) -> Vec<(&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value)).collect()
}

/// Does a key hold against the wide values whenever it does against the narrow ones?
fn is_within(operator: &str, narrow: &[String], wide: &[String]) -> bool {
    let patterns = operator.contains("Like") || operator.contains("Arn");
    let reaches = |wide: &String, narrow: &String| wide == narrow || patterns && like(wide, narrow);
    if operator.contains("Not") {
        // None of these may match, so more of them are narrower.
        wide.iter().all(|wide| narrow.iter().any(|narrow| reaches(narrow, wide)))
    } else {
        narrow.iter().all(|narrow| wide.iter().any(|wide| reaches(wide, narrow)))
    }
}

impl fmt::Display for Element<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(text) => write!(formatter, "`{text}`"),
            Self::AllBut(left) => write!(formatter, "all but `{}`", left.join("`, `")),
        }
    }
}

impl fmt::Display for Call<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} on {}", self.action, self.resource)?;
        if self.principal == Element::One("itself") { Ok(()) } else { write!(formatter, " for {}", self.principal) }
    }
}

/// Does a pattern, with `*` and `?`, reach all of a text, whose own `*` may be anything?
fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut read, mut star) = (0, 0, None);
    while read < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(letter) if *letter == text[read] || *letter == '?' && text[read] != '*' => {
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
    use super::*;

    #[test]
    fn a_pattern_reaches_texts_and_narrower_patterns() {
        for (pattern, text) in [("*", ""), ("s3:*", "s3:get*"), ("a*c*e", "abcde"), ("a?c", "abc"), ("a*", "a*")] {
            assert!(like(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("s3:get*", "s3:*"), ("a?c", "a*c"), ("a", "ab"), ("a*c", "ab"), ("", "a")] {
            assert!(!like(pattern, text), "{pattern} {text}");
        }
    }
}
