//! The command-line tool of this repository: the engine, for the systems of [`stacks`].

use std::process::ExitCode;

use engine::{
    Application,
    application::{CheckOption, OwnCheck},
};
use verbs::{Demo, DemoVerb, SchemaVerb};

fn main() -> ExitCode {
    let application = Application::new(stacks::Project).verb(SchemaVerb).verb(DemoVerb).demo(Demo);
    let checks = [resource_types(), faults(), simulate(), mutations(), race()];
    engine::main(checks.into_iter().fold(application, Application::check))
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

/// About one history in five hundred still violates an invariant, so it only runs when named.
fn simulate() -> OwnCheck {
    let option = |name, value, about| CheckOption { name, value, about };
    OwnCheck {
        name: "simulate",
        about: "A thousand random histories of deploys to a simulated AWS, other ones each day, violate no invariant. Takes some \
                minutes, so it only runs when named",
        arguments: simulation("simulate"),
        environment: Vec::new(),
        options: vec![
            option("seeds", "COUNT", "how many histories are played"),
            option("seed", "SEED", "the history that is played, with its log"),
            option("minutes", "MINUTES", "how long histories are played"),
        ],
        is_usual: false,
    }
}

/// Compiles the engine once for each mutation, so it only runs when named.
fn mutations() -> OwnCheck {
    OwnCheck {
        name: "mutations",
        about: "Each deliberate breakage of the engine is found by the histories of `simulate`. Takes some hours, so it only runs \
                when named",
        arguments: simulation("mutate"),
        environment: Vec::new(),
        options: vec![CheckOption { name: "mutation", value: "NAME", about: "the only breakage that is searched for" }],
        is_usual: false,
    }
}

/// Downloads the other tools and measures for half an hour, so it only runs when named.
fn race() -> OwnCheck {
    let option = |name, value, about| CheckOption { name, value, about };
    OwnCheck {
        name: "race",
        about: "Deploys with this tool, SAM and CDK to local clouds, and writes their times. Downloads both and takes half an hour, so \
                it only runs when named",
        arguments: vec!["run", "--ignore-rust-version", "--package", "xtask", "--example", "race", "--"],
        environment: Vec::new(),
        options: vec![
            option("runs", "COUNT", "how often each step is measured"),
            option("first-runs", "COUNT", "how often the first deploy is measured"),
            option("release", "FILE", "a release build of this tool, whose plan is measured as well"),
        ],
        is_usual: false,
    }
}

/// The arguments of cargo that run a program of the simulation.
fn simulation(program: &'static str) -> Vec<&'static str> {
    vec!["run", "--ignore-rust-version", "--package", "simulation", "--bin", program, "--"]
}
