//! The command-line tool of this repository: the engine, for the systems of [`stacks`].

use std::process::ExitCode;

use engine::{Application, application::OwnCheck};
use verbs::{Demo, DemoVerb, SchemaVerb};

fn main() -> ExitCode {
    let application = Application::new(stacks::Project).verb(SchemaVerb).verb(DemoVerb).demo(Demo);
    engine::main(application.check(resource_types()).check(faults()))
}

/// Downloads the schemas, so it only runs when named.
fn resource_types() -> OwnCheck {
    OwnCheck {
        name: "resource-types",
        about: "The generated resource types match AWS's schemas. Downloads the schemas, so it only runs when named",
        arguments: vec!["xtask", "schema", "--check"],
        environment: Vec::new(),
        options: Vec::new(),
        is_usual: false,
    }
}

/// Takes an hour or two, so it only runs when named.
fn faults() -> OwnCheck {
    OwnCheck {
        name: "faults",
        about: "Five hundred deploys, each with a fault at a different call. Takes an hour or two, so it only runs when named",
        arguments: vec![
            "nextest",
            "run",
            "--package",
            "xtask",
            "--ignore-rust-version",
            "-E",
            "test(faults)",
            "--no-capture",
        ],
        environment: vec![("XTASK_FAULT_RUNS", "500")],
        options: Vec::new(),
        is_usual: false,
    }
}
