//! The systems of this repository and their stages, as a [`Project`] for the engine.

#[cfg(test)]
mod foundation_tests;
mod systems;

use model::{
    rendered::RenderedSystem,
    stage::{Stage, StageError},
    template::RenderError,
};

/// The systems of this repository: Media Uploader, Portfolio, Thakii, ListBackup and AnalyticBot.
#[derive(Debug, Clone, Copy)]
pub struct Project;

impl model::project::Project for Project {
    fn stage(&self, name: &str, text: &str, file: &str) -> Result<Stage, StageError> {
        let stage = Stage::parse(name, text, file)?;
        systems::Settings::read(&stage)?;
        Ok(stage)
    }

    fn render(&self, stage: &Stage) -> Result<Vec<RenderedSystem>, RenderError> {
        systems::render(stage)
    }
}
