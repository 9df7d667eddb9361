//! Data keys, which KMS generates and unwraps (KMS API reference, `GenerateDataKey` and `Decrypt`).
//!
//! The encryption context names application, stage and user. KMS refuses to unwrap a key under another context, and the functions'
//! roles allow no context of another application or stage.

use analyticbot_contract::context::{APP, APP_VALUE, STAGE, USER_ID};
use aws_call::{Call, CallError, services::KEYS};
use aws_config::SdkConfig;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{
    fields::{DataKey, KEY_BYTES},
    secrets,
};

/// The key in KMS that wraps data keys.
#[derive(Debug, Clone)]
pub struct Keys {
    aws: SdkConfig,
    key_id: String,
    stage: String,
}

/// The reason why KMS returned no data key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// KMS refused or did not answer. Boxed, because the SDK's error is large.
    #[error("failed to {0} a data key")]
    Call(&'static str, #[source] Box<CallError>),
    /// The response contains no key of the right length.
    #[error("KMS returned no key of {KEY_BYTES} bytes")]
    Form,
}

/// A new data key, and the same key as KMS wrapped it.
#[derive(Debug)]
pub struct Generated {
    /// The key.
    pub key: DataKey,
    /// The key as it is stored.
    pub wrapped: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Plaintext {
    #[serde(deserialize_with = "secrets::text")]
    plaintext: Zeroizing<String>,
    /// Absent from the response of `Decrypt`.
    ciphertext_blob: Option<String>,
}

impl Keys {
    /// Uses a key of a stage.
    #[must_use]
    pub fn new(aws: SdkConfig, key_id: &str, stage: &str) -> Self {
        Self { aws, key_id: key_id.to_owned(), stage: stage.to_owned() }
    }

    /// Generates a data key for a user's row.
    ///
    /// # Errors
    /// When KMS refuses or does not answer.
    pub async fn generate(&self, user_id: u64) -> Result<Generated, KeyError> {
        let input = json!({ "KeyId": self.key_id, "KeySpec": "AES_256", "EncryptionContext": self.context(user_id) });
        let answer = self.call("GenerateDataKey", "generate", &input).await?;
        let wrapped = answer.ciphertext_blob.as_deref().and_then(|text| BASE64_STANDARD.decode(text).ok());
        Ok(Generated { key: data_key(&answer.plaintext)?, wrapped: wrapped.ok_or(KeyError::Form)? })
    }

    /// Unwraps the data key of a user's row.
    ///
    /// # Errors
    /// When the key was wrapped for another row or stage, or when KMS does not answer.
    pub async fn unwrap(&self, user_id: u64, wrapped: &[u8]) -> Result<DataKey, KeyError> {
        let input = json!({
            "KeyId": self.key_id,
            "CiphertextBlob": BASE64_STANDARD.encode(wrapped),
            "EncryptionContext": self.context(user_id),
        });
        data_key(&self.call("Decrypt", "unwrap", &input).await?.plaintext)
    }

    async fn call(&self, operation: &'static str, action: &'static str, input: &Value) -> Result<Plaintext, KeyError> {
        let answer = Call::json(KEYS, operation, input).receive(&self.aws).await;
        answer.map_err(|error| KeyError::Call(action, Box::new(error)))
    }

    fn context(&self, user_id: u64) -> Value {
        json!({ APP: APP_VALUE, STAGE: self.stage, USER_ID: user_id.to_string() })
    }
}

fn data_key(text: &Zeroizing<String>) -> Result<DataKey, KeyError> {
    let bytes = Zeroizing::new(BASE64_STANDARD.decode(text.as_bytes()).map_err(|_| KeyError::Form)?);
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    if bytes.len() != KEY_BYTES {
        return Err(KeyError::Form);
    }
    key.copy_from_slice(&bytes);
    Ok(DataKey::new(key))
}

#[cfg(test)]
mod tests {
    use tables::testing::{Script, json_reply};

    use super::*;
    use crate::testing::kms;

    #[tokio::test(flavor = "current_thread")]
    async fn a_data_key_is_bound_to_application_stage_and_user() {
        let script = Script::new(kms());
        let keys = Keys::new(script.aws(), "arn:aws:kms:us-east-2:000000000000:key/1", "test");
        let generated = keys.generate(7).await.expect("a key");
        keys.unwrap(7, &generated.wrapped).await.expect("the same context");
        keys.unwrap(8, &generated.wrapped).await.expect_err("another user");
        let elsewhere = Keys::new(script.aws(), "arn:aws:kms:us-east-2:000000000000:key/1", "prod");
        elsewhere.unwrap(7, &generated.wrapped).await.expect_err("another stage");
        let expected = json!({
            "KeyId": "arn:aws:kms:us-east-2:000000000000:key/1", "KeySpec": "AES_256",
            "EncryptionContext": { "app": "analyticbot", "stage": "test", "user_id": "7" },
        });
        assert_eq!(script.bodies("TrentService.GenerateDataKey"), [expected]);
        let unwrap = &script.bodies("TrentService.Decrypt")[0];
        assert_eq!(unwrap["KeyId"], "arn:aws:kms:us-east-2:000000000000:key/1");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_key_of_another_length_is_refused_without_being_printed() {
        let short = BASE64_STANDARD.encode([5; 16]);
        let answer = json!({ "Plaintext": short, "CiphertextBlob": "AAAA" });
        let script = Script::new(move |_| json_reply(answer.clone()));
        let error = Keys::new(script.aws(), "key", "test").generate(1).await.expect_err("16 bytes");
        assert!(matches!(error, KeyError::Form) && !format!("{error:?}").contains(&short));
    }
}
