//! The systems of this repository. A new one is a module here, a field of [`Settings`] and a line in [`render`].

mod analyticbot;
mod listbackup;
mod media_uploader;
mod portfolio;
mod thakii;

use model::{
    rendered::RenderedSystem,
    stage::{Stage, StageError},
    template::RenderError,
};
use serde::de::DeserializeOwned;

/// The systems' names, as stage files spell them.
const NAMES: [&str; 5] = [
    media_uploader_contract::SYSTEM,
    portfolio_contract::SYSTEM,
    thakii_contract::SYSTEM,
    listbackup_contract::SYSTEM,
    analyticbot_contract::SYSTEM,
];

/// Pairs of a setting's old and new name.
type Renamed = &'static [(&'static str, &'static str)];

/// The settings of every system in a stage; `None` where the stage does not have the system.
pub(crate) struct Settings {
    media_uploader: Option<media_uploader::Settings>,
    portfolio: Option<portfolio::Settings>,
    thakii: Option<thakii::Settings>,
    listbackup: Option<listbackup::Settings>,
    analyticbot: Option<analyticbot::Settings>,
}

impl Settings {
    /// Reads the settings of every system.
    ///
    /// # Errors
    ///
    /// When the stage has settings of an unknown system, or settings of the wrong shape.
    pub(crate) fn read(stage: &Stage) -> Result<Self, StageError> {
        stage.check_systems(&NAMES).map_err(|error| error.listed_in("`NAMES` in stacks/src/systems/mod.rs"))?;
        Ok(Self {
            media_uploader: read(stage, media_uploader_contract::SYSTEM, media_uploader::RENAMED_SETTINGS)?,
            portfolio: read(stage, portfolio_contract::SYSTEM, portfolio::RENAMED_SETTINGS)?,
            thakii: read(stage, thakii_contract::SYSTEM, &[])?,
            listbackup: read(stage, listbackup_contract::SYSTEM, &[])?,
            analyticbot: read(stage, analyticbot_contract::SYSTEM, &[])?,
        })
    }
}

fn read<T: DeserializeOwned>(stage: &Stage, system: &str, renamed: Renamed) -> Result<Option<T>, StageError> {
    stage.settings(system).map_err(|error| error.explain_renamed(renamed))
}

/// Renders the systems that have settings in `stage`.
pub(crate) fn render(stage: &Stage) -> Result<Vec<RenderedSystem>, RenderError> {
    let settings = Settings::read(stage)?;
    let systems = [
        settings.media_uploader.map(|settings| media_uploader::system(stage, &settings)),
        settings.portfolio.map(|settings| portfolio::system(stage, &settings)),
        settings.thakii.map(|settings| thakii::system(stage, &settings)),
        settings.listbackup.map(|settings| listbackup::system(stage, &settings)),
        settings.analyticbot.map(|settings| analyticbot::system(stage, &settings)),
    ];
    systems.into_iter().flatten().map(|system| system?.render(stage)).collect()
}

#[cfg(test)]
mod permissions_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
