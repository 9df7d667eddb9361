//! Compares the recorded calls of functions with their roles in another stage.

use std::collections::BTreeMap;

use model::statements::{Decision, Effect, Pattern, Permission, PolicyStatement, Request, closest, decide};
use serde::Serialize;

use super::{recorder::Recorded, roles::Role};

/// Actions that Lambda itself calls with a function's role (Lambda developer guide, "Defining Lambda function permissions with an
/// execution role"): logs, traces, network interfaces, and reading from queues and streams. A recording does not see them.
const OF_LAMBDA: [&str; 11] = [
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
    "ec2:",
    "kinesis:",
    "logs:",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
    "xray:",
];

/// How the recorded calls of functions compare with their roles.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Judgement {
    /// The calls that the roles would refuse.
    pub refused: Vec<Refused>,
    /// The calls that depend on a condition whose keys a recording does not know.
    pub conditional: Vec<Refused>,
    /// The calls that cannot be judged, because their actions are not known.
    pub unknown: Vec<Unknown>,
    /// The grants that no call used.
    pub unused: Vec<Unused>,
    /// The functions that made no call.
    pub silent: Vec<String>,
    /// The functions that the other stage does not have.
    pub absent: Vec<String>,
    /// The parts of the roles that could not be read.
    pub unread: Vec<String>,
}

/// A call that a role would refuse.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// The function.
    pub function: String,
    /// The action.
    pub action: String,
    /// The resource, as it is named here.
    pub resource: String,
    /// What refuses it: the statement that denies it, or the one that comes closest to allowing it.
    pub reason: String,
}

/// A call whose action is not known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unknown {
    /// The function.
    pub function: String,
    /// The call, in words.
    pub call: String,
}

/// A grant that no call used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unused {
    /// The function.
    pub function: String,
    /// The action, with its wildcards.
    pub action: String,
    /// The resource, with its wildcards.
    pub resource: String,
    /// Whether Lambda itself uses such a grant.
    pub used_by_lambda: bool,
}

impl Judgement {
    /// Returns whether every recorded call would be allowed.
    #[must_use]
    pub const fn passes(&self) -> bool {
        self.refused.is_empty() && self.unknown.is_empty()
    }
}

/// Judges the recorded calls, by function.
#[must_use]
pub fn judge(recorded: &BTreeMap<String, Recorded>, roles: &[Role]) -> Judgement {
    let mut judgement = Judgement::default();
    for (function, recorded) in recorded {
        let unknown = recorded.unknown.iter();
        judgement.unknown.extend(unknown.map(|call| Unknown { function: function.clone(), call: call.clone() }));
        let Some(role) = roles.iter().find(|role| role.function == *function) else {
            judgement.absent.push(function.clone());
            continue;
        };
        if recorded.requests.is_empty() && recorded.unknown.is_empty() {
            judgement.silent.push(function.clone());
        }
        recorded.requests.iter().for_each(|request| judgement.add(request, role));
        judgement.unused.extend(unused(role, recorded));
        judgement.unread.extend(role.unread.iter().map(|unread| format!("{function}: {unread}")));
    }
    judgement
}

impl Judgement {
    fn add(&mut self, request: &Request, role: &Role) {
        let of_role = refusal(&role.statements, request, "");
        let of_boundary = role
            .boundary
            .as_ref()
            .and_then(|boundary| refusal(boundary, &role.elsewhere(request), "the permissions boundary: "));
        let refusals: Vec<_> = of_role.into_iter().chain(of_boundary).collect();
        let certain = refusals.iter().find(|(is_certain, _)| *is_certain);
        if let Some((is_certain, reason)) = certain.or(refusals.first()).cloned() {
            let list = if is_certain { &mut self.refused } else { &mut self.conditional };
            let (action, resource) = (request.action().to_owned(), request.resource().to_owned());
            list.push(Refused { function: role.function.clone(), action, resource, reason });
        }
    }
}

/// Why statements refuse a request, and whether that is certain; `None` where they allow it.
fn refusal(statements: &[PolicyStatement], request: &Request, what: &str) -> Option<(bool, String)> {
    let (is_certain, reason) = match decide(statements, request) {
        Decision::Allowed => return None,
        Decision::Conditional(statement) => (false, format!("depends on: {statement}")),
        Decision::Denied(statement) => (true, format!("denied by: {statement}")),
        Decision::NotAllowed => match closest(statements, request) {
            Some(statement) => (true, format!("closest: {statement}")),
            None => (true, "no statement covers the service".to_owned()),
        },
    };
    Some((is_certain, format!("{what}{reason}")))
}

fn unused(role: &Role, recorded: &Recorded) -> Vec<Unused> {
    let allowing = role.statements.iter().filter(|statement| statement.effect() == Effect::Allow);
    let grants = allowing.flat_map(PolicyStatement::permissions);
    let is_used = |grant: &Permission<'_>| recorded.requests.iter().any(|request| grant.is_for(request));
    let mut unused: Vec<_> = grants
        .filter(|grant| !is_used(grant))
        .map(|grant| {
            let (action, resource) = (plain(grant.action()), plain(grant.resource()));
            let used_by_lambda = OF_LAMBDA.iter().any(|own| action.starts_with(own));
            Unused { function: role.function.clone(), action, resource, used_by_lambda }
        })
        .collect();
    unused.sort();
    unused.dedup();
    unused
}

fn plain(pattern: Pattern<'_>) -> String {
    match pattern {
        Pattern::Text(text) => text.to_owned(),
        Pattern::AllExcept(_) => pattern.to_string().replace('`', ""),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;

    fn role(statements: &Value, boundary: Option<&Value>) -> Role {
        let parse = |statements: &Value| -> Vec<_> {
            statements.as_array().expect("a list").iter().map(PolicyStatement::parse).collect()
        };
        Role {
            function: "notes-api-local".to_owned(),
            statements: parse(statements),
            boundary: boundary.map(parse),
            unread: BTreeSet::new(),
            tags: [("arn:pool/own".to_owned(), vec![("aws:ResourceTag/stage".to_owned(), "prod".to_owned())])].into(),
            renamed: [("table/odd".to_owned(), "table/notes-local".to_owned())].into(),
        }
    }

    fn judged(role: Role, requests: &[Request]) -> Judgement {
        let recorded = Recorded { requests: requests.iter().cloned().collect(), unknown: BTreeSet::new() };
        judge(&[(role.function.clone(), recorded)].into(), &[role])
    }

    #[test]
    fn a_call_without_a_grant_is_refused_with_the_closest_statement() {
        let role = role(
            &json!([
                {"Effect": "Allow", "Action": ["dynamodb:Query", "dynamodb:GetItem"], "Resource": "arn:t/notes"},
                {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"},
            ]),
            None,
        );
        let used = Request::new("dynamodb:Query", "arn:t/notes");
        let judgement = judged(role, &[used, Request::new("dynamodb:PutItem", "arn:t/notes")]);
        assert!(!judgement.passes());
        let [refused] = judgement.refused.as_slice() else { panic!("{judgement:#?}") };
        assert_eq!((refused.action.as_str(), refused.resource.as_str()), ("dynamodb:PutItem", "arn:t/notes"));
        assert_eq!(refused.reason, "closest: allow dynamodb:GetItem, dynamodb:Query on arn:t/notes");
        let unused: Vec<_> = judgement.unused.iter().map(|one| (one.action.as_str(), one.used_by_lambda)).collect();
        assert_eq!(unused, [("dynamodb:GetItem", false), ("logs:PutLogEvents", true)]);
    }

    #[test]
    fn a_boundary_limits_pools_by_the_tags_that_the_other_stage_gives_them() {
        let all = json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}]);
        let tagged = json!([{
            "Effect": "Allow", "Action": "cognito-idp:ListUsers", "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceTag/stage": "prod"}},
        }]);
        let judgement = judged(role(&all, Some(&tagged)), &[Request::new("cognito-idp:ListUsers", "arn:pool/own")]);
        assert!(judgement.passes() && judgement.conditional.is_empty(), "{judgement:#?}");
        let judgement = judged(role(&all, Some(&tagged)), &[Request::new("cognito-idp:ListUsers", "arn:pool/other")]);
        assert_eq!(judgement.conditional.len(), 1, "{judgement:#?}");
    }

    #[test]
    fn a_boundary_limits_the_role_under_the_names_of_the_other_stage() {
        let all = json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}]);
        let limit = json!([{"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*table/notes-*"},
                           {"Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*secret:key-??????"}]);
        let judgement = judged(
            role(&all, Some(&limit)),
            &[
                Request::new("dynamodb:Query", "arn:aws:dynamodb:r:1:table/odd/index/by-day"),
                Request::new("dynamodb:Query", "arn:aws:dynamodb:r:1:table/other"),
                Request::new("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:r:1:secret:key"),
            ],
        );
        let [refused] = judgement.refused.as_slice() else { panic!("{judgement:#?}") };
        assert_eq!(refused.resource, "arn:aws:dynamodb:r:1:table/other");
        assert!(refused.reason.starts_with("the permissions boundary: closest: "), "{}", refused.reason);
    }

    #[test]
    fn an_undecided_condition_is_no_refusal_and_an_unknown_call_is_a_failure() {
        let condition = json!({"StringEquals": {"aws:PrincipalTag/team": "a"}});
        let role = role(&json!([{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}]), None);
        let judgement = judged(role.clone(), &[Request::new("sqs:SendMessage", "q")]);
        assert!(judgement.passes() && judgement.conditional.len() == 1, "{judgement:#?}");
        let unknown = Recorded { requests: BTreeSet::new(), unknown: ["kms Decrypt".to_owned()].into() };
        let judgement = judge(&[(role.function.clone(), unknown)].into(), std::slice::from_ref(&role));
        assert!(!judgement.passes(), "{judgement:#?}");
        let nothing = judge(&[("notes-api-local".to_owned(), Recorded::default())].into(), &[role]);
        assert_eq!(nothing.silent, ["notes-api-local"]);
        let other = judge(&[("other".to_owned(), Recorded::default())].into(), &[]);
        assert_eq!((other.absent.as_slice(), other.passes()), (["other".to_owned()].as_slice(), true));
    }
}
