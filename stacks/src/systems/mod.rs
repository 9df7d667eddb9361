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
    [contract::media_uploader::SYSTEM, contract::portfolio::SYSTEM, contract::thakii::SYSTEM];

/// Renders the systems that have settings in `stage`.
pub(crate) fn render(stage: &Stage) -> Result<Vec<RenderedSystem>, RenderError> {
    let systems = [
        with_settings(stage, contract::media_uploader::SYSTEM, media_uploader::system)?,
        with_settings(stage, contract::portfolio::SYSTEM, portfolio::system)?,
        with_settings(stage, contract::thakii::SYSTEM, thakii::system)?,
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
