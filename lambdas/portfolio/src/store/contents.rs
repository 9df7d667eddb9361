//! Content: reading, creating, changing, publishing and deleting it (access patterns 2 to 6, 9 and 11).

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    StoreError, Table,
    attempts::Attempts,
    item::{Item, attribute, text, text_of},
    keys::{self, Key},
    written::Written,
};
use crate::content::{Content, Status, Stored};

impl Table {
    /// A piece of content, whatever its status.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn get<C: Content>(&self, id: &str) -> Result<Option<Stored<C>>, StoreError> {
        if !keys::is_id(id) {
            return Ok(None);
        }
        self.item(&keys::content(C::KIND, id)).await?.as_ref().map(Self::stored).transpose()
    }

    /// Creates content as a draft.
    ///
    /// # Errors
    /// When it cannot be written, or others keep counting in its category.
    pub async fn create<C: Content>(&self, content: C) -> Result<Stored<C>, StoreError> {
        let stored = Stored { content, status: Status::Draft };
        let id = stored.content.id();
        let mut attempts = Attempts::new();
        while attempts.another().await {
            // Others count in the same category, or an earlier attempt has arrived after all: nobody else has this id.
            if self.put_new(&stored).await? == Written::Yes || self.get::<C>(id).await?.is_some() {
                return Ok(stored);
            }
        }
        Err(contended::<C>(id))
    }

    /// Changes fields of content. None where there is no such content.
    ///
    /// # Errors
    /// When it cannot be read or written, or others keep changing it.
    pub async fn update<C: Content>(
        &self,
        id: &str,
        fields: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<Option<Stored<C>>, StoreError> {
        let mut attempts = Attempts::new();
        while attempts.another().await {
            let Some(old) = self.get::<C>(id).await? else { return Ok(None) };
            let new = old.with(fields, now)?;
            if self.replace(&old, &new).await? == Written::Yes {
                return Ok(Some(new));
            }
        }
        Err(contended::<C>(id))
    }

    /// Publishes content or makes it a draft again; content that is so already stays as it is. None where there is no
    /// such content.
    ///
    /// # Errors
    /// When it cannot be read or written, or others keep changing it.
    pub async fn turn<C: Content>(
        &self,
        id: &str,
        status: Status,
        now: Timestamp,
    ) -> Result<Option<Stored<C>>, StoreError> {
        let mut attempts = Attempts::new();
        while attempts.another().await {
            let Some(old) = self.get::<C>(id).await? else { return Ok(None) };
            if old.status == status {
                return Ok(Some(old));
            }
            let new = old.turned(status, now);
            if self.replace(&old, &new).await? == Written::Yes {
                return Ok(Some(new));
            }
        }
        Err(contended::<C>(id))
    }

    /// Deletes content with its view counter. False where there is no such content.
    ///
    /// # Errors
    /// When it cannot be read or deleted, or others keep changing it.
    pub async fn delete<C: Content>(&self, id: &str) -> Result<bool, StoreError> {
        let mut attempts = Attempts::new();
        while attempts.another().await {
            let Some(old) = self.get::<C>(id).await? else { return Ok(false) };
            if self.remove(&old).await? == Written::Yes {
                return Ok(true);
            }
        }
        Err(contended::<C>(id))
    }

    /// An item as it is now.
    pub(super) async fn item(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(&self.name).set_key(Some(key.item())).consistent_read(true);
        let found = get.send().await.map_err(StoreError::aws("read an item"))?;
        Ok(found.item.filter(|item| !item.is_empty()))
    }

    /// Content as its item has it.
    pub(super) fn stored<C: Content>(item: &Item) -> Result<Stored<C>, StoreError> {
        let key = text_of(item, "PK");
        let data = item.get("Data").cloned().ok_or_else(|| StoreError::corrupt(key, "it has no Data"))?;
        let content = serde_dynamo::from_attribute_value(data)
            .map_err(|error| StoreError::corrupt(key, format!("its Data is of another shape: {error}")))?;
        let status = Status::parse(text_of(item, "Status"))
            .ok_or_else(|| StoreError::corrupt(key, "its Status is neither DRAFT nor PUBLISHED"))?;
        Ok(Stored { content, status })
    }
}

/// Content as an item.
pub(super) fn item_of<C: Content>(stored: &Stored<C>) -> Result<Item, StoreError> {
    let data = attribute(&stored.content)?;
    let mut item = keys::content(C::KIND, stored.content.id()).item();
    for (name, field) in [("CreatedAt", "createdAt"), ("UpdatedAt", "updatedAt")] {
        let time = data.as_m().ok().and_then(|fields| fields.get(field)).cloned();
        item.insert(name.to_owned(), time.unwrap_or(AttributeValue::Null(true)));
    }
    let indexed = stored.indexed();
    for (name, value) in [
        ("GSI1PK", indexed.partition.as_str()),
        ("GSI1SK", &indexed.sort),
        ("EntityType", C::KIND.entity()),
        ("Status", stored.status.stored()),
    ] {
        item.insert(name.to_owned(), text(value));
    }
    item.insert("Data".to_owned(), data);
    Ok(item)
}

fn contended<C: Content>(id: &str) -> StoreError {
    StoreError::Contended { key: keys::content(C::KIND, id).partition }
}
