//! What every command starts with: the application, the workspace, the printer.

use model::{
    foundation,
    rendered::{RenderedStack, RenderedSystem},
    stage::Stage,
};

use crate::{
    application::Application,
    interruption::Interruption,
    render::{RenderError, validate::Validator},
    stage::{self, StageError},
    surroundings::Surroundings,
    ui::Ui,
    workspace::Workspace,
};

/// What every command starts with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Context {
    /// The project's systems and its additions to the engine.
    pub application: Application,
    /// The workspace's folders.
    pub workspace: Workspace,
    /// The printer.
    pub ui: Ui,
    /// The interruption by Ctrl-C.
    pub interruption: Interruption,
    /// The outside world.
    pub surroundings: Surroundings,
}

impl Context {
    /// Reads a stage.
    ///
    /// # Errors
    ///
    /// When there is no such stage, or its file is wrong.
    pub fn stage(&self, name: &str) -> Result<Stage, StageError> {
        stage::load(&*self.application.project, &self.workspace, name)
    }

    /// The validator of a deploy's templates.
    pub(crate) fn validator(&self) -> Validator {
        match self.surroundings.simulated() {
            Some(simulated) if !simulated.validates_templates => Validator::trusting(),
            _ => Validator::remembering(self.workspace.target().join("validated")),
        }
    }

    /// Renders every system of a stage, foundation first.
    ///
    /// # Errors
    ///
    /// When a system's definition or its settings are wrong.
    pub fn render(&self, stage: &Stage) -> Result<Vec<RenderedSystem>, RenderError> {
        self.render_over(stage, &[])
    }

    /// Renders every system of a stage, with a foundation that also allows what the stacks in `deployed` need.
    ///
    /// # Errors
    ///
    /// When a system's definition or its settings are wrong, or a role would exceed IAM's limits.
    pub(crate) fn render_over(
        &self,
        stage: &Stage,
        deployed: &[RenderedStack],
    ) -> Result<Vec<RenderedSystem>, RenderError> {
        let systems = self.application.project.render(stage);
        systems
            .and_then(|systems| foundation::complete(stage, systems, deployed))
            .map_err(|source| RenderError::System { stage: stage.name.clone(), source: Box::new(source) })
    }
}
