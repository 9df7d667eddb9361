//! The version of the format that a renderer and the engine exchange.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The version of [`RenderedSystem`](super::RenderedSystem)'s format that this crate reads and writes.
///
/// It rises with every change of the format that a reader of the previous version would not understand.
pub const VERSION: u32 = 3;

/// The version in a serialized system: always [`VERSION`]. Deserializing another version is an error that names both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FormatVersion;

impl Serialize for FormatVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        VERSION.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for FormatVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            VERSION => Ok(Self),
            other => Err(D::Error::custom(format_args!(
                "the rendered system has format version {other}, but version {VERSION} is required; build renderer and \
                 engine from the same version of the model"
            ))),
        }
    }
}
