//! An EventBridge rule that invokes a function's alias on a schedule.

use super::function::FunctionHandle;
use crate::{
    resources::events::{self, rule},
    template::{Part, Reference, Resource, Stack, set},
};

/// An `AWS::Events::Rule` that invokes one function, and the permission for it.
#[derive(Debug, Clone)]
pub struct Schedule {
    logical_id: String,
    name: String,
    expression: String,
    function: FunctionHandle,
}

impl Schedule {
    /// Creates a rule called `name` with a schedule expression: `rate(15 minutes)` or `cron(…)` (EventBridge user
    /// guide, "Creating a rule that runs on a schedule").
    #[must_use]
    pub fn new(logical_id: &str, name: &str, expression: &str, function: &FunctionHandle) -> Self {
        Self {
            logical_id: logical_id.to_owned(),
            name: name.to_owned(),
            expression: expression.to_owned(),
            function: function.clone(),
        }
    }
}

impl Part for Schedule {
    type Handle = Reference;

    fn add_to(self, stack: &mut Stack) -> Reference {
        let properties = events::Rule {
            name: set(self.name),
            schedule_expression: set(self.expression),
            state: set("ENABLED"),
            targets: Some(vec![rule::Target {
                id: set("live"),
                arn: set(&self.function.alias),
                ..rule::Target::default()
            }]),
            ..events::Rule::default()
        };
        let rule = stack.resource(&self.logical_id, Resource::of(properties));
        let permission = format!("{}Permission", self.logical_id);
        self.function.permit(stack, &permission, "events.amazonaws.com", rule.attribute("Arn"), false);
        rule
    }
}
