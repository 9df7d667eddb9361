//! The systems. A new one is a file here, a field of [`Systems`] and a line in [`render`].

pub mod foundation;
pub mod media_uploader;
pub mod portfolio;
pub mod thakii;
mod values;

use serde::Deserialize;

pub use crate::template::RenderError;
use crate::{
    rendered::{RenderedStack, RenderedSystem},
    stage::Stage,
};

/// Each system's settings in a stage. A system without settings is not deployed to it.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Systems {
    /// The Media Uploader.
    pub media_uploader: Option<media_uploader::Settings>,
    /// The Portfolio.
    pub portfolio: Option<portfolio::Settings>,
    /// Thakii.
    pub thakii: Option<thakii::Settings>,
}

/// Renders every system of a stage, foundation first.
///
/// # Errors
///
/// When a system's definition or its settings are wrong.
pub fn render(stage: &Stage) -> Result<Vec<RenderedSystem>, RenderError> {
    render_over(stage, &[])
}

/// Renders every system of a stage, and foundation so that it also allows what these stacks, which are deployed, need.
///
/// # Errors
///
/// When a system's definition or its settings are wrong, or all that is needed is more than a role can hold.
pub fn render_over(stage: &Stage, deployed: &[RenderedStack]) -> Result<Vec<RenderedSystem>, RenderError> {
    let mut systems = Vec::new();
    if let Some(settings) = &stage.systems.media_uploader {
        systems.push(media_uploader::system(stage, settings)?);
    }
    if let Some(settings) = &stage.systems.portfolio {
        systems.push(portfolio::system(stage, settings)?);
    }
    if let Some(settings) = &stage.systems.thakii {
        systems.push(thakii::system(stage, settings)?);
    }
    let mut rendered = systems.into_iter().map(|system| system.render(stage)).collect::<Result<Vec<_>, _>>()?;
    foundation::limit(stage, &mut rendered);
    // Last made, because what deploying may do follows from what is deployed, and first deployed.
    rendered.insert(0, foundation::system(stage, &rendered, deployed)?.render(stage)?);
    Ok(rendered)
}

#[cfg(test)]
mod testing;
