//! Evaluates the condition of a statement in the context of a request (IAM user guide, "Condition operators" and "Conditions with
//! multiple context keys or values").

use std::collections::BTreeMap;

use serde_json::Value;

use super::{fields, fits, request::Met, texts};

/// Returns whether a condition is met: every key of every operator must be.
pub(super) fn met(condition: &Value, context: &BTreeMap<String, Vec<String>>) -> Met {
    let keys = fields(condition).into_iter().flat_map(|(operator, keys)| {
        fields(keys).into_iter().map(move |(key, values)| Key { operator, key, values: texts(values) })
    });
    keys.map(|key| key.met(context)).min().unwrap_or(Met::Yes)
}

/// One key of a condition.
struct Key<'a> {
    /// For example `StringLike`, with `ForAllValues:` in front of it or `IfExists` behind it.
    operator: &'a str,
    key: &'a str,
    values: Vec<String>,
}

impl Key<'_> {
    fn met(&self, context: &BTreeMap<String, Vec<String>>) -> Met {
        let known = context.iter().find(|(key, _)| key.eq_ignore_ascii_case(self.key));
        let Some((_, actual)) = known else { return Met::Unknown };
        let (quantifier, operator) = self.operator.split_once(':').unwrap_or(("", self.operator));
        let (operator, if_exists) =
            operator.strip_suffix("IfExists").map_or((operator, false), |operator| (operator, true));
        if operator == "Null" {
            let is_absent = actual.is_empty().to_string();
            return decided(self.values.iter().any(|value| value.eq_ignore_ascii_case(&is_absent)));
        }
        let Some(operator) = Operator::parse(operator) else { return Met::Unknown };
        if actual.is_empty() {
            // A negated operator is met by an absent key, and all of no values are as required.
            return decided(if_exists || quantifier == "ForAllValues" || quantifier.is_empty() && operator.is_negated);
        }
        let is_met = |value: &String| operator.is_met(value, &self.values);
        match quantifier {
            "ForAllValues" => decided(actual.iter().all(is_met)),
            "" if operator.is_negated => decided(actual.iter().all(is_met)),
            "" | "ForAnyValue" => decided(actual.iter().any(is_met)),
            _ => Met::Unknown,
        }
    }
}

fn decided(is_met: bool) -> Met {
    if is_met { Met::Yes } else { Met::No }
}

/// How a value of the request is compared with those of the condition.
struct Operator {
    is_negated: bool,
    is_equal: fn(&str, &str) -> bool,
}

impl Operator {
    /// Returns the operator of this name; `None` for numbers, dates, addresses and binary data, which are not evaluated.
    fn parse(name: &str) -> Option<Self> {
        let (is_negated, is_equal): (bool, fn(&str, &str) -> bool) = match name {
            "StringEquals" => (false, |pattern, text| pattern == text),
            "StringNotEquals" => (true, |pattern, text| pattern == text),
            "StringEqualsIgnoreCase" | "Bool" => (false, |pattern, text| pattern.eq_ignore_ascii_case(text)),
            "StringNotEqualsIgnoreCase" => (true, |pattern, text| pattern.eq_ignore_ascii_case(text)),
            "StringLike" => (false, fits),
            "StringNotLike" => (true, fits),
            "ArnEquals" | "ArnLike" => (false, is_arn_like),
            "ArnNotEquals" | "ArnNotLike" => (true, is_arn_like),
            _ => return None,
        };
        Some(Self { is_negated, is_equal })
    }

    /// One of the values is enough; of a negated operator, none may be equal.
    fn is_met(&self, text: &str, values: &[String]) -> bool {
        values.iter().any(|value| (self.is_equal)(value, text)) != self.is_negated
    }
}

/// Each of an ARN's six parts is compared on its own, so a wildcard does not match a colon before the resource.
fn is_arn_like(pattern: &str, arn: &str) -> bool {
    let (patterns, parts) = (pattern.splitn(6, ':'), arn.splitn(6, ':'));
    let (patterns, parts): (Vec<_>, Vec<_>) = (patterns.collect(), parts.collect());
    patterns.len() == parts.len() && patterns.iter().zip(parts).all(|(pattern, part)| fits(pattern, part))
}
