//! Layers.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use super::{code, function::sha256, invalid, lists};
use crate::{
    account::Account,
    time::Moment,
    wire::{Call, Handled, Refusal, Reply},
};

/// A version of a layer.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerVersion {
    /// The ARN, with the version.
    pub arn: String,
    /// The SHA-256 of the zip, in base64.
    pub sha256: String,
    /// The size of the zip in bytes.
    pub size: u64,
    /// The time of its creation.
    pub created: Moment,
}

/// A layer: its versions, and the number of the next one. Numbers are not used again, as recorded (`test_layer_lifecycle`).
#[derive(Debug, Clone, Default, PartialEq)]
struct Layer {
    versions: BTreeMap<u64, LayerVersion>,
    last: u64,
}

/// The layers by region and name.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Layers(Arc<BTreeMap<(String, String), Layer>>);

impl Layers {
    /// The size of all zips of a region.
    pub(super) fn stored(&self, region: &str) -> u64 {
        let layers = self.0.iter().filter(|((in_region, _), _)| in_region == region);
        layers.flat_map(|(_, layer)| layer.versions.values()).map(|version| version.size).sum()
    }

    /// Whether a version of a layer of this account exists. Layers of other accounts are taken to exist.
    pub(super) fn contains(&self, account: &Account, arn: &str) -> bool {
        let Some((region, owner, name, number)) = parts(arn) else { return false };
        owner != account.id
            || self
                .0
                .get(&(region.to_owned(), name.to_owned()))
                .is_some_and(|layer| layer.versions.contains_key(&number))
    }

    /// Deletes a version by its ARN, if there is one.
    pub(super) fn remove(&mut self, arn: &str) {
        let Some((region, _, name, number)) = parts(arn) else { return };
        if let Some(layer) = Arc::make_mut(&mut self.0).get_mut(&(region.to_owned(), name.to_owned())) {
            layer.versions.remove(&number);
        }
    }
}

/// The region, account, name and number in `arn:aws:lambda:<region>:<account>:layer:<name>:<number>`.
fn parts(arn: &str) -> Option<(&str, &str, &str, u64)> {
    let mut parts = arn.split(':').skip(3);
    let (region, account, _, name) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    Some((region, account, name, parts.next()?.parse().ok()?))
}

/// Publishes a version of a layer with the zip that `source` names; returns its ARN.
pub(super) fn publish(account: &mut Account, region: &str, name: &str, source: &Value) -> Result<String, Refusal> {
    let zip = code::bytes(account, source)?;
    code::check_storage(account, region, zip.len() as u64)?;
    let created = account.now();
    let layers = Arc::make_mut(&mut account.lambda.layers.0);
    let layer = layers.entry((region.to_owned(), name.to_owned())).or_default();
    layer.last += 1;
    let arn = format!("arn:aws:lambda:{region}:{}:layer:{name}:{}", account.id, layer.last);
    let version = LayerVersion { arn: arn.clone(), sha256: sha256(&zip), size: zip.len() as u64, created };
    layer.versions.insert(layer.last, version);
    Ok(arn)
}

/// Lambda API reference, `ListLayerVersions`: the newest first. A layer that does not exist has none.
pub(super) fn list(account: &Account, call: &Call, name: &str) -> Handled {
    let layer = account.lambda.layers.0.get(&(call.region.clone(), name.to_owned()));
    let versions = layer.into_iter().flat_map(|layer| layer.versions.iter().rev());
    let items = versions.map(|(number, version)| {
        // Keys ascend, numbers descend.
        (u64::MAX - number, move || {
            json!({
                "LayerVersionArn": version.arn,
                "Version": number,
                "CreatedDate": version.created.iso8601().replace('Z', "+0000"),
            })
        })
    });
    Ok(lists::page(call, "LayerVersions", items))
}

/// Lambda API reference, `DeleteLayerVersion`. A version that does not exist is deleted.
pub(super) fn delete(account: &mut Account, call: &Call, name: &str, number: &str) -> Handled {
    let number = number.parse::<u64>().unwrap_or_default();
    if number < 1 {
        return Err(invalid("Layer Version Cannot be less than 1"));
    }
    let arn = format!("arn:aws:lambda:{}:{}:layer:{name}:{number}", call.region, account.id);
    account.lambda.layers.remove(&arn);
    Ok(Reply::empty(204))
}
