//! The command-line tool of this repository: the engine, for the systems of [`stacks`].

mod demo;
mod schema;

use std::process::ExitCode;

use engine::Application;

fn main() -> ExitCode {
    engine::main(Application::new(stacks::Project).verb(schema::Verb).verb(demo::Verb).demo(demo::Demo))
}
