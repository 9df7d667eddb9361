//! A plan as people read it.

use std::fmt::{Display, Formatter, Result};

use super::{Action, Plan};

impl Display for Plan {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        if self.is_empty() {
            return write!(formatter, "No change: everything is as the workspace says.");
        }
        writeln!(formatter, "Plan")?;
        for stack in &self.stacks {
            let (mark, what) = match &stack.action {
                Action::Create => ("+", "create".to_owned()),
                Action::Update(reasons) => ("~", format!("update ({})", reasons.join(", "))),
                Action::None => (" ", "no change".to_owned()),
            };
            writeln!(formatter, "  {mark} {}: {what}", stack.name)?;
        }
        for code in &self.code {
            writeln!(formatter, "  ~ {}: new code, without CloudFormation", code.function_name)?;
        }
        Ok(())
    }
}
