//! How much the pipeline's policies take of IAM's limits, and how statements are packed into policies.

use serde_json::Value;

use super::pipeline::STACK;
use crate::{
    parts::policy::{self, Statement},
    rendered::RenderedStack,
    stage::partition,
    statements::list,
    template::value::REASON,
};

/// The maximum length of a managed policy in characters, without white space (IAM user guide, "IAM and AWS STS quotas").
pub(super) const POLICY_LIMIT: usize = 6_144;
/// The maximum length of a role's inline policies in characters, without white space (the same page).
pub(super) const INLINE_LIMIT: usize = 10_240;
/// The length from which on statements are in managed policies, because inline policies would soon be full.
pub(super) const INLINE_FULL: usize = 8_000;
/// The maximum number of managed policies of a role, unless the account's quota was raised (the same page).
pub(super) const POLICIES_LIMIT: usize = 10;

/// How much of one limit is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// The role or policy, in words.
    pub what: String,
    /// The used number.
    pub used: usize,
    /// The limit.
    pub limit: usize,
    /// The unit, in the plural.
    pub unit: &'static str,
}

impl Usage {
    /// Returns whether at least four fifths are used.
    #[must_use]
    pub const fn is_nearly_full(&self) -> bool {
        self.used * 5 >= self.limit * 4
    }
}

impl std::fmt::Display for Usage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {} of {} {}", self.what, self.used, self.limit, self.unit)
    }
}

/// Returns how full the roles and the boundary of stack `pipeline` are; nothing for other stacks. `region` is the stage's.
#[must_use]
pub fn usages(stack: &RenderedStack, region: &str) -> Vec<Usage> {
    if stack.system != super::SYSTEM || stack.stack != STACK {
        return Vec::new();
    }
    let resources = &stack.template["Resources"];
    let mut usages = Vec::new();
    let boundary = &resources["RoleBoundary"]["Properties"]["PolicyDocument"];
    if boundary.is_object() {
        let (what, used) = ("permissions boundary".to_owned(), length(boundary, region));
        usages.push(Usage { what, used, limit: POLICY_LIMIT, unit: "characters" });
    }
    for (logical_id, what) in
        [("ExecutionRole", "CloudFormation's role"), ("DeployRole", "deploy role"), ("PlanRole", "plan role")]
    {
        let properties = &resources[logical_id]["Properties"];
        let inline = list(&properties["Policies"]).iter().map(|policy| length(&policy["PolicyDocument"], region)).sum();
        let managed = list(&properties["ManagedPolicyArns"]).len();
        let what = what.to_owned();
        if managed > 0 {
            usages.push(Usage { what, used: managed, limit: POLICIES_LIMIT, unit: "managed policies" });
        } else if inline > 0 {
            usages.push(Usage { what, used: inline, limit: INLINE_LIMIT, unit: "characters inline" });
        }
    }
    usages
}

/// Returns the length of a document in characters as IAM counts it: without white space, with the values of pseudo parameters, and
/// without the reasons of statements, which are metadata.
pub(super) fn length(document: &Value, region: &str) -> usize {
    filled(document, region).to_string().len()
}

fn filled(value: &Value, region: &str) -> Value {
    match value {
        Value::Object(fields) => match fields.get("Fn::Sub").map(|text| text.as_str().or_else(|| text[0].as_str())) {
            Some(Some(text)) => {
                let text = text.replace("${AWS::Partition}", partition(region)).replace("${AWS::Region}", region);
                // An account's number has 12 digits.
                Value::String(text.replace("${AWS::AccountId}", "111122223333"))
            }
            _ => {
                let others = fields.iter().filter(|(name, _)| *name != REASON);
                others.map(|(name, value)| (name.clone(), filled(value, region))).collect()
            }
        },
        Value::Array(items) => items.iter().map(|item| filled(item, region)).collect(),
        scalar => scalar.clone(),
    }
}

/// Packs statements into as few policies as possible without changing their order much: each goes into the first policy with room.
pub(super) fn pack(statements: &[Statement], region: &str) -> Vec<Vec<Statement>> {
    let mut packed: Vec<(usize, Vec<Statement>)> = Vec::new();
    let empty = length(&policy::document(&[]), region);
    for statement in statements {
        // A comma separates statements.
        let own = length(&policy::document(std::slice::from_ref(statement)), region) - empty + 1;
        match packed.iter().position(|(used, _)| used + own <= POLICY_LIMIT) {
            Some(index) => {
                packed[index].0 += own;
                packed[index].1.push(statement.clone());
            }
            None => packed.push((empty + own, vec![statement.clone()])),
        }
    }
    packed.into_iter().map(|(_, statements)| statements).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::template::{Expression, Text};

    fn statement(action: &str) -> Statement {
        let arn = Expression::sub("arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:a", []);
        Statement::allow([action], [Text::from(arn)]).because("A reason of many characters is not part of the policy.")
    }

    #[test]
    fn a_document_is_as_long_as_iam_counts_it() {
        let expected = json!({ "Action": ["sqs:SendMessage"], "Effect": "Allow", "Resource": [
            "arn:aws:sqs:eu-central-1:111122223333:a"
        ]});
        let expected = json!({ "Statement": [expected], "Version": "2012-10-17" }).to_string().len();
        let document = policy::document(&[statement("sqs:SendMessage")]);
        assert_eq!(length(&document, "eu-central-1"), expected, "{document}");
        assert_eq!(
            length(&document, "us-gov-west-1"),
            expected + "us-gov-west-1aws-us-gov".len() - "eu-central-1aws".len()
        );
    }

    #[test]
    fn statements_fill_policies_up_to_the_limit_and_none_is_lost() {
        let actions: Vec<_> = (0..200).map(|number| format!("sqs:{}{number}", "Action".repeat(number % 9))).collect();
        let statements: Vec<_> = actions.iter().map(|action| statement(action)).collect();
        let packed = pack(&statements, "eu-central-1");
        let lengths: Vec<_> = packed.iter().map(|all| length(&policy::document(all), "eu-central-1")).collect();
        assert!(lengths.iter().all(|length| *length <= POLICY_LIMIT), "{lengths:?}");
        let (_, full) = lengths.split_last().expect("policies");
        assert!(full.iter().all(|length| *length > POLICY_LIMIT - 300), "{lengths:?}");
        assert_eq!(packed.iter().map(Vec::len).sum::<usize>(), statements.len());
    }
}
