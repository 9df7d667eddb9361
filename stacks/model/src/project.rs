//! The trait by which the engine knows the systems of a workspace.

use crate::{
    rendered::RenderedSystem,
    stage::{Stage, StageError},
    template::RenderError,
};

/// The systems of a workspace, which the engine deploys.
///
/// The engine adds foundation to what [`Project::render`] returns, see [`crate::foundation::complete`].
/// That refuses a system with settings in the stage's file that was not rendered.
pub trait Project: Send + Sync {
    /// Parses the file of the stage `name` from its `text`; `file` is its path for messages.
    ///
    /// A project should also read its systems' settings here, with [`Stage::check_systems`] and [`Stage::settings`]: a
    /// mistake in them is then reported before a command starts work.
    ///
    /// # Errors
    ///
    /// When the text is not a stage, or the settings of a system are wrong.
    fn stage(&self, name: &str, text: &str, file: &str) -> Result<Stage, StageError> {
        Stage::parse(name, text, file)
    }

    /// Renders the systems that are deployed to `stage`, without foundation.
    ///
    /// # Errors
    ///
    /// When a system's definition is wrong, or a setting is not allowed.
    fn render(&self, stage: &Stage) -> Result<Vec<RenderedSystem>, RenderError>;
}
