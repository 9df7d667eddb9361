//! Lambda's limits of sizes, checked before anything is uploaded.

use std::collections::BTreeSet;

use model::rendered::{ParameterSource, RenderedFunction, RenderedStack, RenderedSystem};
use plan::artifacts::{Artifact, Artifacts};
use serde_json::Value;

use super::BuildError;
use crate::ui::{Ui, size};

/// The largest unzipped size of a function with its layers (Lambda quotas page: 250 MB, which are 262,144,000 bytes).
const UNZIPPED_LIMIT: u64 = 250 * 1024 * 1024;
/// The largest zip (Lambda quotas page: 50 MB in a request). Larger zips are possible through S3, but such a function starts slowly and
/// cannot be uploaded by hand.
const ZIPPED_LIMIT: u64 = 50 * 1024 * 1024;

/// Checks the artifacts, and every function of the systems together with its layers. Warns where a limit is close.
///
/// # Errors
///
/// When Lambda would refuse one.
pub(crate) fn check(artifacts: &Artifacts, systems: &[RenderedSystem], ui: &Ui) -> Result<(), BuildError> {
    for artifact in artifacts.functions.values() {
        let name = format!("artifact {}", full_name(artifact));
        check_size(name.clone(), artifact.unzipped, "unzipped", UNZIPPED_LIMIT, ui)?;
        check_size(name, artifact.zipped, "zipped", ZIPPED_LIMIT, ui)?;
    }
    for artifact in artifacts.layers.values() {
        check_size(format!("layer {}", full_name(artifact)), artifact.unzipped, "unzipped", UNZIPPED_LIMIT, ui)?;
    }
    for system in systems {
        for stack in &system.stacks {
            for function in &stack.functions {
                check_function(function, stack, system, artifacts, ui)?;
            }
        }
    }
    Ok(())
}

fn full_name(artifact: &Artifact) -> String {
    format!("{}-{}", artifact.system, artifact.name)
}

/// Checks a function with layers. Layers from elsewhere are not counted: their size is not known here.
fn check_function(
    function: &RenderedFunction,
    stack: &RenderedStack,
    system: &RenderedSystem,
    artifacts: &Artifacts,
    ui: &Ui,
) -> Result<(), BuildError> {
    let layers: Vec<_> = layers_of(function, stack, system)
        .into_iter()
        .filter_map(|layer| artifacts.layers.get(&(system.name.clone(), layer)))
        .collect();
    let Some(code) = artifacts.functions.get(&function.id.binary).filter(|_| !layers.is_empty()) else { return Ok(()) };
    let bytes = code.unzipped + layers.iter().map(|layer| layer.unzipped).sum::<u64>();
    let names: Vec<_> = layers.iter().map(|layer| layer.name.as_str()).collect();
    let name = format!("function {} with layer {}", function.function_name, names.join(" and "));
    check_size(name, bytes, "unzipped", UNZIPPED_LIMIT, ui)
}

fn check_size(artifact: String, bytes: u64, what: &'static str, limit: u64, ui: &Ui) -> Result<(), BuildError> {
    if bytes > limit {
        return Err(BuildError::TooLarge { artifact, what, bytes, limit });
    }
    if bytes > limit / 5 * 4 {
        ui.warn(format_args!("{artifact} is {} {what}; the limit is {}", size(bytes), size(limit)));
    }
    Ok(())
}

/// The names of the system's layers that a function uses, from its template: layers of its own stack, or outputs of another.
fn layers_of(function: &RenderedFunction, stack: &RenderedStack, system: &RenderedSystem) -> BTreeSet<String> {
    let layers = &stack.template["Resources"][&function.id.logical_id]["Properties"]["Layers"];
    let references = layers.as_array().into_iter().flatten().filter_map(|layer| layer["Ref"].as_str());
    references.filter_map(|reference| layer_of(reference, stack, system)).collect()
}

/// The layer that a reference in a stack leads to.
fn layer_of(reference: &str, stack: &RenderedStack, system: &RenderedSystem) -> Option<String> {
    if let Some(layer) = stack.layers.iter().find(|layer| layer.logical_id == reference) {
        return Some(layer.layer.clone());
    }
    let ParameterSource::Output { stack: other, output } = stack.parameters.get(reference)? else { return None };
    let other = system.stacks.iter().find(|candidate| candidate.stack == *other)?;
    let value: &Value = &other.template["Outputs"][output]["Value"];
    let reference = value["Ref"].as_str()?;
    other.layers.iter().find(|layer| layer.logical_id == reference).map(|layer| layer.layer.clone())
}

#[cfg(test)]
mod tests {
    use model::{
        example::{Example, NOTES},
        rendered::RenderedLayer,
    };
    use plan::artifacts::ArtifactKind;
    use serde_json::json;

    use super::*;

    fn artifact(kind: ArtifactKind, name: &str, zipped: u64, unzipped: u64) -> Artifact {
        let (system, name, path) = (NOTES.to_owned(), name.to_owned(), "f.zip".into());
        Artifact { kind, system, name, path, sha256: String::new(), zipped, unzipped }
    }

    fn function(zipped: u64, unzipped: u64) -> Artifacts {
        let artifact = artifact(ArtifactKind::Function, "api", zipped, unzipped);
        Artifacts { functions: [("notes-api".to_owned(), artifact)].into(), ..Artifacts::default() }
    }

    #[test]
    fn either_size_can_be_too_large() {
        let checked = |zipped, unzipped| check(&function(zipped, unzipped), &[], &Ui::new());
        assert!(checked(52_428_800, 262_144_000).is_ok());
        let error = checked(52_428_801, 0).expect_err("too large").to_string();
        assert!(
            error.contains("artifact notes-api is 52428801 bytes zipped; Lambda's limit is 52428800 bytes"),
            "{error}"
        );
        assert!(checked(0, 262_144_001).is_err_and(|error| error.to_string().contains("unzipped")));
    }

    /// The system `notes` whose first function uses a layer, of its own stack or of another.
    fn system(in_other_stack: bool) -> (RenderedSystem, String) {
        let systems = Example::systems(&Example::stage_named("local"));
        let mut system = systems.into_iter().find(|system| system.name == NOTES).expect("the system");
        let place = system.stacks.iter().position(|stack| !stack.functions.is_empty()).expect("a function");
        let function = system.stacks[place].functions[0].id.clone();
        let layer = RenderedLayer {
            system: NOTES.to_owned(),
            layer: "fonts".to_owned(),
            layer_name: "notes-fonts".to_owned(),
            logical_id: "FontsLayer".to_owned(),
            source: "fonts".to_owned(),
        };
        let mut reference = "FontsLayer";
        if in_other_stack {
            reference = "FromOther";
            let mut other = system.stacks[place].clone();
            (other.stack, other.functions) = ("layers".to_owned(), Vec::new());
            other.template["Outputs"]["Fonts"]["Value"] = json!({ "Ref": "FontsLayer" });
            other.layers = vec![layer];
            system.stacks.push(other);
            let source = ParameterSource::Output { stack: "layers".to_owned(), output: "Fonts".to_owned() };
            system.stacks[place].parameters.insert(reference.to_owned(), source);
        } else {
            system.stacks[place].layers = vec![layer];
        }
        let properties = &mut system.stacks[place].template["Resources"][&function.logical_id]["Properties"];
        properties["Layers"] = json!([{ "Ref": reference }, "arn:aws:lambda:eu-central-1:1:layer:foreign:1"]);
        (system, function.binary)
    }

    #[test]
    fn a_function_and_its_layers_are_counted_together() {
        for in_other_stack in [false, true] {
            let (system, binary) = system(in_other_stack);
            let of_layer = |bytes| {
                let function = artifact(ArtifactKind::Function, "api", 1, 12_144_000);
                let layer = artifact(ArtifactKind::Layer, "fonts", 1, bytes);
                Artifacts {
                    functions: [(binary.clone(), function)].into(),
                    layers: [((NOTES.to_owned(), "fonts".to_owned()), layer)].into(),
                }
            };
            let checked = |bytes| check(&of_layer(bytes), std::slice::from_ref(&system), &Ui::new());
            assert!(checked(250_000_000).is_ok());
            let error = checked(250_000_001).expect_err("too large").to_string();
            assert!(
                error.contains("with layer fonts is 262144001 bytes unzipped; Lambda's limit is 262144000 bytes"),
                "{error}"
            );
        }
    }
}
