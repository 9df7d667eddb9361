//! The system of README's "Add a system". The README copies the contract and the stack from these files, so both compile and render.

// The files name the contract by its crate.
extern crate self as notes_contract;

#[path = "notes_contract.rs"]
mod contract_of_notes;
mod notes;

pub use contract_of_notes::*;

use std::collections::BTreeSet;

use model::{foundation, rendered::RenderedSystem, requirements, stage::Stage};

fn stage(name: &str, settings: &str) -> Stage {
    let text = format!("account: '111122223333'\nregion: eu-central-1\nsystems: {{ notes: {settings} }}\n");
    Stage::parse(name, &text, "stage.yaml").expect("a stage")
}

fn rendered(stage: &Stage) -> Vec<RenderedSystem> {
    let settings = stage.settings(SYSTEM).expect("the settings are valid").expect("the stage has the system");
    let system = notes::system(stage, &settings).expect("a system").render(stage).expect("rendered");
    foundation::complete(stage, vec![system], &[]).expect("complete")
}

#[test]
fn the_system_of_the_guide_renders_and_fulfils_the_requirements() {
    for name in ["local", "prod"] {
        let stage = stage(name, "{ alarm_email: ops@example.com }");
        let systems = rendered(&stage);
        assert_eq!(requirements::violations(&stage, &systems), [], "{name}");
        let notes = systems.iter().find(|system| system.name == SYSTEM).expect("the system");
        let resources = notes.stacks[0].template["Resources"].as_object().expect("resources");
        let types: BTreeSet<_> = resources.values().filter_map(|resource| resource["Type"].as_str()).collect();
        for wanted in ["AWS::ApiGateway::Method", "AWS::CloudWatch::Alarm", "AWS::DynamoDB::Table", "AWS::Events::Rule"]
        {
            assert!(types.contains(wanted), "{name}: no {wanted} in {types:?}");
        }
        assert_eq!(notes.stacks[0].functions.len(), 2);
    }
}

#[test]
fn its_settings_are_checked() {
    let stage = stage("prod", "{ alarm_email: 'a@example.com, b@example.com' }");
    let settings = stage.settings(SYSTEM).expect("the settings are valid").expect("the stage has the system");
    let error = notes::system(&stage, &settings).map(drop).expect_err("two addresses");
    assert!(format!("{error:?}").contains("alarm_email"), "{error:?}");
}
