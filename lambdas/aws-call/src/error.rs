//! The errors that services answer with.

use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::error::{ErrorMetadata, metadata::ProvideErrorMetadata};
use serde_json::Value;
use xmlparser::{ElementEnd, Token, Tokenizer};

/// The error of a service: AWS's code and message.
#[derive(Debug, Clone)]
pub struct ApiError(ErrorMetadata);

impl fmt::Display for ApiError {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match (self.0.code(), self.0.message()) {
            (Some(code), Some(message)) => write!(formatter, "{code}: {message}"),
            (Some(text), None) | (None, Some(text)) => formatter.write_str(text),
            (None, None) => formatter.write_str("the service gave no reason"),
        }
    }
}

impl std::error::Error for ApiError {}

impl ProvideErrorMetadata for ApiError {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

impl ApiError {
    /// Reads the error of a response, in JSON or XML (Smithy, "AWS JSON 1.1 protocol" and "AWS restXml protocol": errors).
    pub(crate) fn read(response: &HttpResponse, body: &[u8]) -> Self {
        let header = |name: &str| response.headers().get(name).map(str::to_owned);
        let text = String::from_utf8_lossy(body);
        let json = serde_json::from_str::<Value>(&text).unwrap_or_default();
        let field = |names: [&str; 2]| names.iter().find_map(|name| json[name].as_str().map(str::to_owned));
        let code = header("x-amzn-errortype").or_else(|| field(["__type", "code"])).or_else(|| element(&text, "Code"));
        let message = field(["message", "Message"]).or_else(|| element(&text, "Message"));
        let mut metadata = ErrorMetadata::builder();
        // `com.amazonaws.ssm#ParameterNotFound:http://…` is the longest form.
        let code = code.as_deref().and_then(|code| code.split(':').next()).and_then(|code| code.rsplit('#').next());
        if let Some(code) = code {
            metadata = metadata.code(code);
        }
        let status = format!("HTTP status {}", response.status().as_u16());
        Self(metadata.message(message.unwrap_or(status)).build())
    }
}

/// Returns the text of the first element with a name in an XML document.
#[must_use]
pub fn element(text: &str, name: &str) -> Option<String> {
    let mut inside = false;
    for token in Tokenizer::from(text) {
        match token.ok()? {
            Token::ElementStart { local, .. } => inside = local.as_str() == name,
            Token::ElementEnd { end: ElementEnd::Close(..) | ElementEnd::Empty, .. } => inside = false,
            Token::Text { text } if inside => return Some(text.as_str().to_owned()),
            _ => {}
        }
    }
    None
}
