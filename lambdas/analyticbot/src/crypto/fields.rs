//! Encryption of single fields with AES-256-GCM under a row's data key.
//!
//! A field is stored as nonce, ciphertext and tag. The additional data names table, user, field and version of the format, so a
//! ciphertext is useless in another row or field.

use std::fmt;

use analyticbot_contract::tables::CREDENTIALS;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

/// The bytes of a data key.
pub const KEY_BYTES: usize = 32;
/// The version of the format: the attribute `enc_v`, and part of the additional data.
pub const VERSION: u32 = 1;
/// The bytes of a nonce. Random ones may repeat after 2^32 uses of a key (NIST SP 800-38D, section 8.3); a row's key is used four times.
const NONCE_BYTES: usize = 12;

/// An encrypted field of a bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The token.
    BotToken,
    /// The hash of the application at Telegram.
    ApiHash,
    /// The telephone number.
    Phone,
    /// The session.
    Session,
}

impl Field {
    /// All fields.
    pub const ALL: [Self; 4] = [Self::BotToken, Self::ApiHash, Self::Phone, Self::Session];

    /// The name of the attribute.
    #[must_use]
    pub const fn attribute(self) -> &'static str {
        match self {
            Self::BotToken => "bot_token",
            Self::ApiHash => "telegram_api_hash",
            Self::Phone => "telegram_phone",
            Self::Session => "session_string",
        }
    }
}

/// A field could not be encrypted or decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// The operating system returned no random bytes.
    #[error("the operating system returned no random bytes")]
    Random,
    /// The key was not usable.
    #[error("the data key is not usable")]
    Key,
    /// The ciphertext belongs to another key, row or field, or was changed.
    #[error("failed to decrypt the field `{0}`: it was changed, or belongs to another key, row or field")]
    Refused(&'static str),
}

/// The key of a row, in memory that is overwritten when it is dropped.
pub struct DataKey(Zeroizing<[u8; KEY_BYTES]>);

impl DataKey {
    /// Uses these bytes.
    #[must_use]
    pub fn new(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        Self(bytes)
    }

    /// Encrypts a field of a user's row.
    ///
    /// # Errors
    /// When the operating system returns no random bytes.
    pub fn seal(&self, user_id: u64, field: Field, plaintext: &[u8]) -> Result<Vec<u8>, FieldError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| FieldError::Random)?;
        let mut text = Zeroizing::new(plaintext.to_vec());
        let unique = Nonce::assume_unique_for_key(nonce);
        let tag = self.key()?.seal_in_place_separate_tag(unique, context(user_id, field), &mut text);
        let tag = tag.map_err(|_| FieldError::Key)?;
        Ok([&nonce[..], &text, tag.as_ref()].concat())
    }

    /// Decrypts a field of a user's row.
    ///
    /// # Errors
    /// When the ciphertext belongs to another key, row or field, or was changed.
    pub fn open(&self, user_id: u64, field: Field, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, FieldError> {
        let refused = FieldError::Refused(field.attribute());
        let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(refused)?;
        let mut text = Zeroizing::new(ciphertext.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.key()?.open_in_place(nonce, context(user_id, field), &mut text);
        let length = opened.map_err(|_| refused)?.len();
        text.truncate(length);
        Ok(text)
    }

    fn key(&self) -> Result<LessSafeKey, FieldError> {
        UnboundKey::new(&AES_256_GCM, self.0.as_slice()).map(LessSafeKey::new).map_err(|_| FieldError::Key)
    }
}

impl fmt::Debug for DataKey {
    /// Without the key.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DataKey")
    }
}

/// The additional data of a field. The table's name is that of the contract, so a table that is restored under another name stays readable;
/// the stage is in the encryption context of the data key.
fn context(user_id: u64, field: Field) -> Aad<String> {
    Aad::from(format!("{CREDENTIALS}|{user_id}|{}|v{VERSION}", field.attribute()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn key(byte: u8) -> DataKey {
        DataKey::new(Zeroizing::new([byte; KEY_BYTES]))
    }

    #[test]
    fn a_field_is_readable_in_its_own_place_only() {
        let sealed = key(1).seal(7, Field::BotToken, b"1001:secret").expect("sealed");
        assert_eq!(key(1).open(7, Field::BotToken, &sealed).expect("its own place").as_slice(), b"1001:secret");
        let refused = FieldError::Refused("bot_token");
        assert_eq!(key(1).open(8, Field::BotToken, &sealed).expect_err("another user"), refused);
        assert_eq!(key(2).open(7, Field::BotToken, &sealed).expect_err("another key"), refused);
        let other = key(1).open(7, Field::ApiHash, &sealed).expect_err("another field");
        assert_eq!(other, FieldError::Refused("telegram_api_hash"));
    }

    #[test]
    fn a_changed_or_short_ciphertext_is_refused() {
        let sealed = key(1).seal(7, Field::Session, b"session").expect("sealed");
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(key(1).open(7, Field::Session, &changed).is_err(), "{place}");
            assert!(key(1).open(7, Field::Session, &sealed[..place]).is_err(), "{place}");
        }
    }

    #[test]
    fn the_additional_data_names_table_user_field_and_version() {
        assert_eq!(context(7, Field::Phone).as_ref(), b"user_bot_credentials|7|telegram_phone|v1");
    }

    #[test]
    fn ten_thousand_nonces_are_distinct() {
        let key = key(1);
        let nonces: HashSet<_> = (0..10_000)
            .map(|_| key.seal(7, Field::BotToken, b"same").expect("sealed")[..NONCE_BYTES].to_vec())
            .collect();
        assert_eq!(nonces.len(), 10_000);
    }

    #[test]
    fn keys_are_not_printed() {
        assert_eq!(format!("{:?}", key(77)), "DataKey");
    }
}
