//! Misspelt actions: IAM accepts an action that no service has, and it allows nothing.
//!
//! The validator's data lists the actions of each service that have resources (Service Authorization Reference). An action without
//! resources is granted on `*` only, so an action on named resources must be in the list. Foundation is left out: its actions come
//! from the resource schemas, which also name internal ones.

use std::{collections::BTreeSet, sync::OnceLock};

use data_source::{embedded::IAM_ACTION_RESOURCE_PATTERNS_BYTES, types::IamActionResourcePatterns};
use model::{foundation, rendered::RenderedStack, requirements::granted_actions, stage::closest};

use super::{Finding, Severity};

/// The name in messages and exceptions.
pub(super) const RULE: &str = "unknown-action";

/// Every action with resources, in lower case.
struct Actions(BTreeSet<String>);

impl Actions {
    fn load() -> Result<Self, String> {
        let data: Result<IamActionResourcePatterns, _> = serde_json::from_slice(&IAM_ACTION_RESOURCE_PATTERNS_BYTES);
        let data = data.map_err(|error| error.to_string())?;
        Ok(Self(data.iam_action_resource_patterns.into_keys().collect()))
    }

    /// Returns the actions of a service; none if the list does not have the service.
    fn of(&self, service: &str) -> impl Iterator<Item = &str> {
        let prefix = format!("{}:", service.to_ascii_lowercase());
        let from = self.0.range(prefix.clone()..);
        from.take_while(move |action| action.starts_with(&prefix)).map(String::as_str)
    }
}

/// Returns the actions of a stack's roles and policies that their service does not have.
pub(super) fn unknown(stack: &RenderedStack) -> Result<Vec<Finding>, String> {
    static ACTIONS: OnceLock<Result<Actions, String>> = OnceLock::new();
    if stack.system == foundation::SYSTEM {
        return Ok(Vec::new());
    }
    let known = ACTIONS.get_or_init(Actions::load).as_ref().map_err(Clone::clone)?;
    let finding = |granted: model::requirements::GrantedAction<'_>| {
        let action = granted.action.to_ascii_lowercase();
        let (service, _) = action.split_once(':')?;
        if known.0.contains(&action) || known.of(service).next().is_none() {
            return None;
        }
        let suggestion = closest(&action, known.of(service)).map(|name| format!("; did you mean `{name}`?"));
        let name = granted.action;
        Some(Finding {
            severity: Severity::Error,
            rule: RULE.to_owned(),
            stack: stack.name.clone(),
            logical_id: Some(granted.logical_id.to_owned()),
            property: Some(format!("Properties.{}", granted.property)),
            message: format!(
                "`{name}` is no action that has resources, so it allows nothing{}",
                suggestion.unwrap_or_default()
            ),
        })
    };
    Ok(granted_actions(stack).into_iter().filter_map(finding).collect())
}
