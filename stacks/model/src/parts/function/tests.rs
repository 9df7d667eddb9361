//! Names of functions.

use super::*;
use crate::{
    rendered::RenderedSystem,
    template::{RenderError, System},
};

#[derive(Debug, Serialize)]
struct List {}

impl Contract for List {
    const NAME: FunctionName = FunctionName::new("notes", "list", "ListFunction");
}

fn rendered(name: Option<&str>) -> Result<RenderedSystem, RenderError> {
    let stage = Stage::example("dev");
    let mut stack = Stack::new("api", "Notes.");
    let function = Function::new(&stage, List {});
    let function = match name {
        Some(name) => function.named(name),
        None => function,
    };
    let handle = stack.add(function);
    assert_eq!(handle.log_group(), format!("/aws/lambda/{}", handle.name));
    System::new("notes", [stack]).render(&stage)
}

#[test]
fn a_function_is_named_by_its_contract_unless_it_has_another_name() {
    for (name, expected) in [(None, "notes-list-dev"), (Some("notes-api-dev-getNotes"), "notes-api-dev-getNotes")] {
        let system = rendered(name).expect("rendered");
        let stack = &system.stacks[0];
        assert_eq!(stack.functions[0].function_name, expected);
        let properties = |id: &str| stack.template["Resources"][id]["Properties"].clone();
        assert_eq!(properties("ListFunction")["FunctionName"], expected);
        assert_eq!(properties("ListFunctionLogGroup")["LogGroupName"], format!("/aws/lambda/{expected}"));
        let logs = properties("ListFunctionRole").to_string();
        assert!(logs.contains(&format!("log-group:/aws/lambda/{expected}:*")), "{logs}");
    }
}

#[test]
fn a_function_s_name_must_contain_system_and_stage() {
    for name in ["notes-dev-list", "notes-a-dev", "notes-api-dev-list", "notes-dev"] {
        assert!(rendered(Some(name)).is_ok(), "{name}");
    }
    for name in ["list-dev", "notesy-list-dev", "notes-list", "notes-mydev-list", "notes-devs", "notes-list-DEV"] {
        let error = rendered(Some(name)).expect_err("refused").to_string();
        let expected = format!("function ListFunction of stack api is named `{name}`");
        assert!(error.contains(&expected) && error.contains("like `notes-…-dev`"), "{error}");
    }
}
