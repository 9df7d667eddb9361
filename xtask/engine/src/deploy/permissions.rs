//! The calls that execute a plan, so that a missing permission is reported before the first change.

use plan::{Action, Plan};

/// Actions and their resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Needed {
    /// For example `cloudformation:CreateChangeSet`.
    pub(crate) actions: &'static [&'static str],
    /// ARNs.
    pub(crate) resources: Vec<String>,
}

const STACKS: &[&str] =
    &["cloudformation:CreateChangeSet", "cloudformation:DescribeChangeSet", "cloudformation:ExecuteChangeSet"];
const CODE: &[&str] = &["lambda:UpdateFunctionCode", "lambda:PublishVersion", "lambda:UpdateAlias"];

/// Lists the permissions that the caller needs for a plan, without those that CloudFormation uses on the caller's behalf.
pub(crate) fn needed(plan: &Plan, account: &str, region: &str) -> Vec<Needed> {
    let stacks = plan.stacks.iter().filter(|stack| stack.action != Action::None).map(|stack| {
        let region = stack.region.as_deref().unwrap_or(region);
        format!("arn:aws:cloudformation:{region}:{account}:stack/{}/*", stack.name)
    });
    let functions =
        plan.code.iter().map(|code| format!("arn:aws:lambda:{region}:{account}:function:{}", code.function_name));
    let needed = [(STACKS, stacks.collect::<Vec<_>>()), (CODE, functions.collect())];
    let needed = needed.into_iter().filter(|(_, resources)| !resources.is_empty());
    needed.map(|(actions, resources)| Needed { actions, resources }).collect()
}

#[cfg(test)]
mod tests {
    use plan::CodeUpdate;

    use super::*;

    #[test]
    fn a_code_change_needs_no_cloudformation() {
        let code = CodeUpdate {
            system: "photos".to_owned(),
            function_name: "photos-upload-dev".to_owned(),
            key: "artifacts/x.zip".to_owned(),
            code_sha256: String::new(),
        };
        let plan = Plan { stacks: Vec::new(), code: vec![code], unreleased: Vec::new() };
        let resources = vec!["arn:aws:lambda:eu-west-1:111122223333:function:photos-upload-dev".to_owned()];
        assert_eq!(needed(&plan, "111122223333", "eu-west-1"), [Needed { actions: CODE, resources }]);
    }
}
