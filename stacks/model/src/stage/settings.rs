//! Reads one system's settings out of a stage file, so that errors keep the file's own lines and keys.

use std::{cell::RefCell, fmt, marker::PhantomData};

use serde::{
    Deserializer,
    de::{DeserializeOwned, DeserializeSeed, IgnoredAny, MapAccess, Visitor},
};

/// The settings of a system.
pub(super) struct Settings<T> {
    /// The value; `None` where the stage has none.
    pub(super) value: Option<T>,
    /// The keys that `T` does not have, each with the keys around it: `domain.name`.
    pub(super) ignored: Vec<String>,
}

/// Reads `systems.<system>` from the text of a stage file.
pub(super) fn read<T: DeserializeOwned>(text: &str, system: &str) -> Result<Settings<T>, serde_yaml::Error> {
    let (path, ignored) = (["systems", system], RefCell::default());
    let at = ValueAt { path: &path, ignored: &ignored, value: PhantomData };
    let value = at.deserialize(serde_yaml::Deserializer::from_str(text))?;
    Ok(Settings { value, ignored: ignored.into_inner() })
}

/// Deserializes the value at a path of keys and ignores all others.
struct ValueAt<'a, T> {
    path: &'a [&'a str],
    /// Receives the keys that are ignored.
    ignored: &'a RefCell<Vec<String>>,
    value: PhantomData<T>,
}

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for ValueAt<'_, T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        match self.path {
            // Another reader of the text may meet an empty value, which [`super::Stage::parse`] refuses.
            [] => serde_ignored::deserialize(deserializer, |path| {
                // An option is a step of its own.
                self.ignored.borrow_mut().push(path.to_string().replace("?.", ""));
            }),
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<'de, T: DeserializeOwned> Visitor<'de> for ValueAt<'_, T> {
    type Value = Option<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a map")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (wanted, rest) = self.path.split_first().map_or(("", self.path), |(first, rest)| (*first, rest));
        let mut value = None;
        while let Some(key) = map.next_key::<String>()? {
            if key == wanted {
                value = map.next_value_seed(ValueAt { path: rest, ignored: self.ignored, value: PhantomData })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(value)
    }
}
