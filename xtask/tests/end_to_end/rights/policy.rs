//! Would IAM allow it? Enough of its evaluation for what roles of functions say:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>. What it does not know
//! it refuses to judge. It shares no code with the engine's matcher, with which it must agree.

use std::collections::BTreeMap;

use model::statements::Request;
use serde_json::{Map, Value};

/// What a call needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Need {
    /// For example `dynamodb:GetItem`.
    pub(super) action: String,
    /// An ARN.
    pub(super) resource: String,
    /// The condition keys that the request has.
    pub(super) context: BTreeMap<String, Vec<String>>,
}

impl Need {
    pub(super) fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { action: action.into(), resource: resource.into(), context: BTreeMap::new() }
    }

    /// What the engine recorded. A key without values is not in the request.
    pub(super) fn of(request: &Request) -> Self {
        let context = request.context().iter().filter(|(_, values)| !values.is_empty());
        let context = context.map(|(key, values)| (key.clone(), values.clone())).collect();
        Self { action: request.action().to_owned(), resource: request.resource().to_owned(), context }
    }

    pub(super) fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.context.entry(key.to_owned()).or_default().push(value.into());
        self
    }
}

/// A statement whose references are resolved.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    allows: bool,
    actions: Vec<String>,
    resources: Vec<String>,
    /// Is everything meant that is none of the actions?
    except_actions: bool,
    /// Is everything meant that is none of the resources?
    except: bool,
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone)]
struct Condition {
    /// For example `StringLike`, with `ForAllValues:` in front or `IfExists` behind.
    operator: String,
    key: String,
    values: Vec<String>,
}

impl Statement {
    /// Reads one; `resolve` turns its resources into texts.
    pub(super) fn read(statement: &Value, resolve: impl Fn(&Value) -> String) -> Self {
        let fields = statement.as_object().expect("a statement");
        let known = ["Action", "Condition", "Effect", "NotAction", "NotResource", "Resource", "Sid"];
        let unknown: Vec<_> = fields.keys().filter(|name| !known.contains(&name.as_str())).collect();
        assert!(unknown.is_empty(), "the evaluator does not know {unknown:?}: {statement}");
        let allows = match fields["Effect"].as_str() {
            Some("Allow") => true,
            Some("Deny") => false,
            other => panic!("no effect: {other:?}"),
        };
        let texts = |name: &str| several(&fields[name]).into_iter().map(&resolve).collect();
        let conditions = fields.get("Condition").and_then(Value::as_object);
        let conditions = conditions.map(|operators| conditions_of(operators, &resolve)).unwrap_or_default();
        let except = fields.contains_key("NotResource");
        let resources = texts(if except { "NotResource" } else { "Resource" });
        let except_actions = fields.contains_key("NotAction");
        let actions = texts(if except_actions { "NotAction" } else { "Action" });
        Self { allows, actions, resources, except_actions, except, conditions }
    }

    fn applies(&self, need: &Need) -> bool {
        let action = need.action.to_ascii_lowercase();
        self.actions.iter().any(|pattern| like(&pattern.to_ascii_lowercase(), &action)) != self.except_actions
            && self.resources.iter().any(|pattern| like(pattern, &need.resource)) != self.except
            && self.conditions.iter().all(|condition| condition.holds(need))
    }
}

/// Reads conditions. The stage is a value of encryption contexts, which is exchanged as in resources.
fn conditions_of(operators: &Map<String, Value>, resolve: impl Fn(&Value) -> String) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for (operator, keys) in operators {
        for (key, values) in keys.as_object().expect("condition keys") {
            let text = |value: &Value| value.as_str().expect("a text").to_owned();
            let is_context = key.starts_with("kms:EncryptionContext:");
            let values = several(values).into_iter().map(|value| if is_context { resolve(value) } else { text(value) });
            conditions.push(Condition { operator: operator.clone(), key: key.clone(), values: values.collect() });
        }
    }
    conditions
}

impl Condition {
    fn holds(&self, need: &Need) -> bool {
        let there = need.context.iter().find(|(key, _)| key.eq_ignore_ascii_case(&self.key)).map(|(_, values)| values);
        if self.operator == "Null" {
            return self.values.contains(&there.is_none().to_string());
        }
        let (quantifier, operator) = self.operator.split_once(':').unwrap_or(("", &self.operator));
        let (operator, if_exists) = operator.strip_suffix("IfExists").map_or((operator, false), |bare| (bare, true));
        let holds = |value: &String| match operator {
            "StringEquals" => self.values.contains(value),
            "StringLike" => self.values.iter().any(|pattern| like(pattern, value)),
            other => panic!("the evaluator does not know the operator {other}"),
        };
        match (quantifier, there) {
            // No values are all values.
            ("ForAllValues", there) => there.is_none_or(|values| values.iter().all(holds)),
            ("" | "ForAnyValue", Some(values)) => values.iter().any(holds),
            ("" | "ForAnyValue", None) => if_exists,
            (other, _) => panic!("the evaluator does not know the quantifier {other}"),
        }
    }
}

/// Do these statements allow it? One that denies beats all others.
pub(super) fn allows(statements: &[Statement], need: &Need) -> bool {
    let applying: Vec<&Statement> = statements.iter().filter(|statement| statement.applies(need)).collect();
    !applying.is_empty() && applying.iter().all(|statement| statement.allows)
}

/// One value, or several.
fn several(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |values| values.iter().collect())
}

/// Does a pattern with `*` and `?` match all of a text?
fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut place) = (0, 0);
    // Where the last star was, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while place < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, place));
                at += 1;
            }
            Some(character) if *character == '?' || *character == text[place] => {
                at += 1;
                place += 1;
            }
            _ => {
                let Some((star_at, taken)) = star else { return false };
                star = Some((star_at, taken + 1));
                at = star_at + 1;
                place = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|character| *character == '*')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn statements(statements: Value) -> Vec<Statement> {
        let resolve = |value: &Value| value.as_str().expect("a text").to_owned();
        statements.as_array().expect("a list").iter().map(|statement| Statement::read(statement, resolve)).collect()
    }

    #[test]
    fn stars_match_anything_and_marks_one_character() {
        for (pattern, text) in [("*", ""), ("a*c", "abbc"), ("a?c", "abc"), ("a*b*c", "aXbXbc"), ("abc", "abc")] {
            assert!(like(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("a*c", "abcd"), ("a?c", "ac"), ("abc", "ab"), ("ab", "abc")] {
            assert!(!like(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn action_and_resource_must_both_match() {
        let role =
            statements(json!([{"Effect": "Allow", "Action": ["s3:Get*"], "Resource": "arn:aws:s3:::b/videos/*"}]));
        assert!(allows(&role, &Need::new("s3:GetObject", "arn:aws:s3:::b/videos/x")));
        assert!(allows(&role, &Need::new("S3:getobject", "arn:aws:s3:::b/videos/x")));
        assert!(!allows(&role, &Need::new("s3:PutObject", "arn:aws:s3:::b/videos/x")));
        assert!(!allows(&role, &Need::new("s3:GetObject", "arn:aws:s3:::b/pdfs/x")));
        assert!(!allows(&[], &Need::new("s3:GetObject", "arn:aws:s3:::b/videos/x")));
    }

    #[test]
    fn all_but_some_is_everything_else() {
        let role =
            statements(json!([{"Effect": "Allow", "Action": "sns:Publish", "NotResource": "arn:aws:sns:*:*:*"}]));
        assert!(allows(&role, &Need::new("sns:Publish", "+4900000")));
        assert!(!allows(&role, &Need::new("sns:Publish", "arn:aws:sns:r:1:topic")));
        assert!(!allows(&role, &Need::new("sns:Subscribe", "+4900000")));
    }

    #[test]
    fn who_denies_wins() {
        let role = statements(json!([
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": "dynamodb:Scan", "Resource": "*"},
        ]));
        assert!(allows(&role, &Need::new("dynamodb:Query", "t")));
        assert!(!allows(&role, &Need::new("dynamodb:Scan", "t")));
    }

    #[test]
    fn a_context_may_be_required() {
        let role = statements(json!([{
            "Effect": "Allow", "Action": "kms:Decrypt", "Resource": "k",
            "Condition": { "Null": { "kms:EncryptionContextKeys": "false" } },
        }]));
        let need = || Need::new("kms:Decrypt", "k");
        assert!(allows(&role, &need().with("kms:EncryptionContextKeys", "stage")) && !allows(&role, &need()));
    }

    #[test]
    fn conditions_need_their_keys() {
        let with = |operator: &str| {
            statements(json!([{
                "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "b",
                "Condition": {operator: {"s3:prefix": ["videos/*", "chunks/*"]}},
            }]))
        };
        let need = || Need::new("s3:ListBucket", "b");
        let (inside, outside) = (need().with("s3:prefix", "chunks/a/"), need().with("s3:prefix", "other/"));
        for (operator, without) in [
            ("StringLike", false),
            ("StringLikeIfExists", true),
            ("ForAllValues:StringLike", true),
            ("ForAnyValue:StringLike", false),
        ] {
            let role = with(operator);
            assert!(allows(&role, &inside) && !allows(&role, &outside), "{operator}");
            assert_eq!(allows(&role, &need()), without, "{operator}");
        }
        let both = need().with("s3:prefix", "videos/a").with("s3:prefix", "other/");
        assert!(!allows(&with("ForAllValues:StringLike"), &both));
        assert!(allows(&with("ForAnyValue:StringLike"), &both));
    }
}
