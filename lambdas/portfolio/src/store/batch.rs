//! Reads many items by key.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::types::KeysAndAttributes;

use super::{
    StoreError, Table,
    item::{Item, text_of},
    keys::Key,
    write::build_error,
};

/// The most keys of one request: <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>.
const MOST: usize = 100;
/// The most requests for keys that DynamoDB leaves unprocessed.
const ATTEMPTS: usize = 6;
/// The pause before the second attempt. It doubles before each further one.
const PAUSE: Duration = Duration::from_millis(25);

impl Table {
    /// Reads the existing items, by partition key.
    pub(super) async fn batch(&self, keys: &[Key], what: &'static str) -> Result<HashMap<String, Item>, StoreError> {
        let mut found = HashMap::new();
        for keys in keys.chunks(MOST) {
            let mut wanted: Vec<Item> = keys.iter().map(Key::item).collect();
            let mut pause = PAUSE;
            for attempt in 0..ATTEMPTS {
                if attempt > 0 {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                let (items, unread) = self.batch_once(wanted, what).await?;
                found.extend(items.into_iter().map(|item| (text_of(&item, "PK").to_owned(), item)));
                wanted = unread;
                if wanted.is_empty() {
                    break;
                }
            }
            if !wanted.is_empty() {
                return Err(StoreError::Unprocessed);
            }
        }
        Ok(found)
    }

    /// Returns the read items and the unprocessed keys.
    async fn batch_once(&self, keys: Vec<Item>, what: &'static str) -> Result<(Vec<Item>, Vec<Item>), StoreError> {
        let keys = KeysAndAttributes::builder().set_keys(Some(keys)).build().map_err(build_error(what))?;
        let request = self.client.batch_get_item().request_items(&self.name, keys);
        let mut answer = request.send().await.map_err(StoreError::aws(what))?;
        let items = answer.responses.as_mut().and_then(|tables| tables.remove(&self.name)).unwrap_or_default();
        let unread = answer.unprocessed_keys.as_mut().and_then(|tables| tables.remove(&self.name));
        Ok((items, unread.map(|unread| unread.keys).unwrap_or_default()))
    }
}
