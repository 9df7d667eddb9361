//! A Lambda layer built from files of the workspace.

use super::function::{RUNTIME, add_code_parameters};
use crate::{
    rendered::{ParameterSource, RenderedLayer},
    resources::lambda::{LayerVersion, layer_version},
    template::{Part, Reference, RemovalPolicy, Resource, Stack, list, set},
};

/// An `AWS::Lambda::LayerVersion` built from files of the workspace.
#[derive(Debug, Clone)]
pub struct Layer {
    /// The logical ID.
    pub logical_id: String,
    /// The system that owns the layer.
    pub system: &'static str,
    /// The layer's name within its system.
    pub layer: String,
    /// The layer's name in Lambda.
    pub layer_name: String,
    /// The folder of the layer's files, relative to the workspace's root.
    pub source: String,
}

impl Part for Layer {
    type Handle = Reference;

    fn add_to(self, stack: &mut Stack) -> Reference {
        let source = ParameterSource::LayerCode { system: self.system.to_owned(), layer: self.layer.clone() };
        let (bucket, key) = add_code_parameters(stack, &self.logical_id, "layer", source);
        let version = LayerVersion {
            layer_name: set(&self.layer_name),
            compatible_runtimes: list([RUNTIME]),
            compatible_architectures: list(["arm64", "x86_64"]),
            content: Some(layer_version::Content {
                s3_bucket: Some(bucket),
                s3_key: Some(key),
                ..layer_version::Content::default()
            }),
            ..LayerVersion::default()
        };
        // Published function versions keep using their layer version; `prune` deletes unused ones.
        let version = Resource::of(version).removal(RemovalPolicy::Retain);
        let reference = stack.resource(&self.logical_id, version);
        stack.layers.push(RenderedLayer {
            system: self.system.to_owned(),
            layer: self.layer,
            layer_name: self.layer_name,
            logical_id: self.logical_id,
            source: self.source,
        });
        reference
    }
}
