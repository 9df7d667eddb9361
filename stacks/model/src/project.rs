//! A project: the systems that the engine deploys.

use crate::{
    rendered::RenderedSystem,
    stage::{Stage, StageError},
    template::RenderError,
};

/// The systems of a workspace, as the engine sees them.
///
/// The engine adds foundation to what [`Project::render`] returns, see [`crate::foundation::complete`].
pub trait Project: Send + Sync {
    /// Parses the file of the stage `name` from its `text`; `file` is its path for messages.
    ///
    /// A project that checks its systems' settings here reports mistakes in them before any work starts.
    ///
    /// # Errors
    ///
    /// When the text is not a valid stage.
    fn stage(&self, name: &str, text: &str, file: &str) -> Result<Stage, StageError> {
        Stage::parse(name, text, file)
    }

    /// Renders the systems that are deployed to `stage`, without foundation.
    ///
    /// # Errors
    ///
    /// When a system's definition or its settings are wrong.
    fn render(&self, stage: &Stage) -> Result<Vec<RenderedSystem>, RenderError>;
}
