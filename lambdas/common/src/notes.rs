//! A function for tests: the list of a system `notes`.

use contract::{Function, FunctionName};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) struct List<V = String> {
    pub(crate) notes_bucket: V,
    pub(crate) allowed_origins: V,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) public_s3_endpoint: Option<V>,
}

impl<V> Function for List<V> {
    const NAME: FunctionName = FunctionName::new("notes", "list", "ListFunction");
}
