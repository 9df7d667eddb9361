//! Decides whether statements allow a request, as IAM evaluates them (IAM user guide, "Policy evaluation logic").
//!
//! A request's context may be incomplete: a key that it does not name is unknown, not absent, and a condition on it is undecided.
//! Types to read first: [`Request`], [`Decision`], [`decide`].

use std::{collections::BTreeMap, fmt};

use super::{Effect, Pattern, Patterns, Permission, PolicyStatement, condition, fits};

/// A request as IAM sees it: one action on one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request {
    action: String,
    resource: String,
    context: BTreeMap<String, Vec<String>>,
}

/// Whether statements allow a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decision<'a> {
    /// A statement allows it, and none denies it.
    Allowed,
    /// It depends on this statement's condition, whose keys the request's context does not name.
    Conditional(&'a PolicyStatement),
    /// This statement denies it.
    Denied(&'a PolicyStatement),
    /// No statement allows it.
    NotAllowed,
}

/// Whether a condition is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Met {
    /// It is not.
    No,
    /// The context does not show it.
    Unknown,
    /// It is.
    Yes,
}

impl Request {
    /// A request for an action, for example `dynamodb:GetItem`, on an ARN or `*`, with nothing known of its context.
    #[must_use]
    pub fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { action: action.into(), resource: resource.into(), context: BTreeMap::new() }
    }

    /// Adds a value of a condition key.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.context.entry(key.to_owned()).or_default().push(value.into());
        self
    }

    /// Declares that the request has this condition key with the values that were added, or without a value.
    #[must_use]
    pub fn knowing(mut self, key: &str) -> Self {
        self.context.entry(key.to_owned()).or_default();
        self
    }

    /// The same request for another resource.
    #[must_use]
    pub fn on(&self, resource: impl Into<String>) -> Self {
        Self { resource: resource.into(), ..self.clone() }
    }

    /// The action.
    #[must_use]
    pub fn action(&self) -> &str {
        &self.action
    }

    /// The resource.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The values of each condition key that is known. A key without values is absent from the request.
    #[must_use]
    pub const fn context(&self) -> &BTreeMap<String, Vec<String>> {
        &self.context
    }
}

/// Decides whether the statements of one identity allow a request. A denial beats every permission.
#[must_use]
pub fn decide<'a>(statements: &'a [PolicyStatement], request: &Request) -> Decision<'a> {
    let applying = |effect: Effect, met: Met| {
        statements.iter().find(move |statement| statement.effect == effect && statement.applies_to(request) == met)
    };
    if let Some(denying) = applying(Effect::Deny, Met::Yes) {
        return Decision::Denied(denying);
    }
    let (certain, perhaps) = (applying(Effect::Allow, Met::Yes), applying(Effect::Allow, Met::Unknown));
    match (certain, perhaps, applying(Effect::Deny, Met::Unknown)) {
        (None, None, _) => Decision::NotAllowed,
        (_, _, Some(denying)) => Decision::Conditional(denying),
        (Some(_), _, None) => Decision::Allowed,
        (None, Some(allowing), None) => Decision::Conditional(allowing),
    }
}

/// Returns the allowing statement that comes closest to a request that none allows: the same action before the same resource, and the
/// resource with the longest common beginning. `None` where no statement is about the action's service.
#[must_use]
pub fn closest<'a>(statements: &'a [PolicyStatement], request: &Request) -> Option<&'a PolicyStatement> {
    let service = request.action.split(':').next().unwrap_or_default();
    let is_related = |statement: &&PolicyStatement| match &statement.actions {
        Patterns::Only(actions) => actions.iter().any(|action| {
            action.split(':').next().is_some_and(|other| other == "*" || other.eq_ignore_ascii_case(service))
        }),
        Patterns::AllExcept(_) => true,
    };
    let nearness = |statement: &&PolicyStatement| {
        let common = |pattern: &String| {
            pattern.chars().zip(request.resource.chars()).take_while(|(one, other)| one == other).count()
        };
        let common = match &statement.resources {
            Patterns::Only(resources) => resources.iter().map(common).max().unwrap_or_default(),
            Patterns::AllExcept(_) => 0,
        };
        (statement.has_action(&request.action), statement.has_resource(&request.resource), common)
    };
    let allowing = statements.iter().filter(|statement| statement.effect == Effect::Allow);
    allowing.filter(is_related).max_by_key(nearness)
}

impl PolicyStatement {
    /// Does the statement apply to the request?
    pub(super) fn applies_to(&self, request: &Request) -> Met {
        if !self.has_action(&request.action) || !self.has_resource(&request.resource) {
            return Met::No;
        }
        condition::met(&self.condition, &request.context)
    }

    fn has_action(&self, action: &str) -> bool {
        // Actions have no case.
        let action = action.to_lowercase();
        self.actions.include(|pattern| fits(&pattern.to_lowercase(), &action))
    }

    fn has_resource(&self, resource: &str) -> bool {
        self.resources.include(|pattern| fits(pattern, resource))
    }
}

impl Patterns {
    /// Do the patterns include a text?
    fn include(&self, is_it: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Only(patterns) => patterns.iter().any(|pattern| is_it(pattern)),
            Self::AllExcept(excepted) => !excepted.iter().any(|pattern| is_it(pattern)),
        }
    }
}

impl<'a> Permission<'a> {
    /// The action or actions.
    #[must_use]
    pub const fn action(&self) -> Pattern<'a> {
        self.action
    }

    /// The resource or resources.
    #[must_use]
    pub const fn resource(&self) -> Pattern<'a> {
        self.resource
    }

    /// Is the request one that the permission is for, regardless of conditions?
    #[must_use]
    pub fn is_for(&self, request: &Request) -> bool {
        let action = request.action.to_lowercase();
        self.action.includes(|pattern| fits(&pattern.to_lowercase(), &action))
            && self.resource.includes(|pattern| fits(pattern, &request.resource))
    }
}

impl Pattern<'_> {
    fn includes(&self, is_it: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Text(pattern) => is_it(pattern),
            Self::AllExcept(excepted) => !excepted.iter().any(|pattern| is_it(pattern)),
        }
    }
}

impl fmt::Display for PolicyStatement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let effect = match self.effect {
            Effect::Allow => "allow",
            Effect::Deny => "deny",
            Effect::Unknown => "allow or deny",
        };
        let condition = if self.is_unconditional() { String::new() } else { format!(" if {}", self.condition) };
        write!(formatter, "{effect} {} on {}{condition}", self.actions, self.resources)
    }
}

impl fmt::Display for Patterns {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Only(patterns) => formatter.write_str(&patterns.join(", ")),
            Self::AllExcept(excepted) => write!(formatter, "all except {}", excepted.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests;
