//! CORS of an HTTP API, which the gateway itself applies.

use contract::Method;
use serde_json::json;

use crate::{
    resources::api_gateway_v2::api,
    template::{Resource, Text, list, set},
};

/// The rule of the template validator for properties that a type does not have.
const UNKNOWN_PROPERTY: &str = "F3002";

/// Which pages may send requests to an HTTP API.
#[derive(Debug, Clone, PartialEq)]
pub struct Cors {
    /// The origins, as browsers send them.
    pub origins: Vec<Text>,
    /// The allowed methods.
    pub methods: Vec<Method>,
    /// The headers that pages may set.
    pub headers: Vec<String>,
    /// Whether pages may send cookies and read responses to such requests. The origins must be listed then.
    pub credentials: bool,
    /// How long browsers may cache the answer to a preflight, in seconds.
    pub max_age: u32,
}

impl Cors {
    fn method_names(&self) -> impl Iterator<Item = &'static str> {
        self.methods.iter().map(|method| method.as_str())
    }

    pub(super) fn properties(&self) -> api::Cors {
        api::Cors {
            allow_origins: Some(self.origins.clone()),
            allow_methods: list(self.method_names()),
            allow_headers: list(self.headers.iter()),
            allow_credentials: set(self.credentials),
            max_age: set(i64::from(self.max_age)),
            ..api::Cors::default()
        }
    }

    /// Adds the configuration with the names of API Gateway's own API, which the emulator reads from a template.
    pub(super) fn add_for_emulator(&self, mut resource: Resource) -> Resource {
        let origins: Vec<_> = self.origins.iter().map(Text::to_json).collect();
        let cors = json!({
            "allowOrigins": origins,
            "allowMethods": self.method_names().collect::<Vec<_>>(),
            "allowHeaders": self.headers,
            "allowCredentials": self.credentials,
            "maxAge": self.max_age,
        });
        match resource.set("CorsConfiguration", cors) {
            Ok(()) => resource.except(UNKNOWN_PROPERTY, "The emulator reads the names of API Gateway's own API."),
            Err(_) => resource,
        }
    }
}
