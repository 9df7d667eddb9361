//! Checks the systems' names, which begin the names of their stacks, artifacts and ledgers.

use std::collections::BTreeSet;

use super::SYSTEM;
use crate::{rendered::RenderedSystem, stage::Stage, template::RenderError};

/// Checks the names of the systems that a project has rendered for a stage.
pub(super) fn check(stage: &Stage, systems: &[RenderedSystem]) -> Result<(), RenderError> {
    let names: Vec<_> = systems.iter().map(|system| system.name.as_str()).collect();
    let all: BTreeSet<&str> = names.iter().copied().chain([SYSTEM]).collect();
    let mut seen = BTreeSet::new();
    for name in &names {
        if *name == SYSTEM {
            return Err(RenderError::ReservedSystem { system: SYSTEM.to_owned() });
        }
        if !seen.insert(*name) {
            return Err(RenderError::DuplicateSystem { system: (*name).to_owned() });
        }
        // A name that is another system's name, a hyphen and more: their resources could have the same names.
        let mut beginnings = name.match_indices('-').map(|(hyphen, _)| &name[..hyphen]);
        if let Some(other) = beginnings.find(|beginning| all.contains(beginning)) {
            return Err(RenderError::ExtendedSystem { system: (*name).to_owned(), other: other.to_owned() });
        }
    }
    Ok(stage.check_rendered(&names)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        example::Example,
        foundation::complete,
        project::Project as _,
        template::{Stack, System},
    };

    /// The error for systems of these names in a stage with these lines under `systems`.
    fn error(names: &[&str], settings: &str) -> String {
        let text = format!("account: '111122223333'\nregion: eu-central-1\nsystems: {{ {settings} }}\n");
        let stage = Stage::parse("dev", &text, "dev.yaml").expect("a stage");
        let system = |name: &&str| System::new(name, vec![Stack::new("data", "Data.")]).render(&stage);
        let systems: Vec<_> = names.iter().map(system).collect::<Result<_, _>>().expect("rendered");
        match complete(&stage, systems, &[]) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn systems_have_names_of_their_own() {
        assert_eq!(error(&["notes", "notebook", "my-notes"], ""), "");
        assert_eq!(error(&["notes", "feeds", "notes"], ""), "two systems are named `notes`");
        assert!(error(&["notes", SYSTEM], "").starts_with("a system is named `foundation`"));
        let extended = error(&["notes-admin", "notes"], "");
        assert!(extended.starts_with("system `notes-admin` is named as system `notes` with a suffix"), "{extended}");
        assert!(error(&["foundation-extra"], "").contains("as system `foundation` with a suffix"));
    }

    #[test]
    fn a_system_with_settings_must_be_rendered() {
        assert_eq!(error(&["notes"], "notes: {}"), "");
        let expected = "failed to parse dev.yaml: there is no system `nots`; did you mean `notes`?";
        assert_eq!(error(&["notes"], "notes: {}, nots: {}"), expected);
        let expected = "failed to render dev.yaml: it has settings of `feeds`, but the project renders no such system; add the system \
                        to what `Project::render` returns";
        assert_eq!(error(&["notes"], "notes: {}, feeds: {}"), expected);
        let stage = Example::stage_named("prod");
        let systems = Example.render(&stage).expect("rendered");
        assert!(check(&stage, &systems[..1]).is_err() && check(&stage, &systems).is_ok());
    }
}
