//! The systems. A new one is a file here and a line in [`render`].

pub mod media_uploader;
pub mod portfolio;
pub mod thakii;

use model::{
    rendered::RenderedSystem,
    stage::Stage,
    template::{RenderError, System},
};
use serde::de::DeserializeOwned;

/// The systems' names, as stage files spell them.
pub(crate) const NAMES: [&str; 3] =
    [media_uploader_contract::SYSTEM, portfolio_contract::SYSTEM, thakii_contract::SYSTEM];

/// Renders the systems that have settings in `stage`.
pub(crate) fn render(stage: &Stage) -> Result<Vec<RenderedSystem>, RenderError> {
    let systems = [
        with_settings(stage, media_uploader_contract::SYSTEM, media_uploader::system)?,
        with_settings(stage, portfolio_contract::SYSTEM, portfolio::system)?,
        with_settings(stage, thakii_contract::SYSTEM, thakii::system)?,
    ];
    systems.into_iter().flatten().map(|system| system.render(stage)).collect()
}

fn with_settings<T: DeserializeOwned>(
    stage: &Stage,
    name: &str,
    system: impl FnOnce(&Stage, &T) -> Result<System, RenderError>,
) -> Result<Option<System>, RenderError> {
    stage.settings(name)?.map(|settings| system(stage, &settings)).transpose()
}

#[cfg(test)]
mod testing;
