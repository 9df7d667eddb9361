//! Presigned links to read or write one object for an hour. They are secrets: never log them.

use std::time::Duration;

use aws_sdk_s3::presigning::PresigningConfig;
use thakii_contract::limits::PRESIGN_SECONDS;

use super::{Files, aws_error};
use crate::aws::AwsError;

impl Files {
    /// Signs a link to write an object of exactly this type and size.
    pub(crate) async fn put_link(&self, key: &str, content_type: &str, size: u64) -> Result<String, AwsError> {
        let request = self.presigner.put_object().bucket(&self.bucket).key(key);
        let request = request.content_type(content_type).content_length(length(size)?);
        let signed = request.presigned(lifetime()?).await.map_err(|error| aws_error("sign", key, &error))?;
        Ok(signed.uri().to_owned())
    }

    /// Signs a link to write a part of exactly this size. `index` counts from 0, S3 from 1.
    pub(crate) async fn part_link(
        &self,
        key: &str,
        upload_id: &str,
        index: u64,
        size: u64,
    ) -> Result<String, AwsError> {
        let request = self.presigner.upload_part().bucket(&self.bucket).key(key).upload_id(upload_id);
        let request = request.part_number(part_number(index)?).content_length(length(size)?);
        let signed = request.presigned(lifetime()?).await.map_err(|error| aws_error("sign", key, &error))?;
        Ok(signed.uri().to_owned())
    }

    /// Signs a link to download an object under this file name.
    pub(crate) async fn get_link(&self, key: &str, name: &str) -> Result<String, AwsError> {
        let request = self.presigner.get_object().bucket(&self.bucket).key(key);
        let request = request.response_content_disposition(attachment(name));
        let signed = request.presigned(lifetime()?).await.map_err(|error| aws_error("sign", key, &error))?;
        Ok(signed.uri().to_owned())
    }
}

fn lifetime() -> Result<PresigningConfig, AwsError> {
    PresigningConfig::expires_in(Duration::from_secs(PRESIGN_SECONDS))
        .map_err(|error| AwsError::new("set the expiry of a link", &error))
}

fn length(size: u64) -> Result<i64, AwsError> {
    size.try_into().map_err(|error| AwsError::new("sign a size", &error))
}

/// Returns S3's part number of a piece.
pub(super) fn part_number(index: u64) -> Result<i32, AwsError> {
    index
        .checked_add(1)
        .and_then(|number| number.try_into().ok())
        .ok_or_else(|| AwsError::unexpected("number a part", "the index is too large"))
}

/// Formats a `Content-Disposition` header for any file name: <https://www.rfc-editor.org/rfc/rfc6266#section-4.3>.
fn attachment(name: &str) -> String {
    use std::fmt::Write;
    let plain: String = name
        .chars()
        .map(|character| {
            let harmless = character.is_ascii_graphic() || character == ' ';
            if harmless && !"\"\\%".contains(character) { character } else { '_' }
        })
        .collect();
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn attachments_keep_their_names() {
        assert_eq!(
            attachment("Übung \"1\".pdf"),
            "attachment; filename=\"_bung _1_.pdf\"; filename*=UTF-8''%C3%9Cbung%20%221%22.pdf"
        );
    }

    fn files() -> Files {
        let client = crate::aws::s3_client(&testing::aws());
        Files::new(
            client.clone(),
            crate::aws::presigning_client(&testing::aws(), Some("http://127.0.0.1:4566")),
            "b".to_owned(),
        )
    }

    #[tokio::test(flavor = "current_thread")]
    async fn type_and_size_are_signed_for_an_hour() {
        let link = files().put_link("videos/id/a b.mp4", "video/mp4", 7).await.expect("a link");
        assert!(link.starts_with("http://127.0.0.1:4566/b/videos/id/a%20b.mp4?"), "{link}");
        assert!(link.contains("X-Amz-Expires=3600"), "{link}");
        assert!(link.contains("X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost"), "{link}");
        assert!(!link.contains("checksum"), "{link}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn parts_count_from_one() {
        let link = files().part_link("videos/id/a.mp4", "u", 0, 7).await.expect("a link");
        assert!(link.contains("partNumber=1&") && link.contains("uploadId=u"), "{link}");
        assert!(link.contains("X-Amz-SignedHeaders=content-length%3Bhost"), "{link}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn downloads_have_a_file_name() {
        let link = files().get_link("pdfs/id.pdf", "lecture.pdf").await.expect("a link");
        assert!(link.contains("response-content-disposition=attachment"), "{link}");
        assert!(link.contains("X-Amz-Expires=3600"), "{link}");
    }
}
