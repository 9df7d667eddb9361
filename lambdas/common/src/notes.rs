//! A function for tests: the list of a system `notes`.

use contract::{Function, FunctionName};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy)]
pub(crate) struct List;

impl Function for List {
    const NAME: FunctionName =
        FunctionName { system: "notes", function: "list", binary: "notes-list", logical_id: "ListFunction" };
    type Environment<V> = ListEnvironment<V>;
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) struct ListEnvironment<V = String> {
    pub(crate) notes_bucket: V,
    pub(crate) allowed_origins: V,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub(crate) public_s3_endpoint: Option<V>,
}

fn none<V>() -> Option<V> {
    None
}
