//! A bot's credentials as they are stored: each field encrypted under the row's data key, and the key wrapped by KMS.

use std::{fmt, sync::Arc};

use aws_config::SdkConfig;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::{
    fields::{Field, FieldError},
    keys::{Generated, KeyError, Keys},
    memo::{Memo, RowState, Token},
};

/// The credentials of a bot. Dropping them overwrites their memory.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The token.
    pub bot_token: Zeroizing<String>,
    /// The hash of the application at Telegram.
    pub api_hash: Option<Zeroizing<String>>,
}

impl fmt::Debug for Credentials {
    /// Without the credentials.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Credentials")
    }
}

/// The encrypted part of a row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sealed {
    /// The wrapped data key.
    pub dek: Vec<u8>,
    /// The token.
    pub bot_token: Vec<u8>,
    /// The hash of the application at Telegram.
    pub api_hash: Option<Vec<u8>>,
    /// The telephone number, which no route sets.
    pub phone: Option<Vec<u8>>,
    /// The session, which no route sets.
    pub session: Option<Vec<u8>>,
}

/// The reason why credentials could not be encrypted or decrypted.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// KMS returned no data key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A field was refused.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The decrypted token is not UTF-8.
    #[error("the decrypted token is not UTF-8")]
    Text,
}

/// Encrypts and decrypts the credentials of a stage's bots.
#[derive(Debug)]
pub struct Envelope {
    keys: Keys,
    memo: Memo,
}

impl Envelope {
    /// Uses a key in KMS.
    #[must_use]
    pub fn new(aws: SdkConfig, key_id: &str, stage: &str) -> Self {
        Self { keys: Keys::new(aws, key_id, stage), memo: Memo::default() }
    }

    /// Encrypts credentials under a new data key.
    ///
    /// # Errors
    /// When KMS generates no key, or when the operating system returns no random bytes.
    pub async fn seal(&self, user_id: u64, credentials: &Credentials) -> Result<Sealed, EnvelopeError> {
        let Generated { key, wrapped } = self.keys.generate(user_id).await?;
        let bot_token = key.seal(user_id, Field::BotToken, credentials.bot_token.as_bytes())?;
        let api_hash = credentials.api_hash.as_ref().map(|hash| key.seal(user_id, Field::ApiHash, hash.as_bytes()));
        Ok(Sealed { dek: wrapped, bot_token, api_hash: api_hash.transpose()?, phone: None, session: None })
    }

    /// Decrypts the token of a row, or returns it from the memo. The row must have been read in this request.
    ///
    /// # Errors
    /// When key or ciphertext belong to another row or stage, or when KMS does not answer.
    pub async fn token(&self, row: RowState<'_>, now: Timestamp) -> Result<Token, EnvelopeError> {
        if let Some(token) = self.memo.get(row, now) {
            return Ok(token);
        }
        let key = self.keys.unwrap(row.user_id, &row.sealed.dek).await?;
        let bytes = key.open(row.user_id, Field::BotToken, &row.sealed.bot_token)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| EnvelopeError::Text)?;
        let token: Token = Arc::new(Zeroizing::new(text.to_owned()));
        self.memo.put(row, token.clone(), now);
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use tables::testing::Script;

    use super::*;
    use crate::testing::kms;

    const TOKEN: &str = "1001:VALID-xxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

    fn envelope(script: &Script, stage: &str) -> Envelope {
        Envelope::new(script.aws(), "key", stage)
    }

    fn row(user_id: u64, sealed: &Sealed) -> RowState<'_> {
        RowState { user_id, updated_at: "now", sealed }
    }

    async fn sealed(envelope: &Envelope, user_id: u64) -> Sealed {
        let bot_token = Zeroizing::new(TOKEN.to_owned());
        let credentials = Credentials { bot_token, api_hash: Some(Zeroizing::new("hash".to_owned())) };
        assert_eq!(format!("{credentials:?}"), "Credentials");
        envelope.seal(user_id, &credentials).await.expect("sealed")
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_token_is_decrypted_once_per_state_of_its_row() {
        let script = Script::new(kms());
        let envelope = envelope(&script, "test");
        let sealed = sealed(&envelope, 7).await;
        assert!(!sealed.bot_token.windows(5).any(|bytes| bytes == b"VALID"));
        let now = Timestamp::UNIX_EPOCH;
        for _ in 0..3 {
            let token = envelope.token(row(7, &sealed), now).await.expect("its own row");
            assert_eq!(token.as_str(), TOKEN);
        }
        assert_eq!(script.bodies("TrentService.Decrypt").len(), 1);
        let later = RowState { updated_at: "later", ..row(7, &sealed) };
        envelope.token(later, now).await.expect("the changed row");
        assert_eq!(script.bodies("TrentService.Decrypt").len(), 2);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_copied_row_is_refused_even_if_its_owner_was_remembered() {
        let script = Script::new(kms());
        let envelope = envelope(&script, "test");
        let (one, two) = (sealed(&envelope, 1).await, sealed(&envelope, 2).await);
        let now = Timestamp::UNIX_EPOCH;
        for (user_id, own) in [(1, &one), (2, &two)] {
            envelope.token(row(user_id, own), now).await.expect("its own row");
        }
        let error = envelope.token(row(2, &one), now).await.expect_err("key and ciphertext of user 1");
        assert!(matches!(error, EnvelopeError::Key(_)), "{error:?}");
        let mixed = Sealed { bot_token: one.bot_token.clone(), ..two.clone() };
        let error = envelope.token(row(2, &mixed), now).await.expect_err("the ciphertext of user 1");
        assert!(matches!(error, EnvelopeError::Field(FieldError::Refused("bot_token"))), "{error:?}");
        let swapped = Sealed { bot_token: two.api_hash.clone().expect("a hash"), ..two.clone() };
        envelope.token(row(2, &swapped), now).await.expect_err("another field of the same row");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_row_of_another_stage_is_refused() {
        let script = Script::new(kms());
        let sealed = sealed(&envelope(&script, "test"), 1).await;
        envelope(&script, "prod").token(row(1, &sealed), Timestamp::UNIX_EPOCH).await.expect_err("another stage");
    }
}
