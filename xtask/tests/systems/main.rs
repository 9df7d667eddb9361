//! This repository's systems as the engine and the plans see them: the real stages, rendered.

mod destroying;
mod graphs;
mod planning;
mod rights;
mod security;

use camino::Utf8Path;
use model::{foundation, project::Project as _, rendered::RenderedSystem, stage::Stage};

/// The stages of this repository.
const STAGES: [&str; 4] = ["local", "dev", "staging", "prod"];

fn stage(name: &str) -> Stage {
    let file = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../stacks/stages/{name}.yaml"));
    let text = fs_err::read_to_string(&file).expect("the stage file");
    stacks::Project.stage(name, &text, file.as_str()).expect("a stage")
}

/// The systems of a stage, foundation first.
fn rendered(stage: &Stage) -> Vec<RenderedSystem> {
    let systems = stacks::Project.render(stage).expect("rendered");
    foundation::complete(stage, systems, &[]).expect("completed")
}
