//! A bot as it is stored: the item `USER#<user_id>` of the table of bots.

use analyticbot_contract::tables::{LIST_PK, LIST_SK, PK};
use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use serde::{Deserialize, Serialize};
use tables::{AwsError, Item, from_item, strings, to_item};

use crate::{
    crypto::{
        envelope::Sealed,
        fields::{Field, VERSION},
        memo::RowState,
    },
    domain::{
        bot::{BotStatus, Status},
        limits::Limits,
    },
};

/// The only value of the partition key of the index of all bots.
pub(super) const LIST: &str = "BOT";
/// The attribute with the wrapped data key.
const DEK: &str = "dek";

/// A stored bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bot {
    /// The part that responses show.
    pub status: BotStatus,
    /// The application's ID at Telegram.
    pub api_id: Option<i64>,
    /// The fingerprint of the token.
    pub fingerprint: String,
    /// The encrypted credentials.
    pub sealed: Sealed,
    /// Counts the changes of the row.
    pub version: u64,
}

impl Bot {
    /// The limits of the bot.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        Limits {
            max_requests_per_second: self.status.max_requests_per_second,
            max_concurrent_requests: self.status.max_concurrent_requests,
        }
    }

    /// The state for which a decrypted token may be remembered.
    #[must_use]
    pub fn row_state(&self) -> RowState<'_> {
        RowState { user_id: self.status.user_id, updated_at: &self.status.updated_at, sealed: &self.sealed }
    }
}

/// The attributes that the indexes contain, too.
#[derive(Serialize, Deserialize)]
struct Listed {
    id: u64,
    user_id: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bot_username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bot_id: Option<i64>,
    status: Status,
    is_verified: bool,
    rate_limit_rps: u32,
    max_concurrent_requests: u32,
    #[serde(default)]
    total_requests: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_used_at: Option<String>,
    created_at: String,
    updated_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    suspension_reason: Option<String>,
}

/// The attributes that no index contains, without the binary ones.
#[derive(Serialize, Deserialize)]
struct Private {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    telegram_api_id: Option<i64>,
    enc_v: u32,
    fingerprint: String,
    version: u64,
}

/// Returns the key of a user's bot.
pub(super) fn pk(user_id: u64) -> String {
    format!("USER#{user_id}")
}

/// Reads an item of the table.
pub(super) fn read(mut item: Item) -> Result<Bot, AwsError> {
    let mut binary = |name: &str| match item.remove(name) {
        Some(AttributeValue::B(blob)) => Some(blob.into_inner()),
        _ => None,
    };
    let (dek, bot_token) = (binary(DEK), binary(Field::BotToken.attribute()));
    let (Some(dek), Some(bot_token)) = (dek, bot_token) else {
        return Err(AwsError::unexpected("read a bot", "its credentials are not stored as bytes"));
    };
    let [api_hash, phone, session] =
        [Field::ApiHash, Field::Phone, Field::Session].map(|field| binary(field.attribute()));
    let sealed = Sealed { dek, bot_token, api_hash, phone, session };
    let Private { telegram_api_id, enc_v, fingerprint, version } = from_item(item.clone())?;
    if enc_v != VERSION {
        return Err(AwsError::unexpected("read a bot", "the format version of its credentials is unknown"));
    }
    Ok(Bot { status: read_listed(item)?, api_id: telegram_api_id, fingerprint, sealed, version })
}

/// Reads an item of an index, or the same attributes of an item of the table.
pub(super) fn read_listed(item: Item) -> Result<BotStatus, AwsError> {
    let row: Listed = from_item(item)?;
    Ok(BotStatus {
        id: row.id,
        user_id: row.user_id,
        bot_username: row.bot_username,
        bot_id: row.bot_id,
        status: row.status,
        is_verified: row.is_verified,
        max_requests_per_second: row.rate_limit_rps,
        max_concurrent_requests: row.max_concurrent_requests,
        total_requests: row.total_requests,
        last_used_at: row.last_used_at,
        created_at: row.created_at,
        updated_at: row.updated_at,
        suspension_reason: row.suspension_reason,
    })
}

/// Converts a bot to an item of the table.
pub(super) fn write(bot: &Bot) -> Result<Item, AwsError> {
    let shown = bot.status.clone();
    let (id, created_at) = (shown.id, shown.created_at.clone());
    let listed = Listed {
        id,
        user_id: shown.user_id,
        bot_username: shown.bot_username,
        bot_id: shown.bot_id,
        status: shown.status,
        is_verified: shown.is_verified,
        rate_limit_rps: shown.max_requests_per_second,
        max_concurrent_requests: shown.max_concurrent_requests,
        total_requests: shown.total_requests,
        last_used_at: shown.last_used_at,
        created_at: shown.created_at,
        updated_at: shown.updated_at,
        suspension_reason: shown.suspension_reason,
    };
    let private = Private {
        telegram_api_id: bot.api_id,
        enc_v: VERSION,
        fingerprint: bot.fingerprint.clone(),
        version: bot.version,
    };
    let mut item = to_item(&listed)?;
    item.extend(to_item(&private)?);
    let sort = format!("{created_at}#{id:010}");
    item.extend(strings([(PK, &pk(bot.status.user_id)), (LIST_PK, LIST), (LIST_SK, &sort)]));
    let Sealed { dek, bot_token, api_hash, phone, session } = &bot.sealed;
    let optional = [(Field::ApiHash, api_hash), (Field::Phone, phone), (Field::Session, session)];
    let optional = optional.into_iter().filter_map(|(field, bytes)| Some((field.attribute(), bytes.as_ref()?)));
    let binary = [(DEK, dek), (Field::BotToken.attribute(), bot_token)].into_iter().chain(optional);
    item.extend(binary.map(|(name, bytes)| (name.to_owned(), AttributeValue::B(Blob::new(bytes.clone())))));
    Ok(item)
}

#[cfg(test)]
pub(crate) mod tests {
    use analyticbot_contract::tables::{LISTED, STATUS};

    use super::*;

    /// A verified bot of user 7.
    pub(crate) fn bot() -> Bot {
        Bot {
            status: BotStatus {
                id: 3,
                user_id: 7,
                bot_username: Some("Stats_bot".to_owned()),
                bot_id: Some(1001),
                status: Status::Active,
                is_verified: true,
                max_requests_per_second: 30,
                max_concurrent_requests: 10,
                total_requests: 5,
                last_used_at: None,
                created_at: "2026-01-31T12:00:00.000Z".to_owned(),
                updated_at: "2026-01-31T12:00:00.000Z".to_owned(),
                suspension_reason: None,
            },
            api_id: Some(12),
            fingerprint: "f1".to_owned(),
            sealed: Sealed { dek: vec![1], bot_token: vec![2, 0, 255], api_hash: Some(vec![3]), ..Sealed::default() },
            version: 4,
        }
    }

    #[test]
    fn a_bot_survives_a_round_trip() {
        let item = write(&bot()).expect("an item");
        assert!(matches!((&item["bot_token"], &item["dek"]), (AttributeValue::B(_), AttributeValue::B(_))));
        assert_eq!(item["list_sk"], AttributeValue::S("2026-01-31T12:00:00.000Z#0000000003".to_owned()));
        assert_eq!(item["pk"], AttributeValue::S("USER#7".to_owned()));
        assert!(!item.contains_key("suspension_reason") && !item.contains_key("telegram_phone"));
        assert_eq!(read(item), Ok(bot()));
    }

    #[test]
    fn the_indexes_contain_all_that_a_list_shows() {
        let item = write(&bot()).expect("an item");
        let listed = item.into_iter().filter(|(name, _)| LISTED.contains(&name.as_str()) || name == STATUS);
        assert_eq!(read_listed(listed.collect()), Ok(bot().status));
        let secrets = [DEK, "fingerprint", "telegram_api_id"];
        let secrets = secrets.into_iter().chain(Field::ALL.map(Field::attribute));
        assert!(secrets.into_iter().all(|name| !LISTED.contains(&name)));
    }

    #[test]
    fn credentials_of_another_type_or_version_are_refused() {
        let mut text = write(&bot()).expect("an item");
        text.insert("bot_token".to_owned(), AttributeValue::S("1001:plain".to_owned()));
        assert!(read(text).is_err());
        let mut newer = write(&bot()).expect("an item");
        newer.insert("enc_v".to_owned(), AttributeValue::N("2".to_owned()));
        assert!(read(newer).is_err());
    }
}
