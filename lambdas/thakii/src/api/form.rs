//! Forms with files: `multipart/form-data`, parsed in memory, where the body already is.

use std::collections::BTreeMap;

use axum::body::Bytes;
use futures_util::stream;
use multer::Multipart;

use crate::{body::Payload, error::ApiError};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    /// The client's file name; may be empty.
    pub(super) name: String,
    pub(super) bytes: Bytes,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Form {
    texts: BTreeMap<String, String>,
    files: BTreeMap<String, File>,
}

impl Form {
    /// Parses a form. The last of several fields with one name counts.
    pub(super) async fn read(payload: &Payload) -> Result<Self, ApiError> {
        let invalid = |_| ApiError::bad_request("Invalid multipart body");
        let boundary = multer::parse_boundary(&payload.content_type).map_err(invalid)?;
        let body = stream::iter([Ok::<_, std::convert::Infallible>(payload.bytes.clone())]);
        let mut parts = Multipart::new(body, boundary);
        let mut form = Self::default();
        while let Some(part) = parts.next_field().await.map_err(invalid)? {
            let Some(field) = part.name().map(str::to_owned) else { continue };
            match part.file_name().map(str::to_owned) {
                Some(name) => {
                    let bytes = part.bytes().await.map_err(invalid)?;
                    form.files.insert(field, File { name, bytes });
                }
                None => {
                    let text = part.text().await.map_err(invalid)?;
                    form.texts.insert(field, text);
                }
            }
        }
        Ok(form)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// Returns the file of a field; a text field has none.
    pub(super) fn file(&self, name: &str) -> Option<&File> {
        self.files.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(content_type: &str, body: &str) -> Payload {
        Payload { content_type: content_type.to_owned(), bytes: Bytes::copy_from_slice(body.as_bytes()) }
    }

    const TYPE: &str = "multipart/form-data; boundary=x";

    #[tokio::test(flavor = "current_thread")]
    async fn texts_and_files_are_distinguished() {
        let body = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n7\r\n\
            --x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../l.mp4\"\r\n\
            Content-Type: video/mp4\r\n\r\nbytes\r\n\
            --x\r\nContent-Disposition: form-data; name=\"empty\"; filename=\"\"\r\n\r\n\r\n--x--\r\n";
        let form = Form::read(&payload(TYPE, body)).await.expect("a form");
        assert_eq!(form.text("a"), Some("7"));
        assert_eq!((form.text("file"), form.file("a")), (None, None));
        let file = form.file("file").expect("a file");
        assert_eq!((file.name.as_str(), &file.bytes[..]), ("../l.mp4", &b"bytes"[..]));
        assert_eq!(form.file("empty").expect("a file").name, "");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn invalid_forms_are_rejected() {
        let truncated = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"l.mp4\"\r\n\r\nbyt";
        for (content_type, body) in
            [("multipart/form-data", "--x--"), (TYPE, truncated), (TYPE, ""), (TYPE, "no form at all")]
        {
            let error = Form::read(&payload(content_type, body)).await.expect_err(body);
            assert_eq!(error.text(), "Invalid multipart body", "{body}");
        }
    }
}
